//! Every kind of relation included in every kind, and with how many rows.

use ommi::prelude::*;
use ommi::testing::assert_queries;

use super::blog::{Comment, Post, Tag, Team, User, UserTag, filled, titles};

/// Has every kind of relation to itself.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "pair_nodes")]
struct Node {
    id: i64,
    #[ommi(references = Self::id, constraint = false)]
    up_id: Option<i64>,
    #[ommi(unique, references = Self::id, constraint = false)]
    twin_id: Option<i64>,
    #[ommi(by = up_id)]
    up: BelongsTo<Option<Node>>,
    #[ommi(by = up_id)]
    down: HasMany<Node>,
    #[ommi(by = twin_id)]
    twin: HasOne<Node>,
    #[ommi(by = from_id, to = to_id)]
    linked: HasMany<Node, Through<Edge>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "pair_edges")]
struct Edge {
    #[ommi(key, references = Node::id)]
    from_id: i64,
    #[ommi(key, references = Node::id)]
    to_id: i64,
}

/// Row `n` is below row `n / 2`, two of three are twins of the one before, and each is linked to three others.
async fn graph(db: &Ommi) -> DBResult<(Vec<Node>, Vec<Edge>)> {
    db.create_tables::<(Node, Edge)>().await?;
    let node = |id: i64| new!(Node { id, up_id: (id > 1).then_some(id / 2), twin_id: (id % 3 != 0).then_some(id - 1) });
    db.add_all((1..=14).map(node).collect::<Vec<_>>()).await?;
    let links = (1..=14i64).flat_map(|from_id| [3, 5, 8].map(|step| Edge { from_id, to_id: from_id * step % 14 + 1 }));
    let mut edges: Vec<Edge> = links.filter(|edge| edge.from_id % 4 != 0).collect();
    edges.sort_by_key(|edge| (edge.from_id, edge.to_id));
    edges.dedup();
    db.add_all(edges.clone()).await?;
    Ok((db.find_all::<Node>().sort(Node::id).all().await?, edges))
}

/// The related rows, as they were loaded.
mod loaded {
    use super::Node;

    pub(super) fn up(node: &Node) -> Vec<&Node> {
        node.up.get().into_iter().collect()
    }

    pub(super) fn down(node: &Node) -> Vec<&Node> {
        node.down.get().into_iter().flatten().collect()
    }

    pub(super) fn twin(node: &Node) -> Vec<&Node> {
        node.twin.get().into_iter().collect()
    }

    pub(super) fn linked(node: &Node) -> Vec<&Node> {
        node.linked.get().into_iter().flatten().collect()
    }
}

/// The same by hand.
mod joined {
    use super::{Edge, Node};

    type Graph = (Vec<Node>, Vec<Edge>);

    pub(super) fn up<'a>(node: &Node, (nodes, _): &'a Graph) -> Vec<&'a Node> {
        nodes.iter().filter(|other| node.up_id == Some(other.id)).collect()
    }

    pub(super) fn down<'a>(node: &Node, (nodes, _): &'a Graph) -> Vec<&'a Node> {
        nodes.iter().filter(|other| other.up_id == Some(node.id)).collect()
    }

    pub(super) fn twin<'a>(node: &Node, (nodes, _): &'a Graph) -> Vec<&'a Node> {
        nodes.iter().filter(|other| other.twin_id == Some(node.id)).collect()
    }

    pub(super) fn linked<'a>(node: &Node, (nodes, edges): &'a Graph) -> Vec<&'a Node> {
        let is_linked = |other: &&Node| edges.contains(&Edge { from_id: node.id, to_id: other.id });
        nodes.iter().filter(is_linked).collect()
    }
}

/// Includes each of the second relations in the first, and compares all of what comes.
macro_rules! pairs {
    ($db:expr, $first:ident: $($second:ident)*) => {{
        let graph = graph($db).await?;
        let mut related = 0;
        $(
            let include = Node::$first.include(Node::$second);
            let nodes = $db.find_all::<Node>().sort(Node::id).include(include).all().await?;
            assert_eq!(nodes, graph.0);
            for node in &nodes {
                let (first, expected) = (loaded::$first(node), joined::$first(node, &graph));
                assert_eq!(first, expected, "{} of {}", stringify!($first), node.id);
                assert!(node.$first.is_loaded());
                for node in first {
                    assert!(node.$second.is_loaded());
                    let (second, expected) = (loaded::$second(node), joined::$second(node, &graph));
                    let pair = (stringify!($first), stringify!($second));
                    assert_eq!(second, expected, "{pair:?} of {}", node.id);
                    related += second.len();
                }
            }
        )*
        assert!(related > 20, "only {related} rows say little");
        Ok(())
    }};
}

