//! Random graphs of rows: what is loaded, what is included, conditions on related rows and orders by them are what a join by hand and the
//! evaluator give.

mod conditions;
mod model;
mod relations;

use std::fmt;

use ommi::ast::{Condition, Sort};
use ommi::driver::Capabilities;
use ommi::{DBResult, Handle, Ommi};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use self::conditions::Query;
use self::model::{Graph, Link, Node, Spot};
use super::show;
use crate::Database;

/// For each graph there are so many cases of other properties: one graph takes that many statements more.
const CASES: u32 = 4;

/// A graph, and what is asked of it.
#[derive(Clone)]
struct Case {
    graph: Graph,
    queries: Vec<Query>,
    nodes: Narrow,
    spots: Narrow,
    /// Which relation is looked at where looking at each would take long.
    pick: usize,
}

/// Which related rows are wanted of each row.
#[derive(Debug, Clone)]
struct Narrow {
    filter: Condition,
    sorts: Vec<Sort>,
    limit: u64,
    offset: u64,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.graph)?;
        for query in &self.queries {
            writeln!(f, "{query:?}")?;
        }
        for (narrow, schema) in [(&self.nodes, model::schema::<Node>()), (&self.spots, model::schema::<Spot>())] {
            let (filter, sorts) = (show::condition(&narrow.filter, &schema), show::sorts(&narrow.sorts, &schema));
            let name = &schema.name;
            writeln!(f, "of each {name} {filter} sort {sorts} limit {} offset {}", narrow.limit, narrow.offset)?;
        }
        writeln!(f, "pick {}", self.pick)
    }
}

fn narrow(schema: &ommi::schema::SchemaRef, bytes_order: bool) -> impl Strategy<Value = Narrow> + use<> {
    let filter = prop_oneof![1 => Just(Condition::True), 3 => super::generate::condition(schema, bytes_order)];
    (filter, super::generate::sorts(schema, bytes_order), 0..4u64, 0..2u64)
        .prop_map(|(filter, sorts, limit, offset)| Narrow { filter, sorts, limit, offset })
}

fn strategy(capabilities: &Capabilities) -> impl Strategy<Value = Case> + use<> {
    let bytes_order = capabilities.bytes_order;
    let queries = proptest::collection::vec(conditions::query(bytes_order), 4);
    let narrow = (narrow(&model::schema::<Node>(), bytes_order), narrow(&model::schema::<Spot>(), bytes_order));
    (model::graph(), queries, narrow, 0..60usize).prop_map(|(graph, queries, (nodes, spots), pick)| Case {
        graph,
        queries,
        nodes,
        spots,
        pick,
    })
}

/// Runs the property with a graph for every four cases.
///
/// # Panics
/// When the driver does not have it.
pub fn graphs(setup: impl AsyncFn() -> DBResult<Database>, cases: u32) {
    super::check(
        setup,
        cases.div_ceil(CASES),
        strategy,
        async |db| db.create_tables::<(Node, Spot, Link)>().await,
        async |db, case| holds(db, &case).await,
    );
}

async fn holds(db: &Ommi, case: &Case) -> Result<(), TestCaseError> {
    let result = try_holds(db, case).await;
    // What a failed case left behind would be in the way of the next.
    db.find_all::<Link>().delete().await?;
    db.find_all::<Node>().delete().await?;
    db.find_all::<Spot>().delete().await?;
    result
}

async fn try_holds(db: &Ommi, case: &Case) -> Result<(), TestCaseError> {
    case.graph.add(db).await?;
    relations::loads(db, &case.graph).await?;
    relations::loads_alone(db, case).await?;
    relations::includes(db, case).await?;
    if !db.driver().capabilities().related_rows {
        return Ok(());
    }
    relations::includes_of_some(db, case).await?;
    relations::typed_conditions(db, case).await?;
    conditions::hold(db, case).await
}

#[cfg(test)]
mod tests {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    use super::*;

    /// Graphs without edges, and conditions that say the same of every row, would find little.
    #[test]
    fn random_graphs_have_edges_and_conditions_tell_rows_apart() {
        let mut runner = TestRunner::deterministic();
        let strategy = strategy(&Capabilities::none("none"));
        let (mut apart, mut ups, mut spots, mut linked) = (0, 0, 0, 0);
        for _ in 0..200 {
            let case = strategy.new_tree(&mut runner).unwrap().current();
            let graph = &case.graph;
            for node in &graph.nodes {
                ups += model::up(graph, node).len();
                spots += model::spot(graph, node).len();
                linked += model::spots(graph, node).len();
            }
            apart += case.queries.iter().filter(|query| conditions::tells_apart(graph, query)).count();
        }
        let found = format!("{apart} tell rows apart; {ups} up, {spots} spots, {linked} linked");
        assert!(apart > 200 && ups > 200 && spots > 100 && linked > 100, "{found}");
    }
}
