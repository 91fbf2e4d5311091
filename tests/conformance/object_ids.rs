//! MongoDB's own keys: there they are a type of column, and elsewhere they are not.

use ommi::mongo::mongodb::bson::oid::ObjectId;
use ommi::prelude::*;

#[derive(Debug, Clone, PartialEq, Model)]
struct Letter {
    #[ommi(auto)]
    id: ObjectId,
    text: String,
    #[ommi(unique)]
    answers: Option<ObjectId>,
}

#[tokio::test]
async fn they_are_keys_and_columns() -> DBResult<()> {
    let (driver, url) = super::mongo::connect(|options| options).await?;
    let db = Ommi::new(driver);
    db.create_tables::<Letter>().await?;
    let first = db.add(new!(Letter { text: "first" })).await?;
    let second = db.add(new!(Letter { text: "second", answers: first.id })).await?;
    assert!(second.id > first.id, "they count upwards in one process");
    let own = ObjectId::from_bytes([7; 12]);
    let third = db.add(new!(Letter { id: own, text: "third" })).await?;
    assert_eq!(third.id, own);
    assert_eq!(db.get::<Letter>(second.id).await?, second);
    assert_eq!(db.find(Letter::answers.eq(first.id)).one().await?, second);
    assert_eq!(db.find(Letter::id.in_([first.id, own])).sort(Letter::id).all().await?, [third, first.clone()]);
    assert_eq!(db.find(Letter::answers.ne(own)).count().await?, 1);
    // Many rows answer nothing, but two cannot answer the same.
    let again = db.add(new!(Letter { text: "again", answers: first.id })).await;
    assert!(again.is_err_and(|error| error.is_unique_violation()));
    // The text of an ObjectId is not one.
    assert_eq!(db.find(Letter::text.eq(first.id.to_hex())).count().await?, 0);
    super::mongo::drop_database(&url).await;
    Ok(())
}

#[tokio::test]
async fn they_are_unsupported_elsewhere() -> DBResult<()> {
    let db = Ommi::connect("sqlite::memory:").await?;
    for error in [
        db.create_tables::<Letter>().await.err(),
        db.add(new!(Letter { text: "first" })).await.err(),
        db.find_all::<Letter>().count().await.err(),
    ] {
        let Some(error) = error else { panic!("it was taken") };
        assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
    }
    Ok(())
}
