//! Several statements that happen together or not at all.

use std::error::Error as _;

use chrono::{NaiveDate, NaiveDateTime, TimeDelta};
use ommi::{ConstraintKind, prelude::*};

use crate::expect::{assert_kind, error, violation};

#[derive(Debug, Clone, PartialEq, Model)]
struct Account {
    id: i64,
    #[ommi(unique)]
    owner: String,
    balance: i64,
}

fn account(id: i64, balance: i64) -> Account {
    Account { id, owner: format!("owner {id}"), balance }
}

async fn accounts(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Account>().await?;
    db.add_all([account(1, 100), account(2, 50)]).await?;
    Ok(())
}

async fn balances(db: &impl Handle) -> DBResult<Vec<i64>> {
    Ok(db.find_all::<Account>().sort(Account::id).all().await?.iter().map(|row| row.balance).collect())
}

/// An error of the application that no database knows.
#[derive(Debug)]
enum AppError {
    Refused,
    Database(DBError),
}

impl From<DBError> for AppError {
    fn from(error: DBError) -> AppError {
        AppError::Database(error)
    }
}

pub(crate) async fn ok_commits(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let moved = db
        .transaction(async |tx| -> DBResult<u64> {
            let from = tx.find(Account::id.eq(1)).update(Account::balance.decrement(30)).await?;
            let to = tx.find(Account::id.eq(2)).update(Account::balance.increment(30)).await?;
            Ok(from + to)
        })
        .await?;
    assert_eq!(moved, 2);
    assert_eq!(balances(db).await?, [70, 80]);
    Ok(())
}

pub(crate) async fn an_error_of_the_application_rolls_back(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let result = db
        .transaction(async |tx| -> Result<(), AppError> {
            tx.find_all::<Account>().update(Account::balance.set(0)).await?;
            tx.add(account(3, 1)).await?;
            tx.delete(&account(1, 0)).await?;
            Err(AppError::Refused)
        })
        .await;
    assert!(matches!(result, Err(AppError::Refused)));
    assert_eq!(balances(db).await?, [100, 50]);
    Ok(())
}

/// The error that comes out is the first one, not that of the commit it prevented.
pub(crate) async fn an_error_of_the_database_rolls_back(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let result = db
        .transaction(async |tx| -> Result<(), AppError> {
            tx.find(Account::id.eq(1)).update(Account::balance.set(0)).await?;
            tx.add(Account { owner: "another".to_owned(), ..account(2, 1) }).await?;
            Ok(())
        })
        .await;
    let Err(AppError::Database(error)) = result else { panic!("{result:?}") };
    violation(Err::<(), _>(error), ConstraintKind::Unique, "accounts", &["id"]);
    assert_eq!(balances(db).await?, [100, 50]);
    Ok(())
}

pub(crate) async fn begin_and_commit(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let tx = db.begin().await?;
    tx.add(account(3, 7)).await?;
    tx.commit().await?;
    assert_eq!(balances(db).await?, [100, 50, 7]);
    Ok(())
}

pub(crate) async fn begin_and_roll_back(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let tx = db.begin().await?;
    tx.add(account(3, 7)).await?;
    tx.find(Account::id.eq(1)).delete().await?;
    tx.rollback().await?;
    assert_eq!(balances(db).await?, [100, 50]);
    Ok(())
}

/// More of them than any pool has connections.
pub(crate) async fn dropped_it_is_rolled_back(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    for n in 0..40 {
        let tx = db.begin().await?;
        tx.find(Account::id.eq(1)).update(Account::balance.set(n)).await?;
        drop(tx);
        assert_eq!(balances(db).await?, [100, 50], "after {n}");
    }
    db.add(account(3, 7)).await?;
    assert_eq!(balances(db).await?, [100, 50, 7]);
    Ok(())
}

/// Not one statement, or reads only.
pub(crate) async fn an_empty_transaction(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    db.begin().await?.commit().await?;
    db.begin().await?.rollback().await?;
    drop(db.begin().await?);
    let read = db.transaction(async |tx| balances(tx).await).await?;
    assert_eq!(read, [100, 50]);
    Ok(())
}

