//! Related rows are loaded with the query.

use ommi::prelude::*;
use ommi::testing::assert_queries;

use super::blog::{Comment, Post, Tag, Team, User, filled, names, tags, titles};
use crate::expect::assert_kind;
use crate::in_flight::Reads;

pub(crate) async fn of_many(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let users =
        assert_queries(2, db, async |db| db.find_all::<User>().sort(User::name).include(User::posts).all().await)
            .await?;
    let posts: Vec<_> = users.iter().map(|user| user.posts.get().map(titles)).collect();
    assert_eq!(posts, [Some(vec!["a1", "a2", "a3"]), Some(vec!["b1"]), Some(vec!["c1"]), Some(vec![])]);
    Ok(())
}

pub(crate) async fn of_several(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let includes = (User::team, User::posts, User::profile, User::tags);
    let users =
        assert_queries(6, db, async |db| db.find_all::<User>().sort(User::name).include(includes).all().await).await?;
    let ann = &users[0];
    assert_eq!(ann.team.get().map(|team| team.name.as_str()), Some("core"));
    assert_eq!(ann.profile.get().map(|profile| profile.about.as_str()), Some("first"));
    assert_eq!(ann.tags.get().map(tags), Some(vec!["rust", "sql"]));
    assert!(users[2].team.is_loaded() && users[2].team.get().is_none());
    Ok(())
}

pub(crate) async fn to_any_depth(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let include = Team::members.include(User::posts.include((Post::comments, Post::author)));
    let teams =
        assert_queries(5, db, async |db| db.find_all::<Team>().sort(Team::name).include(include).all().await).await?;
    let ann = &teams[0].members.get().expect("included")[0];
    let post = &ann.posts.get().expect("included")[0];
    let comments: Vec<_> = post.comments.get().expect("included").iter().map(|c| c.text.as_str()).collect();
    assert_eq!(comments, ["x", "z"]);
    assert_eq!(post.author.get().map(|author| author.name.as_str()), Some("Ann"));
    assert_eq!(teams[1].members.get().map(names), Some(vec![]));
    Ok(())
}

pub(crate) async fn filtered_and_sorted(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let include = User::posts.filter(Post::score.is_not_null()).sort(Post::title.desc());
    let users = db.find_all::<User>().sort(User::name).include(include).all().await?;
    assert_eq!(users[0].posts.get().map(titles), Some(vec!["a2", "a1"]));
    assert_eq!(users[1].posts.get().map(titles), Some(vec![]));
    Ok(())
}

pub(crate) async fn limited_per_row(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let find = |include| db.find_all::<User>().sort(User::name).include(include).all();
    let posts = |users: &[User]| -> Vec<Vec<String>> {
        let titles =
            |user: &User| titles(user.posts.get().unwrap_or_default()).into_iter().map(str::to_owned).collect();
        users.iter().map(titles).collect()
    };
    assert_queries(2, db, async |db| {
        let include = User::posts.sort(Post::id.desc()).limit(2);
        let users = db.find_all::<User>().sort(User::name).include(include).all().await?;
        assert_eq!(posts(&users), [vec!["a3", "a2"], vec!["b1"], vec!["c1"], vec![]]);
        DBResult::Ok(())
    })
    .await?;
    let users = find(User::posts.sort(Post::id.desc()).limit(1).offset(1)).await?;
    assert_eq!(posts(&users), [vec!["a2"], vec![], vec![], vec![]]);
    let users = find(User::posts.sort(Post::title).offset(1)).await?;
    assert_eq!(posts(&users), [vec!["a2", "a3"], vec![], vec![], vec![]]);
    let users = find(User::posts.limit(0)).await?;
    assert_eq!(posts(&users), [[""; 0]; 4]);
    let users = find(User::posts.filter(Post::score.gt(1)).sort(Post::score.desc()).limit(1)).await?;
    assert_eq!(posts(&users), [vec!["a1"], vec![], vec!["c1"], vec![]]);
    Ok(())
}

pub(crate) async fn limited_per_row_through_an_association(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let users = assert_queries(3, db, async |db| {
        let include = User::tags.sort(Tag::name.desc()).limit(1);
        db.find_all::<User>().sort(User::name).include(include).all().await
    })
    .await?;
    assert_eq!(users[0].tags.get().map(tags), Some(vec!["sql"]));
    assert_eq!(users[1].tags.get().map(tags), Some(vec!["rust"]));
    let filtered = User::tags.filter(Tag::name.eq("sql"));
    let users = db.find_all::<User>().sort(User::name).include(filtered).all().await?;
    assert_eq!(users[0].tags.get().map(tags), Some(vec!["sql"]));
    assert_eq!(users[1].tags.get().map(tags), Some(vec![]));
    Ok(())
}

