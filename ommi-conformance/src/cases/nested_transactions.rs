//! Transactions within transactions: what each undoes, and what it leaves.

use std::error::Error as _;
use std::time::Duration;

use ommi::{Nested, prelude::*};

use crate::expect::{assert_kind, error};

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    id: i64,
    #[ommi(unique)]
    place: String,
    guest: Option<String>,
    visits: i64,
}

fn seat(id: i64) -> Seat {
    Seat { id, place: format!("place {id}"), guest: None, visits: id }
}

async fn seats(db: &Ommi, count: i64) -> DBResult<()> {
    db.create_tables::<Seat>().await?;
    db.add_all((1..=count).map(seat)).await?;
    Ok(())
}

async fn all(db: &impl Handle) -> DBResult<Vec<Seat>> {
    db.find_all::<Seat>().sort(Seat::id).all().await
}

async fn ids(db: &impl Handle) -> DBResult<Vec<i64>> {
    Ok(all(db).await?.iter().map(|seat| seat.id).collect())
}

pub(crate) async fn a_commit_makes_it_part_of_the_outer_one(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    tx.add(seat(2)).await?;
    let inner = tx.begin().await?;
    inner.add(seat(3)).await?;
    inner.commit().await?;
    assert_eq!(ids(&tx).await?, [1, 2, 3]);
    tx.add(seat(4)).await?;
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1, 2, 3, 4]);
    Ok(())
}

pub(crate) async fn a_rollback_keeps_what_the_outer_one_did(db: &Ommi) -> DBResult<()> {
    seats(db, 2).await?;
    let mut tx = db.begin().await?;
    tx.add(seat(3)).await?;
    let inner = tx.begin().await?;
    inner.add(seat(4)).await?;
    inner.find(Seat::id.eq(1)).delete().await?;
    inner.find(Seat::id.eq(3)).update(Seat::visits.set(-1)).await?;
    assert_eq!(ids(&inner).await?, [2, 3, 4]);
    inner.rollback().await?;
    assert_eq!(all(&tx).await?, [seat(1), seat(2), seat(3)]);
    tx.add(seat(5)).await?;
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1, 2, 3, 5]);
    Ok(())
}

pub(crate) async fn a_commit_is_undone_with_the_outer_one(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    inner.add(seat(2)).await?;
    inner.find(Seat::id.eq(1)).update(Seat::visits.set(9)).await?;
    inner.commit().await?;
    tx.rollback().await?;
    assert_eq!(all(db).await?, [seat(1)]);
    Ok(())
}

/// Whether or not the outer one does anything before it ends.
pub(crate) async fn dropped_it_is_undone(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    for ask in [true, false] {
        let mut tx = db.begin().await?;
        tx.find(Seat::id.eq(1)).update(Seat::visits.increment(1)).await?;
        let inner = tx.begin().await?;
        inner.add(seat(2)).await?;
        inner.find(Seat::id.eq(1)).update(Seat::visits.set(-1)).await?;
        drop(inner);
        if ask {
            assert_eq!(ids(&tx).await?, [1]);
        }
        tx.commit().await?;
    }
    assert_eq!(all(db).await?, [Seat { visits: 3, ..seat(1) }]);
    Ok(())
}

/// The next one of the same depth begins where the outer one stands.
pub(crate) async fn after_a_dropped_one_another_begins_afresh(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    inner.add(seat(2)).await?;
    drop(inner);
    let inner = tx.begin().await?;
    inner.add(seat(3)).await?;
    inner.commit().await?;
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1, 3]);
    Ok(())
}

pub(crate) async fn forgotten_it_is_undone(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    inner.add(seat(2)).await?;
    std::mem::forget(inner);
    tx.add(seat(3)).await?;
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1, 3]);
    Ok(())
}

pub(crate) async fn an_error_of_the_database_in_it_leaves_the_outer_one_usable(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    tx.add(seat(2)).await?;
    let inner = tx.begin().await?;
    inner.add(seat(3)).await?;
    assert!(error(inner.add(Seat { place: "place 1".to_owned(), ..seat(4) }).await).is_unique_violation());
    inner.rollback().await?;
    assert_eq!(ids(&tx).await?, [1, 2]);
    tx.add(seat(4)).await?;
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1, 2, 4]);
    Ok(())
}

