//! Every operation, dropped at every await: polled n times and dropped, for each n until it comes to its end. Afterwards it has happened or
//! not, nothing in between, and whoever comes next finds connections and locks free.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ommi::{Isolation, Retry, prelude::*};

use crate::dropped::{self, Outcome, drop_after, polls};

#[derive(Debug, Clone, PartialEq, Model)]
struct Owner {
    id: i64,
    #[ommi(unique)]
    name: String,
    #[ommi(default = 0)]
    visits: i64,
    pets: HasMany<Pet>,
    clubs: HasMany<Club, Through<Membership>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Pet {
    #[ommi(auto)]
    id: i64,
    name: String,
    #[ommi(references = Owner::id)]
    owner_id: i64,
    owner: BelongsTo<Owner>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Club {
    id: i64,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Membership {
    #[ommi(key, references = Owner::id)]
    owner_id: i64,
    #[ommi(key, references = Club::id)]
    club_id: i64,
}

fn owner(id: i64) -> OwnerDraft {
    new!(Owner { id, name: format!("owner {id}") })
}

/// Two owners, a pet and a club.
async fn fill(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Owner, Pet, Club, Membership)>().await?;
    db.add_all([owner(1), owner(2)]).await?;
    db.add(new!(Pet { name: "Rex", owner_id: 1 })).await?;
    db.add(Club { id: 1, name: "chess".to_owned() }).await?;
    Ok(())
}

/// What the tables hold: the names and visits of owners, the numbers of pets and of memberships.
type State = (Vec<(String, i64)>, u64, u64);

async fn state(db: &impl Handle) -> DBResult<State> {
    let owners = db.find_all::<Owner>().sort(Owner::id).all().await?;
    let owners = owners.into_iter().map(|owner| (owner.name, owner.visits)).collect();
    Ok((owners, db.find_all::<Pet>().count().await?, db.find_all::<Membership>().count().await?))
}

/// Others get their turn at once: as many as any pool here has connections, reading and writing.
async fn is_usable(db: &Ommi) -> DBResult<()> {
    let limit = Duration::from_secs(60);
    futures::future::try_join_all((0..6).map(|_| db.find_all::<Club>().count().timeout(limit))).await?;
    let club = db.find(Club::id.eq(1)).update(Club::name.set("chess")).timeout(limit).await?;
    assert_eq!(club, 1);
    // The rows that the operation may have written are nobody's any more.
    db.find_all::<Owner>().update(Owner::visits.increment(0)).timeout(limit).await?;
    Ok(())
}

/// Drops an operation after every number of polls. After each, what the tables hold is as before or as after.
async fn drop_everywhere<F: Outcome, U: Outcome>(
    db: &Ommi,
    operation: impl Fn() -> F,
    undo: impl Fn() -> U,
    after: impl Fn(State) -> State,
) -> DBResult<()> {
    let look = || async {
        is_usable(db).await?;
        state(db).await
    };
    dropped::drop_everywhere(look, operation, undo, after).await
}

/// Drops an operation that changes nothing.
async fn drop_a_read<F: Outcome>(db: &Ommi, operation: impl Fn() -> F) -> DBResult<()> {
    drop_everywhere(db, operation, || async { Ok(()) }, |state| state).await
}

pub(crate) async fn reads(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    drop_a_read(db, || async { db.get::<Owner>(1).await }).await?;
    drop_a_read(db, || async { db.find(Owner::visits.eq(0)).first().await }).await?;
    drop_a_read(db, || async { db.find(Owner::id.eq(2)).one().await }).await?;
    drop_a_read(db, || async { db.find_all::<Owner>().sort(Owner::name).all().await }).await?;
    drop_a_read(db, || async { db.find(Owner::name.contains("1")).count().await }).await?;
    drop_a_read(db, || async { db.find(Owner::name.eq("x")).exists().await }).await
}

pub(crate) async fn reads_with_a_limit_of_time(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let limit = Duration::from_secs(60);
    drop_a_read(db, || async { db.find_all::<Owner>().all().timeout(limit).await }).await?;
    drop_a_read(db, || async { db.get::<Owner>(1).timeout(limit).optional().await }).await
}

pub(crate) async fn streams(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    drop_a_read(db, || async {
        let mut rows = db.find_all::<Owner>().sort(Owner::id).batch(1).stream();
        while rows.try_next().await?.is_some() {}
        Ok(())
    })
    .await?;
    drop_a_read(db, || async {
        let mut rows = db.find_all::<Owner>().sort(Owner::id).include((Owner::pets, Owner::clubs)).batch(1).stream();
        while let Some(owner) = rows.try_next().await? {
            assert!(owner.pets.is_loaded() && owner.clubs.is_loaded());
        }
        Ok(())
    })
    .await
}

pub(crate) async fn loads(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    drop_a_read(db, || async {
        let owners = db.find_all::<Owner>().all().await?;
        for owner in &owners {
            owner.pets.load(db).await?;
        }
        Ok(())
    })
    .await?;
    drop_a_read(db, || async { db.find_all::<Owner>().include((Owner::pets, Owner::clubs)).all().await }).await?;
    // A load that was dropped is no load: the next one on the same rows asks again.
    let owners = db.find_all::<Owner>().sort(Owner::id).all().await?;
    for polls in polls() {
        if let Some(pets) = drop_after(polls, owners[0].pets.load(db)).await.transpose()? {
            assert_eq!(pets.len(), 1);
            return Ok(());
        }
    }
    panic!("it has not come to its end");
}

pub(crate) async fn single_writes(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let third = |mut state: State| {
        state.0.push(("owner 3".to_owned(), 0));
        state
    };
    let visited = |visits: i64| {
        move |mut state: State| {
            state.0[1].1 = visits;
            state
        }
    };
    let leave = || async { db.find(Owner::id.eq(3)).delete().await.map(drop) };
    let forget = || async { db.find_all::<Owner>().update(Owner::visits.set(0)).await.map(drop) };
    drop_everywhere(db, || async { db.add(owner(3)).await }, &leave, third).await?;
    let again = || async { db.upsert(owner(3)).on(Owner::id).ignore().await.map(drop) };
    let gone = |mut state: State| {
        state.0.pop();
        state
    };
    drop_everywhere(db, || async { db.find(Owner::id.eq(3)).delete().await }, &again, gone).await?;
    let upsert = || async { db.upsert(owner(3)).on(Owner::name).update(Owner::visits.increment(1)).await };
    drop_everywhere(db, upsert, &leave, third).await?;
    leave().await?;
    drop_everywhere(
        db,
        || async {
            let mut row = db.get::<Owner>(2).await?;
            row.visits = 5;
            db.save(&mut row).await
        },
        &forget,
        visited(5),
    )
    .await?;
    forget().await?;
    let update = || async { db.find(Owner::id.eq(2)).update(Owner::visits.increment(7)).await };
    drop_everywhere(db, update, &forget, visited(7)).await
}

pub(crate) async fn writes_of_many_rows(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let all = |mut state: State| {
        state.0.extend((10..310).map(|id| (format!("owner {id}"), 0)));
        state
    };
    let leave = || async { db.find(Owner::id.ge(10)).delete().await.map(drop) };
    drop_everywhere(db, || async { db.add_all((10..310).map(owner)).await }, &leave, all).await?;
    let visited = |mut state: State| {
        state.0.iter_mut().for_each(|owner| owner.1 += 1);
        state
    };
    let forget = || async { db.find_all::<Owner>().update(Owner::visits.set(0)).await.map(drop) };
    let update = || async { db.find_all::<Owner>().update(Owner::visits.increment(1)).await };
    drop_everywhere(db, update, &forget, visited).await
}

/// Half of it is never committed.
pub(crate) async fn an_add_of_several_statements_in_a_transaction(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let before = db.find_all::<Pet>().count().await?;
    for polls in polls() {
        let tx = db.begin().await?;
        // Rows whose keys are given and rows whose keys are generated take a statement each. Those that are given are beyond all that were generated
        // before, also in what was dropped: the numbers of that are not given back.
        let first = 10_000 * (polls as i64 + 1);
        let pets = (0..6).map(|n| {
            let pet = new!(Pet { name: format!("pet {n}"), owner_id: 2 });
            if n % 2 == 0 { pet.id(first + 1_000 * n) } else { pet }
        });
        let added = drop_after(polls, tx.add_all(pets)).await.transpose()?;
        let committed = tx.commit().await;
        let now = db.find_all::<Pet>().count().await?;
        let expected = if committed.is_ok() { [before + 6, before] } else { [before; 2] };
        assert!(expected.contains(&now), "{now} after {polls} polls, {committed:?}");
        if added.is_some() {
            committed?;
            assert_eq!(now, before + 6);
            return Ok(());
        }
        db.find(Pet::owner_id.eq(2)).delete().await?;
    }
    panic!("it has not come to its end");
}

pub(crate) async fn rows_with_rows_of_their_own(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let add = || async {
        db.add(new!(Owner { id: 3, name: "owner 3", pets: [{ name: "a" }, { name: "b" }], clubs: [{ id: 9, name: "new" }] }))
            .await
    };
    let remove = || async {
        db.find(Pet::owner_id.eq(3)).delete().await?;
        db.find(Membership::owner_id.eq(3)).delete().await?;
        db.find(Owner::id.eq(3)).delete().await?;
        db.find(Club::id.eq(9)).delete().await.map(drop)
    };
    let added = |mut state: State| {
        state.0.push(("owner 3".to_owned(), 0));
        (state.0, state.1 + 2, state.2 + 1)
    };
    drop_everywhere(db, add, remove, added).await
}

pub(crate) async fn changes_of_relations(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    db.add(Club { id: 2, name: "go".to_owned() }).await?;
    let first = db.get::<Owner>(1).await?;
    let (chess, go) = (db.get::<Club>(1).await?, db.get::<Club>(2).await?);
    let none = || async { db.find_all::<Membership>().delete().await.map(drop) };
    let counts = |memberships: u64| move |state: State| (state.0, state.1, memberships);
    drop_everywhere(db, || async { first.clubs.link(db, &chess).await }, &none, counts(1)).await?;
    let again = || async { first.clubs.link(db, &chess).await.map(drop) };
    drop_everywhere(db, || async { first.clubs.unlink(db, &chess).await }, &again, counts(0)).await?;
    drop_everywhere(db, || async { first.clubs.replace(db, [&chess, &go]).await }, &none, counts(2)).await
}

pub(crate) async fn rows_that_belong_to_a_row(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let first = db.get::<Owner>(1).await?;
    let rex = db.find(Pet::name.eq("Rex")).one().await?;
    let one_more = |state: State| (state.0, state.1 + 1, state.2);
    let one_less = |state: State| (state.0, state.1 - 1, state.2);
    let none_new = || async { db.find(Pet::name.eq("new")).delete().await.map(drop) };
    drop_everywhere(db, || async { first.pets.add(db, new!(Pet { name: "new", .. })).await }, &none_new, one_more)
        .await?;
    none_new().await?;
    let back = || async { db.add(rex.clone()).await.map(drop) };
    drop_everywhere(db, || async { first.pets.remove(db, &rex).await }, &back, one_less).await?;
    back().await?;
    drop_everywhere(db, || async { db.delete(&rex).await }, &back, one_less).await?;
    back().await?;
    drop_a_read(db, || async {
        let mut first = first.clone();
        first.pets.load_alone(db).await?;
        first.pets.refresh(db).await?;
        rex.load(Pet::owner, db).await.map(drop)
    })
    .await
}

pub(crate) async fn transactions(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let leave = || async {
        db.find(Owner::id.gt(2)).delete().await?;
        db.find_all::<Owner>().update(Owner::visits.set(0)).await.map(drop)
    };
    let done = |mut state: State| {
        state.0[0].1 = 1;
        state.0.push(("owner 3".to_owned(), 0));
        state
    };
    let closure = || async {
        db.transaction(async |tx| -> DBResult<()> {
            tx.find(Owner::id.eq(1)).update(Owner::visits.increment(1)).await?;
            tx.get::<Owner>(1).await?;
            tx.add(owner(3)).await.map(drop)
        })
        .await
    };
    drop_everywhere(db, closure, &leave, done).await?;
    leave().await?;
    let again = || async {
        db.retry(Retry::default())
            .transaction(async |tx| -> DBResult<()> {
                tx.find(Owner::id.eq(1)).update(Owner::visits.increment(1)).await?;
                tx.add(owner(3)).await.map(drop)
            })
            .await
    };
    drop_everywhere(db, again, &leave, done).await?;
    leave().await?;
    let guard = || async {
        let tx = db.begin().await?;
        tx.find(Owner::id.eq(1)).update(Owner::visits.increment(1)).await?;
        tx.add(owner(3)).await?;
        tx.commit().await
    };
    drop_everywhere(db, guard, &leave, done).await?;
    leave().await?;
    let undone = || async {
        let tx = db.begin().await?;
        tx.add(owner(3)).await?;
        tx.rollback().await
    };
    drop_a_read(db, undone).await
}

pub(crate) async fn transactions_with_options(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let leave = || async { db.find(Owner::id.gt(2)).delete().await.map(drop) };
    let done = |mut state: State| {
        state.0.push(("owner 3".to_owned(), 0));
        state
    };
    let capabilities = db.driver().capabilities();
    let isolation = Isolation::Serializable.min(capabilities.isolation);
    let limit = Duration::from_secs(60);
    let isolated = || async {
        let work = db.build_transaction().isolation(isolation).transaction(async |tx| -> DBResult<()> {
            tx.find_all::<Owner>().count().await?;
            tx.add(owner(3)).await.map(drop)
        });
        work.timeout(limit).await
    };
    drop_everywhere(db, isolated, &leave, done).await?;
    leave().await?;
    let reading = || async {
        let tx = db.build_transaction().read_only().begin().timeout(limit).await?;
        tx.find_all::<Owner>().all().await?;
        tx.commit().timeout(limit).await
    };
    drop_a_read(db, reading).await?;
    if capabilities.deferrable {
        let deferrable = db.build_transaction().isolation(Isolation::Serializable).read_only().deferrable();
        drop_a_read(db, || deferrable.transaction(async |tx| tx.find_all::<Owner>().count().await)).await?;
    }
    if capabilities.immediate {
        let immediate = db.build_transaction().immediate();
        drop_everywhere(db, || immediate.transaction(async |tx| tx.add(owner(3)).await), &leave, done).await?;
    }
    Ok(())
}

/// The close waits for a transaction, and is given up; whoever closes next waits for it too.
pub(crate) async fn closing(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let tx = db.begin().await?;
    tx.add(owner(3)).await?;
    for milliseconds in 0..5 {
        // By time and not by polls: nobody wakes it before the transaction ends.
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), db.close()).await;
    }
    drop(tx);
    db.close().await;
    assert!(db.find_all::<Owner>().count().await.is_err(), "it is closed");
    Ok(())
}