pub(crate) async fn or_not_as_is_known_at_run_time(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    for wanted in [false, true] {
        let include = wanted.then_some(User::posts);
        let users =
            assert_queries(1 + usize::from(wanted), db, async |db| db.find_all::<User>().include(include).all().await)
                .await?;
        assert_eq!(users[0].posts.is_loaded(), wanted);
    }
    Ok(())
}

pub(crate) async fn with_one_row(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let ann = assert_queries(2, db, async |db| db.find(User::name.eq("Ann")).include(User::posts).one().await).await?;
    assert_eq!(ann.posts.get().map(titles), Some(vec!["a1", "a2", "a3"]));
    let none = db.find(User::name.eq("Zoe")).include(User::posts).first().await?;
    assert_eq!(none, None);
    Ok(())
}

pub(crate) async fn what_is_included_is_not_asked_again(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_queries(2, db, async |db| {
        let include = User::posts.filter(Post::title.eq("a1"));
        for user in db.find_all::<User>().include(include).all().await? {
            let expected = usize::from(user.name == "Ann");
            assert_eq!(user.posts.load(db).await?.len(), expected, "{}", user.name);
        }
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn with_a_page_of_rows(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let page = db.find_all::<Post>().sort(Post::id).page(1, 2).include((Post::author, Post::comments)).all().await?;
    assert_eq!(titles(&page), ["a2", "c1"]);
    assert_eq!(page[0].comments.get().map(|comments: &[Comment]| comments.len()), Some(1));
    assert_eq!(page[1].author.get().map(|author| author.name.as_str()), Some("Cid"));
    Ok(())
}

/// Also where a stream has the only connection.
pub(crate) async fn with_a_stream(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let more = db.add_all((0..60).map(|n| new!(User { name: format!("more {n}") })).collect::<Vec<_>>()).await?;
    let post = |user: &User| new!(Post { author_id: user.id, title: format!("of {}", user.name) });
    db.add_all(more.iter().map(post).collect::<Vec<_>>()).await?;
    // A piece is five rows: posts are asked for with each, teams with the first, since no row of the others refers to any.
    assert_queries(1 + 13 + 1, db, async |db| {
        let query = db.find_all::<User>().sort(User::id).include((User::posts, User::team));
        let mut rows = query.batch(5).stream();
        let mut seen = Vec::new();
        while let Some(user) = rows.try_next().await? {
            let posts = user.posts.get().expect("included");
            assert_eq!(user.team.get().is_some(), user.team_id.is_some(), "{}", user.name);
            if user.name.starts_with("more") {
                assert_eq!(titles(posts), [format!("of {}", user.name)]);
            }
            seen.push(posts.len());
        }
        assert_eq!((seen.len(), &seen[..5]), (64, &[3, 1, 1, 0, 1][..]));
        DBResult::Ok(())
    })
    .await
}

/// A stream holds its transaction, and relations are statements of their own: that is said before anything is read.
pub(crate) async fn with_a_stream_in_a_transaction(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let tx = db.begin().await?;
    let mut rows = tx.find_all::<User>().include(User::posts).stream();
    assert_kind!(rows.try_next().await, ErrorKind::Query);
    drop(rows);
    let users = tx.find_all::<User>().include(User::posts).all().await?;
    assert_eq!(users.len(), 4);
    tx.commit().await
}

pub(crate) async fn in_a_transaction(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    db.transaction(async |tx| {
        let ann = tx.find(User::name.eq("Ann")).one().await?;
        tx.add(new!(Post { author_id: ann.id, title: "a4" })).await?;
        let ann = tx.find(User::name.eq("Ann")).include((User::posts, User::team)).one().await?;
        assert_eq!(ann.posts.get().map(titles), Some(vec!["a1", "a2", "a3", "a4"]));
        DBResult::Ok(())
    })
    .await
}

/// Those of the rows themselves, and those of what is included. Where a store gives all of it one moment, in a transaction, they take turns.
pub(crate) async fn branches_at_the_same_time(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let together = if db.driver().capabilities().snapshot_includes { 1 } else { 2 };
    let (watched, reads) = Reads::of(db, together);
    let users = watched.find_all::<User>().sort(User::name).include((User::posts, User::team)).all().await?;
    assert_eq!((reads.sent(), reads.most()), (3, together));
    assert_eq!(users[0].posts.get().map(titles), Some(vec!["a1", "a2", "a3"]));
    assert_eq!(users[0].team.get().map(|team| team.name.as_str()), Some("core"));

    // The posts come after the teams' rows, and these two after the posts.
    let (watched, reads) = Reads::of(db, 1);
    let include = User::posts.include((Post::comments, Post::author));
    let ann = watched.find(User::name.eq("Ann")).include(include).one().await?;
    assert_eq!((reads.sent(), reads.most()), (4, together));
    let post = &ann.posts.get().expect("included")[0];
    assert_eq!(post.comments.get().map(|comments| comments.len()), Some(2));
    assert_eq!(post.author.get().map(|author| author.name.as_str()), Some("Ann"));
    Ok(())
}

pub(crate) async fn branches_in_turn_in_a_transaction(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let (watched, reads) = Reads::of(db, 1);
    let tx = watched.begin().await?;
    let include = (User::posts.include((Post::comments, Post::author)), User::team, User::profile);
    let users = tx.find_all::<User>().sort(User::name).include(include).all().await?;
    assert_eq!((reads.sent(), reads.most()), (6, 1));
    assert_eq!(users[0].posts.get().map(titles), Some(vec!["a1", "a2", "a3"]));
    assert_eq!(users[0].profile.get().map(|profile| profile.about.as_str()), Some("first"));
    tx.commit().await
}

/// It is loaded once, with what is nested in either.
pub(crate) async fn of_a_relation_twice(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let check = |users: &[User]| {
        let posts = users[0].posts.get().expect("included");
        assert_eq!(titles(posts), ["a1", "a2", "a3"]);
        assert_eq!(posts[0].comments.get().map(|comments| comments.len()), Some(2));
        assert_eq!(posts[0].author.get().map(|author| author.name.as_str()), Some("Ann"));
    };
    let users = || db.find_all::<User>().sort(User::name);
    assert_queries(2, db, async |db| {
        let users = db.find_all::<User>().sort(User::name).include(User::posts).include(User::posts).all().await?;
        assert_eq!(users[0].posts.get().map(titles), Some(vec!["a1", "a2", "a3"]));
        DBResult::Ok(())
    })
    .await?;
    assert_queries(4, db, async |db| {
        let users = db.find_all::<User>().sort(User::name);
        let comments = User::posts.include(Post::comments);
        check(&users.include((comments, User::posts, User::posts.include(Post::author))).all().await?);
        DBResult::Ok(())
    })
    .await?;
    // In the rows of another include, and with the same condition.
    let of_teams = Team::members.include(User::posts).include(User::posts.include(Post::comments));
    let teams = assert_queries(4, db, async |db| db.find_all::<Team>().sort(Team::name).include(of_teams).all().await);
    let post = &teams.await?[0].members.get().expect("included")[0].posts.get().expect("included")[0].clone();
    assert_eq!(post.comments.get().map(|comments| comments.len()), Some(2));
    let filtered = || User::posts.filter(Post::score.is_not_null()).sort(Post::title.desc());
    let found = users().include(filtered()).include(filtered().include(Post::comments)).all().await?;
    assert_eq!(found[0].posts.get().map(titles), Some(vec!["a2", "a1"]));
    assert!(found[0].posts.get().is_some_and(|posts| posts[0].comments.is_loaded()));
    Ok(())
}

/// A row can hold one of them, and neither is what both asked for.
pub(crate) async fn of_a_relation_twice_in_different_ways(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let scored = || User::posts.filter(Post::score.is_not_null());
    let others = [
        User::posts.filter(Post::score.is_null()),
        User::posts.sort(Post::title.desc()),
        User::posts.limit(1),
        User::posts.offset(1),
        scored().limit(1),
    ];
    assert_queries(0, db, async |db| {
        let refused = |error: DBError, relation: &str| {
            assert!(matches!(error.kind(), ErrorKind::Query), "{error:?}");
            assert!(error.to_string().contains(relation), "{error}");
        };
        for other in others {
            let find = db.find_all::<User>().include(scored());
            refused(find.include(other.clone()).all().await.expect_err("twice"), "User.posts");
            let plain = db.find_all::<User>().include((User::posts, User::team, other));
            refused(plain.clone().first().await.expect_err("twice"), "User.posts");
            refused(plain.stream().try_next().await.expect_err("twice"), "User.posts");
        }
        let nested = Team::members.include((User::posts, User::posts.limit(1)));
        refused(db.find_all::<Team>().include(nested).all().await.expect_err("twice"), "User.posts");
        let apart = Team::members.include(User::tags.limit(1));
        let find = db.find_all::<Team>().include((apart, Team::members.include(User::tags)));
        refused(find.all().await.expect_err("twice"), "User.tags");
        DBResult::Ok(())
    })
    .await
}
