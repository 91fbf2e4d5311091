//! Adding a row, or dealing with the one that is there already.

use ommi::{ConstraintKind, prelude::*};

use crate::expect::{assert_kind, out_of_range, violation};
use crate::samples::HOSTILE;

#[derive(Debug, Clone, PartialEq, Model)]
struct User {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    email: String,
    #[ommi(unique)]
    phone: Option<String>,
    #[ommi(default = "nobody")]
    name: String,
    #[ommi(default = 1)]
    visits: i64,
}

async fn ann(db: &Ommi) -> DBResult<User> {
    db.create_tables::<User>().await?;
    db.add(new!(User { email: "ann@x.org", phone: "1", name: "Ann" })).await
}

pub(crate) async fn adds_a_row_that_is_not_there(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    let row = new!(User { email: "bob@x.org", name: "Bob" });
    let bob = db.upsert(row).on(User::email).update(User::visits.increment(1)).await?;
    assert_ne!(bob.id, ann.id);
    assert_eq!((bob.name.as_str(), bob.visits, &bob.phone), ("Bob", 1, &None), "as the draft says, without the change");
    assert_eq!(db.get::<User>(bob.id).await?, bob);
    assert_eq!(db.get::<User>(ann.id).await?, ann);
    Ok(())
}

pub(crate) async fn changes_the_row_that_is_there(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    let row = new!(User { email: "ann@x.org", name: "Other", visits: 50 });
    let changed = db.upsert(row).on(User::email).update(User::visits.increment(1)).await?;
    assert_eq!(changed, User { visits: 2, ..ann }, "only what the change says");
    assert_eq!(db.find_all::<User>().all().await?, [changed]);
    Ok(())
}

pub(crate) async fn several_changes(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    let changes = (User::visits.set(9), User::name.set("New"), User::phone.set(None));
    let changed = db.upsert(new!(User { email: "ann@x.org" })).on(User::email).update(changes).await?;
    assert_eq!(changed, User { visits: 9, name: "New".to_owned(), phone: None, ..ann });
    let changes = (User::phone.set(User::name), User::name.set(User::email));
    let changed = db.upsert(new!(User { email: "ann@x.org" })).on(User::email).update(changes).await?;
    assert_eq!((changed.phone.as_deref(), changed.name.as_str()), (Some("New"), "ann@x.org"), "from the row as it was");
    Ok(())
}

pub(crate) async fn ignores_the_row_that_is_there(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    let again = db.upsert(new!(User { email: "ann@x.org", name: "Other" })).on(User::email).ignore().await?;
    assert_eq!(again, None);
    let bob = db.upsert(new!(User { email: "bob@x.org" })).on(User::email).ignore().await?;
    assert_eq!(bob.map(|bob| bob.name).as_deref(), Some("nobody"));
    assert_eq!(db.get::<User>(ann.id).await?, ann);
    assert_eq!(db.find_all::<User>().count().await?, 2);
    Ok(())
}

pub(crate) async fn on_the_key(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    let row = new!(User { id: ann.id, email: "ann@y.org" });
    let changed = db.upsert(row).on(User::id).update(User::email.set("ann@z.org")).await?;
    assert_eq!(changed, User { email: "ann@z.org".to_owned(), ..ann });
    let row = new!(User { id: 99, email: "new@x.org" });
    let added = db.upsert(row).on(User::id).update(User::visits.increment(1)).await?;
    assert_eq!((added.id, added.visits), (99, 1));
    Ok(())
}

/// The key is to be generated: no row can have it already.
pub(crate) async fn on_a_generated_key_it_always_adds(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    let row = new!(User { email: "bob@x.org" });
    let bob = db.upsert(row).on(User::id).update(User::visits.increment(1)).await?;
    assert_eq!(bob.visits, 1);
    assert_eq!(db.find_all::<User>().count().await?, 2);
    Ok(())
}

