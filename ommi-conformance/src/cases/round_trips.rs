//! Every value of every type comes back as it went in.

use std::fmt::Debug;

use ommi::value::{ColumnType, DecodeFailure, InvalidValue, Value};
use ommi::{NewRow, prelude::*};
use uuid::Uuid;

use crate::samples::HOSTILE;

/// A model whose key is given, to tell its rows apart by.
pub(super) trait Sample: Model<Key = i64> + NewRow<Model = Self> + Clone + PartialEq + Debug {
    fn id(&self) -> i64;
}

macro_rules! samples {
    ($($model:ident),* $(,)?) => {$(
        impl $crate::cases::round_trips::Sample for $model {
            fn id(&self) -> i64 {
                self.id
            }
        }
    )*};
}
pub(super) use samples;

samples!(Integers, OptionalIntegers, Floats, Flags, Texts, Blobs, Uuids, Custom);

/// Writes the rows in each way there is, and reads them back each time.
pub(super) async fn come_back<M: Sample>(db: &Ommi, rows: Vec<M>) -> DBResult<()> {
    db.create_tables::<M>().await?;
    assert_eq!(db.add_all(rows.clone()).await?, rows, "as add_all gives them back");
    for row in &rows {
        let mut stored = db.get::<M>(row.id()).await?;
        assert_eq!(&stored, row, "after add_all");
        db.save(&mut stored).await?;
        assert_eq!(&db.get::<M>(row.id()).await?, row, "after save");
        db.delete(row).await?;
        assert_eq!(&db.add(row.clone()).await?, row, "as add gives it back");
        assert_eq!(&db.get::<M>(row.id()).await?, row, "after add");
    }
    let mut all = db.find_all::<M>().all().await?;
    all.sort_by_key(M::id);
    assert_eq!(all, rows, "all of them");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Integers {
    id: i64,
    a: i8,
    b: i16,
    c: i32,
    d: i64,
    e: u8,
    f: u16,
    g: u32,
    h: u64,
}

pub(crate) async fn integers_at_the_ends_of_their_ranges(db: &Ommi) -> DBResult<()> {
    let least = Integers { id: 1, a: i8::MIN, b: i16::MIN, c: i32::MIN, d: i64::MIN, e: 0, f: 0, g: 0, h: 0 };
    let zero = Integers { id: 2, a: 0, b: 0, c: 0, d: 0, e: 0, f: 0, g: 0, h: 0 };
    let minus_one = Integers { id: 3, a: -1, b: -1, c: -1, d: -1, e: 1, f: 1, g: 1, h: 1 };
    let greatest = Integers {
        id: 4,
        a: i8::MAX,
        b: i16::MAX,
        c: i32::MAX,
        d: i64::MAX,
        e: u8::MAX,
        f: u16::MAX,
        g: u32::MAX,
        h: i64::MAX as u64,
    };
    come_back(db, vec![least, zero, minus_one, greatest]).await
}

#[derive(Debug, Clone, PartialEq, Model)]
struct OptionalIntegers {
    id: i64,
    a: Option<i8>,
    b: Option<i16>,
    c: Option<i32>,
    d: Option<i64>,
    e: Option<u8>,
    f: Option<u16>,
    g: Option<u32>,
    h: Option<u64>,
}

pub(crate) async fn optional_integers_with_and_without_a_value(db: &Ommi) -> DBResult<()> {
    let none = OptionalIntegers { id: 1, a: None, b: None, c: None, d: None, e: None, f: None, g: None, h: None };
    let zero = OptionalIntegers {
        id: 2,
        a: Some(0),
        b: Some(0),
        c: Some(0),
        d: Some(0),
        e: Some(0),
        f: Some(0),
        g: Some(0),
        h: Some(0),
    };
    let ends = OptionalIntegers {
        id: 3,
        a: Some(i8::MIN),
        b: Some(i16::MAX),
        c: Some(i32::MIN),
        d: Some(i64::MIN),
        e: Some(u8::MAX),
        f: Some(u16::MAX),
        g: Some(u32::MAX),
        h: Some(i64::MAX as u64),
    };
    come_back(db, vec![none, zero, ends]).await
}

/// Above 2^53 a float cannot tell one integer from the next.
pub(crate) async fn integers_that_no_float_can_hold(db: &Ommi) -> DBResult<()> {
    let row = |id, d: i64| Integers { id, a: 0, b: 0, c: 0, d, e: 0, f: 0, g: 0, h: d.unsigned_abs() };
    let near = 1 << 53;
    come_back(db, vec![row(1, near), row(2, near + 1), row(3, -near - 1), row(4, i64::MAX - 1)]).await?;
    assert_eq!(db.find(Integers::d.eq(near + 1)).count().await?, 1);
    assert_eq!(db.find(Integers::d.gt(near)).count().await?, 2);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Floats {
    id: i64,
    single: f32,
    double: f64,
    optional_single: Option<f32>,
    optional_double: Option<f64>,
}

fn floats(id: i64, single: f32, double: f64) -> Floats {
    Floats { id, single, double, optional_single: Some(single), optional_double: Some(double) }
}

pub(crate) async fn floats_at_the_ends_of_their_ranges(db: &Ommi) -> DBResult<()> {
    let rows = vec![
        floats(1, f32::MAX, f64::MAX),
        floats(2, f32::MIN, f64::MIN),
        floats(3, f32::MIN_POSITIVE, f64::MIN_POSITIVE),
        floats(4, f32::EPSILON, f64::EPSILON),
        Floats { id: 5, single: 0.0, double: 0.0, optional_single: None, optional_double: None },
    ];
    come_back(db, rows).await
}

pub(crate) async fn floats_keep_every_digit(db: &Ommi) -> DBResult<()> {
    let rows = vec![
        floats(1, 0.1, 0.1),
        floats(2, 1.0 / 3.0, 1.0 / 3.0),
        floats(3, 16_777_216.0, 9_007_199_254_740_993.0),
        floats(4, -1e-7, 1e22),
        floats(5, 3.0, 3.0),
        floats(6, 123_456.79, 9.869_604_401_089_358),
    ];
    come_back(db, rows).await
}

pub(crate) async fn subnormal_floats(db: &Ommi) -> DBResult<()> {
    let rows = vec![
        floats(1, f32::from_bits(1), f64::from_bits(1)),
        floats(2, -f32::from_bits(1), -f64::from_bits(1)),
        floats(3, f32::from_bits(0x007f_ffff), f64::from_bits(0x000f_ffff_ffff_ffff)),
    ];
    come_back(db, rows).await
}

pub(crate) async fn infinities(db: &Ommi) -> DBResult<()> {
    let rows = vec![floats(1, f32::INFINITY, f64::INFINITY), floats(2, f32::NEG_INFINITY, f64::NEG_INFINITY)];
    come_back(db, rows).await?;
    assert_eq!(db.find(Floats::double.eq(f64::INFINITY)).count().await?, 1);
    assert_eq!(db.find(Floats::single.lt(f32::MIN)).count().await?, 1);
    Ok(())
}

/// Stores need not keep the sign of zero; it equals zero with either.
pub(crate) async fn negative_zero_is_zero(db: &Ommi) -> DBResult<()> {
    come_back(db, vec![floats(1, -0.0, -0.0), floats(2, 0.0, 0.0)]).await?;
    assert_eq!(db.find(Floats::double.eq(0.0)).count().await?, 2);
    assert_eq!(db.find(Floats::single.eq(-0.0)).count().await?, 2);
    assert_eq!(db.find(Floats::double.lt(0.0)).count().await?, 0);
    Ok(())
}

/// The column's type decides how a value compares, so an `f32` is found by what it was rounded to.
pub(crate) async fn an_f32_is_found_by_its_value(db: &Ommi) -> DBResult<()> {
    come_back(db, vec![floats(1, 0.1, 0.0), floats(2, 1e-40, 0.0), floats(3, 3.402_823_5e38, 0.0)]).await?;
    for (id, value) in [(1, 0.1), (2, 1e-40), (3, 3.402_823_5e38)] {
        let found = db.find(Floats::single.eq(value)).all().await?;
        assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), [id]);
        assert_eq!(db.find(Floats::optional_single.in_([value])).count().await?, 1);
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Flags {
    id: i64,
    flag: bool,
    optional: Option<bool>,
}

pub(crate) async fn bools(db: &Ommi) -> DBResult<()> {
    let rows = vec![
        Flags { id: 1, flag: true, optional: Some(true) },
        Flags { id: 2, flag: false, optional: Some(false) },
        Flags { id: 3, flag: false, optional: None },
    ];
    come_back(db, rows).await
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Texts {
    id: i64,
    text: String,
    optional: Option<String>,
}

fn texts(id: i64, text: &str) -> Texts {
    Texts { id, text: text.to_owned(), optional: Some(text.to_owned()) }
}

pub(crate) async fn hostile_text(db: &Ommi) -> DBResult<()> {
    let rows: Vec<Texts> = (1..).zip(HOSTILE).map(|(id, text)| texts(id, text)).collect();
    come_back(db, rows).await
}

pub(crate) async fn hostile_text_is_found_by_equality(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Texts>().await?;
    db.add_all((1..).zip(HOSTILE).map(|(id, text)| texts(id, text)).collect::<Vec<_>>()).await?;
    for (id, text) in (1..).zip(HOSTILE) {
        let ids = |rows: Vec<Texts>| rows.iter().map(|row| row.id).collect::<Vec<i64>>();
        assert_eq!(ids(db.find(Texts::text.eq(*text)).all().await?), [id], "eq {text:?}");
        assert_eq!(ids(db.find(Texts::optional.in_([*text])).all().await?), [id], "in_ {text:?}");
        assert_eq!(db.find(Texts::text.ne(*text)).count().await?, HOSTILE.len() as u64 - 1, "ne {text:?}");
    }
    Ok(())
}

pub(crate) async fn empty_text_is_not_null(db: &Ommi) -> DBResult<()> {
    let null = Texts { id: 1, text: String::new(), optional: None };
    come_back(db, vec![null, texts(2, ""), texts(3, "NULL")]).await?;
    let found = db.find(Texts::optional.is_null()).one().await?;
    assert_eq!(found.id, 1);
    assert_eq!(db.find(Texts::optional.eq("")).one().await?.id, 2);
    assert_eq!(db.find(Texts::optional.eq("NULL")).one().await?.id, 3);
    Ok(())
}

/// Normal forms are not unified: what is written differently is different.
pub(crate) async fn text_is_not_normalized(db: &Ommi) -> DBResult<()> {
    come_back(db, vec![texts(1, "caf\u{e9}"), texts(2, "cafe\u{301}")]).await?;
    assert_eq!(db.find(Texts::text.eq("caf\u{e9}")).one().await?.id, 1);
    assert_eq!(db.find(Texts::text.eq("cafe\u{301}")).one().await?.id, 2);
    Ok(())
}

pub(crate) async fn a_megabyte_of_text(db: &Ommi) -> DBResult<()> {
    let long = "it's 1 MB of \u{e9} and 😀 ".repeat(1 << 15);
    assert!(long.len() > 1 << 19);
    let long = long.repeat(2);
    come_back(db, vec![texts(1, &long), texts(2, "short")]).await?;
    assert_eq!(db.find(Texts::text.eq(&long)).one().await?.id, 1);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Blobs {
    id: i64,
    data: Vec<u8>,
    optional: Option<Vec<u8>>,
}

pub(crate) async fn bytes_of_every_value(db: &Ommi) -> DBResult<()> {
    let row = |id, data: Vec<u8>| Blobs { id, data: data.clone(), optional: Some(data) };
    let rows = vec![
        row(1, Vec::new()),
        row(2, (0..=255).collect()),
        row(3, vec![0]),
        row(4, vec![0xff, 0xfe, 0x00, 0x80]),
        row(5, b"plain text".to_vec()),
        Blobs { id: 6, data: vec![1], optional: None },
    ];
    come_back(db, rows).await?;
    assert_eq!(db.find(Blobs::data.eq(vec![0u8])).one().await?.id, 3);
    assert_eq!(db.find(Blobs::optional.eq(Vec::new())).one().await?.id, 1);
    Ok(())
}

pub(crate) async fn a_megabyte_of_bytes(db: &Ommi) -> DBResult<()> {
    let data: Vec<u8> = (0..1_048_577u32).map(|i| (i % 251) as u8).collect();
    come_back(db, vec![Blobs { id: 1, data: data.clone(), optional: Some(data) }]).await
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Uuids {
    id: i64,
    uuid: Uuid,
    optional: Option<Uuid>,
}

pub(crate) async fn uuids(db: &Ommi) -> DBResult<()> {
    let some = Uuid::from_u128(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    let rows = vec![
        Uuids { id: 1, uuid: Uuid::nil(), optional: None },
        Uuids { id: 2, uuid: Uuid::max(), optional: Some(Uuid::nil()) },
        Uuids { id: 3, uuid: some, optional: Some(some) },
    ];
    come_back(db, rows).await?;
    assert_eq!(db.find(Uuids::uuid.eq(some)).one().await?.id, 3);
    assert_eq!(db.find(Uuids::optional.eq(Uuid::nil())).one().await?.id, 2);
    Ok(())
}

/// Stored as text, as any text.
#[derive(Debug, Clone, PartialEq, FieldType)]
struct Email(String);

#[derive(Debug, Clone, Copy, PartialEq, FieldType)]
struct Cents(i64);

/// Stored as text of its own choice.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Level {
    Low,
    High,
}

impl FieldType for Level {
    const TYPE: ColumnType = ColumnType::Text;

    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Text(if *self == Level::Low { "low" } else { "high" }.into()))
    }

    fn decode(value: Value<'_>) -> Result<Level, DecodeFailure> {
        match &value {
            Value::Text(text) if text == "low" => Ok(Level::Low),
            Value::Text(text) if text == "high" => Ok(Level::High),
            _ => Err(DecodeFailure::new("`low` or `high`", value.kind())),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Custom {
    id: i64,
    email: Email,
    price: Cents,
    level: Level,
    former_level: Option<Level>,
    former_email: Option<Email>,
}

pub(crate) async fn types_of_the_application(db: &Ommi) -> DBResult<()> {
    let rows = vec![
        Custom {
            id: 1,
            email: Email("ann@x.org".to_owned()),
            price: Cents(-5),
            level: Level::Low,
            former_level: None,
            former_email: None,
        },
        Custom {
            id: 2,
            email: Email(String::new()),
            price: Cents(i64::MAX),
            level: Level::High,
            former_level: Some(Level::Low),
            former_email: Some(Email("😀".to_owned())),
        },
    ];
    come_back(db, rows).await?;
    assert_eq!(db.find(Custom::level.eq(Level::High)).one().await?.id, 2);
    assert_eq!(db.find(Custom::former_level.in_([Level::Low, Level::High])).one().await?.id, 2);
    assert_eq!(db.find(Custom::email.eq(Email("ann@x.org".to_owned()))).one().await?.id, 1);
    assert_eq!(db.find(Custom::email.starts_with("ann")).one().await?.id, 1);
    assert_eq!(db.find(Custom::price.lt(Cents(0))).one().await?.id, 1);
    Ok(())
}
