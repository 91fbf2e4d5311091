//! Associations that require more than their two references.

use ommi::prelude::*;

use crate::expect::assert_kind;

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "demanding_people")]
struct Person {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    name: String,
    choirs: HasMany<Choir, Through<Voice>>,
    voices: HasMany<Voice>,
    hotels: HasMany<Hotel, Through<Stay>>,
    stays: HasMany<Stay>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "demanding_choirs")]
struct Choir {
    #[ommi(auto)]
    id: i64,
    name: String,
    people: HasMany<Person, Through<Voice>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "demanding_voices")]
struct Voice {
    #[ommi(key, references = Person::id)]
    person_id: i64,
    #[ommi(key, references = Choir::id)]
    choir_id: i64,
    since: i64,
    #[ommi(default = "alto")]
    part: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "demanding_hotels")]
struct Hotel {
    #[ommi(auto)]
    id: i64,
    name: String,
}

/// Has a key of its own, so that nothing but the methods keeps a pair from being there twice.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "demanding_stays")]
struct Stay {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Person::id)]
    person_id: i64,
    #[ommi(references = Hotel::id)]
    hotel_id: i64,
    nights: i64,
}

/// Ann and Bob in the choirs of A and B; Ann sings in A since 1990.
async fn choirs(db: &Ommi) -> DBResult<(Vec<Person>, Vec<Choir>)> {
    db.create_tables::<(Person, Choir, Voice, Hotel, Stay)>().await?;
    let people = db.add_all(["Ann", "Bob"].map(|name| new!(Person { name }))).await?;
    let choirs = db.add_all(["A", "B"].map(|name| new!(Choir { name }))).await?;
    db.add(new!(Voice { person_id: people[0].id, choir_id: choirs[0].id, since: 1990, part: "bass" })).await?;
    let people = db.find_all::<Person>().sort(Person::id).all().await?;
    Ok((people, db.find_all::<Choir>().sort(Choir::id).all().await?))
}

/// Who sings where since when, and which part: `Ann A 1990 bass`.
async fn voices(db: &impl Handle) -> DBResult<Vec<String>> {
    let people = db.find_all::<Person>().all().await?;
    let choirs = db.find_all::<Choir>().all().await?;
    let voices = db.find_all::<Voice>().sort((Voice::person_id, Voice::choir_id)).all().await?;
    let shown = voices.iter().map(|voice| {
        let person = people.iter().find(|person| person.id == voice.person_id).map_or("?", |person| &person.name);
        let choir = choirs.iter().find(|choir| choir.id == voice.choir_id).map_or("?", |choir| &choir.name);
        format!("{person} {choir} {} {}", voice.since, voice.part)
    });
    Ok(shown.collect())
}

pub(crate) async fn a_new_row_with_what_they_require(db: &Ommi) -> DBResult<()> {
    let (_, choirs) = choirs(db).await?;
    let cid = choirs[0].people.add_with(db, new!(Person { name: "Cid" }), new!(Voice { since: 2001, .. })).await?;
    assert_eq!(cid.name, "Cid");
    assert_eq!(voices(db).await?, ["Ann A 1990 bass", "Cid A 2001 alto"]);
    // A second of that name is none: then nothing is associated either.
    let again = choirs[1].people.add_with(db, new!(Person { name: "Cid" }), new!(Voice { since: 2002, .. })).await;
    assert!(again.is_err_and(|error| error.is_unique_violation()));
    // And nobody comes without what the association requires.
    let forgotten = choirs[1].people.add_with(db, new!(Person { name: "Dan" }), new!(Voice { part: "bass", .. })).await;
    let error = assert_kind!(forgotten, ErrorKind::InvalidValue { .. });
    assert!(error.to_string().contains("since"), "{error}");
    assert_eq!(voices(db).await?, ["Ann A 1990 bass", "Cid A 2001 alto"]);
    assert_eq!(db.find_all::<Person>().count().await?, 3);
    // From the other side.
    let choir =
        cid.choirs.add_with(db, new!(Choir { name: "C" }), new!(Voice { since: 2003, part: "tenor", .. })).await?;
    assert_eq!(choir.name, "C");
    assert_eq!(voices(db).await?, ["Ann A 1990 bass", "Cid A 2001 alto", "Cid C 2003 tenor"]);
    Ok(())
}

pub(crate) async fn a_row_is_associated_once_with_what_they_require(db: &Ommi) -> DBResult<()> {
    let (people, choirs) = choirs(db).await?;
    people[1].choirs.link_with(db, &choirs[0], new!(Voice { since: 2010, .. })).await?;
    choirs[0].people.link_with(db, &people[1], new!(Voice { since: 2020, part: "tenor", .. })).await?;
    assert_eq!(voices(db).await?, ["Ann A 1990 bass", "Bob A 2010 alto"], "what is there stays as it is");
    assert_kind!(people[1].choirs.link_with(db, &choirs[1], new!(Voice { .. })).await, ErrorKind::InvalidValue { .. });
    people[0].choirs.unlink(db, &choirs[0]).await?;
    assert_eq!(voices(db).await?, ["Bob A 2010 alto"]);
    Ok(())
}

