//! Each relation of the models: loaded, included and in conditions, beside its join by hand.

use std::cmp::Ordering;

use ommi::ast::{Condition, Direction, Expr, Sort};
use ommi::prelude::*;
use ommi::query::IntoSorts;
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use super::model::{self, Graph, Link, Node, Plain, Spot, values};
use super::{Case, Narrow};
use crate::evaluator;

/// Sorts as the tree has them.
struct Sorts(Vec<Sort>);

impl<M> IntoSorts<M> for Sorts {
    fn collect(self, sorts: &mut Vec<Sort>) {
        sorts.extend(self.0);
    }
}

/// All rows in the order of their keys: those of the graph.
macro_rules! all {
    ($db:expr, Node) => {
        $db.find_all::<Node>().sort(Node::id)
    };
    ($db:expr, Spot) => {
        $db.find_all::<Spot>().sort((Spot::hall, Spot::number))
    };
    ($db:expr, Link) => {
        $db.find_all::<Link>().sort(Link::id)
    };
}

/// Compares what each row has loaded with the join, of which only so many are loaded at all.
macro_rules! same {
    ($db:expr, $graph:expr, $rows:expr, $model:ident::$field:ident, $join:ident, $most:expr, $how:expr) => {{
        for row in $rows {
            let found: Vec<_> = row.$field.load($db).await?.into_iter().collect();
            let expected: Vec<_> = model::$join($graph, row).into_iter().take($most).collect();
            prop_assert_eq!(found, expected, "{} {} of {:?}", $how, stringify!($field), values(row));
        }
    }};
}

/// For each relation: its field, its join, and how many rows of it are loaded at most.
macro_rules! every_relation {
    ($what:ident!($($arguments:tt)*)) => {
        $what!(($($arguments)*) Node::up, up, 1);
        $what!(($($arguments)*) Node::down, down, usize::MAX);
        $what!(($($arguments)*) Node::twin, twin, 1);
        $what!(($($arguments)*) Node::spot, spot, 1);
        $what!(($($arguments)*) Node::spots, spots, usize::MAX);
        $what!(($($arguments)*) Spot::nodes, nodes, usize::MAX);
        $what!(($($arguments)*) Spot::linked, linked, usize::MAX);
        $what!(($($arguments)*) Link::node, link_node, 1);
        $what!(($($arguments)*) Link::spot, link_spot, 1);
    };
}

/// For all rows at once, and for one row that came alone.
pub(super) async fn loads(db: &Ommi, graph: &Graph) -> Result<(), TestCaseError> {
    let (nodes, spots, links) = (all!(db, Node).all().await?, all!(db, Spot).all().await?, all!(db, Link).all().await?);
    prop_assert_eq!((&nodes, &spots, &links), (&graph.nodes, &graph.spots, &graph.links));
    macro_rules! rows {
        (Node) => {
            &nodes
        };
        (Spot) => {
            &spots
        };
        (Link) => {
            &links
        };
    }
    macro_rules! loaded {
        (() $model:ident::$field:ident, $join:ident, $most:expr) => {
            same!(db, graph, rows!($model), $model::$field, $join, $most, "loaded");
        };
    }
    every_relation!(loaded!());
    Ok(())
}

/// For a row that came alone.
pub(super) async fn loads_alone(db: &Ommi, case: &Case) -> Result<(), TestCaseError> {
    let graph = &case.graph;
    let place = (case.pick % 5) as u64;
    if case.pick.is_multiple_of(2) {
        let Some(node) = all!(db, Node).offset(place).first().await? else { return Ok(()) };
        match place {
            0 => same!(db, graph, [&node], Node::up, up, 1, "alone"),
            1 => same!(db, graph, [&node], Node::down, down, usize::MAX, "alone"),
            2 => same!(db, graph, [&node], Node::twin, twin, 1, "alone"),
            3 => same!(db, graph, [&node], Node::spot, spot, 1, "alone"),
            _ => same!(db, graph, [&node], Node::spots, spots, usize::MAX, "alone"),
        }
    } else if let Some(spot) = all!(db, Spot).offset(place).first().await? {
        same!(db, graph, [&spot], Spot::nodes, nodes, usize::MAX, "alone");
        same!(db, graph, [&spot], Spot::linked, linked, usize::MAX, "alone");
    }
    Ok(())
}

