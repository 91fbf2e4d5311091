//! `on_delete` on MongoDB, where the driver does it: what it knows of references that others have made, and what it cannot do.

use ommi::mongo::MongoOptions;
use ommi::mongo::mongodb::bson::doc;
use ommi::prelude::*;

#[derive(Debug, Clone, PartialEq, Model)]
struct Owner {
    id: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Pet {
    id: i64,
    #[ommi(references = Owner::id, on_delete = "cascade")]
    owner_id: Option<i64>,
}

/// The same table, by a later version of the program.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "pets")]
struct FreePet {
    id: i64,
    #[ommi(references = Owner::id, on_delete = "set null")]
    owner_id: Option<i64>,
}

async fn fill(db: &Ommi) -> DBResult<()> {
    db.find_all::<Pet>().delete().await?;
    db.find_all::<Owner>().delete().await?;
    db.add_all([Owner { id: 1 }, Owner { id: 2 }]).await?;
    db.add_all([Pet { id: 1, owner_id: Some(1) }, Pet { id: 2, owner_id: Some(2) }, Pet { id: 3, owner_id: None }])
        .await?;
    Ok(())
}

async fn owners_of_pets(db: &Ommi) -> DBResult<Vec<Option<i64>>> {
    Ok(db.find_all::<Pet>().sort(Pet::id).all().await?.iter().map(|pet| pet.owner_id).collect())
}

/// Who deletes need not know the models that refer to what is deleted, and need not have made their tables.
#[tokio::test]
async fn another_program_heeds_the_references_that_are_there() -> DBResult<()> {
    let (driver, url) = super::mongo::connect(|options| options).await?;
    let db = Ommi::new(driver);
    db.create_tables::<(Owner, Pet)>().await?;
    for transactions in [true, false] {
        fill(&db).await?;
        let other = Ommi::new(MongoOptions::parse(&url).await?.transactions(transactions).connect().await?);
        assert_eq!(other.find(Owner::id.eq(1)).delete().await?, 1);
        assert_eq!(owners_of_pets(&db).await?, [Some(2), None]);
        other.close().await;
    }
    // What the last model says holds, for this driver at once.
    db.create_tables::<FreePet>().await?;
    fill(&db).await?;
    db.find(Owner::id.eq(1)).delete().await?;
    assert_eq!(owners_of_pets(&db).await?, [None, Some(2), None]);
    // And a table that was dropped refers to nothing.
    db.drop_tables::<Pet>().await?;
    assert_eq!(db.find_all::<Owner>().delete().await?, 1);
    super::mongo::drop_database(&url).await;
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    #[ommi(key, references = Owner::id, on_delete = "set default", default = 0)]
    owner_id: i64,
    #[ommi(key)]
    number: i64,
}

/// The server changes no key. Nothing is lost by it: the deletion is refused, as long as a row refers.
#[tokio::test]
async fn a_part_of_a_key_is_not_set() -> DBResult<()> {
    let (driver, url) = super::mongo::connect(|options| options).await?;
    let db = Ommi::new(driver);
    db.create_tables::<(Owner, Seat)>().await?;
    db.add_all([Owner { id: 1 }, Owner { id: 2 }]).await?;
    db.add(Seat { owner_id: 1, number: 7 }).await?;
    let Err(error) = db.find_all::<Owner>().delete().await else { panic!("it was deleted") };
    assert!(matches!(error.kind(), ErrorKind::Unsupported { .. }), "{error}");
    assert_eq!(db.find_all::<Owner>().count().await?, 2);
    assert_eq!(db.find(Owner::id.eq(2)).delete().await?, 1);
    super::mongo::drop_database(&url).await;
    Ok(())
}

/// The same table, by a version of the program whose pets belong to nobody.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "pets")]
struct Stray {
    id: i64,
}

/// What another program noted just now holds up a deletion of the collection; what a collection was that is gone does not.
#[tokio::test]
async fn a_collection_is_dropped_where_no_other_refers_to_it_now() -> DBResult<()> {
    let (driver, url) = super::mongo::connect(|options| options).await?;
    let raw = driver.database().clone();
    let db = Ommi::new(driver);
    db.create_tables::<Owner>().await?;
    db.add(Owner { id: 1 }).await?;
    // The driver knows now that nobody refers to it.
    assert_eq!(db.find(Owner::id.eq(7)).delete().await?, 0);
    let other = Ommi::new(MongoOptions::parse(&url).await?.connect().await?);
    other.create_tables::<Pet>().await?;
    let Err(error) = db.drop_tables::<Owner>().await else { panic!("it was dropped") };
    assert!(matches!(error.kind(), ErrorKind::Schema { .. }) && error.to_string().contains("pets"), "{error}");
    assert_eq!(db.find_all::<Owner>().count().await?, 1);
    raw.run_command(doc! { "drop": "pets" }).await.unwrap();
    db.create_tables::<Stray>().await?;
    db.add(Stray { id: 1 }).await?;
    db.drop_tables::<Owner>().await?;
    assert_eq!(db.find_all::<Stray>().count().await?, 1);
    // The same without a new collection of that name.
    db.drop_tables::<Stray>().await?;
    db.create_tables::<(Owner, Pet)>().await?;
    raw.run_command(doc! { "drop": "pets" }).await.unwrap();
    db.drop_tables::<Owner>().await?;
    other.close().await;
    super::mongo::drop_database(&url).await;
    Ok(())
}