pub(crate) async fn these_and_no_others_with_what_they_require(db: &Ommi) -> DBResult<()> {
    let (people, choirs) = choirs(db).await?;
    let (ann, bob) = (&people[0], &people[1]);
    ann.choirs.link_with(db, &choirs[1], new!(Voice { since: 1995, .. })).await?;
    // Who stays keeps its columns, who is new has those that are given.
    let voice = |since: i64| new!(Voice { since, part: "tenor", .. });
    choirs[0].people.replace_with(db, [(ann, voice(2030)), (bob, voice(2031))]).await?;
    assert_eq!(voices(db).await?, ["Ann A 1990 bass", "Ann B 1995 alto", "Bob A 2031 tenor"]);
    // Once more, and of two for one row the first.
    choirs[0].people.replace_with(db, [(bob, voice(2032))]).await?;
    choirs[0].people.replace_with(db, [(ann, voice(2033)), (bob, voice(2034)), (ann, voice(2035))]).await?;
    assert_eq!(voices(db).await?, ["Ann A 2033 tenor", "Ann B 1995 alto", "Bob A 2031 tenor"]);
    // From the other side.
    ann.choirs.replace_with(db, vec![(&choirs[1], new!(Voice { since: 2036, .. }))]).await?;
    assert_eq!(voices(db).await?, ["Ann B 1995 alto", "Bob A 2031 tenor"]);
    // All of it or nothing.
    let short = choirs[0].people.replace_with(db, [(ann, new!(Voice { .. }))]).await;
    assert_kind!(short, ErrorKind::InvalidValue { .. });
    assert_eq!(voices(db).await?, ["Ann B 1995 alto", "Bob A 2031 tenor"]);
    choirs[0].people.replace_with(db, None::<(&Person, Voice)>).await?;
    assert_eq!(voices(db).await?, ["Ann B 1995 alto"]);
    Ok(())
}

pub(crate) async fn with_a_key_of_their_own(db: &Ommi) -> DBResult<()> {
    let (people, _) = choirs(db).await?;
    let hotels = db.add_all(["Ritz", "Astor"].map(|name| new!(Hotel { name }))).await?;
    let ann = &people[0];
    let stay = |nights: i64| new!(Stay { nights, .. });
    let nights = async || -> DBResult<Vec<(bool, i64)>> {
        let stays = db.find(Stay::person_id.eq(ann.id)).sort(Stay::id).all().await?;
        Ok(stays.iter().map(|stay| (stay.hotel_id == hotels[0].id, stay.nights)).collect())
    };
    ann.hotels.link_with(db, &hotels[0], stay(1)).await?;
    ann.hotels.link_with(db, &hotels[0], stay(2)).await?;
    assert_eq!(nights().await?, [(true, 1)]);
    // Twice by hand: both stay, since the row stays.
    db.add(new!(Stay { person_id: ann.id, hotel_id: hotels[0].id, nights: 3 })).await?;
    ann.hotels.replace_with(db, [(&hotels[0], stay(4)), (&hotels[1], stay(5)), (&hotels[1], stay(6))]).await?;
    assert_eq!(nights().await?, [(true, 1), (true, 3), (false, 5)]);
    ann.hotels.replace_with(db, [(&hotels[1], stay(7))]).await?;
    assert_eq!(nights().await?, [(false, 5)]);
    let plaza = ann.hotels.add_with(db, new!(Hotel { name: "Plaza" }), stay(8)).await?;
    assert_eq!((plaza.name.as_str(), nights().await?), ("Plaza", vec![(false, 5), (false, 8)]));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "demanding_clerks")]
struct Clerk {
    #[ommi(auto)]
    id: i64,
    #[ommi(by = author_id)]
    written: HasMany<Letter, Through<Dispatch>>,
    #[ommi(by = reader_id)]
    read: HasMany<Letter, Through<Dispatch>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "demanding_letters")]
struct Letter {
    #[ommi(auto)]
    id: i64,
}

/// Has all that it requires by one of the two relations and not by the other, which the compiler cannot tell apart.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "demanding_dispatches")]
struct Dispatch {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Letter::id)]
    letter_id: i64,
    #[ommi(references = Clerk::id)]
    author_id: i64,
    #[ommi(references = Clerk::id)]
    reader_id: Option<i64>,
}

/// So nothing is sent, and a transaction goes on.
pub(crate) async fn refused_before_anything_is_sent(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Clerk, Letter, Dispatch)>().await?;
    let (clerk, letter) = (db.add(new!(Clerk {})).await?, db.add(new!(Letter {})).await?);
    let clerk = db.get::<Clerk>(clerk.id).await?;
    db.transaction(async |tx| {
        clerk.written.link(tx, &letter).await?;
        for refused in [
            clerk.read.link(tx, &letter).await,
            clerk.read.add(tx, new!(Letter {})).await.map(drop),
            clerk.read.replace(tx, [&letter]).await,
        ] {
            let error = assert_kind!(refused, ErrorKind::InvalidValue { .. });
            let error = error.to_string();
            assert!(error.contains("author_id") && error.contains("_with`"), "{error}");
        }
        clerk.read.link_with(tx, &letter, new!(Dispatch { author_id: clerk.id, .. })).await?;
        DBResult::Ok(())
    })
    .await?;
    assert_eq!((db.find_all::<Letter>().count().await?, db.find_all::<Dispatch>().count().await?), (1, 2));
    Ok(())
}
