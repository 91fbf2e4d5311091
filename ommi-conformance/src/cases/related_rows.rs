//! Conditions on related rows, and orders by them.

use ommi::prelude::*;

use super::blog::{Comment, Post, Profile, Tag, Team, User, UserTag, filled, names, titles};
use crate::expect::assert_kind;

async fn who(db: &Ommi, predicate: Predicate<User>) -> DBResult<Vec<String>> {
    let users = db.find(predicate.clone()).sort(User::name).all().await?;
    assert_eq!(db.find(predicate).count().await?, users.len() as u64);
    Ok(users.into_iter().map(|user| user.name).collect())
}

pub(crate) async fn some_row_meets_it(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_eq!(who(db, User::posts.any(Post::score.ge(3))).await?, ["Ann", "Cid"]);
    assert_eq!(who(db, !User::posts.any(Post::score.ge(3))).await?, ["Bob", "Dan"], "no unknowns");
    assert_eq!(who(db, User::posts.any(Post::title.eq("none"))).await?, [""; 0]);
    Ok(())
}

pub(crate) async fn no_row_meets_it(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_eq!(who(db, User::posts.none(Post::score.ge(3))).await?, ["Bob", "Dan"]);
    assert_eq!(who(db, User::posts.is_empty()).await?, ["Dan"]);
    assert_eq!(who(db, !User::posts.is_empty()).await?, ["Ann", "Bob", "Cid"]);
    Ok(())
}

/// Where the condition is unknown it is not true.
pub(crate) async fn every_row_meets_it(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_eq!(who(db, User::posts.all(Post::score.ge(1))).await?, ["Cid", "Dan"]);
    assert_eq!(
        who(db, User::posts.all(Post::score.is_null() | Post::score.ge(1))).await?,
        ["Ann", "Bob", "Cid", "Dan"]
    );
    assert_eq!(who(db, !User::posts.all(Post::score.ge(1))).await?, ["Ann", "Bob"]);
    Ok(())
}

pub(crate) async fn the_row_referred_to_meets_it(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_eq!(who(db, User::team.is(Team::name.eq("core"))).await?, ["Ann", "Bob", "Dan"]);
    assert_eq!(who(db, User::team.is(Team::name.eq("empty"))).await?, [""; 0]);
    assert_eq!(who(db, !User::team.is(Team::name.eq("core"))).await?, ["Cid"]);
    assert_eq!(who(db, User::team.is_none()).await?, ["Cid"]);
    assert_eq!(who(db, User::team.is_some()).await?, ["Ann", "Bob", "Dan"]);
    assert_eq!(who(db, User::profile.is_some()).await?, ["Ann", "Cid"]);
    Ok(())
}

/// So they count as none where every row must be asked for by name.
pub(crate) async fn what_is_true_of_every_row_is_no_condition(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let nothing = || any_of::<Post>([]);
    let every = || {
        [
            User::posts.all(None),
            User::posts.none(nothing()),
            !User::posts.any(nothing()),
            !User::team.is(any_of([])),
            User::tags.all(None),
            User::posts.count().ge(0),
            !User::posts.count().lt(0),
            User::posts.count().le(u64::MAX),
            User::tags.count().ne(u64::MAX),
            User::posts.count_where(nothing()).eq(0),
            User::posts.all(Post::comments.count().ge(0)),
        ]
    };
    for predicate in every() {
        assert_eq!(who(db, predicate.clone()).await?.len(), 4);
        assert_eq!(who(db, !predicate.clone()).await?, [""; 0]);
        let error = assert_kind!(db.find(predicate.clone()).delete().await, ErrorKind::Query);
        assert!(error.to_string().contains("find_all::<User>()"), "{error}");
        assert_kind!(db.find(predicate).update(User::name.set("x")).await, ErrorKind::Query);
    }
    // What is wrong in it is told all the same.
    let wrong = User::posts.none(Post::title.eq("a\0b"));
    assert_kind!(db.find(wrong).all().await, ErrorKind::InvalidValue { .. });
    Ok(())
}

