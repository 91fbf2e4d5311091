//! Selects: conditions, order, pages, counts, and what rows decode to.

use ommi_core::ErrorKind;
use ommi_core::ast::{CompareOp, Condition, Direction, Expr, Insert, List, Nulls, Output, Select, Sort, TextOp};
use ommi_core::schema::{ColumnList, ModelSchema, SchemaRef};
use ommi_core::value::{ColumnType, Date, Moment, TimeOfDay, Value};
use ommi_sqlite::{SqliteDriver, SqliteOptions};

use crate::support::*;

/// `words(id, word null, other null, n null)`
fn words() -> SchemaRef {
    build(
        ModelSchema::builder("Word", "words")
            .column(column("id", ColumnType::I64).key())
            .column(column("word", ColumnType::Text).nullable())
            .column(column("other", ColumnType::Text).nullable())
            .column(column("n", ColumnType::I64).nullable()),
    )
}

async fn filled(words_and_needles: &[(Option<&str>, Option<&str>)]) -> (SqliteDriver, SchemaRef) {
    let model = words();
    let driver = memory(&[&model]).await;
    let mut values = Vec::new();
    for (i, (word, other)) in words_and_needles.iter().enumerate() {
        let optional = |value: &Option<&str>| value.map_or(Value::Null, text);
        values.extend([Value::Int(i as i64), optional(word), optional(other), Value::Int(i as i64 * 10)]);
    }
    insert(&driver, &mut Insert::new(model.clone(), [0, 1, 2, 3], values, words_and_needles.len())).await.unwrap();
    (driver, model)
}

async fn ids(driver: &SqliteDriver, model: &SchemaRef, filter: Condition) -> Vec<i64> {
    let mut select = select(model, filter);
    select.sort = vec![Sort::new(col(0), Direction::Ascending)];
    let rows = fetch(driver, &select).await.unwrap();
    rows.iter().map(|row| if let Value::Int(id) = row[0] { id } else { -1 }).collect()
}

fn predicate(op: TextOp, ignore_case: bool, needle: Expr) -> Condition {
    Condition::Text { op, ignore_case, expr: col(1), needle }
}

/// What the predicates mean, in Rust.
fn expected(op: TextOp, ignore_case: bool, word: &str, needle: &str) -> bool {
    let (word, needle) = match ignore_case {
        true => (word.to_ascii_lowercase(), needle.to_ascii_lowercase()),
        false => (word.to_owned(), needle.to_owned()),
    };
    match op {
        TextOp::Contains => word.contains(&needle),
        TextOp::StartsWith => word.starts_with(&needle),
        TextOp::EndsWith => word.ends_with(&needle),
        _ => word == needle,
    }
}

#[tokio::test]
async fn predicates_on_text_mean_what_they_say_for_values_and_columns() {
    let texts = [
        "",
        "a",
        "A",
        "an",
        "An",
        "ann",
        "banana",
        "%",
        "_",
        "a%b",
        "é",
        "É",
        "aé",
        "\u{D7FF}",
        "\u{E000}",
        "\u{10FFFF}",
        "a\u{10FFFF}",
        "a\u{10FFFF}b",
        "\u{10FFFF}\u{10FFFF}x",
        "\u{212A}",
        "k",
        "line\nbreak",
        "NULL",
        "'; --",
        "ß",
    ];
    let mut rows: Vec<(Option<&str>, Option<&str>)> = vec![(None, Some("a")), (None, None), (Some("a"), None)];
    rows.extend(texts.iter().flat_map(|word| texts.iter().map(move |needle| (Some(*word), Some(*needle)))));
    let (driver, model) = filled(&rows).await;
    for op in [TextOp::Contains, TextOp::StartsWith, TextOp::EndsWith, TextOp::Equals] {
        for ignore_case in [false, true] {
            if op == TextOp::Equals && !ignore_case {
                continue;
            }
            let of = |wanted: bool, needle: Option<&str>| -> Vec<i64> {
                let met = rows.iter().enumerate().filter(|(_, (word, other))| {
                    let pair = word.zip(needle.or(*other));
                    pair.is_some_and(|(word, needle)| expected(op, ignore_case, word, needle) == wanted)
                });
                met.map(|(i, _)| i as i64).collect()
            };
            for needle in texts {
                let condition = predicate(op, ignore_case, Expr::Value(text(needle)));
                assert_eq!(
                    ids(&driver, &model, condition.clone()).await,
                    of(true, Some(needle)),
                    "{op:?} {ignore_case} {needle:?}"
                );
                assert_eq!(
                    ids(&driver, &model, !condition).await,
                    of(false, Some(needle)),
                    "not {op:?} {ignore_case} {needle:?}"
                );
            }
            let condition = predicate(op, ignore_case, col(2));
            assert_eq!(ids(&driver, &model, condition.clone()).await, of(true, None), "{op:?} {ignore_case}");
            assert_eq!(ids(&driver, &model, !condition).await, of(false, None), "not {op:?} {ignore_case}");
            for condition in [
                predicate(op, ignore_case, Expr::Value(Value::Null)),
                !predicate(op, ignore_case, Expr::Value(Value::Null)),
            ] {
                assert!(ids(&driver, &model, condition).await.is_empty());
            }
        }
    }
}

