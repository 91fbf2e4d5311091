//! Random conditions that speak of related rows, several levels deep, and orders by them: as the evaluator says.

use std::fmt;

use ommi::ast::{CompareOp, Condition, Direction, Expr, Nulls, Related, RelatedCount, RelatedExpr, Select, Sort};
use ommi::driver::Context;
use ommi::prelude::*;
use ommi::schema::SchemaRef;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use proptest::test_runner::TestCaseError;

use super::Case;
use super::model::{Graph, Link, Node, Spot, schema};
use crate::evaluator::{self, Row};
use crate::properties::{generate, show};
use crate::rows::Rows;

/// What is asked of one of the tables.
#[derive(Clone)]
pub(super) struct Query {
    model: SchemaRef,
    condition: Condition,
    sorts: Vec<Sort>,
    limit: Option<u64>,
    offset: Option<u64>,
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Query { model, condition, sorts, limit, offset } = self;
        let (condition, sorts) = (show::condition(condition, model), show::sorts(sorts, model));
        write!(f, "find {} {condition} sort {sorts} limit {limit:?} offset {offset:?}", model.name)
    }
}

/// What relates the rows of two models.
#[derive(Debug, Clone)]
struct Edge {
    from: SchemaRef,
    to: SchemaRef,
    on: Vec<(u16, u16)>,
}

fn edges() -> Vec<Edge> {
    let (node, spot, link) = (schema::<Node>(), schema::<Spot>(), schema::<Link>());
    let edge = |from: &SchemaRef, to: &SchemaRef, on: &[(u16, u16)]| Edge {
        from: from.clone(),
        to: to.clone(),
        on: on.to_vec(),
    };
    let node_spot = [(Node::hall.index(), Spot::hall.index()), (Node::number.index(), Spot::number.index())];
    let link_spot = [(Link::hall.index(), Spot::hall.index()), (Link::number.index(), Spot::number.index())];
    let turned = |on: [(u16, u16); 2]| on.map(|(own, far)| (far, own));
    vec![
        edge(&node, &node, &[(Node::up_id.index(), Node::id.index())]),
        edge(&node, &node, &[(Node::id.index(), Node::up_id.index())]),
        edge(&node, &node, &[(Node::id.index(), Node::twin_id.index())]),
        edge(&node, &spot, &node_spot),
        edge(&spot, &node, &turned(node_spot)),
        edge(&node, &link, &[(Node::id.index(), Link::node_id.index())]),
        edge(&spot, &link, &turned(link_spot)),
        edge(&link, &node, &[(Link::node_id.index(), Node::id.index())]),
        edge(&link, &spot, &link_spot),
    ]
}

/// A condition on a model, with so many levels of related rows at most.
fn condition(model: &SchemaRef, levels: u32, bytes_order: bool) -> BoxedStrategy<Condition> {
    let plain = generate::condition(model, bytes_order);
    if levels == 0 {
        return plain;
    }
    let ops = [CompareOp::Eq, CompareOp::Ne, CompareOp::Lt, CompareOp::Le, CompareOp::Gt, CompareOp::Ge];
    let related = edges().into_iter().filter(|edge| edge.from.table == model.table).map(|edge| {
        let inner = prop_oneof![1 => Just(Condition::True), 3 => condition(&edge.to, levels - 1, bytes_order)];
        let wanted = (inner, any::<bool>()).prop_map(move |(inner, not_true)| {
            let related = Related::new(edge.to.clone(), edge.on.clone());
            if not_true { related.not_true(inner) } else { related.filter(inner) }
        });
        (wanted, option::weighted(0.3, (select(ops.to_vec()), 0..3u64)), any::<bool>())
            .prop_map(|(related, count, negated)| match count {
                Some((op, number)) => Condition::Count(Box::new(RelatedCount::new(related, op, number))),
                None => Condition::Exists { related: Box::new(related), negated },
            })
            .boxed()
    });
    let related = Union::new(related.collect::<Vec<_>>()).boxed();
    let either = prop_oneof![2 => related.clone(), 1 => plain].boxed();
    prop_oneof![
        4 => related.clone(),
        1 => (related.clone(), either.clone()).prop_map(|(a, b)| Condition::And(vec![a, b])),
        1 => (related.clone(), either).prop_map(|(a, b)| Condition::Or(vec![a, b])),
        1 => related.prop_map(|related| Condition::Not(Box::new(related))),
    ]
    .boxed()
}

