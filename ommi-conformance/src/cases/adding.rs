//! Adding rows: keys, defaults, order, and all or nothing.

use std::collections::HashSet;
use std::time::Duration;

use chrono::NaiveDate;
use ommi::{ConstraintKind, prelude::*};
use uuid::Uuid;

use crate::expect::violation;

#[derive(Debug, Clone, PartialEq, Model)]
struct Note {
    #[ommi(auto)]
    id: i64,
    text: String,
}

/// Notes whose texts are their numbers.
fn notes(count: usize) -> Vec<NoteDraft> {
    (0..count).map(|n| new!(Note { text: n.to_string() })).collect()
}

fn ids(notes: &[Note]) -> Vec<i64> {
    notes.iter().map(|note| note.id).collect()
}

pub(crate) async fn a_generated_key_comes_back_with_the_row(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Note>().await?;
    let first = db.add(new!(Note { text: "first" })).await?;
    let second = db.add(new!(Note { text: "second" })).await?;
    assert_eq!(first.text, "first");
    assert_ne!(first.id, second.id);
    assert_eq!(db.get::<Note>(first.id).await?, first);
    assert_eq!(db.get::<Note>(second.id).await?, second);
    Ok(())
}

pub(crate) async fn generated_keys_count_upwards_in_the_order_of_the_rows(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Note>().await?;
    let added = db.add_all(notes(100)).await?;
    assert!(added.iter().enumerate().all(|(n, note)| note.text == n.to_string()), "the rows in their order");
    assert!(ids(&added).is_sorted_by(|a, b| a < b), "{:?}", ids(&added));
    assert_eq!(db.find_all::<Note>().sort(Note::id).all().await?, added);
    Ok(())
}

pub(crate) async fn an_explicit_key_is_kept(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Note>().await?;
    for id in [42, 1, 0, -7, i64::MIN] {
        let added = db.add(new!(Note { id, text: "explicit" })).await?;
        assert_eq!(added.id, id);
        assert_eq!(db.get::<Note>(id).await?, added);
    }
    Ok(())
}

pub(crate) async fn keys_generated_after_an_explicit_one_lie_above_it(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Note>().await?;
    db.add(new!(Note { id: 1_000, text: "explicit" })).await?;
    let next = db.add(new!(Note { text: "generated" })).await?;
    assert!(next.id > 1_000, "{}", next.id);
    db.add_all([new!(Note { id: 5_000, text: "a" }), new!(Note { id: 4_000, text: "b" })]).await?;
    let next = db.add_all(notes(2)).await?;
    assert!(next.iter().all(|note| note.id > 5_000), "{:?}", ids(&next));
    Ok(())
}

pub(crate) async fn explicit_and_generated_keys_mixed(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Note>().await?;
    let rows = vec![
        new!(Note { text: "a" }),
        new!(Note { id: 100, text: "b" }),
        new!(Note { id: 50, text: "c" }),
        new!(Note { text: "d" }),
        new!(Note { text: "e" }),
        new!(Note { id: 500, text: "f" }),
        new!(Note { text: "g" }),
    ];
    let added = db.add_all(rows).await?;
    assert_eq!(added.iter().map(|note| note.text.as_str()).collect::<Vec<_>>(), ["a", "b", "c", "d", "e", "f", "g"]);
    assert_eq!((added[1].id, added[2].id, added[5].id), (100, 50, 500));
    assert_eq!(ids(&added).into_iter().collect::<HashSet<_>>().len(), 7, "{:?}", ids(&added));
    for note in &added {
        assert_eq!(&db.get::<Note>(note.id).await?, note);
    }
    Ok(())
}