/// NULL is the same as nothing, not even as NULL.
pub(crate) async fn null_in_the_target_always_adds(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    for (n, email) in ["a@x.org", "b@x.org"].into_iter().enumerate() {
        let row = new!(User { email, phone: None });
        let added = db.upsert(row).on(User::phone).update(User::visits.set(100)).await?;
        assert_eq!((added.email.as_str(), added.visits), (email, 1));
        assert_eq!(db.find(User::phone.is_null()).count().await?, n as u64 + 1);
    }
    let row = new!(User { email: "other@x.org", phone: "1" });
    let changed = db.upsert(row).on(User::phone).update(User::visits.set(100)).await?;
    assert_eq!((changed.email.as_str(), changed.visits), ("ann@x.org", 100));
    Ok(())
}

/// Only the row with the same value in the target is meant.
pub(crate) async fn a_violation_of_another_constraint_stays_an_error(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    let row = || new!(User { email: "new@x.org", phone: "1" });
    let result = db.upsert(row()).on(User::email).update(User::visits.increment(1)).await;
    violation(result, ConstraintKind::Unique, "users", &["phone"]);
    violation(db.upsert(row()).on(User::email).ignore().await, ConstraintKind::Unique, "users", &["phone"]);
    assert_eq!(db.find_all::<User>().all().await?, [ann]);
    Ok(())
}

pub(crate) async fn a_change_that_violates_a_constraint_is_an_error(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    let bob = db.add(new!(User { email: "bob@x.org", phone: "2", visits: i64::MAX })).await?;
    let row = || new!(User { email: "bob@x.org" });
    let result = db.upsert(row()).on(User::email).update(User::phone.set("1")).await;
    violation(result, ConstraintKind::Unique, "users", &["phone"]);
    out_of_range(db.upsert(row()).on(User::email).update(User::visits.increment(1)).await, "users");
    assert_eq!(db.find_all::<User>().sort(User::id).all().await?, [ann, bob]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(unique(year, week))]
struct Sales {
    #[ommi(auto)]
    id: i64,
    year: i32,
    week: Option<i32>,
    amount: i64,
}

pub(crate) async fn on_a_composite_unique_set(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Sales>().await?;
    let put = async |year: i32, week: Option<i32>, amount: i64| {
        let row = new!(Sales { year, week, amount });
        db.upsert(row).on((Sales::year, Sales::week)).update(Sales::amount.increment(amount)).await
    };
    assert_eq!(put(2024, Some(1), 10).await?.amount, 10);
    assert_eq!(put(2024, Some(2), 20).await?.amount, 20);
    assert_eq!(put(2024, Some(1), 5).await?.amount, 15);
    assert_eq!(put(2024, None, 1).await?.amount, 1);
    assert_eq!(put(2024, None, 2).await?.amount, 2, "part of the target is NULL");
    assert_eq!(db.find_all::<Sales>().count().await?, 4);
    // The order in which the columns are named does not matter.
    let row = new!(Sales { year: 2024, week: 2, amount: 0 });
    let changed = db.upsert(row).on((Sales::week, Sales::year)).update(Sales::amount.set(0)).await?;
    assert_eq!(changed.amount, 0);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(unique(tenant, email))]
struct Account {
    #[ommi(key)]
    tenant: String,
    #[ommi(key)]
    id: i64,
    email: String,
    visits: i64,
}

pub(crate) async fn on_a_unique_set_with_a_part_of_the_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Account>().await?;
    let put = async |tenant: &str, id: i64, email: &str| {
        let row = new!(Account { tenant, id, email, visits: 1 });
        db.upsert(row).on((Account::tenant, Account::email)).update(Account::visits.increment(1)).await
    };
    let account =
        |tenant: &str, id, visits| Account { tenant: tenant.to_owned(), id, email: "ann@x.org".to_owned(), visits };
    assert_eq!(put("a", 1, "ann@x.org").await?, account("a", 1, 1));
    assert_eq!(put("b", 1, "ann@x.org").await?, account("b", 1, 1));
    assert_eq!(put("a", 2, "ann@x.org").await?, account("a", 1, 2), "it keeps its key");
    assert_eq!(db.get::<Account>(("a", 1)).await?, account("a", 1, 2));
    assert_eq!(db.find_all::<Account>().count().await?, 2);
    let row = new!(Account { tenant: "a", id: 3, email: "ann@x.org", visits: 9 });
    assert_eq!(db.upsert(row).on((Account::tenant, Account::email)).ignore().await?, None);
    assert_eq!(db.find_all::<Account>().count().await?, 2);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "docs", unique(tenant, id))]