/// Of joined rows those that are wanted, in the order that is wanted; the key decides what that leaves open.
fn narrowed<'g, M: Plain>(rows: Vec<&'g M>, narrow: &Narrow) -> DBResult<Vec<&'g M>> {
    let mut sorts = narrow.sorts.clone();
    let schema = M::schema();
    let key = schema.key.iter().map(|&column| Sort::new(Expr::Column(column), Direction::Ascending));
    sorts.extend(key);
    let mut found = Vec::new();
    for row in rows {
        if evaluator::truth(&narrow.filter, &values(row), &())? == Some(true) {
            found.push(row);
        }
    }
    let order = |a: &&M, b: &&M| evaluator::order(&sorts, &values(*a), &values(*b), &()).unwrap_or(Ordering::Equal);
    found.sort_by(order);
    Ok(found.into_iter().skip(narrow.offset as usize).take(narrow.limit as usize).collect())
}

/// Compares what each row has included of a relation with the join.
macro_rules! same_of_each {
    ($db:expr, $graph:expr, $narrow:expr, $model:ident::$field:ident) => {{
        let narrow: &Narrow = $narrow;
        let include = $model::$field
            .filter(Predicate::new(narrow.filter.clone()))
            .sort(Sorts(narrow.sorts.clone()))
            .limit(narrow.limit)
            .offset(narrow.offset);
        for row in &all!($db, $model).include(include).all().await? {
            let found: Vec<_> = row.$field.get().into_iter().flatten().collect();
            let expected = narrowed(model::$field($graph, row), narrow)?;
            prop_assert_eq!(found, expected, "the wanted {} of {:?}", stringify!($field), values(row));
        }
    }};
}

/// All of them, and nested ones.
pub(super) async fn includes(db: &Ommi, case: &Case) -> Result<(), TestCaseError> {
    let graph = &case.graph;
    let nested = (
        Node::up,
        Node::down.include((Node::spot, Node::twin)),
        Node::twin.include(Node::spots),
        Node::spot.include(Spot::linked),
        Node::spots.include(Spot::nodes),
    );
    let nodes = all!(db, Node).include(nested).all().await?;
    prop_assert_eq!(&nodes, &graph.nodes);
    for node in &nodes {
        prop_assert!(node.up.is_loaded() && node.down.is_loaded() && node.twin.is_loaded());
        prop_assert!(node.spot.is_loaded() && node.spots.is_loaded());
        let (down, twin) = (node.down.get().unwrap_or_default(), node.twin.get());
        prop_assert!(down.iter().all(|node| node.spot.is_loaded() && node.twin.is_loaded()));
        prop_assert!(twin.is_none_or(|twin| twin.spots.is_loaded()));
        prop_assert!(node.spot.get().is_none_or(|spot| spot.linked.is_loaded()));
        prop_assert!(node.spots.get().into_iter().flatten().all(|spot| spot.nodes.is_loaded()));
        same!(db, graph, down, Node::spot, spot, 1, "nested");
        same!(db, graph, down, Node::twin, twin, 1, "nested");
        same!(db, graph, twin.into_iter(), Node::spots, spots, usize::MAX, "nested");
        same!(db, graph, node.spot.get().into_iter(), Spot::linked, linked, usize::MAX, "nested");
        same!(db, graph, node.spots.get().into_iter().flatten(), Spot::nodes, nodes, usize::MAX, "nested");
    }
    same!(db, graph, &nodes, Node::up, up, 1, "included");
    same!(db, graph, &nodes, Node::down, down, usize::MAX, "included");
    same!(db, graph, &nodes, Node::twin, twin, 1, "included");
    same!(db, graph, &nodes, Node::spot, spot, 1, "included");
    same!(db, graph, &nodes, Node::spots, spots, usize::MAX, "included");
    Ok(())
}

