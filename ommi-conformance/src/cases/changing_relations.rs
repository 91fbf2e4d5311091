//! Rows are added together with those that belong to them, and made to belong to each other.

use std::error::Error as _;

use ommi::prelude::*;
use ommi::testing::assert_queries;

use super::blog::{Comment, Post, Profile, Tag, Team, User, UserTag, filled, names, tags, titles};
use crate::expect::{assert_kind, error};

async fn ann(db: &impl Handle) -> DBResult<User> {
    db.find(User::name.eq("Ann")).one().await
}

pub(crate) async fn a_row_with_rows_that_refer_to_it(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let eve = db
        .add(new!(User {
            name: "Eve",
            posts: [{ title: "e1", comments: [{ text: "one" }, { text: "two" }] }, { title: "e2" }],
            profile: { about: "herself" },
        }))
        .await?;
    assert_eq!(eve.posts.get().map(titles), Some(vec!["e1", "e2"]), "what was added is loaded");
    assert!(!eve.tags.is_loaded());
    let stored =
        db.find(User::name.eq("Eve")).include((User::posts.include(Post::comments), User::profile)).one().await?;
    let posts = stored.posts.get().unwrap_or_default();
    assert_eq!(titles(posts), ["e1", "e2"]);
    let comments = posts[0].comments.get().unwrap_or_default();
    assert_eq!(comments.iter().map(|c| c.text.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(stored.profile.get().map(|profile| profile.about.as_str()), Some("herself"));
    Ok(())
}

/// Its required reference need not be named then.
pub(crate) async fn a_row_with_the_row_that_it_refers_to(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let post = db.add(new!(Post { title: "f1", author: { name: "Fay", team: { name: "new" } } })).await?;
    assert_eq!(post.author.get().map(|author| author.id), Some(post.author_id));
    let fay = db.find(User::id.eq(post.author_id)).include(User::team).one().await?;
    assert_eq!(fay.name, "Fay");
    assert_eq!(fay.team.get().map(|team| team.name.as_str()), Some("new"));
    Ok(())
}

pub(crate) async fn a_row_with_rows_through_an_association(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let gus = db.add(new!(User { name: "Gus", tags: [{ name: "z" }, { name: "go" }] })).await?;
    let stored = db.get::<User>(gus.id).await?;
    assert_eq!(tags(stored.tags.load(db).await?), ["z", "go"]);
    assert_eq!(db.find(UserTag::user_id.eq(gus.id)).count().await?, 2);
    Ok(())
}

/// Each level is one insert, however many rows are above it.
pub(crate) async fn many_rows_with_theirs(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let users = (0..20).map(|n| {
        let posts: Vec<_> = (0..n % 3).map(|m| new!(Post { title: format!("{n}.{m}"), .. })).collect();
        new!(User { name: format!("many {n:02}"), posts })
    });
    let users: Vec<_> = users.collect();
    assert_queries(2, db, async |db| db.add_all(users).await).await?;
    let stored = db.find(User::name.starts_with("many")).sort(User::name).include(User::posts).all().await?;
    for (n, user) in stored.iter().enumerate() {
        let expected: Vec<String> = (0..n % 3).map(|m| format!("{n}.{m}")).collect();
        assert_eq!(user.posts.get().map(titles).unwrap_or_default(), expected);
    }
    Ok(())
}

pub(crate) async fn all_of_it_or_nothing(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let result = db.add(new!(User { name: "Hal", posts: [{ title: "h1" }], tags: [{ name: "rust" }] })).await;
    assert!(error(result).is_unique_violation());
    assert_eq!(db.find(User::name.eq("Hal")).count().await?, 0);
    assert_eq!(db.find(Post::title.eq("h1")).count().await?, 0);
    // What is wrong with a row below is found when those above are there already.
    let draft = new!(User { name: "Hal", posts: vec![new!(Post { .. })] });
    assert_kind!(db.add(draft.clone()).await, ErrorKind::InvalidValue { .. });
    assert_eq!(db.find(User::name.eq("Hal")).count().await?, 0);
    let tx = db.begin().await?;
    assert_kind!(tx.add(draft).await, ErrorKind::InvalidValue { .. });
    let aborted = assert_kind!(tx.commit().await, ErrorKind::TransactionAborted);
    let source = aborted.source().and_then(|source| source.downcast_ref::<DBError>());
    assert!(matches!(source.map(DBError::kind), Some(ErrorKind::InvalidValue { .. })), "{source:?}");
    assert_eq!(db.find(User::name.eq("Hal")).count().await?, 0);
    Ok(())
}

pub(crate) async fn what_is_refused_before_it_is_sent_leaves_a_transaction_usable(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let by_hand = User { id: 1, ..ann(db).await? };
    let by_hand = User { tags: Default::default(), ..by_hand };
    let tag = db.find(Tag::name.eq("rust")).one().await?;
    let tx = db.begin().await?;
    tx.add(new!(User { name: "Ivy" })).await?;
    assert_kind!(tx.add(new!(User { name: "a\0", posts: [{ title: "x" }] })).await, ErrorKind::InvalidValue { .. });
    assert_kind!(by_hand.tags.link(&tx, &tag).await, ErrorKind::Query);
    assert_kind!(
        tx.add_all([new!(User { name: "a\0" }), new!(User { name: "b" })]).await,
        ErrorKind::InvalidValue { .. }
    );
    tx.commit().await?;
    assert_eq!(db.find(User::name.eq("Ivy")).count().await?, 1);
    Ok(())
}

pub(crate) async fn one_new_row_where_one_belongs_to_it(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let two =
        new!(User { name: "Eve", profile: vec![new!(Profile { about: "a", .. }), new!(Profile { about: "b", .. })] });
    let error = assert_kind!(db.add(two).await, ErrorKind::Query);
    assert!(error.to_string().contains("`User.profile` takes one row"), "{error}");
    let two = new!(User { name: "Eve", team: vec![new!(Team { name: "a" }), new!(Team { name: "b" })] });
    assert_kind!(db.add(two).await, ErrorKind::Query);
    assert_eq!(db.find(User::name.eq("Eve")).count().await?, 0);
    Ok(())
}

pub(crate) async fn a_new_row_that_belongs_to_a_row(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let ann = ann(db).await?;
    let post = assert_queries(1, db, async |db| ann.posts.add(db, new!(Post { title: "a4", .. })).await).await?;
    assert_eq!(post.author_id, ann.id);
    let post = ann.posts.add(db, new!(Post { title: "a5", comments: [{ text: "!" }], .. })).await?;
    assert_eq!(post.comments.get().map(|comments: &[Comment]| comments.len()), Some(1));
    assert_eq!(titles(ann.posts.load(db).await?), ["a1", "a2", "a3", "a4", "a5"]);
    Ok(())
}

pub(crate) async fn a_row_is_made_to_belong_to_another(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let bob = db.find(User::name.eq("Bob")).one().await?;
    let post = db.find(Post::title.eq("a2")).one().await?;
    bob.posts.link(db, &post).await?;
    bob.posts.link(db, &post).await?;
    assert_eq!(titles(bob.posts.load(db).await?), ["b1", "a2"]);
    let gone = Post { id: -1, ..post };
    assert_kind!(bob.posts.link(db, &gone).await, ErrorKind::NotFound { .. });
    Ok(())
}

pub(crate) async fn a_row_is_made_to_belong_to_none(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let core = db.find(Team::name.eq("core")).one().await?;
    let ann = ann(db).await?;
    core.members.unlink(db, &ann).await?;
    assert_eq!(names(core.members.load(db).await?), ["Bob", "Dan"]);
    assert_kind!(core.members.unlink(db, &ann).await, ErrorKind::NotFound { .. });
    let post = db.find(Post::title.eq("a1")).one().await?;
    let refused = error(ann.posts.unlink(db, &post).await);
    assert!(matches!(refused.kind(), ErrorKind::Query) && refused.to_string().contains("remove"), "{refused}");
    Ok(())
}

pub(crate) async fn a_row_that_belongs_to_a_row_is_removed(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let (ann, post) = (ann(db).await?, db.find(Post::title.eq("a3")).one().await?);
    ann.posts.remove(db, &post).await?;
    assert_eq!(titles(ann.posts.load(db).await?), ["a1", "a2"]);
    assert_kind!(ann.posts.remove(db, &post).await, ErrorKind::NotFound { .. });
    let of_bob = db.find(Post::title.eq("b1")).one().await?;
    assert_kind!(ann.posts.remove(db, &of_bob).await, ErrorKind::NotFound { .. });
    assert_eq!(db.find(Post::title.eq("b1")).count().await?, 1);
    Ok(())
}

pub(crate) async fn rows_are_associated_once(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let (ann, unused) = (ann(db).await?, db.find(Tag::name.eq("unused")).one().await?);
    ann.tags.link(db, &unused).await?;
    ann.tags.link(db, &unused).await?;
    assert_eq!(db.find(UserTag::user_id.eq(ann.id)).count().await?, 3);
    ann.tags.unlink(db, &unused).await?;
    ann.tags.unlink(db, &unused).await?;
    assert_eq!(tags(ann.tags.load(db).await?), ["rust", "sql"]);
    assert_eq!(db.find_all::<Tag>().count().await?, 3, "the row itself stays");
    Ok(())
}

/// From either side, with columns of the association and without: whoever comes second finds it there.
pub(crate) async fn rows_are_associated_once_by_many_at_a_time(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let (ann, unused) = (ann(db).await?, db.find(Tag::name.eq("unused")).one().await?);
    for round in 0..5 {
        let tasks = (0..6).map(|n| {
            let (db, ann, tag) = (db.clone(), ann.clone(), unused.clone());
            tokio::spawn(async move {
                match n % 3 {
                    0 => ann.tags.link(&db, &tag).await,
                    1 => ann.tags.link_with(&db, &tag, new!(UserTag { weight: 7, .. })).await,
                    _ => tag.users.link(&db, &ann).await,
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("no task panics")?;
        }
        let there = db.find(UserTag::user_id.eq(ann.id) & UserTag::tag_id.eq(unused.id)).count().await?;
        assert_eq!(there, 1, "round {round}");
        ann.tags.unlink(db, &unused).await?;
    }
    Ok(())
}

pub(crate) async fn with_columns_of_the_association(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let (ann, unused) = (ann(db).await?, db.find(Tag::name.eq("unused")).one().await?);
    ann.tags.link_with(db, &unused, new!(UserTag { weight: 7, .. })).await?;
    ann.tags.link_with(db, &unused, new!(UserTag { weight: 8, .. })).await?;
    let weight = db.get::<UserTag>((ann.id, unused.id)).await?.weight;
    assert_eq!(weight, 7, "what is there is left as it is");
    Ok(())
}

pub(crate) async fn rows_are_associated_and_no_others(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let ann = ann(db).await?;
    let all = db.find_all::<Tag>().sort(Tag::name).all().await?;
    ann.tags.replace(db, &all[1..]).await?;
    ann.tags.replace(db, &all[1..]).await?;
    let stored = db.get::<User>(ann.id).await?;
    assert_eq!(tags(stored.tags.load(db).await?), ["sql", "unused"]);
    assert_eq!(db.get::<UserTag>((ann.id, all[1].id)).await?.weight, 3, "what stays is left as it is");
    let bob = db.find(User::name.eq("Bob")).one().await?;
    assert_eq!(tags(bob.tags.load(db).await?), ["rust"], "others keep theirs");
    ann.tags.replace(db, []).await?;
    assert_eq!(db.find(UserTag::user_id.eq(ann.id)).count().await?, 0);
    Ok(())
}

pub(crate) async fn a_new_row_is_associated(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let ann = ann(db).await?;
    let tag = ann.tags.add(db, new!(Tag { name: "new" })).await?;
    assert_eq!(names(tag.users.load(db).await?), ["Ann"]);
    Ok(())
}

pub(crate) async fn in_a_transaction(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let tx = db.begin().await?;
    let ann = ann(&tx).await?;
    tx.add(new!(User { name: "Ida", posts: [{ title: "i1" }] })).await?;
    ann.posts.add(&tx, new!(Post { title: "a4", .. })).await?;
    ann.tags.replace(&tx, []).await?;
    assert_eq!(titles(ann.posts.load(&tx).await?), ["a1", "a2", "a3", "a4"]);
    tx.rollback().await?;
    assert_eq!(db.find(User::name.eq("Ida")).count().await?, 0);
    assert_eq!(db.find(Post::title.eq("a4") | Post::title.eq("i1")).count().await?, 0);
    assert_eq!(db.find(UserTag::user_id.eq(ann.id)).count().await?, 2);
    Ok(())
}

/// An upsert is of one row.
pub(crate) async fn an_upsert_takes_no_rows_with_it(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let draft = new!(Team { name: "core", members: [{ name: "Jim" }] });
    assert_kind!(db.upsert(draft).on(Team::name).ignore().await, ErrorKind::Query);
    assert_eq!(db.find(User::name.eq("Jim")).count().await?, 0);
    Ok(())
}
