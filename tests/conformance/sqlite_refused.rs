//! What SQLite's driver refuses before anything is sent, in a transaction that goes on.

use chrono::{NaiveDate, NaiveDateTime};
use ommi::prelude::*;

#[derive(Debug, Clone, PartialEq, Model)]
struct Meeting {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    room: i64,
    at: NaiveDateTime,
}

fn first_of(year: i32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(year, 1, 1).map(NaiveDateTime::from).unwrap()
}

#[tokio::test]
async fn years_that_its_texts_do_not_have() -> DBResult<()> {
    let db = Ommi::connect("sqlite::memory:").await?;
    db.create_tables::<Meeting>().await?;
    let mut tx = db.begin().await?;
    let far = |room: i64| new!(Meeting { room, at: first_of(10_000) });
    for result in [
        tx.add(far(1)).await.map(drop),
        tx.add_all([far(2), far(3)]).await.map(drop),
        tx.add_all((0..2_000).map(|room| new!(Meeting { room, at: first_of(8_001 + room as i32) }))).await.map(drop),
        tx.upsert(far(4)).on(Meeting::room).update(Meeting::id.set(9)).await.map(drop),
    ] {
        let error = result.unwrap_err();
        let ErrorKind::InvalidValue { model, column, .. } = error.kind() else { panic!("{error}") };
        assert_eq!((model.as_deref(), column.as_deref()), (Some("Meeting"), Some("at")));
        assert_eq!(tx.find_all::<Meeting>().count().await?, 0);
    }
    let inner = tx.begin().await?;
    assert!(inner.add(far(1)).await.is_err());
    inner.add(new!(Meeting { room: 1, at: first_of(9_999) })).await?;
    inner.commit().await?;
    tx.commit().await?;
    assert_eq!(db.find_all::<Meeting>().count().await?, 1);
    Ok(())
}

#[tokio::test]
async fn more_values_than_it_binds() -> DBResult<()> {
    let db = Ommi::connect("sqlite::memory:").await?;
    db.create_tables::<Meeting>().await?;
    let many = || db.find(any_of((0..32_767).map(|room| Meeting::room.eq(room))));
    assert!(matches!(many().count().await.unwrap_err().kind(), ErrorKind::TooLarge));
    assert!(matches!(many().delete().await.unwrap_err().kind(), ErrorKind::TooLarge));
    Ok(())
}