pub(crate) async fn transactions_within_transactions(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let leave = || async { db.find(Owner::id.gt(2)).delete().await.map(drop) };
    let done = |mut state: State| {
        state.0.extend([3, 5, 6].map(|id| (format!("owner {id}"), 0)));
        state
    };
    let nested = || async {
        db.transaction(async |tx| -> DBResult<()> {
            tx.transaction(async |inner| inner.add(owner(3)).await).await?;
            let inner = tx.begin().await?;
            inner.add(owner(4)).await?;
            inner.rollback().await?;
            let mut inner = tx.begin().await?;
            inner.add(owner(5)).await?;
            let innermost = inner.begin().await?;
            innermost.add(owner(6)).await?;
            innermost.commit().await?;
            inner.commit().await
        })
        .await
    };
    drop_everywhere(db, nested, &leave, done).await
}

/// The outer one goes on after it, or says that it cannot, where that is declared; either way nothing of the inner one is left.
pub(crate) async fn a_nested_transaction_within_one_that_goes_on(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let before = state(db).await?;
    let keeps_outer = db.driver().capabilities().dropped_level_keeps_outer;
    for polls in polls() {
        let mut tx = db.begin().await?;
        tx.find(Owner::id.eq(2)).update(Owner::visits.set(1)).await?;
        let ending = AtomicBool::new(false);
        let inner = drop_after(polls, async {
            let inner = tx.begin().await?;
            inner.add(owner(3)).await?;
            inner.find(Owner::id.eq(2)).update(Owner::visits.set(9)).await?;
            ending.store(true, Ordering::Relaxed);
            inner.rollback().await
        });
        let finished = inner.await.transpose()?.is_some();
        match state(&tx).await {
            Ok(now) => {
                let mut expected = before.clone();
                expected.0[1].1 = 1;
                assert_eq!(now, expected, "after {polls} polls");
            }
            Err(error) => {
                let may = !keeps_outer || ending.load(Ordering::Relaxed);
                let aborted = matches!(error.kind(), ErrorKind::TransactionAborted);
                assert!(aborted && may && !finished, "{polls} polls: {error:?}");
            }
        }
        tx.rollback().await?;
        is_usable(db).await?;
        assert_eq!(state(db).await?, before);
        if finished {
            return Ok(());
        }
    }
    panic!("it has not come to its end");
}

