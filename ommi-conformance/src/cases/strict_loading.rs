//! On a strict handle, a relation is not loaded for one row after another.

use std::time::Duration;

use ommi::prelude::*;
use ommi::testing::assert_queries;

use super::blog::{Post, Tag, Team, User, filled, names, titles, users};
use crate::expect::assert_kind;

/// The users, each read by itself.
async fn each(db: &impl Handle) -> DBResult<Vec<User>> {
    let mut each = Vec::new();
    for name in ["Ann", "Bob", "Cid", "Dan"] {
        each.push(db.find(User::name.eq(name)).one().await?);
    }
    Ok(each)
}

pub(crate) async fn a_second_row_by_itself_is_refused(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    let each = each(&strict).await?;
    assert_eq!(titles(each[0].posts.load(&strict).await?), ["a1", "a2", "a3"], "the first is what any program does");
    assert_eq!(each[0].posts.load(&strict).await?.len(), 3, "it is loaded");
    assert_queries(0, &strict, async |strict| {
        let error = assert_kind!(each[1].posts.load(strict).await, ErrorKind::Query);
        for part in ["User.posts", ".include(User::posts)", "load_alone"] {
            assert!(error.to_string().contains(part), "{error}");
        }
        assert_kind!(each[2].posts.load(strict).await, ErrorKind::Query);
        DBResult::Ok(())
    })
    .await?;
    assert!(!each[1].posts.is_loaded());
    // The plain handle is as it was.
    for user in &each {
        user.posts.load(db).await?;
    }
    Ok(())
}

/// What could have given one row only counts; what happened to give one does not.
pub(crate) async fn however_one_row_was_read(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let id = each(db).await?[0].id;
    let bob = db.find(User::name.eq("Bob")).one().await?;
    let ways = [
        db.get::<User>(id).await?,
        db.find(User::name.eq("Ann")).one().await?,
        db.find_all::<User>().sort(User::name).first().await?.expect("there is a user"),
        db.find(User::name.eq("Ann")).include(User::team).one().await?,
        db.find(User::id.eq(id)).all().await?.remove(0),
        db.find(User::name.eq("Ann")).limit(1).all().await?.remove(0),
        db.add(new!(User { name: "Eve" })).await?,
    ];
    for user in &ways {
        let strict = db.strict();
        let copy = db.get::<User>(bob.id).await?;
        copy.posts.load(&strict).await?;
        assert_kind!(user.posts.load(&strict).await, ErrorKind::Query);
    }
    let strict = db.strict();
    for name in ["Ann", "Bob", "Cid"] {
        let users = strict.find(User::name.eq(name)).all().await?;
        assert_eq!(users.len(), 1);
        users[0].posts.load(&strict).await?;
    }
    Ok(())
}

pub(crate) async fn one_row_that_was_added_with_others(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let [ann, bob] = ["Ann", "Bob"].map(|name| db.find(User::name.eq(name)).one());
    let (ann, bob) = (ann.await?, bob.await?);
    let rust = db.find(Tag::name.eq("rust")).one().await?;
    let tree = db.add(new!(User { name: "Eve", tags: [{ name: "eve" }] })).await?;
    assert_eq!(tree.tags.get().map(|tags| tags.len()), Some(1), "what was added with it is loaded");
    let ways = [tree, rust.users.add(db, new!(User { name: "Fay" })).await?];
    for user in &ways {
        let strict = db.strict();
        db.get::<User>(bob.id).await?.posts.load(&strict).await?;
        assert_kind!(user.posts.load(&strict).await, ErrorKind::Query);
    }
    let strict = db.strict();
    let posts = [
        ann.posts.add(db, new!(Post { title: "a4", .. })).await?,
        ann.posts.add(db, new!(Post { title: "a5", comments: [{ text: "well" }], .. })).await?,
    ];
    db.find(Post::title.eq("b1")).one().await?.author.load(&strict).await?;
    for post in &posts {
        assert_kind!(post.author.load(&strict).await, ErrorKind::Query);
    }
    Ok(())
}

pub(crate) async fn rows_of_one_query_are_not_refused(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    for _ in 0..2 {
        for user in &users(&strict).await? {
            user.posts.load(&strict).await?;
            user.team.load(&strict).await?;
        }
    }
    for user in &strict.find_all::<User>().include(User::posts).all().await? {
        user.posts.load(&strict).await?;
    }
    for name in ["Ann", "Bob"] {
        let user = strict.find(User::name.eq(name)).include(User::posts).one().await?;
        user.posts.load(&strict).await?;
    }
    Ok(())
}

/// What was loaded of one row has come with all its siblings.
pub(crate) async fn related_rows_lead_on(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    let ann = strict.find(User::name.eq("Ann")).one().await?;
    let team = ann.team.load(&strict).await?.expect("Ann is in a team");
    let mut seen = Vec::new();
    for member in team.members.load(&strict).await? {
        let team = member.team.load(&strict).await?.expect("a member is in the team");
        seen.extend(names(team.members.load(&strict).await?));
    }
    assert_eq!(seen.len(), 9, "{seen:?}");
    Ok(())
}