pub(crate) async fn by_their_number(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_eq!(who(db, User::posts.count().ge(1)).await?, ["Ann", "Bob", "Cid"]);
    assert_eq!(who(db, User::posts.count().eq(0)).await?, ["Dan"]);
    assert_eq!(who(db, User::posts.count().gt(1)).await?, ["Ann"]);
    assert_eq!(who(db, User::posts.count().ne(1)).await?, ["Ann", "Dan"]);
    assert_eq!(who(db, User::posts.count().lt(3) & User::posts.count().ge(1)).await?, ["Bob", "Cid"]);
    assert_eq!(who(db, User::posts.count().le(u64::MAX)).await?.len(), 4);
    assert_eq!(who(db, User::posts.count_where(Post::score.is_null()).eq(1)).await?, ["Ann", "Bob"]);
    assert_eq!(who(db, User::tags.count().eq(2)).await?, ["Ann"]);
    Ok(())
}

pub(crate) async fn through_an_association(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    assert_eq!(who(db, User::tags.any(Tag::name.eq("rust"))).await?, ["Ann", "Bob"]);
    assert_eq!(who(db, User::tags.none(Tag::name.eq("rust"))).await?, ["Cid", "Dan"]);
    assert_eq!(who(db, User::tags.all(Tag::name.eq("rust"))).await?, ["Bob", "Cid", "Dan"]);
    assert_eq!(who(db, User::tags.is_empty()).await?, ["Cid", "Dan"]);
    Ok(())
}

pub(crate) async fn over_several_relations(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let commented = User::posts.any(Post::comments.any(Comment::text.eq("y")));
    assert_eq!(who(db, commented).await?, ["Ann"]);
    let of_team = Post::author.is(User::team.is(Team::name.eq("core")));
    let posts = db.find(of_team).sort(Post::title).all().await?;
    assert_eq!(titles(&posts), ["a1", "a2", "a3", "b1"]);
    let colleagues = User::team.is(Team::members.any(User::name.eq("Ann")));
    assert_eq!(who(db, colleagues).await?, ["Ann", "Bob", "Dan"]);
    let mixed = User::posts.any(Post::title.eq("b1")) | (User::name.eq("Cid") & !User::tags.any(None));
    assert_eq!(who(db, mixed).await?, ["Bob", "Cid"]);
    Ok(())
}

pub(crate) async fn in_an_update_and_a_delete(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let changed = db.find(User::posts.any(Post::score.eq(5))).update(User::name.set("Anna")).await?;
    assert_eq!(changed, 1);
    let deleted = db.find(UserTag::weight.gt(1)).delete().await?;
    assert_eq!(deleted, 1);
    let deleted = db.find(Comment::post.is(Post::author.is(User::name.eq("Anna")))).delete().await?;
    assert_eq!(deleted, 3);
    let deleted = db.find(Post::comments.is_empty() & Post::author.is(User::name.eq("Anna"))).delete().await?;
    assert_eq!(deleted, 3);
    assert_eq!(db.find_all::<Post>().count().await?, 2);
    Ok(())
}

pub(crate) async fn in_the_order_of_a_related_row(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let posts = db.find_all::<Post>().sort((Post::author.then(User::name).desc(), Post::title)).all().await?;
    assert_eq!(titles(&posts), ["c1", "b1", "a1", "a2", "a3"]);
    let users = db.find_all::<User>().sort((User::team.then(Team::name).asc(), User::name.desc())).all().await?;
    assert_eq!(names(&users), ["Cid", "Dan", "Bob", "Ann"], "without a team first");
    let sort = (Post::author.then(User::team.then(Team::name)).desc(), Post::title.desc());
    let posts = db.find_all::<Post>().sort(sort).limit(3).all().await?;
    assert_eq!(titles(&posts), ["b1", "a3", "a2"]);
    Ok(())
}