#[tokio::test]
async fn lists_of_every_length_with_and_without_null() {
    let (driver, model) = filled(&[(Some("a"), None), (Some("b"), None), (None, None)]).await;
    let membership =
        |values: Vec<Value<'static>>| Condition::In { expr: col(1), list: List::new(values), negated: false };
    let filler = |count: usize| (0..count).map(|i| text(format!("filler {i}")));
    for length in [1, 2, 3, 5, 31, 32, 33, 500, 100_000] {
        let with = |first: &'static str, null: bool| {
            let null = null.then_some(Value::Null);
            membership(std::iter::once(text(first)).chain(filler(length - 1)).chain(null).collect())
        };
        assert_eq!(ids(&driver, &model, with("a", false)).await, [0], "{length}");
        assert_eq!(ids(&driver, &model, !with("a", false)).await, [1], "{length}");
        assert_eq!(ids(&driver, &model, with("a", true)).await, [0], "{length}");
        assert!(ids(&driver, &model, !with("a", true)).await.is_empty(), "{length}");
        // Unknown stays unknown under a double negation too.
        assert_eq!(ids(&driver, &model, Condition::Not(Box::new(!with("a", true)))).await, [0], "{length}");
    }
    let empty = || membership(Vec::new());
    assert!(ids(&driver, &model, empty()).await.is_empty());
    assert_eq!(ids(&driver, &model, !empty()).await, [0, 1, 2]);
    let null = || membership(vec![Value::Null]);
    assert!(ids(&driver, &model, null()).await.is_empty());
    assert!(ids(&driver, &model, !null()).await.is_empty());
    assert_eq!(ids(&driver, &model, null().or(eq(0, Value::Int(1)))).await, [1]);
}

#[tokio::test]
async fn long_lists_of_every_type() {
    let (driver, model, row) = all_types().await;
    for (i, value) in row.iter().enumerate().take(18) {
        let mut values: Vec<Value<'static>> = vec![value.clone(); 40];
        values.push(value.clone());
        let list = List::new(values);
        for negated in [false, true] {
            let filter = Condition::In { expr: col(i as u16), list: list.clone(), negated };
            assert_eq!(
                fetch(&driver, &select(&model, filter)).await.unwrap().len(),
                usize::from(!negated),
                "column {i}"
            );
        }
    }
}

#[tokio::test]
async fn conditions_nest_as_they_are_meant() {
    let (driver, model) =
        filled(&[(Some("a"), Some("x")), (Some("b"), Some("x")), (Some("a"), None), (None, Some("y"))]).await;
    let (a, x) = (|| eq(1, text("a")), || eq(2, text("x")));
    let id = |op, id| Condition::compare(op, col(0), int(id));
    for (condition, expected) in [
        (a().or(x()).and(id(CompareOp::Gt, 0)), vec![1, 2]),
        (a().and(x()).or(id(CompareOp::Eq, 3)), vec![0, 3]),
        (!(a().and(x())), vec![1, 3]),
        (!(a().or(x())), vec![]),
        (a().and((!x()).or(id(CompareOp::Ge, 2))), vec![2]),
        (Condition::And(vec![]), vec![0, 1, 2, 3]),
        (Condition::Or(vec![]), vec![]),
        (Condition::Not(Box::new(Condition::And(vec![]))), vec![]),
        (Condition::True.and(Condition::Not(Box::new(Condition::False))), vec![0, 1, 2, 3]),
        (Condition::Between { expr: col(0), low: int(1), high: int(2) }, vec![1, 2]),
        (!Condition::Between { expr: col(0), low: int(1), high: int(2) }, vec![0, 3]),
        (Condition::Between { expr: int(2), low: col(0), high: Expr::Value(Value::Null) }, vec![]),
        (!Condition::Between { expr: int(2), low: col(0), high: Expr::Value(Value::Null) }, vec![3]),
        (Condition::IsNull { expr: col(1), negated: false }, vec![3]),
        (Condition::IsNull { expr: col(1), negated: true }, vec![0, 1, 2]),
        (eq(1, Value::Null), vec![]),
        (!eq(1, Value::Null), vec![]),
        (Condition::compare(CompareOp::Ne, col(1), col(2)), vec![0, 1]),
        (Condition::compare(CompareOp::Lt, col(0), col(3)), vec![1, 2, 3]),
    ] {
        assert_eq!(ids(&driver, &model, condition.clone()).await, expected, "{condition:?}");
    }
}