/// That it was dropped without a word makes no difference.
pub(crate) async fn a_failed_one_that_is_dropped_leaves_the_outer_one_usable(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    inner.find(Seat::id.eq(1)).delete().await?;
    inner.add(seat(2)).await?;
    assert!(error(inner.add(seat(2)).await).is_unique_violation());
    drop(inner);
    tx.add(seat(3)).await?;
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1, 3]);
    Ok(())
}

pub(crate) async fn after_a_failed_statement_only_its_rollback_is_left(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    error(inner.add(seat(1)).await);
    let later = assert_kind!(inner.find_all::<Seat>().count().await, ErrorKind::TransactionAborted);
    let first = later.source().and_then(|cause| cause.downcast_ref::<DBError>());
    assert!(first.is_some_and(DBError::is_unique_violation), "{later:?}");
    assert_kind!(inner.commit().await, ErrorKind::TransactionAborted);
    tx.add(seat(2)).await?;
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1, 2]);
    Ok(())
}

#[derive(Debug)]
enum AppError {
    Full,
    Database(DBError),
}

impl From<DBError> for AppError {
    fn from(error: DBError) -> AppError {
        AppError::Database(error)
    }
}

pub(crate) async fn closures_in_closures(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let (guests, mut refused) = (["Ann", "Bob", "Cid"], Vec::new());
    db.transaction(async |tx| -> Result<(), AppError> {
        for (guest, id) in guests.iter().zip(2..) {
            let result = tx
                .transaction(async |inner| -> Result<Seat, AppError> {
                    let row = inner.add(Seat { guest: Some((*guest).to_owned()), ..seat(id) }).await?;
                    if id == 3 { Err(AppError::Full) } else { Ok(row) }
                })
                .await;
            match result {
                Ok(row) => assert_eq!(row.guest.as_deref(), Some(*guest)),
                Err(AppError::Full) => refused.push(*guest),
                Err(AppError::Database(error)) => return Err(error.into()),
            }
        }
        tx.transaction(async |inner| inner.find(Seat::id.eq(1)).delete().await).await?;
        Ok(())
    })
    .await
    .map_err(|error| match error {
        AppError::Full => DBError::new(ErrorKind::Query),
        AppError::Database(error) => error,
    })?;
    assert_eq!(ids(db).await?, [2, 4]);
    assert_eq!(refused, ["Bob"]);
    Ok(())
}

pub(crate) async fn a_closure_in_a_task_of_its_own(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let task_db = db.clone();
    let task = tokio::spawn(async move {
        task_db
            .transaction(async |tx| -> DBResult<()> {
                tx.transaction(async |inner| -> DBResult<()> {
                    inner.add(seat(2)).await?;
                    tokio::task::yield_now().await;
                    inner.add(seat(3)).await.map(drop)
                })
                .await
            })
            .await
    });
    task.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    assert_eq!(ids(db).await?, [1, 2, 3]);
    Ok(())
}

/// Each level ends in its own way, and each combination is what it says.
pub(crate) async fn three_levels_with_every_ending(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Seat>().await?;
    for endings in 0..8 {
        let commits = |level: u32| endings >> level & 1 == 1;
        let mut tx = db.begin().await?;
        tx.add(seat(1)).await?;
        let mut second = tx.begin().await?;
        second.add(seat(2)).await?;
        second.find(Seat::id.eq(1)).update(Seat::visits.increment(10)).await?;
        let third = second.begin().await?;
        third.add(seat(3)).await?;
        third.find_all::<Seat>().update(Seat::visits.increment(100)).await?;
        if commits(2) {
            third.commit().await?
        } else {
            third.rollback().await?
        }
        second.add(seat(4)).await?;
        if commits(1) {
            second.commit().await?
        } else {
            second.rollback().await?
        }
        tx.add(seat(5)).await?;
        let found: Vec<(i64, i64)> = all(&tx).await?.iter().map(|seat| (seat.id, seat.visits)).collect();
        let expected = match (commits(1), commits(2)) {
            (false, _) => vec![(1, 1), (5, 5)],
            (true, false) => vec![(1, 11), (2, 2), (4, 4), (5, 5)],
            (true, true) => vec![(1, 111), (2, 102), (3, 103), (4, 4), (5, 5)],
        };
        assert_eq!(found, expected, "endings {endings:03b}");
        if commits(0) {
            tx.commit().await?
        } else {
            tx.rollback().await?
        }
        assert_eq!(db.find_all::<Seat>().count().await?, if commits(0) { expected.len() as u64 } else { 0 });
        db.find_all::<Seat>().delete().await?;
    }
    Ok(())
}