pub(crate) async fn each_kind_in_what_a_row_belongs_to(db: &Ommi) -> DBResult<()> {
    pairs!(db, up: up down twin linked)
}

pub(crate) async fn each_kind_in_the_one_row_that_belongs_to_it(db: &Ommi) -> DBResult<()> {
    pairs!(db, twin: up down twin linked)
}

pub(crate) async fn each_kind_in_the_rows_that_belong_to_it(db: &Ommi) -> DBResult<()> {
    pairs!(db, down: up down twin linked)
}

pub(crate) async fn each_kind_in_the_rows_through_an_association(db: &Ommi) -> DBResult<()> {
    pairs!(db, linked: up down twin linked)
}

pub(crate) async fn limited_on_each_level(db: &Ommi) -> DBResult<()> {
    let graph = graph(db).await?;
    let include = Node::linked
        .sort(Node::id.desc())
        .limit(2)
        .include(Node::down.sort(Node::id.desc()).limit(1).include(Node::linked.limit(1).offset(1)));
    let nodes =
        assert_queries(6, db, async |db| db.find_all::<Node>().sort(Node::id).include(include).all().await).await?;
    let last =
        |nodes: Vec<&Node>, limit: usize| -> Vec<i64> { nodes.iter().rev().take(limit).map(|node| node.id).collect() };
    let ids = |nodes: &[&Node]| -> Vec<i64> { nodes.iter().map(|node| node.id).collect() };
    for node in &nodes {
        let linked = loaded::linked(node);
        let mut expected = last(joined::linked(node, &graph), 2);
        expected.sort_by_key(|id| std::cmp::Reverse(*id));
        assert_eq!(ids(&linked), expected, "linked to {}", node.id);
        for node in linked {
            let down = loaded::down(node);
            assert_eq!(ids(&down), last(joined::down(node, &graph), 1), "below {}", node.id);
            for node in down {
                let second: Vec<&Node> = joined::linked(node, &graph).into_iter().skip(1).take(1).collect();
                assert_eq!(loaded::linked(node), second, "the second that is linked to {}", node.id);
            }
        }
    }
    Ok(())
}

pub(crate) async fn of_no_rows(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let include = (User::posts.include(Post::comments), User::team, User::tags.limit(2), User::profile);
    let none = assert_queries(1, db, async |db| db.find(User::name.eq("Zoe")).include(include).all().await).await?;
    assert_eq!(none, []);
    Ok(())
}

pub(crate) async fn of_rows_to_which_nothing_belongs(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Team, User, Post, Comment, super::blog::Profile, Tag, UserTag)>().await?;
    db.add_all(["Ann", "Bob"].map(|name| new!(User { name }))).await?;
    let include = (User::posts.include(Post::comments), User::team, User::tags.limit(2), User::profile);
    // Nobody has a team, so that none is looked for; posts, profiles and associations are, and nothing below them.
    let users = assert_queries(4, db, async |db| db.find_all::<User>().include(include).all().await).await?;
    for user in &users {
        assert_eq!(user.posts.get(), Some(&[][..]));
        assert!(user.tags.get().is_some_and(|tags| tags.is_empty()));
        assert!(user.team.is_loaded() && user.team.get().is_none());
        assert!(user.profile.is_loaded() && user.profile.get().is_none());
    }
    Ok(())
}

