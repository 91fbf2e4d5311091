//! Related rows are loaded when they are asked for, for all rows of a query at once.

use std::time::Duration;

use futures::future::try_join_all;
use ommi::prelude::*;
use ommi::relation::Many;
use ommi::testing::assert_queries;

use super::blog::{Post, Tag, Team, User, filled, names, tags, titles, users};
use crate::expect::assert_kind;
use crate::in_flight::Reads;

pub(crate) async fn one_statement_for_all_rows_of_a_query(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(2, db, async |db| {
        let users = users(db).await?;
        let mut found = Vec::new();
        for user in &users {
            found.push(titles(user.posts.load(db).await?));
        }
        assert_eq!(found, [vec!["a1", "a2", "a3"], vec!["b1"], vec!["c1"], vec![]]);
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn a_reference_loads_what_it_refers_to(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(2, db, async |db| {
        for post in db.find_all::<Post>().sort(Post::title).all().await? {
            let initial = post.title.chars().next().map(|c| c.to_ascii_uppercase());
            assert_eq!(post.author.load(db).await?.name.chars().next(), initial, "{}", post.title);
        }
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn rows_that_refer_to_one_row_share_it(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let posts = db.find(Post::title.starts_with("a")).all().await?;
    let first = posts[0].author.load(db).await?;
    for post in &posts {
        assert!(std::ptr::eq(post.author.load(db).await?, first));
    }
    Ok(())
}

pub(crate) async fn an_optional_reference_that_is_null_is_none(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let users = users(db).await?;
    let mut teams = Vec::new();
    for user in &users {
        teams.push(user.team.load(db).await?.map(|team| team.name.as_str()));
    }
    assert_eq!(teams, [Some("core"), Some("core"), None, Some("core")]);
    Ok(())
}

pub(crate) async fn the_one_row_that_refers_to_a_row(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(2, db, async |db| {
        let users = users(db).await?;
        let mut profiles = Vec::new();
        for user in &users {
            profiles.push(user.profile.load(db).await?.map(|profile| profile.about.as_str()));
        }
        assert_eq!(profiles, [Some("first"), None, Some("third"), None]);
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn rows_through_an_association_take_two_statements(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(3, db, async |db| {
        let users = users(db).await?;
        let mut found = Vec::new();
        for user in &users {
            found.push(tags(user.tags.load(db).await?));
        }
        assert_eq!(found, [vec!["rust", "sql"], vec!["rust"], vec![], vec![]]);
        DBResult::Ok(())
    })
    .await?;
    assert_queries(3, db, async |db| {
        let all = db.find_all::<Tag>().sort(Tag::name).all().await?;
        let mut found = Vec::new();
        for tag in &all {
            found.push(names(tag.users.load(db).await?));
        }
        assert_eq!(found, [vec!["Ann", "Bob"], vec!["Ann"], vec![]]);
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn rows_that_were_loaded_share_a_batch_too(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(3, db, async |db| {
        let users = users(db).await?;
        let mut comments = 0;
        for user in &users {
            for post in user.posts.load(db).await? {
                comments += post.comments.load(db).await?.len();
            }
        }
        assert_eq!(comments, 3);
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn in_any_order_and_twice(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(2, db, async |db| {
        let users = users(db).await?;
        for user in users.iter().rev().chain(&users) {
            let expected = match user.name.as_str() {
                "Ann" => 3,
                "Dan" => 0,
                _ => 1,
            };
            assert_eq!(user.posts.load(db).await?.len(), expected, "{}", user.name);
        }
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn nothing_is_asked_when_no_row_refers_to_anything(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(1, db, async |db| {
        let cid = db.find(User::name.eq("Cid")).all().await?;
        assert!(cid[0].team.load(db).await?.is_none());
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn a_row_that_came_alone_loads_for_itself(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(4, db, async |db| {
        let ann = db.find(User::name.eq("Ann")).one().await?;
        assert_eq!(titles(ann.posts.load(db).await?), ["a1", "a2", "a3"]);
        assert_eq!(titles(ann.posts.load(db).await?), ["a1", "a2", "a3"], "it is loaded");
        let got = db.get::<User>(ann.id).await?;
        assert_eq!(got.team.load(db).await?.map(|team| team.name.as_str()), Some("core"));
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn rows_that_were_added_have_relations(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let team = db.find(Team::name.eq("core")).one().await?;
    let eve = db.add(new!(User { name: "Eve", team_id: team.id })).await?;
    assert_eq!(eve.team.load(db).await?, Some(&team));
    assert!(eve.posts.load(db).await?.is_empty());
    let more = db.add_all(["Fay", "Gus"].map(|name| new!(User { name, team_id: team.id }))).await?;
    assert_queries(1, db, async |db| {
        for user in &more {
            assert_eq!(user.team.load(db).await?, Some(&team));
        }
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn without_asking(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let users = users(db).await?;
    assert!(users.iter().all(|user| !user.posts.is_loaded() && user.posts.get().is_none()));
    users[3].posts.load(db).await?;
    assert!(users.iter().all(|user| user.posts.is_loaded()));
    assert_eq!(users[0].posts.get().map(titles), Some(vec!["a1", "a2", "a3"]));
    assert_eq!(users[3].posts.get().map(titles), Some(vec![]));
    assert!(users.iter().all(|user| !user.team.is_loaded()));
    Ok(())
}

pub(crate) async fn for_one_row_and_no_other(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let users = users(db).await?;
    assert_eq!(titles(users[0].posts.load_alone(db).await?), ["a1", "a2", "a3"]);
    assert!(users[0].posts.is_loaded() && !users[1].posts.is_loaded());
    Ok(())
}

pub(crate) async fn again(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let mut users = users(db).await?;
    assert_eq!(users[1].posts.load(db).await?.len(), 1);
    db.add(new!(Post { author_id: users[1].id, title: "b2" })).await?;
    assert_eq!(users[1].posts.load(db).await?.len(), 1, "what is loaded stays");
    assert_eq!(titles(users[1].posts.refresh(db).await?), ["b1", "b2"]);
    assert_eq!(users[1].posts.get().map(titles), Some(vec!["b1", "b2"]));
    assert_eq!(users[0].posts.load(db).await?.len(), 3, "the others have what they had");
    Ok(())
}

pub(crate) async fn set_and_taken_by_hand(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let mut users = users(db).await?;
    let posts = db.find_all::<Post>().sort(Post::id).limit(2).all().await?;
    users[3].posts.set(posts);
    assert_eq!(titles(users[3].posts.load(db).await?), ["a1", "b1"], "what was set is loaded");
    assert_eq!(users[3].posts.take().map(|posts| posts.len()), Some(2));
    assert_eq!(users[3].posts.take().map(|posts| posts.len()), None);
    assert!(users[3].posts.load(db).await?.is_empty(), "it is asked again");
    users[2].team.set(None);
    assert!(users[2].team.is_loaded() && users[2].team.get().is_none());
    Ok(())
}

pub(crate) async fn a_struct_built_by_hand_is_detached(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let user = User {
        id: 1,
        name: "Ann".to_owned(),
        team_id: None,
        team: BelongsTo::default(),
        posts: HasMany::default(),
        profile: HasOne::default(),
        tags: HasMany::default(),
    };
    let error = assert_kind!(user.posts.load(db).await, ErrorKind::Query);
    assert!(error.to_string().contains("Post"), "{error}");
    assert_kind!(user.team.load(db).await, ErrorKind::Query);
    assert_kind!(user.tags.load(db).await, ErrorKind::Query);
    assert!(!user.posts.is_loaded());
    Ok(())
}

pub(crate) async fn by_the_reference_as_it_is_now(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let empty = db.find(Team::name.eq("empty")).one().await?;
    let mut users = users(db).await?;
    assert_eq!(users[0].team.load(db).await?.map(|team| team.name.as_str()), Some("core"));
    users[0].team_id = Some(empty.id);
    assert_eq!(users[0].team.load(db).await?.map(|team| team.name.as_str()), Some("core"), "as it was read");
    assert_eq!(users[0].load(User::team, db).await?, Some(&empty), "as it is now");
    users[0].team_id = None;
    assert_eq!(users[0].load(User::team, db).await?, None);
    // Where nothing changed it is the same as on the field.
    assert_queries(0, db, async |db| {
        assert_eq!(users[1].load(User::team, db).await?.map(|team| team.name.as_str()), Some("core"));
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn a_saved_row_goes_by_what_was_saved(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let empty = db.find(Team::name.eq("empty")).one().await?;
    let mut ann = db.find(User::name.eq("Ann")).one().await?;
    ann.team.load(db).await?;
    ann.team_id = Some(empty.id);
    db.save(&mut ann).await?;
    assert_eq!(ann.team.load(db).await?, Some(&empty));
    Ok(())
}

pub(crate) async fn clones_share_what_is_loaded(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let users = users(db).await?;
    let clone = users[0].clone();
    users[1].posts.load(db).await?;
    assert_eq!(clone.posts.get().map(titles), Some(vec!["a1", "a2", "a3"]));
    assert_eq!(clone, users[0]);
    Ok(())
}

pub(crate) async fn at_the_same_time_it_is_asked_once(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(2, db, async |db| {
        let users = users(db).await?;
        let loads = users.iter().map(|user| user.posts.load(db));
        let posts = try_join_all(loads).await?;
        assert_eq!(posts.iter().map(|posts| posts.len()).sum::<usize>(), 5);
        DBResult::Ok(())
    })
    .await
}

/// Also where every statement takes its time.
pub(crate) async fn at_the_same_time_in_a_transaction_it_is_asked_once(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let (db, reads) = Reads::of(db, 1);
    let mut tx = db.begin().await?;
    let users = tx.find_all::<User>().sort(User::id).all().await?;
    let posts = try_join_all(users.iter().map(|user| user.posts.load(&tx))).await?;
    assert_eq!(posts.iter().map(|posts| posts.len()).sum::<usize>(), 5);
    assert_eq!(reads.sent(), 2, "for the users, and for the posts of all of them");
    let inner = tx.begin().await?;
    let tags = try_join_all(users.iter().map(|user| user.tags.load(&inner))).await?;
    assert_eq!(tags.into_iter().map(Many::len).sum::<usize>(), 3);
    assert_eq!(reads.sent(), 4, "two more through an association");
    inner.commit().await?;
    tx.commit().await
}

pub(crate) async fn a_row_that_came_alone_asks_once_in_a_transaction(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let (db, reads) = Reads::of(db, 1);
    let tx = db.begin().await?;
    let ann = tx.find(User::name.eq("Ann")).one().await?;
    let (one, other) = futures::try_join!(ann.posts.load(&tx), ann.posts.load(&tx))?;
    assert!(std::ptr::eq(one, other));
    assert_eq!(reads.sent(), 2);
    tx.commit().await
}

/// Each side asks once at most, and neither waits for the other.
pub(crate) async fn in_a_transaction_and_outside_of_it_at_the_same_time(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let (db, reads) = Reads::of(db, 1);
    let users = users(&db).await?;
    let tx = db.begin().await?;
    tx.add(new!(Post { author_id: users[3].id, title: "d1" })).await?;
    let (within, outside) = futures::try_join!(
        try_join_all(users.iter().map(|user| user.posts.load(&tx))),
        try_join_all(users.iter().map(|user| user.posts.load(&db))),
    )?;
    assert!((2..=3).contains(&reads.sent()), "{} statements, one of them for the users", reads.sent());
    assert_eq!(outside.iter().map(|posts| posts.len()).collect::<Vec<_>>(), [3, 1, 1, 0]);
    // What somebody outside has loaded already is there for those in the transaction too.
    assert!([0, 1].contains(&within[3].len()));
    tx.rollback().await
}

/// Whoever comes next in the transaction does the work.
pub(crate) async fn a_load_that_is_dropped_in_a_transaction_is_done_by_the_next(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let tx = db.begin().await?;
    let users = tx.find_all::<User>().sort(User::id).all().await?;
    let mut load = users[0].posts.load(&tx).boxed();
    let _ = futures::poll!(load.as_mut());
    let mut waiting = users[1].posts.load(&tx).boxed();
    let _ = futures::poll!(waiting.as_mut());
    drop(load);
    drop(waiting);
    let posts = users[1].posts.load(&tx).await;
    // Where the store gave up the transaction with the statement, that is what it says.
    if let Err(error) = &posts {
        assert!(matches!(error.kind(), ErrorKind::TransactionAborted), "{error}");
        return tx.rollback().await;
    }
    assert_eq!(titles(posts?), ["b1"]);
    tx.commit().await
}

/// The next one asks anew.
pub(crate) async fn a_failure_is_not_kept(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let users = users(db).await?;
    let error = users[0].posts.load(db).timeout(std::time::Duration::ZERO).await;
    assert_kind!(error, ErrorKind::Timeout { .. });
    assert!(!users[0].posts.is_loaded());
    assert_eq!(users[0].posts.load(db).await?.len(), 3);
    Ok(())
}

pub(crate) async fn in_a_transaction_it_sees_what_was_done_there(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let tx = db.begin().await?;
    let dan = tx.find(User::name.eq("Dan")).all().await?;
    tx.add(new!(Post { author_id: dan[0].id, title: "d1" })).await?;
    assert_eq!(titles(dan[0].posts.load(&tx).await?), ["d1"]);
    tx.commit().await?;
    assert_eq!(dan[0].posts.get().map(titles), Some(vec!["d1"]));
    assert_queries(0, db, async |db| {
        assert_eq!(titles(dan[0].posts.load(db).await?), ["d1"], "it was committed");
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn what_was_rolled_back_is_not_used_outside(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let dan = db.find(User::name.eq("Dan")).all().await?;
    let alone = db.find(User::name.eq("Dan")).one().await?;
    let tx = db.begin().await?;
    tx.add(new!(Post { author_id: dan[0].id, title: "d1" })).await?;
    assert_eq!(titles(dan[0].posts.load(&tx).await?), ["d1"]);
    assert_eq!(titles(alone.posts.load(&tx).await?), ["d1"]);
    tx.rollback().await?;
    assert_eq!(dan[0].posts.get(), None);
    assert!(dan[0].posts.load(db).await?.is_empty());
    assert!(alone.posts.load(db).await?.is_empty());
    Ok(())
}

/// Also when somebody outside has loaded meanwhile, for whom what it did is not there yet.
pub(crate) async fn what_a_transaction_loaded_stays_loaded_in_it(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let dan = db.find(User::name.eq("Dan")).all().await?;
    let alone = db.find(User::name.eq("Dan")).one().await?;
    for dan in [&dan[0], &alone] {
        let tx = db.begin().await?;
        tx.add(new!(Post { author_id: dan.id, title: "d" })).await?;
        let within = dan.posts.load(&tx).await?.len();
        assert_eq!(dan.posts.load(db).await?.len(), within - 1);
        assert_eq!(dan.posts.load(&tx).await?.len(), within);
        tx.commit().await?;
        assert_eq!(dan.posts.load(db).await?.len(), within, "it was committed after the load outside");
        assert_eq!(dan.posts.get().map(<[Post]>::len), Some(within));
    }
    Ok(())
}

pub(crate) async fn rows_of_a_stream_load_by_the_piece(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let more: Vec<_> = (0..6).map(|n| new!(User { name: format!("more {n}") })).collect();
    db.add_all(more).await?;
    let mut users = Vec::new();
    let mut rows = db.find_all::<User>().sort(User::id).batch(5).stream();
    while let Some(user) = rows.try_next().await? {
        users.push(user);
    }
    drop(rows);
    assert_eq!(users.len(), 10);
    assert_queries(2, db, async |db| {
        for user in &users {
            user.posts.load(db).await?;
        }
        DBResult::Ok(())
    })
    .await
}

/// Also where a stream has the only connection.
pub(crate) async fn in_the_loop_of_a_stream(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    db.add_all((0..60).map(|n| new!(User { name: format!("more {n}") })).collect::<Vec<_>>()).await?;
    let mut rows = db.find_all::<User>().sort(User::id).batch(5).stream();
    let (mut users, mut posts) = (0, 0);
    while let Some(user) = rows.try_next().await? {
        users += 1;
        posts += user.posts.load(db).await?.len();
    }
    assert_eq!((users, posts), (64, 5));
    Ok(())
}

/// Whoever comes next does the work.
pub(crate) async fn a_load_that_is_dropped_is_done_by_the_next(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let users = users(db).await?;
    let load = users[0].posts.load(db).boxed();
    drop(load);
    assert!(!users[0].posts.is_loaded(), "a load that nobody waited for does nothing");
    let mut load = users[0].posts.load(db).boxed();
    // Once, so that it is under way where a store answers later.
    let first = futures::poll!(load.as_mut());
    let waiting = users[1].posts.load(db).boxed();
    drop(load);
    assert_eq!(users[0].posts.is_loaded(), first.is_ready(), "half of a load leaves nothing");
    assert_eq!(titles(waiting.await?), ["b1"]);
    assert_eq!(users[0].posts.get().map(<[Post]>::len), Some(3), "whoever came next did it for all");
    Ok(())
}

/// A load that nobody goes on with holds up nobody for longer than they were given.
pub(crate) async fn who_waits_for_anothers_load_minds_its_own_time(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let users = users(db).await?;
    let mut held = users[0].posts.load(db).boxed();
    let first = futures::poll!(held.as_mut());
    let limit = Duration::from_millis(50);
    let waiting = users[1].posts.load(db).timeout(limit).await;
    match first.is_pending() {
        true => {
            let error = waiting.expect_err("it is not its turn");
            assert!(matches!(error.kind(), ErrorKind::Timeout { after, .. } if *after == limit), "{error}");
        }
        // Where a store answers at once there is nothing to wait for.
        false => assert_eq!(titles(waiting?), ["b1"]),
    }
    drop(held);
    assert_eq!(titles(users[1].posts.load(db).await?), ["b1"]);
    Ok(())
}

pub(crate) async fn from_several_tasks_it_is_asked_once(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(2, db, async |db| {
        let tasks = users(db).await?.into_iter().map(|user| {
            let db = db.clone();
            tokio::spawn(async move {
                tokio::task::yield_now().await;
                DBResult::Ok((user.name.clone(), user.posts.load(&db).await?.len()))
            })
        });
        let mut counts = Vec::new();
        for task in tasks.collect::<Vec<_>>() {
            counts.push(task.await.expect("no task panics")?);
        }
        counts.sort();
        let expected = [("Ann", 3), ("Bob", 1), ("Cid", 1), ("Dan", 0)];
        assert_eq!(counts, expected.map(|(name, count)| (name.to_owned(), count)));
        DBResult::Ok(())
    })
    .await
}

/// Also the rows that were loaded, when those that they were loaded for have gone.
pub(crate) async fn what_is_taken_outlives_the_rows(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let mut users = users(db).await?;
    users[0].posts.load(db).await?;
    let posts = users[0].posts.take().expect("they are loaded");
    let other = users[1].clone();
    drop(users);
    assert_eq!(titles(&posts), ["a1", "a2", "a3"]);
    assert_eq!(titles(other.posts.load(db).await?), ["b1"]);
    let comments = tokio::spawn({
        let db = db.clone();
        async move { DBResult::Ok(posts[0].comments.load(&db).await?.len()) }
    });
    assert_eq!(comments.await.expect("no task panics")?, 2);
    Ok(())
}