/// Some of each row.
pub(super) async fn includes_of_some(db: &Ommi, case: &Case) -> Result<(), TestCaseError> {
    let graph = &case.graph;
    match case.pick % 4 {
        0 => same_of_each!(db, graph, &case.nodes, Node::down),
        1 => same_of_each!(db, graph, &case.nodes, Spot::nodes),
        2 => same_of_each!(db, graph, &case.nodes, Spot::linked),
        _ => same_of_each!(db, graph, &case.spots, Node::spots),
    }
    Ok(())
}

/// Compares the rows that a condition finds with those for which the closure is true.
macro_rules! same_found {
    ($db:expr, $rows:expr, $model:ident, $predicate:expr, $is:expr) => {
        let found = all!($db, $model).filter($predicate).all().await?;
        let mut expected = Vec::new();
        for row in $rows {
            if $is(row)? {
                expected.push(row.clone());
            }
        }
        prop_assert_eq!(found, expected, "{}", stringify!($predicate));
    };
}

fn count<M: Plain>(rows: &[&M], filter: &Condition) -> DBResult<usize> {
    let mut count = 0;
    for row in rows {
        count += usize::from(evaluator::truth(filter, &values(*row), &())? == Some(true));
    }
    Ok(count)
}

/// What the conditions of the typed interface mean.
pub(super) async fn typed_conditions(db: &Ommi, case: &Case) -> Result<(), TestCaseError> {
    let graph = &case.graph;
    let number = case.nodes.limit;
    macro_rules! of_many {
        ($model:ident::$field:ident, $rows:expr, $filter:expr) => {{
            let filter: &Condition = $filter;
            let p = || Predicate::new(filter.clone());
            let related = |row| model::$field(graph, row);
            let met = |row| count(&related(row), filter);
            same_found!(db, $rows, $model, $model::$field.any(p()), |row| DBResult::Ok(met(row)? > 0));
            same_found!(db, $rows, $model, $model::$field.none(p()), |row| DBResult::Ok(met(row)? == 0));
            same_found!(db, $rows, $model, $model::$field.all(p()), |row| DBResult::Ok(
                met(row)? == related(row).len()
            ));
            same_found!(db, $rows, $model, $model::$field.count().ge(number), |row| {
                DBResult::Ok(related(row).len() as u64 >= number)
            });
            same_found!(db, $rows, $model, $model::$field.count_where(p()).eq(number), |row| {
                DBResult::Ok(met(row)? as u64 == number)
            });
        }};
    }
    macro_rules! of_one {
        ($model:ident::$field:ident, $join:ident, $rows:expr, $filter:expr) => {{
            let filter: &Condition = $filter;
            let p = Predicate::new(filter.clone());
            let related = |row| model::$join(graph, row);
            same_found!(db, $rows, $model, $model::$field.is(p), |row| DBResult::Ok(count(&related(row), filter)? > 0));
            same_found!(db, $rows, $model, $model::$field.is_none(), |row| DBResult::Ok(related(row).is_empty()));
        }};
    }
    match case.pick % 6 {
        0 => of_many!(Node::down, &graph.nodes, &case.nodes.filter),
        1 => of_many!(Node::spots, &graph.nodes, &case.spots.filter),
        2 => of_many!(Spot::linked, &graph.spots, &case.nodes.filter),
        3 => of_one!(Node::up, up, &graph.nodes, &case.nodes.filter),
        4 => of_one!(Node::twin, twin, &graph.nodes, &case.nodes.filter),
        _ => of_one!(Link::spot, link_spot, &graph.links, &case.spots.filter),
    }
    Ok(())
}
