//! Money that moves between accounts, from many tasks: none is made, none is lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ommi::{Isolation, Retry, prelude::*};

#[derive(Debug, Clone, PartialEq, Model)]
struct Account {
    id: i64,
    balance: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Transfer {
    #[ommi(auto)]
    id: i64,
    source: i64,
    target: i64,
    amount: i64,
}

const ACCOUNTS: i64 = 64;
const TASKS: i64 = 64;
const TRANSFERS: i64 = 4;

async fn open(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Account, Transfer)>().await?;
    db.add_all((0..ACCOUNTS).map(|id| Account { id, balance: 100 })).await?;
    Ok(())
}

/// Whoever meets another again and again waits longer: a server that does one thing at a time would have no time left for anything but what is in vain.
fn patient() -> Retry {
    Retry::default()
        .attempts(500)
        .delay(Duration::from_millis(4))
        .max_delay(Duration::from_secs(1))
        .within(Duration::from_secs(150))
}

/// A transfer, noted.
async fn transfer(tx: &mut Transaction<'_>, source: i64, target: i64, amount: i64) -> DBResult<()> {
    tx.find(Account::id.eq(source)).update(Account::balance.decrement(amount)).await?;
    tx.find(Account::id.eq(target)).update(Account::balance.increment(amount)).await?;
    tx.add(new!(Transfer { source, target, amount })).await?;
    Ok(())
}

/// The balances are what the notes say, and add up to what was there.
async fn audit(db: &Ommi) -> DBResult<Vec<Transfer>> {
    let accounts = db.find_all::<Account>().sort(Account::id).all().await?;
    let transfers = db.find_all::<Transfer>().all().await?;
    assert_eq!(accounts.iter().map(|account| account.balance).sum::<i64>(), 100 * ACCOUNTS);
    for account in &accounts {
        assert_eq!(account.balance, noted(account.id, &transfers), "account {}", account.id);
    }
    Ok(transfers)
}

/// The balance that an account has by the notes.
fn noted(account: i64, transfers: &[Transfer]) -> i64 {
    let amounts = |of: fn(&Transfer) -> i64| {
        transfers.iter().filter(|transfer| of(transfer) == account).map(|transfer| transfer.amount).sum::<i64>()
    };
    100 - amounts(|t| t.source) + amounts(|t| t.target)
}

/// Looks at the balances and the notes, each look in a transaction, until it is told that the transfers are over: at every moment they are whole. Gives how
/// often it looked.
async fn watch(db: &Ommi, over: &AtomicBool) -> DBResult<usize> {
    let mut looks = 0;
    while !over.load(Ordering::Relaxed) {
        let (accounts, transfers) = db
            .build_transaction()
            .isolation(Isolation::Snapshot)
            .read_only()
            .retry(patient())
            .transaction(async |tx| -> DBResult<_> {
                Ok((tx.find_all::<Account>().all().await?, tx.find_all::<Transfer>().all().await?))
            })
            .await?;
        assert_eq!(accounts.iter().map(|account| account.balance).sum::<i64>(), 100 * ACCOUNTS, "look {looks}");
        for account in &accounts {
            assert_eq!(account.balance, noted(account.id, &transfers), "account {} at look {looks}", account.id);
        }
        looks += 1;
        // The transfers are to have their turn.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(looks)
}

pub(crate) async fn sixty_four_tasks_keep_the_sum(db: &Ommi) -> DBResult<()> {
    open(db).await?;
    let over = AtomicBool::new(false);
    let transfers = async {
        let done = many_transfers(db).await;
        over.store(true, Ordering::Relaxed);
        done
    };
    if db.driver().capabilities().isolation < Isolation::Snapshot {
        transfers.await?;
    } else {
        let (done, looks) = futures::join!(transfers, watch(db, &over));
        done?;
        assert!(looks? > 0, "nobody looked");
    }
    assert_eq!(audit(db).await?.len() as i64, TASKS * TRANSFERS);
    Ok(())
}

async fn many_transfers(db: &Ommi) -> DBResult<()> {
    let tasks = (0..TASKS).map(|task| {
        let db = db.clone();
        tokio::spawn(async move {
            for number in 0..TRANSFERS {
                let (source, target) = ((task * 7 + number) % ACCOUNTS, (task * 13 + number * 5 + 1) % ACCOUNTS);
                db.retry(patient()).transaction(async move |tx| transfer(tx, source, target, number + 1).await).await?;
            }
            Ok::<_, DBError>(())
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    }
    Ok(())
}

/// Half of the transfers are undone in transactions within others, and leave no trace.
pub(crate) async fn transfers_that_are_taken_back_leave_no_trace(db: &Ommi) -> DBResult<()> {
    open(db).await?;
    let tasks = (0..16).map(|task| {
        let db = db.clone();
        tokio::spawn(async move {
            db.retry(patient())
                .transaction(async move |tx| -> DBResult<()> {
                    for number in 0..4 {
                        let (source, target) = ((task * 4 + number) % ACCOUNTS, (task * 4 + number + 1) % ACCOUNTS);
                        let mut inner = tx.begin().await?;
                        transfer(&mut inner, source, target, 5).await?;
                        match number % 2 {
                            0 => inner.commit().await?,
                            _ => inner.rollback().await?,
                        }
                    }
                    Ok(())
                })
                .await
        })
    });
    for task in futures::future::join_all(tasks).await {
        task.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    }
    assert_eq!(audit(db).await?.len(), 32);
    Ok(())
}

/// What is dropped half-way, by whom it may be, is as if it had not been.
pub(crate) async fn transfers_that_are_dropped_half_way_keep_the_sum(db: &Ommi) -> DBResult<()> {
    open(db).await?;
    let tasks: Vec<_> = (0..32i64)
        .map(|task| {
            let db = db.clone();
            tokio::spawn(async move {
                for number in 0..6 {
                    let work = db.retry(patient()).transaction(async move |tx| {
                        transfer(tx, (task + number) % ACCOUNTS, (task * 3) % ACCOUNTS, 1).await
                    });
                    let patience = Duration::from_micros(300 * (task as u64 + 1) * (number as u64 + 1));
                    // Given up in time or not, it is whole.
                    if let Ok(result) = tokio::time::timeout(patience, work).await {
                        result?;
                    }
                }
                Ok::<_, DBError>(())
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    }
    audit(db).await?;
    Ok(())
}