/// The transaction can be rolled back after it, whatever became of the statement.
pub(crate) async fn statements_in_a_transaction(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let before = state(db).await?;
    for polls in polls() {
        let tx = db.begin().await?;
        tx.find(Owner::id.eq(2)).update(Owner::visits.set(1)).await?;
        let statements = drop_after(polls, async {
            tx.add_all((10..40).map(owner)).await?;
            tx.find(Owner::visits.eq(0)).all().await?;
            tx.find(Owner::id.ge(30)).delete().await
        });
        let finished = statements.await.transpose()?.is_some();
        tx.rollback().await?;
        is_usable(db).await?;
        assert_eq!(state(db).await?, before, "after {polls} polls");
        if finished {
            return Ok(());
        }
    }
    panic!("it has not come to its end");
}

pub(crate) async fn making_and_dropping_tables(db: &Ommi) -> DBResult<()> {
    #[derive(Debug, Clone, PartialEq, Model)]
    struct Other {
        id: i64,
        #[ommi(unique)]
        name: String,
    }
    fill(db).await?;
    for polls in polls() {
        let made = drop_after(polls, db.create_tables::<Other>()).await.transpose()?.is_some();
        db.create_tables::<Other>().await?;
        db.add(Other { id: 1, name: "one".to_owned() }).await?;
        let dropped = drop_after(polls, db.drop_tables::<Other>()).await.transpose()?.is_some();
        db.drop_tables::<Other>().await?;
        is_usable(db).await?;
        if made && dropped {
            return Ok(());
        }
    }
    panic!("it has not come to its end");
}

/// Ten thousand that are begun and dropped leave no connection, session or lock behind. A tenth of them where the store is none of SQL's: the
/// server that stands in for MongoDB takes its time.
pub(crate) async fn thousands_of_transactions(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let count = if db.driver().capabilities().foreign_keys { 10_000 } else { 1_000 };
    for n in 0..count {
        let tx = db.begin().await?;
        if n % 4 == 0 {
            tx.find(Owner::id.eq(1)).update(Owner::visits.increment(1)).await?;
        }
        drop(tx);
    }
    is_usable(db).await?;
    assert_eq!(db.get::<Owner>(1).await?.visits, 0);
    Ok(())
}