struct Doc {
    #[ommi(key)]
    id: String,
    tenant: Option<i64>,
    n: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "pages", unique(tenant, id))]
struct Page {
    #[ommi(auto)]
    id: i64,
    tenant: Option<i64>,
    n: i64,
}

/// A row with the same key and another value beside it is not the one that is meant, and in the way all the same.
macro_rules! finds_by_the_whole_key {
    ($db:expr, $model:ident, $table:literal, [$first:expr, $second:expr, $third:expr]) => {{
        let db = $db;
        db.create_tables::<$model>().await?;
        let row = |id, tenant, n| $model { id, tenant, n };
        let put = async |id, tenant| {
            db.upsert(row(id, tenant, 1)).on(($model::tenant, $model::id)).update($model::n.increment(1)).await
        };
        let ignored = async |id, tenant| db.upsert(row(id, tenant, 1)).on(($model::tenant, $model::id)).ignore().await;
        assert_eq!(put($first, Some(7)).await?, row($first, Some(7), 1));
        assert_eq!(db.get::<$model>($first).await?, row($first, Some(7), 1));
        assert_eq!(put($first, Some(7)).await?, row($first, Some(7), 2));
        violation(put($first, Some(8)).await, ConstraintKind::Unique, $table, &["id"]);
        violation(ignored($first, Some(8)).await, ConstraintKind::Unique, $table, &["id"]);
        assert_eq!(ignored($first, Some(7)).await?, None);
        assert_eq!(put($second, None).await?, row($second, None, 1));
        violation(put($second, None).await, ConstraintKind::Unique, $table, &["id"]);
        violation(ignored($second, None).await, ConstraintKind::Unique, $table, &["id"]);
        // What is changed may be what the row was found by.
        for tenant in [7, 9] {
            let upsert = db.upsert(row($third, Some(7), 1)).on(($model::id, $model::tenant));
            assert_eq!(upsert.update($model::tenant.set(9)).await?, row($third, Some(tenant), 1));
        }
        let all = db.find_all::<$model>().sort($model::id).all().await?;
        assert_eq!(all, [row($first, Some(7), 2), row($second, None, 1), row($third, Some(9), 1)]);
    }};
}

pub(crate) async fn on_a_unique_set_with_the_whole_key(db: &Ommi) -> DBResult<()> {
    finds_by_the_whole_key!(db, Doc, "docs", ["a".to_owned(), "b".to_owned(), "c".to_owned()]);
    finds_by_the_whole_key!(db, Page, "pages", [1, 2, 3]);
    let row = new!(Page { tenant: 7, n: 1 });
    let added = db.upsert(row).on((Page::tenant, Page::id)).update(Page::n.increment(1)).await?;
    assert_eq!((added.id, added.n), (4, 1), "a key that is yet to be made meets nothing");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "links")]
struct Link {
    #[ommi(key)]
    user: i64,
    #[ommi(key)]
    tag: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "links")]
struct WeightedLink {
    #[ommi(key)]
    user: i64,
    #[ommi(key)]
    tag: i64,
    #[ommi(default = 1)]
    weight: i64,
    #[ommi(default = "new")]
    note: Option<String>,
}

/// A program of yesterday, which adds a row unless it is there, changes nothing of one that is.
pub(crate) async fn by_an_older_model_that_is_nothing_but_its_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<WeightedLink>().await?;
    db.add(WeightedLink { user: 1, tag: 1, weight: 5, note: None }).await?;
    for tag in [1, 2] {
        db.upsert(Link { user: 1, tag }).on((Link::user, Link::tag)).ignore().await?;
    }
    let links = db.find_all::<WeightedLink>().sort(WeightedLink::tag).all().await?;
    let expected = [
        WeightedLink { user: 1, tag: 1, weight: 5, note: None },
        WeightedLink { user: 1, tag: 2, weight: 1, note: Some("new".to_owned()) },
    ];
    assert_eq!(links, expected);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Setting {
    #[ommi(key)]
    scope: String,
    #[ommi(key)]
    name: String,
    value: String,
}

