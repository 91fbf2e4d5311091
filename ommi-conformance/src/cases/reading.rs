//! The verbs that read.

use ommi::prelude::*;

use crate::expect::not_found;

#[derive(Debug, Clone, PartialEq, Model)]
struct User {
    id: i64,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    #[ommi(key)]
    hall: String,
    #[ommi(key)]
    number: u8,
    #[ommi(key)]
    balcony: bool,
}

async fn users(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    db.add_all([(1, "Ann"), (2, "Bob"), (3, "Ann")].map(|(id, name)| User { id, name: name.to_owned() })).await?;
    Ok(())
}

pub(crate) async fn one_gives_the_row(db: &Ommi) -> DBResult<()> {
    users(db).await?;
    assert_eq!(db.find(User::name.eq("Bob")).one().await?.id, 2);
    assert_eq!(db.find(User::id.eq(3)).one().await?.name, "Ann");
    Ok(())
}

pub(crate) async fn one_without_a_row_is_not_found(db: &Ommi) -> DBResult<()> {
    users(db).await?;
    not_found(db.find(User::name.eq("Eve")).one().await, "User");
    not_found(db.find(User::id.eq(9)).one().await, "User");
    not_found(db.find(User::id.in_(Vec::<i64>::new())).one().await, "User");
    Ok(())
}

pub(crate) async fn one_of_several_is_the_first_in_order(db: &Ommi) -> DBResult<()> {
    users(db).await?;
    assert_eq!(db.find(User::name.eq("Ann")).one().await?.id, 1, "by the key");
    assert_eq!(db.find(User::name.eq("Ann")).sort(User::id.desc()).one().await?.id, 3);
    Ok(())
}

pub(crate) async fn first_is_a_row_or_none(db: &Ommi) -> DBResult<()> {
    users(db).await?;
    assert_eq!(db.find_all::<User>().sort(User::name.desc()).first().await?.map(|user| user.id), Some(2));
    assert_eq!(db.find(User::id.eq(2)).first().await?.map(|user| user.id), Some(2));
    assert_eq!(db.find(User::id.eq(9)).first().await?, None);
    Ok(())
}

pub(crate) async fn all_gives_every_row_that_meets_the_condition(db: &Ommi) -> DBResult<()> {
    users(db).await?;
    assert_eq!(db.find(User::name.eq("Ann")).all().await?.len(), 2);
    assert_eq!(db.find(User::name.eq("Eve")).all().await?, []);
    assert_eq!(db.find_all::<User>().all().await?.len(), 3);
    Ok(())
}

pub(crate) async fn count_counts(db: &Ommi) -> DBResult<()> {
    users(db).await?;
    assert_eq!(db.find_all::<User>().count().await?, 3);
    assert_eq!(db.find(User::name.eq("Ann")).count().await?, 2);
    assert_eq!(db.find(User::name.eq("Eve")).count().await?, 0);
    assert_eq!(db.find(User::id.eq(1)).count().await?, 1);
    assert_eq!(db.find(User::name.eq("Ann")).sort(User::name).count().await?, 2, "whatever the order");
    Ok(())
}

pub(crate) async fn exists_says_whether_there_is_a_row(db: &Ommi) -> DBResult<()> {
    users(db).await?;
    assert!(db.find(User::name.eq("Ann")).exists().await?);
    assert!(!db.find(User::name.eq("Eve")).exists().await?);
    assert!(db.find_all::<User>().exists().await?);
    db.find_all::<User>().delete().await?;
    assert!(!db.find_all::<User>().exists().await?);
    Ok(())
}

pub(crate) async fn get_by_key(db: &Ommi) -> DBResult<()> {
    users(db).await?;
    assert_eq!(db.get::<User>(2).await?.name, "Bob");
    let key = 3;
    assert_eq!(db.get::<User>(&key).await?.id, 3);
    not_found(db.get::<User>(9).await, "User");
    assert_eq!(db.get::<User>(9).optional().await?, None);
    Ok(())
}

pub(crate) async fn get_by_a_composite_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Seat>().await?;
    let seat = Seat { hall: "main".to_owned(), number: 7, balcony: false };
    db.add(seat.clone()).await?;
    assert_eq!(db.get::<Seat>(("main", 7, false)).await?, seat);
    assert_eq!(db.get::<Seat>(("main".to_owned(), &7, false)).await?, seat);
    not_found(db.get::<Seat>(("main", 7, true)).await, "Seat");
    not_found(db.get::<Seat>(("Main", 7, false)).await, "Seat");
    Ok(())
}

/// A verb does not change the query it is called on.
pub(crate) async fn one_query_is_run_many_times(db: &Ommi) -> DBResult<()> {
    users(db).await?;
    let ann = db.find(User::name.eq("Ann")).sort(User::id);
    assert_eq!(ann.clone().one().await?.id, 1);
    assert_eq!(ann.clone().all().await?.len(), 2);
    assert_eq!(ann.clone().count().await?, 2);
    assert_eq!(ann.clone().first().await?.map(|user| user.id), Some(1));
    assert!(ann.clone().exists().await?);
    assert_eq!(ann.clone().limit(1).all().await?.len(), 1);
    assert_eq!(ann.all().await?.len(), 2);
    Ok(())
}

/// The same shape with other values, again and again.
pub(crate) async fn one_shape_with_many_values(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    db.add_all((0..300).map(|id| User { id, name: (id % 7).to_string() })).await?;
    for id in 0..300 {
        assert_eq!(db.get::<User>(id).await?.id, id);
        let found = db.find(User::name.eq((id % 7).to_string()) & User::id.ge(id)).sort(User::id).first().await?;
        assert_eq!(found.map(|user| user.id), Some(id));
    }
    Ok(())
}

/// More shapes than a driver keeps.
pub(crate) async fn many_shapes(db: &Ommi) -> DBResult<()> {
    users(db).await?;
    for length in 1..600 {
        let other = all_of((0..length % 40).map(|n| User::id.ne(n + 10)));
        let condition = other & all_of((0..length / 40).map(|n| User::id.ge(-n))) & User::id.le(length);
        let query = db.find(condition).sort(User::id);
        let query = if length % 2 == 0 { query.limit(2) } else { query };
        let expected = length.min(if length % 2 == 0 { 2 } else { 3 });
        assert_eq!(query.all().await?.len() as i64, expected, "length {length}");
    }
    Ok(())
}

/// Nothing is sent for a query, nor for an operation that is not awaited.
pub(crate) async fn nothing_runs_until_it_is_awaited(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    drop(db.add(User { id: 1, name: "never".to_owned() }));
    drop(db.find_all::<User>().delete());
    let later = db.find_all::<User>().count();
    db.add(User { id: 2, name: "now".to_owned() }).await?;
    assert_eq!(later.await?, 1);
    Ok(())
}