pub(crate) async fn it_sees_its_own_changes(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    db.transaction(async |tx| -> DBResult<()> {
        tx.add(account(3, 7)).await?;
        tx.find(Account::id.eq(1)).update(Account::balance.set(5)).await?;
        tx.delete(&account(2, 0)).await?;
        assert_eq!(balances(tx).await?, [5, 7]);
        assert_eq!(tx.get::<Account>(3).await?.balance, 7);
        assert_eq!(tx.get::<Account>(2).optional().await?, None);
        assert_eq!(tx.find_all::<Account>().count().await?, 2);
        assert!(!tx.find(Account::balance.gt(50)).exists().await?);
        Ok(())
    })
    .await?;
    assert_eq!(balances(db).await?, [5, 7]);
    Ok(())
}

pub(crate) async fn every_verb_within_it(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    db.transaction(async |tx| -> DBResult<()> {
        tx.add_all((10..20).map(|id| account(id, id))).await?;
        let mut row = tx.get::<Account>(10).await?;
        row.balance = -1;
        tx.save(&mut row).await?;
        tx.upsert(account(10, 0)).on(Account::id).update(Account::balance.decrement(1)).await?;
        tx.upsert(account(11, 0)).on(Account::id).ignore().await?;
        tx.find(Account::id.between(12, 19)).delete().await?;
        tx.find(Account::id.eq(1)).one().await?;
        tx.find(Account::id.eq(1)).explain()?;
        Ok(())
    })
    .await?;
    assert_eq!(balances(db).await?, [100, 50, -2, 11]);
    Ok(())
}

pub(crate) async fn a_bulk_add_is_part_of_it(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Account>().await?;
    let tx = db.begin().await?;
    tx.add_all((0..40_000).map(|id| account(id, id))).await?;
    assert_eq!(tx.find_all::<Account>().count().await?, 40_000);
    tx.rollback().await?;
    assert_eq!(db.find_all::<Account>().count().await?, 0);
    Ok(())
}

pub(crate) async fn nobody_sees_it_before_the_commit(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let tx = db.begin().await?;
    tx.find(Account::id.eq(1)).update(Account::balance.set(0)).await?;
    tx.add(account(3, 7)).await?;
    assert_eq!(balances(&tx).await?, [0, 50, 7]);
    assert_eq!(balances(db).await?, [100, 50], "outside");
    tx.commit().await?;
    assert_eq!(balances(db).await?, [0, 50, 7]);
    Ok(())
}

pub(crate) async fn nobody_ever_sees_what_is_rolled_back(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let tx = db.begin().await?;
    tx.delete(&account(1, 0)).await?;
    assert_eq!(balances(db).await?, [100, 50], "outside");
    tx.rollback().await?;
    assert_eq!(balances(db).await?, [100, 50]);
    Ok(())
}

/// That is so on every store, also where one would go on by itself.
pub(crate) async fn after_a_failed_statement_only_a_rollback_is_left(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let tx = db.begin().await?;
    tx.add(account(3, 7)).await?;
    error(tx.add(account(1, 0)).await);
    let later = assert_kind!(tx.find_all::<Account>().count().await, ErrorKind::TransactionAborted);
    let Some(cause) = later.source() else { panic!("no cause: {later:?}") };
    let first = cause.downcast_ref::<DBError>().map(DBError::is_unique_violation);
    assert_eq!(first, Some(true), "the first error is the cause: {cause}");
    assert_kind!(tx.add(account(4, 0)).await, ErrorKind::TransactionAborted);
    assert_kind!(tx.find_all::<Account>().stream().try_next().await, ErrorKind::TransactionAborted);
    assert_kind!(tx.commit().await, ErrorKind::TransactionAborted);
    assert_eq!(balances(db).await?, [100, 50]);
    Ok(())
}

pub(crate) async fn a_failed_transaction_is_rolled_back_without_an_error(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let tx = db.begin().await?;
    tx.add(account(3, 7)).await?;
    error(tx.add(account(1, 0)).await);
    tx.rollback().await?;
    assert_eq!(balances(db).await?, [100, 50]);
    Ok(())
}

/// Swallowing the error does not make it go on.
pub(crate) async fn a_failed_statement_prevents_the_commit(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let result = db
        .transaction(async |tx| -> DBResult<()> {
            tx.add(account(3, 7)).await?;
            let _ = tx.add(account(1, 0)).await;
            Ok(())
        })
        .await;
    assert_kind!(result, ErrorKind::TransactionAborted);
    assert_eq!(balances(db).await?, [100, 50]);
    Ok(())
}

