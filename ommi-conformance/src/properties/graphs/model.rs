//! The models of the graphs, random rows of them, and their joins by hand.

use std::fmt;

use ommi::driver::Values;
use ommi::prelude::*;
use ommi::schema::SchemaRef;
use ommi::value::Value;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::evaluator::Row;

/// Refers to its own model twice, and to another by several columns. All references may be NULL, and may dangle.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "graph_nodes", references((hall, number) = (Spot::hall, Spot::number), constraint = false))]
pub(super) struct Node {
    pub(super) id: i64,
    pub(super) value: Option<i64>,
    #[ommi(references = Self::id, constraint = false)]
    pub(super) up_id: Option<i64>,
    #[ommi(references = Self::id, constraint = false)]
    pub(super) twin_id: Option<i64>,
    pub(super) hall: Option<String>,
    pub(super) number: Option<i64>,
    #[ommi(by = up_id)]
    pub(super) up: BelongsTo<Option<Node>>,
    #[ommi(by = up_id)]
    pub(super) down: HasMany<Node>,
    #[ommi(by = twin_id)]
    pub(super) twin: HasOne<Node>,
    pub(super) spot: BelongsTo<Option<Spot>>,
    pub(super) spots: HasMany<Spot, Through<Link>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "graph_spots")]
pub(super) struct Spot {
    #[ommi(key)]
    pub(super) hall: String,
    #[ommi(key)]
    pub(super) number: i64,
    pub(super) value: Option<i64>,
    pub(super) nodes: HasMany<Node>,
    pub(super) linked: HasMany<Node, Through<Link>>,
}

/// Has a key of its own, so that it may associate the same rows several times.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "graph_links", references((hall, number) = (Spot::hall, Spot::number), constraint = false))]
pub(super) struct Link {
    pub(super) id: i64,
    #[ommi(references = Node::id, constraint = false)]
    pub(super) node_id: Option<i64>,
    pub(super) hall: Option<String>,
    pub(super) number: Option<i64>,
    pub(super) node: BelongsTo<Option<Node>>,
    pub(super) spot: BelongsTo<Option<Spot>>,
}

pub(super) fn schema<M: Model>() -> SchemaRef {
    M::schema()
}

/// Rows in the order of their keys.
#[derive(Clone)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) spots: Vec<Spot>,
    pub(super) links: Vec<Link>,
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Node { id, value, up_id, twin_id, hall, number, .. } in &self.nodes {
            let spot = (hall, number);
            writeln!(f, "node {id}: value {value:?}, up {up_id:?}, twin {twin_id:?}, spot {spot:?}")?;
        }
        for Spot { hall, number, value, .. } in &self.spots {
            writeln!(f, "spot {hall} {number}: value {value:?}")?;
        }
        for Link { id, node_id, hall, number, .. } in &self.links {
            writeln!(f, "link {id}: node {node_id:?}, spot {:?}", (hall, number))?;
        }
        Ok(())
    }
}

impl Graph {
    pub(super) async fn add(&self, db: &Ommi) -> DBResult<()> {
        db.add_all(self.nodes.clone()).await?;
        db.add_all(self.spots.clone()).await?;
        db.add_all(self.links.clone()).await?;
        Ok(())
    }

    /// The same rows without types.
    pub(super) fn tables(&self) -> Vec<(SchemaRef, Vec<Row>)> {
        vec![
            (schema::<Node>(), self.nodes.iter().map(values).collect()),
            (schema::<Spot>(), self.spots.iter().map(values).collect()),
            (schema::<Link>(), self.links.iter().map(values).collect()),
        ]
    }
}

/// A row without its type.
pub(super) trait Plain: Model {
    fn values(&self) -> Row;
}

impl Plain for Node {
    fn values(&self) -> Row {
        let Node { id, value, up_id, twin_id, hall, number, .. } = self;
        vec![Value::Int(*id), int(*value), int(*up_id), int(*twin_id), text(hall.as_deref()), int(*number)]
    }
}

impl Plain for Spot {
    fn values(&self) -> Row {
        vec![text(Some(&self.hall)), Value::Int(self.number), int(self.value)]
    }
}

impl Plain for Link {
    fn values(&self) -> Row {
        let Link { id, node_id, hall, number, .. } = self;
        vec![Value::Int(*id), int(*node_id), text(hall.as_deref()), int(*number)]
    }
}

pub(super) fn values<M: Plain>(row: &M) -> Row {
    row.values()
}

fn int(value: Option<i64>) -> Value<'static> {
    value.map_or(Value::Null, Value::Int)
}