pub(crate) async fn a_generated_key_is_never_given_twice(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Note>().await?;
    let gone = db.add_all(notes(3)).await?;
    db.find_all::<Note>().delete().await?;
    let next = db.add(new!(Note { text: "next" })).await?;
    assert!(next.id > gone[2].id, "{} after {:?}", next.id, ids(&gone));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Small {
    #[ommi(auto)]
    id: u16,
    text: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Unsigned {
    #[ommi(auto)]
    id: u64,
}

pub(crate) async fn generated_keys_of_other_integer_types(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Small, Unsigned)>().await?;
    let added = db.add_all((0..10).map(|_| new!(Small {}))).await?;
    assert!(added.is_sorted_by(|a, b| a.id < b.id));
    assert_eq!(db.get::<Small>(added[9].id).await?, added[9]);
    let added = db.add(new!(Unsigned {})).await?;
    assert_eq!(db.get::<Unsigned>(added.id).await?, added);
    Ok(())
}

/// Nothing is left to name in an insert.
pub(crate) async fn a_model_of_nothing_but_a_generated_key(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Unsigned>().await?;
    let mut all = vec![db.add(new!(Unsigned {})).await?];
    all.extend(db.add_all((0..3).map(|_| new!(Unsigned {}))).await?);
    all.push(db.add(new!(Unsigned { id: 77u64 })).await?);
    assert_eq!(db.find_all::<Unsigned>().sort(Unsigned::id).all().await?, all);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Defaults {
    #[ommi(auto)]
    id: i64,
    name: String,
    #[ommi(default = 3)]
    number: i32,
    #[ommi(default = "it's \"default\" %s; --")]
    text: String,
    #[ommi(default = true)]
    flag: bool,
    #[ommi(default = 0.5)]
    ratio: f64,
    #[ommi(default = Uuid::nil())]
    token: Uuid,
    #[ommi(default = NaiveDate::default())]
    day: NaiveDate,
    #[ommi(default = vec![0u8, 255])]
    data: Vec<u8>,
    #[ommi(default)]
    total: u32,
    #[ommi(default = Some(7))]
    maybe: Option<i64>,
    nothing: Option<i64>,
    words: Option<String>,
}

pub(crate) async fn defaults_and_optional_columns_are_filled_in(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Defaults>().await?;
    let added = db.add(new!(Defaults { name: "ann" })).await?;
    let expected = Defaults {
        id: added.id,
        name: "ann".to_owned(),
        number: 3,
        text: "it's \"default\" %s; --".to_owned(),
        flag: true,
        ratio: 0.5,
        token: Uuid::nil(),
        day: NaiveDate::default(),
        data: vec![0, 255],
        total: 0,
        maybe: Some(7),
        nothing: None,
        words: None,
    };
    assert_eq!(added, expected);
    assert_eq!(db.get::<Defaults>(added.id).await?, expected);
    Ok(())
}

pub(crate) async fn a_value_given_wins_over_the_default(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Defaults>().await?;
    let row = new!(Defaults { name: "ann", number: 0, text: "", flag: false, maybe: None, nothing: 1, words: "w" });
    let added = db.add(row).await?;
    assert_eq!((added.number, added.text.as_str(), added.flag), (0, "", false));
    assert_eq!((added.maybe, added.nothing, added.words.as_deref()), (None, Some(1), Some("w")));
    assert_eq!(db.get::<Defaults>(added.id).await?, added);
    Ok(())
}

pub(crate) async fn a_whole_model_is_added_as_it_is(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Note>().await?;
    let note = Note { id: 9, text: "imported".to_owned() };
    assert_eq!(db.add(note.clone()).await?, note);
    let more = vec![Note { id: 8, text: "a".to_owned() }, Note { id: 7, text: "b".to_owned() }];
    assert_eq!(db.add_all(more.clone()).await?, more);
    assert_eq!(db.find_all::<Note>().count().await?, 3);
    Ok(())
}

pub(crate) async fn an_empty_list_adds_nothing(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Note>().await?;
    assert_eq!(db.add_all(Vec::<NoteDraft>::new()).await?, []);
    assert_eq!(db.find_all::<Note>().count().await?, 0);
    Ok(())
}

/// More values than any store binds in one statement.
pub(crate) async fn forty_thousand_rows_at_once(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Defaults>().await?;
    let names = (0..40_000).map(|n| n.to_string());
    let added = db.add_all(names.map(|name| new!(Defaults { name }))).await?;
    assert!(added.iter().enumerate().all(|(n, row)| row.name == n.to_string()), "the rows in their order");
    assert!(added.is_sorted_by(|a, b| a.id < b.id), "the keys in their order");
    assert_eq!(db.find_all::<Defaults>().count().await?, 40_000);
    let last = &added[39_999];
    assert_eq!(&db.get::<Defaults>(last.id).await?, last);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Account {
    id: i64,
    #[ommi(unique)]
    email: String,
}

fn accounts(count: i64) -> Vec<Account> {
    (0..count).map(|id| Account { id, email: format!("{id}@x.org") }).collect()
}

pub(crate) async fn a_violation_in_the_last_row_adds_none(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Account>().await?;
    db.add(Account { id: 1_000_000, email: "taken@x.org".to_owned() }).await?;
    let mut rows = accounts(10);
    rows.push(Account { id: 10, email: "taken@x.org".to_owned() });
    violation(db.add_all(rows).await, ConstraintKind::Unique, "accounts", &["email"]);
    assert_eq!(db.find_all::<Account>().count().await?, 1);
    Ok(())
}

/// The rows before it took several statements, where the values that are bound are limited.
pub(crate) async fn a_violation_in_the_last_of_forty_thousand_rows_adds_none(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Account>().await?;
    let mut rows = accounts(40_000);
    rows.push(Account { id: 3, email: "new@x.org".to_owned() });
    violation(db.add_all(rows).await, ConstraintKind::Unique, "accounts", &["id"]);
    assert_eq!(db.find_all::<Account>().count().await?, 0);
    db.add_all(accounts(5)).await?;
    assert_eq!(db.find_all::<Account>().count().await?, 5);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    #[ommi(key)]
    region: String,
    #[ommi(key)]
    number: i32,
    holder: Option<String>,
}

pub(crate) async fn composite_keys(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Seat>().await?;
    let rows: Vec<Seat> = [("US", 1), ("US", 2), ("EU", 1)]
        .map(|(region, number)| Seat { region: region.to_owned(), number, holder: None })
        .into();
    assert_eq!(db.add_all(rows.clone()).await?, rows);
    assert_eq!(db.get::<Seat>(("EU", 1)).await?, rows[2]);
    assert_eq!(db.find(Seat::region.eq("US")).count().await?, 2);
    let again = new!(Seat { region: "US", number: 2 });
    violation(db.add(again).await, ConstraintKind::Unique, "seats", &["region", "number"]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "people")]
struct Person {
    #[ommi(auto, column = "person_id")]
    id: i64,
    #[ommi(column = "full_name")]
    name: String,
    #[ommi(column = "name")]
    nickname: Option<String>,
}

/// One column even has the field name of another.
pub(crate) async fn renamed_columns_and_keys(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Person>().await?;
    let ann = db.add(new!(Person { name: "Ann", nickname: "A" })).await?;
    let bob = db.add(new!(Person { id: 70, name: "Bob" })).await?;
    assert_eq!((bob.id, bob.name.as_str(), bob.nickname.as_deref()), (70, "Bob", None));
    assert_eq!(db.find(Person::name.eq("Ann")).one().await?, ann);
    assert_eq!(db.find(Person::nickname.eq("A")).one().await?, ann);
    db.find(Person::id.eq(70)).update((Person::nickname.set("B"), Person::name.set(Person::name))).await?;
    assert_eq!(db.get::<Person>(70).await?.nickname.as_deref(), Some("B"));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Document {
    #[ommi(key)]
    slug: String,
    body: String,
}

pub(crate) async fn a_text_key_stays_as_given(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Document>().await?;
    for slug in ["US", "us", "1", "01", " 1", "", "é", "e\u{301}"] {
        let added = db.add(new!(Document { slug, body: slug })).await?;
        assert_eq!(added.slug, slug);
        assert_eq!(db.get::<Document>(slug).await?, added);
    }
    let again = new!(Document { slug: "us", body: "again" });
    violation(db.add(again).await, ConstraintKind::Unique, "documents", &["slug"]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Token {
    #[ommi(auto = "uuid_v4")]
    id: Uuid,
    name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Event {
    #[ommi(auto = "uuid_v7")]
    id: Uuid,
}

pub(crate) async fn random_uuid_keys(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Token>().await?;
    let added = db.add_all((0..50).map(|n| new!(Token { name: n.to_string() }))).await?;
    assert!(added.iter().all(|token| token.id.get_version_num() == 4));
    assert_eq!(added.iter().map(|token| token.id).collect::<HashSet<_>>().len(), 50);
    for token in &added {
        assert_eq!(&db.get::<Token>(token.id).await?, token);
    }
    Ok(())
}

pub(crate) async fn uuid_keys_in_the_order_of_time(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Event>().await?;
    let mut added = Vec::new();
    for _ in 0..3 {
        added.push(db.add(new!(Event {})).await?);
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    assert!(added.iter().all(|event| event.id.get_version_num() == 7));
    assert_eq!(db.find_all::<Event>().sort(Event::id).all().await?, added);
    Ok(())
}

pub(crate) async fn an_explicit_uuid_key_is_kept(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Token>().await?;
    let id = Uuid::from_u128(42);
    let rows = vec![new!(Token { id, name: "mine" }), new!(Token { name: "made" })];
    let added = db.add_all(rows).await?;
    assert_eq!(added[0].id, id);
    assert_ne!(added[1].id, id);
    violation(db.add(new!(Token { id })).await, ConstraintKind::Unique, "tokens", &["id"]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Cached {
    #[ommi(auto)]
    id: i64,
    text: String,
    #[ommi(skip)]
    length: usize,
}

/// A field that is no column gets its `Default`, whatever it held when the row was added.
pub(crate) async fn a_skipped_field_is_no_column(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Cached>().await?;
    let added = db.add(Cached { id: 1, text: "four".to_owned(), length: 4 }).await?;
    assert_eq!(added.length, 0);
    assert_eq!(db.get::<Cached>(1).await?.length, 0);
    assert_eq!(db.add(new!(Cached { text: "five" })).await?.text, "five");
    Ok(())
}