pub(crate) async fn each_relation_counts_by_itself(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    let each = each(&strict).await?;
    each[0].posts.load(&strict).await?;
    each[1].team.load(&strict).await?;
    each[2].tags.load(&strict).await?;
    let post = strict.find(Post::title.eq("a1")).one().await?;
    post.author.load(&strict).await?;
    assert_kind!(each[1].posts.load(&strict).await, ErrorKind::Query);
    assert_kind!(each[3].team.load(&strict).await, ErrorKind::Query);
    assert_kind!(each[3].tags.load(&strict).await, ErrorKind::Query);
    Ok(())
}

pub(crate) async fn each_handle_counts_by_itself(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let each = each(db).await?;
    let first = db.strict();
    for (user, handle) in each.iter().zip([&first, &db.strict(), &first.strict()]) {
        user.posts.load(handle).await?;
    }
    assert_kind!(each[3].posts.load(&first.clone()).await, ErrorKind::Query);
    Ok(())
}

pub(crate) async fn what_is_said_to_be_for_one_row(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    let mut each = each(&strict).await?;
    for user in &mut each {
        user.posts.load_alone(&strict).await?;
        user.posts.refresh(&strict).await?;
        assert!(user.posts.is_loaded());
    }
    for user in &users(&strict).await? {
        user.posts.load_alone(&strict).await?;
    }
    Ok(())
}

pub(crate) async fn what_sends_nothing_does_not_count(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    let each = each(&strict).await?;
    assert_eq!(each[2].team.load(&strict).await?, None, "Cid refers to no team");
    assert!(each[0].team.load(&strict).await?.is_some());
    assert_eq!(strict.find(User::name.eq("Cid")).one().await?.team.load(&strict).await?, None);
    let mut set = strict.find(User::name.eq("Dan")).one().await?;
    set.team.set(None);
    assert_eq!(set.team.load(&strict).await?, None);
    assert_kind!(each[1].team.load(&strict).await, ErrorKind::Query);
    Ok(())
}

pub(crate) async fn what_failed_does_not_count(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    let each = each(&strict).await?;
    assert_kind!(each[0].posts.load(&strict).timeout(Duration::ZERO).await, ErrorKind::Timeout { .. });
    assert_eq!(each[1].posts.load(&strict).await?.len(), 1);
    assert_kind!(each[0].posts.load(&strict).await, ErrorKind::Query);
    Ok(())
}

pub(crate) async fn one_row_loads_again(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    let mut ann = strict.find(User::name.eq("Ann")).one().await?;
    assert_eq!(ann.posts.load(&strict).await?.len(), 3);
    assert_eq!(ann.posts.take().map(|posts| posts.len()), Some(3));
    assert_eq!(ann.posts.load(&strict).await?.len(), 3);
    Ok(())
}

pub(crate) async fn by_a_reference_that_was_changed(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let empty = db.find(Team::name.eq("empty")).one().await?;
    let strict = db.strict();
    let mut users = users(&strict).await?;
    for user in &mut users {
        user.team_id = Some(empty.id);
    }
    assert_eq!(users[0].load(User::team, &strict).await?, Some(&empty));
    assert_kind!(users[1].load(User::team, &strict).await, ErrorKind::Query);
    assert!(users[1].team.load(&strict).await?.is_some(), "by the reference that was read");
    Ok(())
}

pub(crate) async fn through_an_association(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    let rust = strict.find(Tag::name.eq("rust")).one().await?;
    let sql = strict.find(Tag::name.eq("sql")).one().await?;
    assert_eq!(names(rust.users.load(&strict).await?), ["Ann", "Bob"]);
    let error = assert_kind!(sql.users.load(&strict).await, ErrorKind::Query);
    assert!(error.to_string().contains(".include(Tag::users)"), "{error}");
    Ok(())
}

/// A transaction goes on with what its handle remembers, and stays usable.
pub(crate) async fn in_a_transaction(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    let tx = strict.begin().await?;
    let each = each(&tx).await?;
    each[0].posts.load(&tx).await?;
    assert_kind!(each[1].posts.load(&tx).await, ErrorKind::Query);
    tx.add(new!(Tag { name: "more" })).await?;
    tx.commit().await?;
    assert_kind!(each[1].posts.load(&strict).await, ErrorKind::Query);
    let plain = db.begin().await?;
    each[1].posts.load(&plain).await?;
    each[2].posts.load(&plain).await?;
    plain.rollback().await
}

/// What was rolled back has not been.
pub(crate) async fn in_a_transaction_that_is_run_again(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    for name in ["Ann", "Bob", "Cid"] {
        let tx = strict.begin().await?;
        tx.find(User::name.eq(name)).one().await?.posts.load(&tx).await?;
        tx.rollback().await?;
    }
    let work = async |tx: &mut Transaction<'_>| {
        let ann = tx.find(User::name.eq("Ann")).one().await?;
        DBResult::Ok(ann.posts.load(tx).await?.len())
    };
    assert_eq!(strict.transaction(work).await?, 3);
    let bob = strict.find(User::name.eq("Bob")).one().await?;
    assert_kind!(bob.posts.load(&strict).await, ErrorKind::Query);
    Ok(())
}

/// A handle that counts statements is as strict as the one that it was made of.
pub(crate) async fn statements_are_counted_on_it(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let strict = db.strict();
    assert_queries(5, &strict, async |strict| {
        let each = each(strict).await?;
        each[0].posts.load(strict).await?;
        assert_kind!(each[1].posts.load(strict).await, ErrorKind::Query);
        DBResult::Ok(())
    })
    .await
}