fn text(text: Option<&str>) -> Value<'static> {
    text.map_or(Value::Null, |text| Value::Text(text.to_owned().into()))
}

fn decoded<M: Model>(row: Row) -> M {
    let mut row = row;
    match M::decode(&mut Values::new(&mut row)) {
        Ok(row) => row,
        Err(error) => panic!("a random row cannot be: {error}"),
    }
}

const HALLS: &[&str] = &["A", "a", "b"];

/// Few keys, so that many references lead somewhere.
pub(super) fn graph() -> impl Strategy<Value = Graph> {
    let reference = || option::weighted(0.8, 1..9i64);
    let hall = || select(HALLS);
    let place = || (option::weighted(0.85, hall()), option::weighted(0.85, 0..3i64));
    let value = || option::weighted(0.8, -1..3i64);
    let node = (value(), reference(), option::weighted(0.5, 1..9i64), place());
    let nodes = (prop_oneof![1 => btree_set(1..9i64, 0..3), 4 => btree_set(1..9i64, 4..9)], vec(node, 8)).prop_map(
        move |(ids, nodes)| {
            let row = |(id, (value, up, twin, (hall, number)))| {
                decoded(vec![Value::Int(id), int(value), int(up), int(twin), text(hall), int(number)])
            };
            ids.into_iter().zip(nodes).map(row).collect()
        },
    );
    let spots = (btree_set((hall(), 0..3i64), 2..9), vec(value(), 9)).prop_map(move |(keys, values)| {
        let row = |((hall, number), value)| decoded(vec![text(Some(hall)), Value::Int(number), int(value)]);
        keys.into_iter().zip(values).map(row).collect()
    });
    let links = vec((reference(), place()), 2..16).prop_map(move |links| {
        let row = |(id, (node, (hall, number)))| decoded(vec![Value::Int(id), int(node), text(hall), int(number)]);
        (1..).zip(links).map(row).collect()
    });
    (nodes, spots, links).prop_map(|(nodes, spots, links)| Graph { nodes, spots, links })
}

fn at(spot: &Spot, hall: &Option<String>, number: Option<i64>) -> bool {
    hall.as_ref() == Some(&spot.hall) && number == Some(spot.number)
}

pub(super) fn up<'g>(graph: &'g Graph, node: &Node) -> Vec<&'g Node> {
    graph.nodes.iter().filter(|other| node.up_id == Some(other.id)).collect()
}

pub(super) fn down<'g>(graph: &'g Graph, node: &Node) -> Vec<&'g Node> {
    graph.nodes.iter().filter(|other| other.up_id == Some(node.id)).collect()
}

/// All of them, though one is loaded.
pub(super) fn twin<'g>(graph: &'g Graph, node: &Node) -> Vec<&'g Node> {
    graph.nodes.iter().filter(|other| other.twin_id == Some(node.id)).collect()
}

pub(super) fn spot<'g>(graph: &'g Graph, node: &Node) -> Vec<&'g Spot> {
    graph.spots.iter().filter(|spot| at(spot, &node.hall, node.number)).collect()
}

/// As often as there are links.
pub(super) fn spots<'g>(graph: &'g Graph, node: &Node) -> Vec<&'g Spot> {
    let links = |spot: &Spot| {
        let is_link = |link: &&Link| link.node_id == Some(node.id) && at(spot, &link.hall, link.number);
        graph.links.iter().filter(is_link).count()
    };
    graph.spots.iter().flat_map(|spot| vec![spot; links(spot)]).collect()
}

pub(super) fn nodes<'g>(graph: &'g Graph, spot: &Spot) -> Vec<&'g Node> {
    graph.nodes.iter().filter(|node| at(spot, &node.hall, node.number)).collect()
}

/// As often as there are links.
pub(super) fn linked<'g>(graph: &'g Graph, spot: &Spot) -> Vec<&'g Node> {
    let links = |node: &Node| {
        let is_link = |link: &&Link| link.node_id == Some(node.id) && at(spot, &link.hall, link.number);
        graph.links.iter().filter(is_link).count()
    };
    graph.nodes.iter().flat_map(|node| vec![node; links(node)]).collect()
}

pub(super) fn link_node<'g>(graph: &'g Graph, link: &Link) -> Vec<&'g Node> {
    graph.nodes.iter().filter(|node| link.node_id == Some(node.id)).collect()
}

pub(super) fn link_spot<'g>(graph: &'g Graph, link: &Link) -> Vec<&'g Spot> {
    graph.spots.iter().filter(|spot| at(spot, &link.hall, link.number)).collect()
}