#[tokio::test]
async fn a_chain_of_thousands_of_conditions() {
    let (driver, model) = filled(&[(Some("a"), None), (Some("b"), None)]).await;
    let any = Condition::Or((0..3_000).map(|i| eq(3, Value::Int(i * 7))).collect());
    assert_eq!(ids(&driver, &model, any.clone()).await, [0]);
    assert_eq!(ids(&driver, &model, Condition::Not(Box::new(any))).await, [1]);
}

#[tokio::test]
async fn order_pages_counts_and_existence() {
    let (driver, model) =
        filled(&[(Some("b"), None), (None, None), (Some("a"), None), (Some("A"), None), (Some("é"), None)]).await;
    for (direction, nulls, expected) in [
        (Direction::Ascending, Nulls::First, [1, 3, 2, 0, 4]),
        (Direction::Ascending, Nulls::Last, [3, 2, 0, 4, 1]),
        (Direction::Descending, Nulls::First, [1, 4, 0, 2, 3]),
        (Direction::Descending, Nulls::Last, [4, 0, 2, 3, 1]),
    ] {
        let mut select = Select::new(model.clone());
        let mut sort = Sort::new(col(1), direction);
        sort.nulls = nulls;
        select.sort = vec![sort];
        let key = |rows: Vec<Vec<Value<'static>>>| -> Vec<i64> {
            rows.iter().map(|row| if let Value::Int(id) = row[0] { id } else { -1 }).collect()
        };
        assert_eq!(key(fetch(&driver, &select).await.unwrap()), expected);
        for (limit, offset, range) in [
            (Some(2), None, 0..2),
            (None, Some(3), 3..5),
            (Some(2), Some(4), 4..5),
            (Some(u64::MAX), Some(0), 0..5),
            (Some(0), None, 0..0),
        ] {
            select.limit = limit;
            select.offset = offset;
            assert_eq!(key(fetch(&driver, &select).await.unwrap()), expected[range.clone()]);
            select.output = Output::Count;
            assert_eq!(fetch(&driver, &select).await.unwrap(), [[Value::Int(range.len() as i64)]]);
            select.output = Output::Exists;
            assert_eq!(fetch(&driver, &select).await.unwrap(), [[Value::Bool(!range.is_empty())]]);
            select.output = Output::Model;
        }
    }
    assert_eq!(count(&driver, &model).await, 5);
}

/// A table of every type, with one row of values and one of NULLs.
async fn all_types() -> (SqliteDriver, SchemaRef, Vec<Value<'static>>) {
    let moment = Moment::new(1_357_034_400, 500_000_000).unwrap();
    let columns = [
        ("i", ColumnType::I64, Value::Int(i64::MIN)),
        ("b", ColumnType::Bool, Value::Bool(true)),
        ("i8", ColumnType::I8, Value::Int(-128)),
        ("i16", ColumnType::I16, Value::Int(32_767)),
        ("i32", ColumnType::I32, Value::Int(-1)),
        ("u8", ColumnType::U8, Value::Int(255)),
        ("u16", ColumnType::U16, Value::Int(0)),
        ("u32", ColumnType::U32, Value::Int(4_294_967_295)),
        ("u64", ColumnType::U64, Value::Int(i64::MAX)),
        ("f32", ColumnType::F32, Value::Float(f64::from(0.1_f32))),
        ("f64", ColumnType::F64, Value::Float(f64::NEG_INFINITY)),
        ("t", ColumnType::Text, text("")),
        ("bytes", ColumnType::Bytes, Value::Bytes(Vec::new().into())),
        ("uuid", ColumnType::Uuid, Value::Uuid([0xAB; 16])),
        ("date", ColumnType::Date, Value::Date(Date::from_ymd(2024, 2, 29).unwrap())),
        ("time", ColumnType::Time, Value::Time(TimeOfDay::from_nanos(1).unwrap())),
        ("dt", ColumnType::DateTime, Value::DateTime(moment)),
        ("ts", ColumnType::Timestamp, Value::Timestamp(moment)),
    ];
    let mut builder = ModelSchema::builder("All", "all types");
    for (name, ty, _) in &columns {
        builder = builder.column(column(name, *ty).nullable());
    }
    let model = build(builder.column(column("id", ColumnType::I64).key()));
    let driver = memory(&[&model]).await;
    let mut row: Vec<Value<'static>> = columns.iter().map(|(_, _, value)| value.clone()).collect();
    row.push(Value::Int(1));
    let mut values = row.clone();
    values.extend(vec![Value::Null; columns.len()]);
    values.push(Value::Int(2));
    insert(&driver, &mut Insert::new(model.clone(), ColumnList::all(&model), values.clone(), 2)).await.unwrap();
    (driver, model, values)
}

