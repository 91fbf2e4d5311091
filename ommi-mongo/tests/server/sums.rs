//! Sums of a column and a number, where no rule of the collection catches what leaves the column's range.

use std::sync::Arc;

use mongodb::bson::{Bson, Document, doc};
use ommi_core::ErrorKind;
use ommi_core::ast::{Assignment, Change, CompareOp, Update};
use ommi_core::driver::{Context, Driver, Executor};
use ommi_core::schema::{ColumnBuilder, ModelSchema, SchemaRef};
use ommi_core::value::{ColumnType, Value};

use super::{cmp, connect, wait};

#[tokio::test(flavor = "multi_thread")]
async fn a_sum_is_a_value_of_its_column_or_an_error() {
    let driver = connect(|options| options).await;
    let types = [ColumnType::I8, ColumnType::U32, ColumnType::I64, ColumnType::F32, ColumnType::F64];
    let mut model = ModelSchema::builder("Sum", "sums").column(ColumnBuilder::new("id", ColumnType::I64).key());
    for ty in types {
        model = model.column(ColumnBuilder::new(ty.name(), ty).nullable());
    }
    let model = SchemaRef::from(Arc::new(model.build().unwrap()));
    driver.database().create_collection("sums").await.unwrap();
    driver.schema().create(std::slice::from_ref(&model), &Context::new()).await.unwrap();
    let documents = driver.database().collection::<Document>("sums");
    let add = |step: f64| Change::Add(Value::Float(step));
    let (more, less) = (|step| Change::Add(Value::Int(step)), |step| Change::Subtract(Value::Int(step)));
    let greatest = f64::from(f32::MAX);
    let infinity = f64::INFINITY;
    // Their sum is rounded to this one by no unit but the right one.
    let (left, right) = (1.1f32, 0.2f32);
    let decimal = || Bson::Decimal128("7".parse().unwrap());
    for (number, (ty, stored, change, sum)) in [
        (ColumnType::I8, 2.into(), more(125), Some(127.into())),
        (ColumnType::I8, 2.into(), more(126), None),
        (ColumnType::I8, (-2).into(), less(126), Some((-128).into())),
        (ColumnType::I8, (-2).into(), less(127), None),
        (ColumnType::U32, 2i64.into(), less(2), Some(0i64.into())),
        (ColumnType::U32, 2i64.into(), less(3), None),
        (ColumnType::U32, 2i64.into(), more(u32::MAX.into()), None),
        (ColumnType::I64, 2i64.into(), more(i64::MAX - 2), Some(i64::MAX.into())),
        (ColumnType::I64, 2i64.into(), more(i64::MAX), None),
        (ColumnType::I64, (-2i64).into(), less(i64::MAX), None),
        // What is no integer to the server stays as it is.
        (ColumnType::I64, decimal(), more(1), None),
        (ColumnType::F32, 0.5.into(), add(-0.5), Some(0.0.into())),
        (ColumnType::F32, f64::from(left).into(), add(right.into()), Some(f64::from(left + right).into())),
        (
            ColumnType::F32,
            f64::from(1.5e-40f32).into(),
            add(1e-40f32.into()),
            Some(f64::from(1.5e-40f32 + 1e-40).into()),
        ),
        (ColumnType::F32, infinity.into(), add(1.0), Some(infinity.into())),
        (ColumnType::F32, greatest.into(), add(1.0), Some(greatest.into())),
        (ColumnType::F32, greatest.into(), add(greatest), None),
        (ColumnType::F64, f64::MAX.into(), add(f64::MAX), None),
        (ColumnType::F64, 1.0.into(), add(infinity), Some(infinity.into())),
        (ColumnType::F64, infinity.into(), add(-1.0), Some(infinity.into())),
        (ColumnType::F64, (-infinity).into(), add(infinity), None),
        (ColumnType::F64, infinity.into(), Change::Subtract(Value::Float(infinity)), None),
    ]
    .into_iter()
    .enumerate()
    {
        let key = number as i64;
        documents.insert_one(doc! { "_id": key, ty.name(): &stored }).await.unwrap();
        let column = 1 + types.iter().position(|other| *other == ty).unwrap() as u16;
        let change = vec![Assignment::new(column, change)];
        let update = Update::new(model.clone(), change, cmp(CompareOp::Eq, 0, Value::Int(key)));
        let done = wait(driver.update(&update, &Context::new())).await;
        match &sum {
            Some(_) => assert_eq!(done.unwrap(), 1, "{number}"),
            None => {
                let error = done.unwrap_err();
                assert!(matches!(error.kind(), ErrorKind::OutOfRange { .. }), "{number}: {error}");
            }
        }
        let after = documents.find_one(doc! { "_id": key }).await.unwrap().unwrap();
        assert_eq!(after.get(ty.name()), Some(sum.as_ref().unwrap_or(&stored)), "{number}");
    }
}