/// A column of the model, or of a row that it leads to, over so many relations at most.
fn expr(model: &SchemaRef, levels: u32) -> BoxedStrategy<Expr> {
    let column = (0..model.columns.len() as u16).prop_map(Expr::Column);
    let to_one = edges().into_iter().filter(|edge| {
        let far: Vec<u16> = edge.on.iter().map(|&(_, far)| far).collect();
        edge.from.table == model.table && edge.to.is_unique(&far)
    });
    let related: Vec<_> = to_one
        .filter(|_| levels > 0)
        .map(|edge| {
            let inner = expr(&edge.to, levels - 1);
            let related = move |inner| RelatedExpr::new(edge.to.clone(), edge.on.clone(), inner);
            inner.prop_map(move |inner| Expr::Related(Box::new(related(inner)))).boxed()
        })
        .collect();
    if related.is_empty() { column.boxed() } else { prop_oneof![1 => column, 3 => Union::new(related)].boxed() }
}

pub(super) fn query(bytes_order: bool) -> BoxedStrategy<Query> {
    let of = |model: SchemaRef| {
        let directions = select(vec![Direction::Ascending, Direction::Descending]);
        let nulls = option::of(select(vec![Nulls::First, Nulls::Last]));
        let sort = (expr(&model, 2), directions, nulls).prop_map(|(expr, direction, nulls)| {
            let mut sort = Sort::new(expr, direction);
            sort.nulls = nulls.unwrap_or(sort.nulls);
            sort
        });
        let page = || option::weighted(0.3, 0..5u64);
        (condition(&model, 3, bytes_order), vec(sort, 0..3), page(), page()).prop_map(
            move |(condition, sorts, limit, offset)| Query { model: model.clone(), condition, sorts, limit, offset },
        )
    };
    prop_oneof![2 => of(schema::<Node>()), 1 => of(schema::<Spot>()), 1 => of(schema::<Link>())].boxed()
}

/// The rows of the model that the query is for.
fn rows<'t>(tables: &'t [(SchemaRef, Vec<Row>)], query: &Query) -> &'t [Row] {
    tables.iter().find(|(model, _)| model.table == query.model.table).map_or(&[], |(_, rows)| rows)
}

/// Whether the condition is true of some rows of the graph, and not of others.
#[cfg(test)]
pub(super) fn tells_apart(graph: &Graph, query: &Query) -> bool {
    let tables = graph.tables();
    let rows = rows(&tables, query);
    let found = rows.iter().filter(|row| evaluator::truth(&query.condition, row, &tables).unwrap() == Some(true));
    (1..rows.len()).contains(&found.count())
}

pub(super) async fn hold(db: &Ommi, case: &Case) -> Result<(), TestCaseError> {
    let graph: &Graph = &case.graph;
    let tables = graph.tables();
    for query in &case.queries {
        let mut select = Select::new(query.model.clone());
        select.filter = query.condition.clone();
        select.sort.clone_from(&query.sorts);
        // The key decides what the order leaves open.
        let key = query.model.key.iter().map(|&column| Sort::new(Expr::Column(column), Direction::Ascending));
        select.sort.extend(key);
        (select.limit, select.offset) = (query.limit, query.offset);
        let expected = evaluator::select(&select, rows(&tables, query), &tables)?;
        let mut found = Rows::new(query.model.columns.len());
        db.driver().fetch(&select, &mut found, &Context::new()).await?;
        prop_assert_eq!(found.rows, expected, "{:?}", query);
    }
    Ok(())
}