#[tokio::test]
async fn every_type_round_trips_and_is_found_again() {
    let (driver, model, values) = all_types().await;
    let rows = fetch(&driver, &Select::new(model.clone())).await.unwrap();
    assert_eq!(rows.concat(), values);
    for (i, value) in values.iter().take(18).enumerate() {
        let found = fetch(&driver, &select(&model, eq(i as u16, value.clone()))).await.unwrap();
        assert_eq!(found.len(), 1, "column {i}");
    }
}

#[tokio::test]
async fn what_does_not_fit_its_field_is_named() {
    let dir = TempDir::new();
    let path = dir.path("db");
    let other = other_process(&path);
    other
        .execute_batch(
            "CREATE TABLE loose (id INTEGER PRIMARY KEY, n REAL, t TEXT, b INTEGER, d TEXT, u BLOB);
             INSERT INTO loose VALUES (1, 3, 'x', 2, '2013-13-01', x'00');
             INSERT INTO loose VALUES (2, 9007199254740993, CAST(x'FF' AS TEXT), 1, 'NULL', x'00');
             INSERT INTO loose VALUES (3, 'three', 5, 'x', x'00', 'text');",
        )
        .unwrap();
    // As an INTEGER in a column that has no affinity would be.
    other
        .execute_batch(
            "CREATE TABLE bare (id INTEGER PRIMARY KEY, n BLOB); INSERT INTO bare VALUES (1, 3), (2, 9007199254740993)",
        )
        .unwrap();
    let driver = ommi_sqlite::SqliteOptions::file(&path).connect().await.unwrap();
    let failure = async |table: &'static str, name: &'static str, ty, id| {
        let model = build(
            ModelSchema::builder("Loose", table).column(column("id", ColumnType::I64).key()).column(column(name, ty)),
        );
        fetch(&driver, &select(&model, eq(0, Value::Int(id)))).await
    };
    for (name, ty, id, found) in [
        ("t", ColumnType::Text, 2, "text that is not UTF-8"),
        ("b", ColumnType::Bool, 1, "an integer other than 0 and 1"),
        ("d", ColumnType::Date, 1, "text of another form"),
        ("d", ColumnType::Timestamp, 2, "text of another form"),
        ("u", ColumnType::Uuid, 1, "bytes that are not 16"),
        ("n", ColumnType::F64, 3, "text"),
        ("n", ColumnType::I64, 2, "a float"),
        ("u", ColumnType::Bytes, 3, "text"),
    ] {
        let error = failure("loose", name, ty, id).await.unwrap_err();
        match error.kind() {
            ErrorKind::Decode { table, column, found: was, .. } => {
                assert_eq!((table.as_str(), column.as_str(), &**was), ("loose", name, found));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(failure("bare", "n", ColumnType::F64, 1).await.unwrap()[0][1], Value::Float(3.0));
    let error = failure("bare", "n", ColumnType::F64, 2).await.unwrap_err();
    assert!(error.to_string().contains("an integer that no float is"), "{error}");
}

/// The numbers that compiled statements are kept by are given again and again.
#[tokio::test]
async fn each_statement_is_its_own_where_few_are_kept() {
    let model = users();
    for kept in 1..6 {
        let driver = with_tables(SqliteOptions::memory().statement_cache(kept), &[&model]).await;
        insert(&driver, &mut new_users(&model, 0..20)).await.unwrap();
        let any_of = |count: i64| Condition::Or((1..=count).map(|id| eq(0, Value::Int(id))).collect());
        for round in 0..60 {
            // Some come again at once, some soon, some late.
            for ids in [1 + round % 3, 4 + round % 5, 1 + round % 3, 9 + round % 7] {
                let found = fetch(&driver, &select(&model, any_of(ids))).await.unwrap();
                assert_eq!(found.len() as i64, ids, "{kept} kept, round {round}");
            }
            assert_eq!(delete(&driver, &model, eq(0, Value::Int(100 + round))).await.unwrap(), 0);
        }
    }
}