pub(crate) async fn on_a_composite_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Setting>().await?;
    let put = async |scope: &str, name: &str, value: &str| {
        let row = new!(Setting { scope, name, value });
        db.upsert(row).on((Setting::scope, Setting::name)).update(Setting::value.set(value)).await
    };
    put("a", "x", "1").await?;
    put("a", "y", "2").await?;
    put("b", "x", "3").await?;
    assert_eq!(put("a", "x", "4").await?.value, "4");
    assert_eq!(db.find_all::<Setting>().count().await?, 3);
    assert_eq!(db.get::<Setting>(("a", "x")).await?.value, "4");
    assert_eq!(db.get::<Setting>(("b", "x")).await?.value, "3");
    Ok(())
}

pub(crate) async fn a_target_that_is_not_unique_is_an_error(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    let row = || new!(User { email: "a" });
    assert_kind!(db.upsert(row()).on(User::name).ignore().await, ErrorKind::Query);
    assert_kind!(db.upsert(row()).on((User::email, User::phone)).ignore().await, ErrorKind::Query);
    Ok(())
}

pub(crate) async fn a_change_of_nothing_is_an_error(db: &Ommi) -> DBResult<()> {
    ann(db).await?;
    let nothing = Vec::<ommi::Assign<User>>::new();
    assert_kind!(db.upsert(new!(User { email: "a" })).on(User::email).update(nothing).await, ErrorKind::Query);
    assert_eq!(db.find_all::<User>().count().await?, 1);
    Ok(())
}

pub(crate) async fn hostile_text(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Setting>().await?;
    for round in 0..2 {
        for text in HOSTILE {
            let row = new!(Setting { scope: *text, name: *text, value: *text });
            let changed = db.upsert(row).on((Setting::scope, Setting::name)).update(Setting::value.set(*text)).await?;
            assert_eq!((changed.scope.as_str(), changed.value.as_str()), (*text, *text), "round {round}");
        }
    }
    assert_eq!(db.find_all::<Setting>().count().await?, HOSTILE.len() as u64);
    Ok(())
}

/// A whole model, with its key, is a row like any other.
pub(crate) async fn a_whole_model(db: &Ommi) -> DBResult<()> {
    let ann = ann(db).await?;
    let stale = User { visits: 77, ..ann.clone() };
    let changed = db.upsert(stale).on(User::id).update(User::visits.increment(1)).await?;
    assert_eq!(changed.visits, 2);
    assert_eq!(db.upsert(ann).on(User::id).ignore().await?, None);
    Ok(())
}

/// Both may find no row; one of them adds it, and the other changes it.
pub(crate) async fn many_at_once_lose_nothing(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                let row = new!(User { email: "same@x.org" });
                db.upsert(row).on(User::email).update(User::visits.increment(1)).await
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    }
    assert_eq!(db.find_all::<User>().one().await?.visits, 32);
    assert_eq!(db.find_all::<User>().count().await?, 1);
    Ok(())
}

/// Both may find no row; one of them adds it, and the other leaves it as it is.
pub(crate) async fn many_at_once_add_one(db: &Ommi) -> DBResult<()> {
    db.create_tables::<User>().await?;
    let tasks: Vec<_> = (0..32)
        .map(|number| {
            let db = db.clone();
            tokio::spawn(async move {
                let row = new!(User { email: "same@x.org", visits: number });
                db.upsert(row).on(User::email).ignore().await
            })
        })
        .collect();
    let mut added = Vec::new();
    for task in tasks {
        added.extend(task.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??);
    }
    assert_eq!(db.find_all::<User>().all().await?, added, "one says that it added the row, and it did");
    assert_eq!(added.len(), 1);
    Ok(())
}
