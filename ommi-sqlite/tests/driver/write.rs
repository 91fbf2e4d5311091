//! Inserts, updates, deletes, upserts.

use ommi_core::ErrorKind;
use ommi_core::ast::{Assignment, Change, CompareOp, Condition, Insert, OnConflict, Select, Update};
use ommi_core::driver::Context;
use ommi_core::schema::{ColumnList, ModelSchema};
use ommi_core::value::{ColumnType, Moment, Value};

use crate::support::*;

#[tokio::test]
async fn keys_come_back_in_the_order_of_the_rows() {
    let model = users();
    let driver = memory(&[&model]).await;
    let mut next = 0;
    for rows in [1, 2, 63, 64, 65, 128, 1_000, 5_000] {
        let mut new = new_users(&model, next..next + rows);
        let before = new.values.clone();
        let (written, keys) = insert(&driver, &mut new).await.unwrap();
        assert_eq!(written, rows as u64);
        assert_eq!(keys, (next..next + rows).map(|i| vec![Value::Int(i + 1)]).collect::<Vec<_>>());
        assert!(new.values == before, "the values are put back");
        next += rows;
    }
    let rows = fetch(&driver, &select(&model, eq(0, Value::Int(4_000)))).await.unwrap();
    assert_eq!(rows[0][1..], user(3_999));
}

#[tokio::test]
async fn a_number_is_never_given_twice() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..3)).await.unwrap();
    delete(&driver, &model, Condition::True).await.unwrap();
    assert_eq!(insert(&driver, &mut new_users(&model, 0..1)).await.unwrap().1, [[Value::Int(4)]]);
}

#[tokio::test]
async fn an_insert_of_many_rows_is_all_or_nothing() {
    let model = users();
    let dir = TempDir::new();
    for driver in [memory(&[&model]).await, file(&dir, &[&model]).await] {
        let mut new = new_users(&model, 0..1_000);
        new.values[3 * 999] = text("user 000000");
        assert!(insert(&driver, &mut new).await.unwrap_err().is_unique_violation());
        assert_eq!(new.values.len(), 3_000);
        assert_eq!(count(&driver, &model).await, 0);
        // Within a transaction, too, what came before it stays.
        let tx = ommi_core::driver::Driver::begin(&driver, &Default::default(), &Default::default()).await.unwrap();
        insert(&*tx, &mut new_users(&model, 5_000..5_001)).await.unwrap();
        assert!(insert(&*tx, &mut new).await.unwrap_err().is_unique_violation());
        assert_eq!(count(&*tx, &model).await, 1);
        tx.commit(&Context::new()).await.unwrap();
        assert_eq!(count(&driver, &model).await, 1);
    }
}

#[tokio::test]
async fn other_columns_come_back_too() {
    let model = users();
    let driver = memory(&[&model]).await;
    for rows in [1, 3, 200] {
        let mut new = new_users(&model, rows..rows + rows);
        new.returning = [3, 0].into();
        let (_, back) = insert(&driver, &mut new).await.unwrap();
        assert_eq!(back.len(), rows as usize);
        assert_eq!(back[0][0], user(rows)[2]);
        delete(&driver, &model, Condition::True).await.unwrap();
    }
}

#[tokio::test]
async fn rows_without_any_column() {
    let model =
        build(ModelSchema::builder("Empty", "empty").column(column("id", ColumnType::I32).key().auto_increment()));
    let driver = memory(&[&model]).await;
    for rows in [1, 3, 100] {
        let mut new = Insert::new(model.clone(), [], Vec::new(), rows);
        new.returning = [0].into();
        let (written, keys) = insert(&driver, &mut new).await.unwrap();
        assert_eq!((written, keys.len()), (rows as u64, rows));
    }
    assert_eq!(count(&driver, &model).await, 104);
}

#[tokio::test]
async fn keys_can_be_given_and_counting_goes_on_from_there() {
    let model = users();
    let driver = memory(&[&model]).await;
    let values = [&[Value::Int(100)][..], &user(1)].concat();
    let mut new = Insert::new(model.clone(), [0, 1, 2, 3], values, 1);
    new.returning = [0].into();
    assert_eq!(insert(&driver, &mut new).await.unwrap().1, [[Value::Int(100)]]);
    assert_eq!(insert(&driver, &mut new_users(&model, 2..3)).await.unwrap().1, [[Value::Int(101)]]);
}

#[tokio::test]
async fn upserts_change_or_leave_the_row_that_is_there() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 1..2)).await.unwrap();
    let upsert = |assignments: Vec<Assignment>| {
        let mut new = new_users(&model, 1..2);
        new.on_conflict = Some(OnConflict::new(vec![1], assignments));
        new.returning = [0, 2].into();
        new
    };
    let add = Assignment::new(2, Change::Add(Value::Int(5)));
    let copy = Assignment::new(3, Change::Set(col(1)));
    let (written, back) = insert(&driver, &mut upsert(vec![add, copy])).await.unwrap();
    assert_eq!((written, back), (1, vec![vec![Value::Int(1), Value::Int(6)]]));
    let (written, back) = insert(&driver, &mut upsert(Vec::new())).await.unwrap();
    assert_eq!((written, back.len()), (0, 0));
    let rows = fetch(&driver, &Select::new(model.clone())).await.unwrap();
    assert_eq!(rows, [[Value::Int(1), text("user 000001"), Value::Int(6), text("user 000001")]]);
    // A violation of another constraint stays an error.
    let mut other = upsert(Vec::new());
    other.on_conflict = Some(OnConflict::new(vec![0], Vec::new()));
    assert!(insert(&driver, &mut other).await.unwrap_err().is_unique_violation());
}