/// Absence is no failure of the database.
pub(crate) async fn not_found_leaves_it_usable(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    db.transaction(async |tx| -> DBResult<()> {
        assert!(tx.get::<Account>(9).await.is_err_and(|error| error.is_not_found()));
        assert!(tx.save(&mut account(9, 0)).await.is_err_and(|error| error.is_not_found()));
        assert!(tx.delete(&account(9, 0)).await.is_err_and(|error| error.is_not_found()));
        assert_kind!(tx.find(None::<Predicate<Account>>).delete().await, ErrorKind::Query);
        tx.add(account(3, 7)).await?;
        Ok(())
    })
    .await?;
    assert_eq!(balances(db).await?, [100, 50, 7]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Meeting {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    room: i64,
    at: NaiveDateTime,
}

/// Most stores keep fewer digits of a time than Rust does: they say so before the row is sent.
pub(crate) async fn a_row_refused_before_it_is_sent_leaves_it_usable(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Meeting>().await?;
    let mut tx = db.begin().await?;
    let mut there = refused(&tx, 0).await?;
    if db.driver().capabilities().savepoints {
        let inner = tx.begin().await?;
        there += refused(&inner, 10).await?;
        inner.commit().await?;
    }
    tx.commit().await?;
    assert_eq!(db.find_all::<Meeting>().count().await?, there);
    Ok(())
}

/// Adds rows that the store may refuse, and one that it takes; says how many are there then.
async fn refused(tx: &impl Handle, first: i64) -> DBResult<u64> {
    let day = NaiveDate::from_ymd_opt(2020, 1, 1).map(NaiveDateTime::from).unwrap();
    let at = day + TimeDelta::nanoseconds(1);
    let row = |room: i64| new!(Meeting { room, at });
    let results = [
        tx.add(row(first)).await.map(|_| 1),
        tx.add_all([row(first + 1), row(first + 2)]).await.map(|rows| rows.len() as u64),
        tx.upsert(row(first + 3)).on(Meeting::room).update(Meeting::at.set(at)).await.map(|_| 1),
    ];
    let mut there = 0;
    for result in results {
        match result {
            Ok(added) => there += added,
            Err(error) => {
                let ErrorKind::InvalidValue { model, column, .. } = error.kind() else { return Err(error) };
                assert_eq!((model.as_deref(), column.as_deref()), (Some("Meeting"), Some("at")), "{error}");
            }
        }
    }
    tx.add(new!(Meeting { room: first + 4, at: day })).await?;
    assert_eq!(tx.find(Meeting::room.ge(first)).count().await?, there + 1);
    Ok(there + 1)
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Scroll {
    #[ommi(auto)]
    id: i64,
    text: String,
}

/// More values than SQLite binds, and more bytes than MongoDB takes.
pub(crate) async fn what_is_too_large_to_be_sent_leaves_it_usable(db: &Ommi) -> DBResult<()> {
    fn there_or_too_large<T>(result: DBResult<T>) -> DBResult<bool> {
        match result {
            Err(error) if matches!(error.kind(), ErrorKind::TooLarge) => Ok(false),
            other => other.map(|_| true),
        }
    }
    db.create_tables::<Scroll>().await?;
    let tx = db.begin().await?;
    let many = any_of((0..33_000).map(|id| Scroll::id.eq(id)));
    there_or_too_large(tx.find(many).exists().await)?;
    assert_eq!(tx.find_all::<Scroll>().count().await?, 0);
    let added = there_or_too_large(tx.add(new!(Scroll { text: "x".repeat(17 << 20) })).await)?;
    assert_eq!(tx.find_all::<Scroll>().count().await?, u64::from(added));
    tx.add(new!(Scroll { text: "short" })).await?;
    tx.commit().await?;
    assert_eq!(db.find_all::<Scroll>().count().await?, 1 + u64::from(added));
    Ok(())
}

pub(crate) async fn a_stream_within_it(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Account>().await?;
    db.transaction(async |tx| -> DBResult<()> {
        tx.add_all((0..1_000).map(|id| account(id, id))).await?;
        let mut rows = tx.find_all::<Account>().sort(Account::id).batch(50).stream();
        let mut read = 0;
        while let Some(row) = rows.try_next().await? {
            assert_eq!(row.id, read);
            read += 1;
        }
        assert_eq!(read, 1_000);
        drop(rows);
        assert_eq!(tx.find_all::<Account>().count().await?, 1_000);
        Ok(())
    })
    .await
}

/// It would wait for the stream, and the stream for the loop that it stands in.
pub(crate) async fn another_statement_while_a_stream_is_open_is_an_error(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Account>().await?;
    db.add_all((0..1_000).map(|id| account(id, id))).await?;
    db.transaction(async |tx| -> DBResult<()> {
        let mut rows = tx.find_all::<Account>().sort(Account::id).batch(10).stream();
        assert_eq!(rows.try_next().await?.map(|row| row.id), Some(0));
        assert_kind!(tx.find_all::<Account>().count().await, ErrorKind::Query);
        assert_eq!(rows.try_next().await?.map(|row| row.id), Some(1), "the stream goes on");
        drop(rows);
        tx.find(Account::id.eq(0)).delete().await?;
        Ok(())
    })
    .await?;
    assert_eq!(db.find_all::<Account>().count().await?, 999);
    Ok(())
}

pub(crate) async fn a_stream_dropped_early_within_it(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Account>().await?;
    let tx = db.begin().await?;
    tx.add_all((0..1_000).map(|id| account(id, id))).await?;
    for n in 0..10 {
        let mut rows = tx.find_all::<Account>().sort(Account::id).batch(5).stream();
        for _ in 0..n {
            rows.try_next().await?;
        }
        drop(rows);
        tx.find(Account::id.eq(n)).update(Account::balance.set(-n)).await?;
    }
    tx.commit().await?;
    assert_eq!(db.find(Account::balance.le(0)).count().await?, 10);
    Ok(())
}

/// One function for a database and a transaction.
pub(crate) async fn a_function_takes_any_handle(db: &Ommi) -> DBResult<()> {
    async fn deposit(db: &impl Handle, id: i64, amount: i64) -> DBResult<i64> {
        db.find(Account::id.eq(id)).update(Account::balance.increment(amount)).await?;
        Ok(db.get::<Account>(id).await?.balance)
    }
    async fn twice(db: impl Handle, id: i64) -> DBResult<i64> {
        deposit(&db, id, 1).await?;
        deposit(&db, id, 1).await
    }

    accounts(db).await?;
    assert_eq!(deposit(db, 1, 5).await?, 105);
    assert_eq!(twice(db, 1).await?, 107);
    let tx = db.begin().await?;
    assert_eq!(deposit(&tx, 1, 10).await?, 117);
    assert_eq!(twice(&tx, 1).await?, 119);
    tx.rollback().await?;
    db.transaction(async |tx| -> DBResult<()> {
        assert_eq!(deposit(tx, 2, 10).await?, 60);
        assert_eq!(twice(tx, 2).await?, 62);
        Ok(())
    })
    .await?;
    assert_eq!(balances(db).await?, [107, 62]);
    Ok(())
}

/// On `&tx` they take turns.
pub(crate) async fn statements_joined_on_one_transaction(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let tx = db.begin().await?;
    let (first, second, third) = futures::join!(
        tx.add(account(3, 3)),
        tx.find(Account::id.eq(1)).update(Account::balance.set(1)),
        tx.add_all([account(4, 4), account(5, 5)]),
    );
    assert_eq!((first?.id, second?, third?.len()), (3, 1, 2));
    tx.commit().await?;
    assert_eq!(balances(db).await?, [1, 50, 3, 4, 5]);
    Ok(())
}

/// Whoever comes second waits, or is told that it may run again: nothing is lost.
pub(crate) async fn concurrent_transactions_lose_no_update(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move {
                loop {
                    let result = db
                        .transaction(async |tx| -> DBResult<()> {
                            tx.find(Account::id.eq(1)).update(Account::balance.decrement(1)).await?;
                            tx.find(Account::id.eq(2)).update(Account::balance.increment(1)).await?;
                            Ok(())
                        })
                        .await;
                    match result {
                        Err(error) if error.is_retryable() => tokio::task::yield_now().await,
                        result => return result,
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    }
    assert_eq!(balances(db).await?, [84, 66]);
    Ok(())
}

/// The future of a transaction can be sent to another thread.
pub(crate) async fn a_transaction_in_a_task_of_its_own(db: &Ommi) -> DBResult<()> {
    accounts(db).await?;
    let (task_db, amount) = (db.clone(), 5);
    let task = tokio::spawn(async move {
        task_db
            .transaction(async |tx| -> DBResult<i64> {
                let mut row = tx.get::<Account>(1).await?;
                row.balance += amount;
                tokio::task::yield_now().await;
                tx.save(&mut row).await?;
                Ok(row.balance)
            })
            .await
    });
    assert_eq!(task.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??, 105);
    assert_eq!(balances(db).await?, [105, 50]);
    Ok(())
}