pub(crate) async fn with_limits_of_none_and_of_more_than_there_are(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let counts = async |limit: u64, offset: u64| {
        let posts = User::posts.limit(limit).offset(offset);
        let include = (posts, User::tags.limit(limit).offset(offset));
        let users = db.find_all::<User>().sort(User::name).include(include).all().await?;
        let count =
            |user: &User| (user.posts.get().map_or(9, <[Post]>::len), user.tags.get().map_or(9, |tags| tags.len()));
        DBResult::Ok(users.iter().map(count).collect::<Vec<_>>())
    };
    assert_eq!(counts(0, 0).await?, [(0, 0); 4]);
    assert_eq!(counts(100, 0).await?, [(3, 2), (1, 1), (1, 0), (0, 0)]);
    assert_eq!(counts(u64::MAX, 1).await?, [(2, 1), (0, 0), (0, 0), (0, 0)]);
    assert_eq!(counts(u64::MAX, u64::MAX).await?, [(0, 0); 4]);
    assert_eq!(counts(0, 1).await?, [(0, 0); 4]);
    Ok(())
}

pub(crate) async fn what_is_limited_stays_in_its_order(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    // The score of two posts is NULL, which is last downwards; the key decides between those.
    let include = User::posts.sort(Post::score.desc()).limit(9);
    let users = db.find(User::name.eq("Ann")).include(include).all().await?;
    assert_eq!(users[0].posts.get().map(titles), Some(vec!["a1", "a2", "a3"]));
    let include = User::posts.sort(Post::author.then(User::name).asc()).limit(2);
    let users = db.find(User::name.eq("Ann")).include(include).all().await?;
    assert_eq!(users[0].posts.get().map(titles), Some(vec!["a1", "a2"]));
    Ok(())
}

/// The condition of an include may speak of further relations.
pub(crate) async fn filtered_by_further_relations(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    for limit in [u64::MAX, 1] {
        let include = User::posts.filter(Post::comments.any(Comment::text.eq("z"))).limit(limit);
        let users = db.find_all::<User>().sort(User::name).include(include).all().await?;
        let posts: Vec<_> = users.iter().map(|user| user.posts.get().map(titles)).collect();
        assert_eq!(posts, [Some(vec!["a1"]), Some(vec![]), Some(vec![]), Some(vec![])]);
        let include = User::tags.filter(Tag::users.count().gt(1)).limit(limit);
        let users = db.find_all::<User>().sort(User::name).include(include).all().await?;
        let tags: Vec<_> = users.iter().map(|user| user.tags.get().map_or(9, |tags| tags.len())).collect();
        assert_eq!(tags, [1, 1, 0, 0]);
    }
    Ok(())
}

/// How many rows stand for many. Fewer where the store is none of SQL's: the server that stands in for MongoDB takes a minute to find 10 000 rows by a list of their keys, and 3 s to
/// find 2 000.
fn many(db: &Ommi) -> i64 {
    if db.driver().capabilities().foreign_keys { 10_000 } else { 2_000 }
}

/// A user each with one post, in one team.
async fn thousands(db: &Ommi) -> DBResult<i64> {
    db.create_tables::<(Team, User, Post, Comment, super::blog::Profile, Tag, UserTag)>().await?;
    let team = db.add(new!(Team { name: "all" })).await?;
    let many = many(db);
    let users = (1..=many).map(|id| new!(User { id, name: format!("{id}"), team_id: team.id }));
    db.add_all(users.collect::<Vec<_>>()).await?;
    db.add_all((1..=many).map(|id| new!(Post { author_id: id, title: format!("of {id}") })).collect::<Vec<_>>())
        .await?;
    Ok(many)
}

pub(crate) async fn of_thousands_of_rows(db: &Ommi) -> DBResult<()> {
    let many = thousands(db).await?;
    let include = (User::team, User::posts.limit(1));
    let users = assert_queries(3, db, async |db| db.find_all::<User>().include(include).all().await).await?;
    assert_eq!(users.len() as i64, many);
    for user in &users {
        assert_eq!(user.team.get().map(|team| team.name.as_str()), Some("all"));
        assert_eq!(user.posts.get().map(titles), Some(vec![format!("of {}", user.id).as_str()]));
    }
    Ok(())
}

pub(crate) async fn thousands_of_rows_load_at_once(db: &Ommi) -> DBResult<()> {
    let many = thousands(db).await?;
    assert_queries(3, db, async |db| {
        let team = db.find_all::<Team>().one().await?;
        let members = team.members.load(db).await?;
        assert_eq!(members.len() as i64, many);
        for user in members {
            assert_eq!(titles(user.posts.load(db).await?), [format!("of {}", user.id)]);
        }
        DBResult::Ok(())
    })
    .await
}