#[tokio::test]
async fn updates_and_deletes_count_what_met_the_filter() {
    let model = users();
    let driver = memory(&[&model]).await;
    insert(&driver, &mut new_users(&model, 0..100)).await.unwrap();
    let change = |assignments, filter| Update::new(model.clone(), assignments, filter);
    let below = |n| Condition::compare(CompareOp::Lt, col(2), int(n));
    assert_eq!(update(&driver, &change(vec![set(2, Value::Int(7))], below(10))).await.unwrap(), 10);
    assert_eq!(update(&driver, &change(vec![set(2, Value::Int(7))], eq(2, Value::Int(7)))).await.unwrap(), 10);
    assert_eq!(update(&driver, &change(vec![set(3, text("x"))], eq(0, Value::Int(1)))).await.unwrap(), 1);
    assert_eq!(update(&driver, &change(vec![set(3, text("x"))], eq(0, Value::Int(1_000)))).await.unwrap(), 0);
    // Each assignment sees the row as it was.
    let swap = vec![Assignment::new(3, Change::Set(col(1))), Assignment::new(1, Change::Set(Expr::Value(text("new"))))];
    assert_eq!(update(&driver, &change(swap, eq(0, Value::Int(1)))).await.unwrap(), 1);
    let rows = fetch(&driver, &select(&model, eq(0, Value::Int(1)))).await.unwrap();
    assert_eq!(rows[0], [Value::Int(1), text("new"), Value::Int(7), text("user 000000")]);
    assert_eq!(delete(&driver, &model, eq(2, Value::Int(7))).await.unwrap(), 10);
    assert_eq!(delete(&driver, &model, Condition::True).await.unwrap(), 90);
}

use ommi_core::ast::Expr;

#[tokio::test]
async fn a_number_that_leaves_its_range_is_an_error_and_null_stays_null() {
    let model = build(
        ModelSchema::builder("N", "numbers")
            .column(column("id", ColumnType::I64).key())
            .column(column("n", ColumnType::I8).nullable())
            .column(column("u", ColumnType::U64).nullable())
            .column(column("big", ColumnType::I64).nullable())
            .column(column("f", ColumnType::F64).nullable()),
    );
    let driver = memory(&[&model]).await;
    let values = vec![
        Value::Int(1),
        Value::Int(127),
        Value::Int(i64::MAX),
        Value::Int(i64::MAX),
        Value::Float(0.5),
        Value::Int(2),
        Value::Int(-128),
        Value::Int(0),
        Value::Int(i64::MIN),
        Value::Null,
        Value::Int(3),
        Value::Null,
        Value::Null,
        Value::Null,
        Value::Null,
    ];
    insert(&driver, &mut Insert::new(model.clone(), ColumnList::all(&model), values.clone(), 3)).await.unwrap();
    let change =
        |id, column, change| Update::new(model.clone(), vec![Assignment::new(column, change)], eq(0, Value::Int(id)));
    for column in 1..4 {
        let name = &*model.columns[usize::from(column)].name;
        for (id, change_by) in [(1, Change::Add(Value::Int(1))), (2, Change::Subtract(Value::Int(1)))] {
            let error = update(&driver, &change(id, column, change_by)).await.unwrap_err();
            match error.kind() {
                ErrorKind::OutOfRange { table, column, .. } => {
                    assert_eq!((table.as_str(), column.as_deref()), ("numbers", Some(name)))
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(update(&driver, &change(3, column, Change::Add(Value::Int(1)))).await.unwrap(), 1);
    }
    assert_eq!(update(&driver, &change(1, 4, Change::Add(Value::Float(0.25)))).await.unwrap(), 1);
    assert_eq!(update(&driver, &change(2, 3, Change::Add(Value::Int(i64::MAX)))).await.unwrap(), 1);
    let rows = fetch(&driver, &Select::new(model.clone())).await.unwrap();
    assert_eq!(rows[0][4], Value::Float(0.75));
    assert_eq!(rows[1][3], Value::Int(-1));
    assert_eq!(rows[2][1..], [Value::Null, Value::Null, Value::Null, Value::Null]);
}

#[tokio::test]
async fn dates_that_would_not_sort_are_refused_before_they_are_sent() {
    let model = build(
        ModelSchema::builder("D", "dates")
            .column(column("id", ColumnType::I64).key())
            .column(column("at", ColumnType::Timestamp)),
    );
    let driver = memory(&[&model]).await;
    let late = Value::Timestamp(Moment::new(253_402_300_800, 0).unwrap());
    let mut new = Insert::new(model.clone(), ColumnList::all(&model), vec![Value::Int(1), late.clone()], 1);
    let error = insert(&driver, &mut new).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidValue { model: Some(model), .. } if model == "D"), "{error:?}");
    let error = fetch(&driver, &select(&model, eq(1, late))).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::InvalidValue { .. }));
    assert_eq!(count(&driver, &model).await, 0);
}

#[tokio::test]
async fn large_values_go_to_a_thread_and_come_back() {
    let model = users();
    let driver = memory(&[&model]).await;
    let large = "x".repeat(3_000_000);
    let mut new = Insert::new(model.clone(), [1, 2, 3], vec![text("a"), Value::Int(1), text(&large)], 1);
    new.returning = [0].into();
    assert_eq!(insert(&driver, &mut new).await.unwrap().0, 1);
    assert!(new.values[2] == text(&large));
    let change = Update::new(model.clone(), vec![set(3, text(format!("{large}y")))], eq(0, Value::Int(1)));
    assert_eq!(update(&driver, &change).await.unwrap(), 1);
    let rows = fetch(&driver, &select(&model, eq(3, text(format!("{large}y"))))).await.unwrap();
    assert_eq!(rows.len(), 1);
}
