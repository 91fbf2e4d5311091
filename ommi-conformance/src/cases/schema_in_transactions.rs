//! Tables that are made and dropped in a transaction: seen in it, and undone with it.

use std::time::Duration;

use ommi::testing::assert_queries;
use ommi::{ConstraintKind, prelude::*};

use crate::expect::{assert_kind, error, violation};

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shelves")]
struct Shelf {
    id: i64,
    #[ommi(unique)]
    name: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Book {
    #[ommi(auto)]
    id: i64,
    title: String,
    #[ommi(references = Shelf::id)]
    shelf_id: i64,
}

/// The table of [`Shelf`], with a column of another type.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shelves")]
struct Numbered {
    id: i64,
    name: i64,
}

/// The table of [`Shelf`], with one column more.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "shelves")]
struct Colored {
    id: i64,
    #[ommi(unique)]
    name: String,
    #[ommi(default = "grey")]
    color: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Diary {
    id: i64,
}

/// Two that refer to each other.
#[derive(Debug, Clone, PartialEq, Model)]
struct Head {
    id: i64,
    #[ommi(references = Tail::id)]
    tail_id: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Tail {
    id: i64,
    #[ommi(references = Head::id)]
    head_id: Option<i64>,
}

fn shelf(id: i64, name: &str) -> Shelf {
    Shelf { id, name: name.to_owned() }
}

async fn shelves(db: &impl Handle) -> DBResult<Vec<Shelf>> {
    db.find_all::<Shelf>().sort(Shelf::id).all().await
}

/// Whether the table is there for a handle.
async fn has<M: Model>(db: &impl Handle) -> bool {
    db.find_all::<M>().count().await.is_ok()
}

pub(crate) async fn a_table_that_is_made_lasts_with_the_commit(db: &Ommi) -> DBResult<()> {
    let tx = db.begin().await?;
    tx.create_tables::<(Shelf, Book)>().await?;
    tx.add(shelf(1, "left")).await?;
    let book = tx.add(new!(Book { title: "one", shelf_id: 1 })).await?;
    assert_eq!(tx.get::<Book>(book.id).await?, book);
    tx.commit().await?;
    assert_eq!(shelves(db).await?, [shelf(1, "left")]);
    // With all that belongs to it.
    violation(db.add(shelf(2, "left")).await, ConstraintKind::Unique, "shelves", &["name"]);
    let next = db.add(new!(Book { title: "two", shelf_id: 1 })).await?;
    assert!(next.id > book.id);
    // Made again it is as it was, in a transaction as outside of one.
    db.transaction(async |tx| tx.create_tables::<(Shelf, Book)>().await).await?;
    assert_eq!(db.find_all::<Book>().count().await?, 2);
    Ok(())
}

pub(crate) async fn others_see_it_after_the_commit(db: &Ommi) -> DBResult<()> {
    let tx = db.begin().await?;
    tx.create_tables::<Shelf>().await?;
    tx.add(shelf(1, "left")).await?;
    assert_kind!(shelves(db).await, ErrorKind::Database);
    tx.commit().await?;
    assert_eq!(shelves(db).await?.len(), 1);
    Ok(())
}

pub(crate) async fn it_is_undone_with_every_other_end(db: &Ommi) -> DBResult<()> {
    for end in 0..4 {
        let tx = db.begin().await?;
        tx.create_tables::<(Shelf, Book)>().await?;
        tx.add(shelf(1, "left")).await?;
        match end {
            0 => tx.rollback().await?,
            1 => drop(tx),
            2 => {
                error(tx.add(shelf(1, "right")).await);
                assert_kind!(tx.commit().await, ErrorKind::TransactionAborted);
            }
            _ => {
                drop(tx);
                let result = db.transaction(async |tx| {
                    tx.create_tables::<Shelf>().await?;
                    tx.add(shelf(1, "left")).await?;
                    Err::<(), _>(DBError::query("enough"))
                });
                assert_kind!(result.await, ErrorKind::Query);
            }
        }
        assert_kind!(shelves(db).await, ErrorKind::Database);
        assert!(!has::<Book>(db).await, "end {end}");
    }
    // Nothing of it is in the way of making it after all.
    db.create_tables::<(Shelf, Book)>().await?;
    db.add(shelf(1, "left")).await?;
    Ok(())
}

pub(crate) async fn a_dropped_table_comes_back_with_its_rows(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Shelf, Book)>().await?;
    db.add_all([shelf(1, "left"), shelf(2, "right")]).await?;
    let book = db.add(new!(Book { title: "one", shelf_id: 2 })).await?;
    for end in 0..2 {
        let tx = db.begin().await?;
        tx.find(Shelf::id.eq(1)).delete().await?;
        tx.drop_tables::<(Book, Shelf)>().await?;
        match end {
            // The error of a table that is gone ends the transaction, as any.
            0 => {
                assert_kind!(shelves(&tx).await, ErrorKind::Database);
                assert_kind!(shelves(&tx).await, ErrorKind::TransactionAborted);
                tx.rollback().await?;
            }
            _ => drop(tx),
        }
        assert_eq!(shelves(db).await?, [shelf(1, "left"), shelf(2, "right")], "end {end}");
        assert_eq!(db.get::<Book>(book.id).await?, book);
    }
    db.transaction(async |tx| tx.drop_tables::<(Shelf, Book)>().await).await?;
    assert!(!has::<Shelf>(db).await && !has::<Book>(db).await);
    Ok(())
}

/// As is one that grew: the rows it has got are gone, and its old ones are as they were.
pub(crate) async fn a_column_that_was_added_is_undone(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Shelf>().await?;
    db.add(shelf(1, "left")).await?;
    let grey = Colored { id: 1, name: "left".to_owned(), color: "grey".to_owned() };
    for commits in [false, true] {
        let tx = db.begin().await?;
        tx.create_tables::<Colored>().await?;
        assert_eq!(tx.find_all::<Colored>().all().await?, std::slice::from_ref(&grey));
        tx.add(Colored { id: 2, name: "right".to_owned(), color: "red".to_owned() }).await?;
        match commits {
            true => tx.commit().await?,
            false => tx.rollback().await?,
        }
        let ids: Vec<i64> = shelves(db).await?.iter().map(|shelf| shelf.id).collect();
        assert_eq!(ids, if commits { vec![1, 2] } else { vec![1] });
        assert_eq!(db.find_all::<Colored>().sort(Colored::id).all().await.is_ok(), commits);
    }
    Ok(())
}

/// Statements that were kept for the table as it was in the transaction do not meet the table as it is after that, nor the other way round.
pub(crate) async fn a_table_made_anew_is_read_and_written_as_it_is(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Shelf>().await?;
    db.add(shelf(1, "left")).await?;
    for round in 0..3 {
        // Each of these is kept by the connection.
        assert_eq!(db.get::<Shelf>(1).await?, shelf(1, "left"), "round {round}");
        assert_eq!(db.find(Shelf::id.eq(1)).update(Shelf::name.set("left")).await?, 1);
        let mut tx = db.begin().await?;
        assert_eq!(tx.get::<Shelf>(1).await?, shelf(1, "left"));
        tx.drop_tables::<Shelf>().await?;
        tx.create_tables::<Numbered>().await?;
        tx.add(Numbered { id: 1, name: 7 }).await?;
        assert_eq!(tx.get::<Numbered>(1).await?, Numbered { id: 1, name: 7 });
        assert_eq!(tx.find(Numbered::id.eq(1)).update(Numbered::name.increment(1)).await?, 1);
        let inner = tx.begin().await?;
        inner.drop_tables::<Numbered>().await?;
        inner.create_tables::<Shelf>().await?;
        inner.add(shelf(1, "inner")).await?;
        assert_eq!(inner.get::<Shelf>(1).await?, shelf(1, "inner"));
        match round {
            0 => inner.rollback().await?,
            _ => drop(inner),
        }
        assert_eq!(tx.get::<Numbered>(1).await?, Numbered { id: 1, name: 8 });
        assert_eq!(tx.find(Numbered::id.eq(1)).update(Numbered::name.increment(1)).await?, 1);
        match round {
            1 => drop(tx),
            _ => tx.rollback().await?,
        }
        // Inside of a transaction, where a statement that does not fit could not be tried again.
        let tx = db.begin().await?;
        assert_eq!(tx.get::<Shelf>(1).await?, shelf(1, "left"));
        assert_eq!(tx.find(Shelf::id.eq(1)).update(Shelf::name.set("left")).await?, 1);
        tx.commit().await?;
    }
    db.transaction(async |tx| {
        tx.drop_tables::<Shelf>().await?;
        tx.create_tables::<Numbered>().await?;
        tx.add(Numbered { id: 1, name: 7 }).await
    })
    .await?;
    assert_eq!(db.get::<Numbered>(1).await?, Numbered { id: 1, name: 7 });
    Ok(())
}

pub(crate) async fn in_a_transaction_within_another(db: &Ommi) -> DBResult<()> {
    let mut tx = db.begin().await?;
    tx.create_tables::<Diary>().await?;
    tx.add(Diary { id: 1 }).await?;
    // Undone by itself, by each of its ends, and made again.
    for end in 0..3 {
        let inner = tx.begin().await?;
        inner.create_tables::<Shelf>().await?;
        inner.add(shelf(end, "left")).await?;
        match end {
            0 => inner.rollback().await?,
            1 => drop(inner),
            _ => inner.commit().await?,
        }
    }
    assert_eq!(shelves(&tx).await?, [shelf(2, "left")]);
    // What it dropped is back.
    let mut inner = tx.begin().await?;
    inner.drop_tables::<(Shelf, Diary)>().await?;
    let innermost = inner.begin().await?;
    innermost.create_tables::<Diary>().await?;
    innermost.add(Diary { id: 5 }).await?;
    innermost.commit().await?;
    assert_eq!(inner.find_all::<Diary>().all().await?, [Diary { id: 5 }]);
    inner.rollback().await?;
    assert_eq!(shelves(&tx).await?, [shelf(2, "left")]);
    assert_eq!(tx.find_all::<Diary>().all().await?, [Diary { id: 1 }]);
    // What an inner one committed is undone with the outer one.
    tx.rollback().await?;
    assert!(!has::<Shelf>(db).await && !has::<Diary>(db).await);
    Ok(())
}

pub(crate) async fn a_misfit_leaves_only_the_rollback(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Numbered>().await?;
    db.add(Numbered { id: 1, name: 7 }).await?;
    let mut tx = db.begin().await?;
    let misfit = assert_kind!(tx.create_tables::<(Diary, Shelf)>().await, ErrorKind::Schema { .. });
    let aborted = assert_kind!(tx.find_all::<Numbered>().all().await, ErrorKind::TransactionAborted);
    assert!(crate::run::chain(&aborted).contains(&misfit.to_string()), "{aborted:?}");
    tx.rollback().await?;
    assert!(!has::<Diary>(db).await, "half of it is there");

    // In a transaction within it, the outer one goes on.
    tx = db.begin().await?;
    tx.add(Numbered { id: 2, name: 8 }).await?;
    let result = tx.transaction(async |inner| inner.create_tables::<(Diary, Shelf)>().await).await;
    assert_kind!(result, ErrorKind::Schema { .. });
    tx.add(Numbered { id: 3, name: 9 }).await?;
    tx.commit().await?;
    assert_eq!(db.find_all::<Numbered>().count().await?, 3);
    assert!(!has::<Diary>(db).await, "half of it is there");

    // What is found before anything is sent leaves it as it was.
    let tx = db.begin().await?;
    assert_kind!(tx.create_tables::<(Shelf, Numbered)>().await, ErrorKind::Schema { .. });
    assert_eq!(tx.find_all::<Numbered>().count().await?, 3);
    tx.commit().await
}

/// Also those that refer to each other in circles; and references hold as before for what comes after it.
pub(crate) async fn references_hold_after_a_drop(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Head, Tail, Shelf, Book)>().await?;
    db.add(Head { id: 1, tail_id: None }).await?;
    db.add(Tail { id: 1, head_id: Some(1) }).await?;
    db.find(Head::id.eq(1)).update(Head::tail_id.set(Some(1))).await?;
    let mut tx = db.begin().await?;
    let refused = tx.transaction(async |inner| inner.drop_tables::<Shelf>().await).await;
    assert_kind!(refused, ErrorKind::Schema { .. });
    tx.drop_tables::<(Head, Tail)>().await?;
    // Not only when it is committed.
    let dangling = tx.transaction(async |inner| inner.add(new!(Book { title: "one", shelf_id: 9 })).await).await;
    assert_eq!(error(dangling).constraint().map(|c| c.kind()), Some(ConstraintKind::ForeignKey));
    tx.add(shelf(9, "left")).await?;
    tx.add(new!(Book { title: "one", shelf_id: 9 })).await?;
    tx.commit().await?;
    assert!(!has::<Head>(db).await && !has::<Tail>(db).await);
    assert_eq!(db.find_all::<Book>().count().await?, 1);
    Ok(())
}

/// Given up half-way it may have made some of the tables, so only the rollback is left.
pub(crate) async fn dropped_half_way_it_leaves_only_the_rollback(db: &Ommi) -> DBResult<()> {
    for polls in
        std::iter::successors(Some(1usize), |polls| Some(polls + 1 + polls / 8)).take_while(|polls| *polls < 4_000)
    {
        let tx = db.begin().await?;
        let mut made = Box::pin(tx.create_tables::<(Shelf, Book, Diary)>());
        let mut result = None;
        for _ in 0..polls {
            if let std::task::Poll::Ready(done) = futures::poll!(made.as_mut()) {
                result = Some(done);
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(made);
        match result {
            Some(done) => {
                done?;
                assert!(has::<Diary>(&tx).await);
                tx.commit().await?;
                assert!(has::<Shelf>(db).await && has::<Book>(db).await && has::<Diary>(db).await);
                return Ok(());
            }
            None => {
                assert_kind!(tx.find_all::<Shelf>().count().await, ErrorKind::TransactionAborted);
                assert_kind!(tx.commit().await, ErrorKind::TransactionAborted);
                assert!(!has::<Shelf>(db).await && !has::<Book>(db).await && !has::<Diary>(db).await, "{polls} polls");
            }
        }
    }
    panic!("it has not come to its end");
}

pub(crate) async fn a_limit_of_time_holds_for_it(db: &Ommi) -> DBResult<()> {
    let tx = db.begin().await?;
    assert_kind!(tx.create_tables::<Shelf>().timeout(Duration::ZERO).await, ErrorKind::Timeout { .. });
    assert_kind!(tx.create_tables::<Shelf>().await, ErrorKind::TransactionAborted);
    tx.rollback().await?;
    let tx = db.begin().await?;
    tx.create_tables::<Shelf>().timeout(Duration::from_secs(60)).await?;
    tx.commit().await?;
    assert_eq!(shelves(db).await?, []);
    Ok(())
}

/// A read-only one makes and drops none.
pub(crate) async fn where_nothing_is_written_no_table_is_made(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Shelf>().await?;
    let tx = db.build_transaction().read_only().begin().await?;
    assert_kind!(tx.create_tables::<Diary>().await, ErrorKind::Query);
    assert_kind!(tx.drop_tables::<Shelf>().await, ErrorKind::Query);
    assert_eq!(shelves(&tx).await?, [], "it is usable still");
    tx.commit().await?;
    assert!(!has::<Diary>(db).await && has::<Shelf>(db).await);
    Ok(())
}

/// Before anything is sent, and the transaction is as good as before. Also a level of it.
pub(crate) async fn a_store_that_cannot_says_so(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Shelf>().await?;
    let capabilities = db.driver().capabilities();
    let (can, nests, driver) = (capabilities.schema_in_transactions, capabilities.savepoints, capabilities.driver);
    let told = |result: DBResult<()>| match result {
        Ok(()) => assert!(can),
        Err(error) => assert!(
            !can && matches!(error.kind(), ErrorKind::Unsupported { driver: of, .. } if *of == driver),
            "{error:?}"
        ),
    };
    assert_queries(2, db, async |db| {
        let mut tx = db.begin().await?;
        tx.add(shelf(1, "left")).await?;
        told(tx.create_tables::<Diary>().await);
        told(tx.drop_tables::<Diary>().await);
        if nests {
            let inner = tx.begin().await?;
            told(inner.create_tables::<Diary>().await);
            told(inner.drop_tables::<Diary>().await);
            inner.commit().await?;
        }
        tx.add(shelf(2, "right")).await?;
        tx.commit().await
    })
    .await?;
    assert_eq!(shelves(db).await?.len(), 2);
    Ok(())
}

/// One function for a database and a transaction.
pub(crate) async fn by_any_handle(db: &Ommi) -> DBResult<()> {
    async fn anew(db: &impl Handle) -> DBResult<()> {
        db.drop_tables::<(Shelf, Book)>().await?;
        db.create_tables::<(Shelf, Book)>().await?;
        db.create_schemas(vec![Diary::schema()]).await?;
        db.add(shelf(1, "left")).await.map(drop)
    }
    anew(db).await?;
    db.transaction(async |tx| anew(tx).await).await?;
    db.transaction(async |tx| tx.transaction(async |inner| anew(inner).await).await).await?;
    assert_eq!(shelves(db).await?, [shelf(1, "left")]);
    assert!(has::<Diary>(db).await);
    Ok(())
}