pub(crate) async fn thirty_levels_deep(db: &Ommi) -> DBResult<()> {
    fn descend<'a>(tx: &'a mut Transaction<'_>, level: i64) -> futures::future::BoxFuture<'a, DBResult<()>> {
        Box::pin(async move {
            tx.add(seat(level)).await?;
            if level == 30 {
                return Ok(());
            }
            let mut inner = tx.begin().await?;
            descend(&mut inner, level + 1).await?;
            // What is within the twentieth goes with it.
            if level == 20 { inner.rollback().await } else { inner.commit().await }
        })
    }
    db.create_tables::<Seat>().await?;
    let mut tx = db.begin().await?;
    descend(&mut tx, 1).await?;
    tx.commit().await?;
    assert_eq!(ids(db).await?, (1..=20).collect::<Vec<i64>>());
    Ok(())
}

pub(crate) async fn a_hundred_one_after_the_other(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    for n in 0..100 {
        let inner = tx.begin().await?;
        inner.find(Seat::id.eq(1)).update(Seat::visits.increment(1)).await?;
        inner.add(seat(100 + n)).await?;
        match n % 3 {
            0 => inner.commit().await?,
            1 => inner.rollback().await?,
            _ => drop(inner),
        }
    }
    tx.commit().await?;
    assert_eq!(db.get::<Seat>(1).await?.visits, 35);
    assert_eq!(db.find_all::<Seat>().count().await?, 35);
    Ok(())
}

/// They are all at another place meanwhile, so a value may be taken by whoever gets it back.
pub(crate) async fn unique_values_that_were_exchanged_come_back(db: &Ommi) -> DBResult<()> {
    seats(db, 4).await?;
    let before = all(db).await?;
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    let place = |id: i64, place: &'static str| inner.find(Seat::id.eq(id)).update(Seat::place.set(place));
    place(1, "free").await?;
    place(2, "place 1").await?;
    place(3, "place 2").await?;
    place(1, "place 3").await?;
    inner.delete(&seat(4)).await?;
    inner.add(Seat { place: "place 4".to_owned(), ..seat(5) }).await?;
    inner.rollback().await?;
    assert_eq!(all(&tx).await?, before);
    tx.add(seat(5)).await?;
    tx.commit().await?;
    assert_eq!(all(db).await?, [before, vec![seat(5)]].concat());
    Ok(())
}

pub(crate) async fn every_verb_is_undone(db: &Ommi) -> DBResult<()> {
    seats(db, 6).await?;
    let before = all(db).await?;
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    inner.add(seat(7)).await?;
    inner.add_all([seat(8), seat(9)]).await?;
    inner.save(&mut Seat { guest: Some("Ann".to_owned()), ..seat(1) }).await?;
    inner.find(Seat::id.le(3)).update(Seat::visits.increment(10)).await?;
    inner.find(Seat::id.eq(2)).update(Seat::guest.set("Bob")).await?;
    inner.upsert(seat(3)).on(Seat::id).update(Seat::visits.set(0)).await?;
    inner.upsert(seat(10)).on(Seat::id).update(Seat::visits.set(0)).await?;
    inner.upsert(seat(4)).on(Seat::id).ignore().await?;
    inner.upsert(seat(11)).on(Seat::id).ignore().await?;
    inner.delete(&seat(5)).await?;
    inner.find(Seat::id.gt(8)).delete().await?;
    assert_eq!(ids(&inner).await?, [1, 2, 3, 4, 6, 7, 8]);
    inner.rollback().await?;
    assert_eq!(all(&tx).await?, before);
    tx.commit().await?;
    assert_eq!(all(db).await?, before);
    Ok(())
}

pub(crate) async fn writes_of_thousands_of_rows_are_undone(db: &Ommi) -> DBResult<()> {
    seats(db, 3_000).await?;
    let before = all(db).await?;
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    assert_eq!(inner.find(Seat::id.le(2_000)).update(Seat::visits.set(0)).await?, 2_000);
    assert_eq!(inner.find(Seat::id.gt(1_000)).delete().await?, 2_000);
    inner.add_all((1_001..=2_000).map(|id| Seat { visits: -id, ..seat(id) })).await?;
    assert_eq!(inner.find_all::<Seat>().count().await?, 2_000);
    inner.rollback().await?;
    assert_eq!(all(&tx).await?, before);
    tx.rollback().await?;
    assert_eq!(all(db).await?, before);
    Ok(())
}