/// Without one they sort as NULL does.
pub(crate) async fn in_the_order_of_the_one_row_that_belongs_to_each(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let about = || User::profile.then(Profile::about);
    let sorted = async |sort: ommi::SortBy<User>| {
        let users = db.find_all::<User>().sort((sort, User::name)).all().await?;
        DBResult::Ok(users.into_iter().map(|user| user.name).collect::<Vec<_>>())
    };
    assert_eq!(sorted(about().asc()).await?, ["Bob", "Dan", "Ann", "Cid"]);
    assert_eq!(sorted(about().desc()).await?, ["Cid", "Ann", "Bob", "Dan"]);
    assert_eq!(sorted(about().asc().nulls_last()).await?, ["Ann", "Cid", "Bob", "Dan"]);
    // There and back, and further from what a row refers to.
    let own_name = User::profile.then(Profile::user.then(User::name));
    assert_eq!(sorted(own_name.desc()).await?, ["Cid", "Ann", "Bob", "Dan"]);
    let sort = (Post::author.then(about()).desc(), Post::title);
    let posts = db.find_all::<Post>().sort(sort).limit(4).all().await?;
    assert_eq!(titles(&posts), ["c1", "a1", "a2", "a3"]);
    // Of each row of an include.
    let include = Team::members.sort((about().desc(), User::name.desc())).limit(2);
    let team = db.find(Team::name.eq("core")).include(include).one().await?;
    assert_eq!(team.members.get().map(names), Some(vec!["Ann", "Dan"]));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "related_films")]
struct Film {
    #[ommi(auto)]
    id: i64,
    title: String,
    #[ommi(default = 0)]
    seen: i64,
    roles: HasMany<Role>,
    actors: HasMany<Actor, Through<Role>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "related_actors")]
struct Actor {
    #[ommi(auto)]
    id: i64,
    name: String,
    films: HasMany<Film, Through<Role>>,
}

/// Stays when its film is deleted.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "related_roles")]
struct Role {
    #[ommi(key, references = Film::id, constraint = false)]
    film_id: i64,
    #[ommi(key, references = Actor::id, constraint = false)]
    actor_id: i64,
    lines: Option<i64>,
}

/// Ann, Bob and Cid play in A, Bob in B, Cid in C, nobody in D.
async fn films(db: &Ommi) -> DBResult<Vec<Film>> {
    db.create_tables::<(Film, Actor, Role)>().await?;
    let films = db.add_all(["A", "B", "C", "D"].map(|title| new!(Film { title }))).await?;
    let actors = db.add_all(["Ann", "Bob", "Cid"].map(|name| new!(Actor { name }))).await?;
    let roles = [(0, 0, Some(5)), (0, 1, Some(1)), (0, 2, None), (1, 1, None), (2, 2, Some(3))];
    let role = |(film, actor, lines): (usize, usize, Option<i64>)| {
        new!(Role { film_id: films[film].id, actor_id: actors[actor].id, lines })
    };
    db.add_all(roles.map(role)).await?;
    Ok(films)
}

/// An update and a delete find the rows that a query finds.
async fn each_write(db: &Ommi, cases: impl IntoIterator<Item = (Predicate<Film>, &str)>) -> DBResult<()> {
    let films = films(db).await?;
    let titles = |films: &[Film]| films.iter().map(|film| film.title.as_str()).collect::<String>();
    for (number, (predicate, expected)) in cases.into_iter().enumerate() {
        let seen = number as i64 + 1;
        let found = db.find(predicate.clone()).sort(Film::id).all().await?;
        assert_eq!(titles(&found), expected, "{predicate:?}");
        let changed = db.find(predicate.clone()).update(Film::seen.set(seen)).await?;
        let found = db.find(Film::seen.eq(seen)).sort(Film::id).all().await?;
        assert_eq!((titles(&found), changed), (expected.to_owned(), found.len() as u64), "{predicate:?}");
        let deleted = db.find(predicate.clone()).delete().await?;
        let left = db.find_all::<Film>().sort(Film::id).all().await?;
        let gone = |film: &&Film| !left.iter().any(|other| other.id == film.id);
        let gone: Vec<Film> = films.iter().filter(gone).cloned().collect();
        assert_eq!((titles(&gone), deleted), (expected.to_owned(), gone.len() as u64), "{predicate:?}");
        db.add_all(gone).await?;
    }
    Ok(())
}