pub(crate) async fn it_sees_the_outer_ones_work_and_its_own(db: &Ommi) -> DBResult<()> {
    seats(db, 2).await?;
    let mut tx = db.begin().await?;
    tx.add(seat(3)).await?;
    let inner = tx.begin().await?;
    inner.add(seat(4)).await?;
    assert_eq!(inner.get::<Seat>(3).await?, seat(3));
    assert_eq!(inner.find(Seat::visits.ge(3)).count().await?, 2);
    let mut rows = inner.find_all::<Seat>().sort(Seat::id).batch(2).stream();
    let mut read = Vec::new();
    while let Some(row) = rows.try_next().await? {
        read.push(row.id);
    }
    drop(rows);
    assert_eq!(read, [1, 2, 3, 4]);
    inner.commit().await?;
    tx.commit().await
}

pub(crate) async fn nobody_outside_sees_it(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    inner.add(seat(2)).await?;
    assert_eq!(ids(db).await?, [1]);
    inner.commit().await?;
    assert_eq!(ids(db).await?, [1], "its commit is not the outer one's");
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1, 2]);
    Ok(())
}

pub(crate) async fn empty_ones(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    tx.begin().await?.commit().await?;
    tx.begin().await?.rollback().await?;
    drop(tx.begin().await?);
    let mut inner = tx.begin().await?;
    inner.begin().await?.commit().await?;
    inner.commit().await?;
    assert_eq!(ids(&tx).await?, [1]);
    let mut inner = tx.begin().await?;
    let innermost = inner.begin().await?;
    innermost.add(seat(2)).await?;
    innermost.commit().await?;
    inner.rollback().await?;
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1]);
    Ok(())
}

/// A stream that is not read to its end is nothing to undo.
pub(crate) async fn a_stream_dropped_in_it(db: &Ommi) -> DBResult<()> {
    seats(db, 1_000).await?;
    let mut tx = db.begin().await?;
    let inner = tx.begin().await?;
    inner.find(Seat::id.eq(1)).update(Seat::visits.set(-1)).await?;
    let mut rows = inner.find_all::<Seat>().sort(Seat::id).batch(5).stream();
    assert_eq!(rows.try_next().await?.map(|row| row.visits), Some(-1));
    drop(rows);
    drop(inner);
    assert_eq!(tx.get::<Seat>(1).await?, seat(1));
    tx.commit().await
}

pub(crate) async fn a_time_limit_of_its_own(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    let result = tx
        .transaction(async |inner| -> DBResult<()> {
            inner.add(seat(2)).await?;
            tokio::time::sleep(Duration::from_millis(120)).await;
            inner.add(seat(3)).await.map(drop)
        })
        .timeout(Duration::from_millis(100))
        .await;
    // On a machine that is busy the first statement may be late already.
    assert_kind!(result, ErrorKind::Timeout { .. });
    tx.rollback().await?;
    assert_eq!(ids(db).await?, [1]);
    Ok(())
}

/// What is too late is refused before it is sent, so that the outer one goes on, with what it did and can do; the limit was not its own.
pub(crate) async fn a_time_limit_of_its_own_leaves_the_outer_one_usable(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    for limit in [3, 15, 60].map(Duration::from_secs) {
        let mut tx = db.begin().await?;
        tx.add(seat(2)).await?;
        let mut has_added = false;
        let result = tx
            .transaction(async |inner| -> DBResult<()> {
                inner.add(seat(3)).await?;
                has_added = true;
                tokio::time::sleep(limit).await;
                inner.add(seat(4)).await.map(drop)
            })
            .timeout(limit)
            .await;
        assert_kind!(result, ErrorKind::Timeout { .. });
        if !has_added {
            // On a machine that is busy the first statement may be late already, and one that is stopped on its way may cost the outer one.
            continue;
        }
        assert_eq!(ids(&tx).await?, [1, 2]);
        tx.add(seat(5)).await?;
        tx.commit().await?;
        assert_eq!(ids(db).await?, [1, 2, 5]);
        return Ok(());
    }
    panic!("a statement took a minute");
}