pub(crate) async fn to_many_in_each_write(db: &Ommi) -> DBResult<()> {
    let many_lines = || Role::lines.ge(3);
    let cases = [
        (Film::roles.any(many_lines()), "AC"),
        (Film::roles.none(many_lines()), "BD"),
        (Film::roles.all(Role::lines.ge(1)), "CD"),
        (!Film::roles.all(Role::lines.ge(1)), "AB"),
        (Film::roles.is_empty(), "D"),
        (Film::roles.count().ge(1), "ABC"),
        (Film::roles.count().eq(0) | Film::roles.count().gt(2), "AD"),
        (Film::roles.count_where(Role::lines.is_null()).eq(1), "AB"),
        (Film::roles.count_where(many_lines()).lt(1) & Film::title.ne("D"), "B"),
    ];
    each_write(db, cases).await
}

pub(crate) async fn through_an_association_in_each_write(db: &Ommi) -> DBResult<()> {
    let bob = || Actor::name.eq("Bob");
    let cases = [
        (Film::actors.any(bob()), "AB"),
        (Film::actors.none(bob()), "CD"),
        (Film::actors.all(bob()), "BD"),
        (!Film::actors.all(bob()), "AC"),
        (Film::actors.is_empty(), "D"),
        (Film::actors.count().gt(1), "A"),
        (Film::actors.count().le(1), "BCD"),
        (Film::actors.count_where(!bob()).eq(1), "C"),
        // Through the same association and back, to the rows that are written.
        (Film::actors.any(Actor::films.count().eq(2)), "ABC"),
        (Film::actors.any(Actor::films.none(Film::title.ne("A"))), "A"),
    ];
    each_write(db, cases).await
}

/// Each level has names of its own, however deep it lies. A store may look at every row on every level, so there are not more of them.
pub(crate) async fn over_many_relations(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let there_and_back = |predicate: Predicate<User>, _| User::team.is(Team::members.any(predicate));
    let far = (0..6).fold(User::posts.any(Post::title.eq("b1")), there_and_back);
    assert_eq!(who(db, far).await?, ["Ann", "Bob", "Dan"]);
    let counted = (0..4).fold(User::posts.any(Post::title.eq("b1")), |predicate: Predicate<User>, _| {
        User::team.is(Team::members.count_where(predicate).ge(1))
    });
    assert_eq!(who(db, counted).await?, ["Ann", "Bob", "Dan"]);
    Ok(())
}

/// What is wrong with a condition inside is told as what is wrong with it there.
pub(crate) async fn an_invalid_condition_on_related_rows(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let invalid = || Post::title.contains("with\0NUL");
    let of_posts = |result: DBResult<Vec<User>>| {
        let error = assert_kind!(result, ErrorKind::InvalidValue { .. });
        assert!(error.to_string().contains("Post"), "{error}");
    };
    of_posts(db.find(User::posts.any(invalid())).all().await);
    of_posts(db.find(User::posts.all(invalid())).all().await);
    of_posts(db.find(User::posts.count_where(invalid()).ge(1)).all().await);
    of_posts(db.find_all::<User>().include(User::posts.filter(invalid())).all().await);
    of_posts(db.find(User::team.is(Team::members.any(User::posts.none(invalid())))).all().await);
    Ok(())
}