/// That its commit came too late is its own affair.
pub(crate) async fn a_commit_that_is_too_late_leaves_the_outer_one_usable(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    tx.add(seat(2)).await?;
    let limit = Duration::from_secs(3);
    let late = tx
        .transaction(async |inner| -> DBResult<()> {
            inner.add(seat(3)).await?;
            tokio::time::sleep(limit).await;
            Ok(())
        })
        .timeout(limit);
    assert_kind!(late.await, ErrorKind::Timeout { .. });
    assert_eq!(ids(&tx).await?, [1, 2]);
    tx.transaction(async |inner| inner.add(seat(4)).await).await?;
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1, 2, 4]);
    Ok(())
}

/// Half of it must not be committed with the outer one.
pub(crate) async fn where_the_outer_one_falls_with_it_a_forgotten_one_counts(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.build_transaction().nested(Nested::AbortOuter).begin().await?;
    let inner = tx.begin().await?;
    inner.add(seat(2)).await?;
    std::mem::forget(inner);
    assert_kind!(tx.add(seat(3)).await, ErrorKind::TransactionAborted);
    assert_kind!(tx.commit().await, ErrorKind::TransactionAborted);
    assert_eq!(ids(db).await?, [1]);
    Ok(())
}

/// Where that was asked for, and on stores that can do no better.
pub(crate) async fn when_asked_the_outer_one_falls_with_it(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.build_transaction().nested(Nested::AbortOuter).begin().await?;
    tx.add(seat(2)).await?;
    let inner = tx.begin().await?;
    inner.add(seat(3)).await?;
    inner.commit().await?;
    assert_eq!(ids(&tx).await?, [1, 2, 3]);
    let mut inner = tx.begin().await?;
    let innermost = inner.begin().await?;
    innermost.add(seat(4)).await?;
    drop(innermost);
    assert_kind!(inner.add(seat(5)).await, ErrorKind::TransactionAborted);
    assert_kind!(inner.commit().await, ErrorKind::TransactionAborted);
    assert_kind!(tx.find_all::<Seat>().count().await, ErrorKind::TransactionAborted);
    assert_kind!(tx.commit().await, ErrorKind::TransactionAborted);
    assert_eq!(ids(db).await?, [1]);
    Ok(())
}

/// Before anything is sent; the outer one goes on.
pub(crate) async fn a_store_that_cannot_says_so(db: &Ommi) -> DBResult<()> {
    seats(db, 1).await?;
    let mut tx = db.begin().await?;
    tx.add(seat(2)).await?;
    match (db.driver().capabilities().savepoints, tx.begin().await) {
        (true, Ok(inner)) => inner.commit().await?,
        (true, Err(error)) => return Err(error),
        (false, refused) => drop(assert_kind!(refused, ErrorKind::Unsupported { .. })),
    }
    tx.commit().await?;
    assert_eq!(ids(db).await?, [1, 2]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Shelf {
    id: i64,
    books: HasMany<Book>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Book {
    id: i64,
    #[ommi(references = Shelf::id)]
    shelf_id: i64,
    shelf: BelongsTo<Shelf>,
}

/// What was loaded in a part that was undone is not what the rest sees; what was kept is.
pub(crate) async fn what_was_loaded_in_it_goes_with_it(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Shelf, Book)>().await?;
    db.add_all((1..=2).map(|id| Shelf { id, books: HasMany::default() })).await?;
    let book = |id| Book { id, shelf_id: 1, shelf: BelongsTo::default() };
    db.add(book(1)).await?;

    let mut tx = db.begin().await?;
    let shelves = tx.find_all::<Shelf>().sort(Shelf::id).all().await?;
    let inner = tx.begin().await?;
    inner.add(book(2)).await?;
    assert_eq!(shelves[0].books.load(&inner).await?.len(), 2);
    inner.rollback().await?;
    assert!(shelves[0].books.get().is_none());
    assert_eq!(shelves[0].books.load(&tx).await?.len(), 1, "it is loaded again");

    let shelves = tx.find_all::<Shelf>().sort(Shelf::id).all().await?;
    let inner = tx.begin().await?;
    inner.add(book(3)).await?;
    assert_eq!(shelves[0].books.load(&inner).await?.len(), 2);
    inner.commit().await?;
    tx.add(book(4)).await?;
    assert_eq!(shelves[0].books.load(&tx).await?.len(), 2, "it is kept, as it was loaded");
    tx.rollback().await?;
    assert!(shelves[0].books.get().is_none());
    assert_eq!(shelves[0].books.load(db).await?.len(), 1);
    Ok(())
}
