//! INSERT.

use ommi_core::ErrorKind;
use ommi_core::ast::{Assignment, Change, Insert, OnConflict};
use ommi_core::schema::{ColumnBuilder, ModelSchema};
use ommi_core::value::{ColumnType, Value};
use ommi_sql::SqlText;

use crate::support::{Other, build, col, int, model, written};

fn rows(count: i64) -> Insert {
    let values = (0..count).flat_map(|i| [Value::Text(format!("a{i}").into()), Value::Int(i)]).collect();
    Insert::new(model(), [1, 2], values, count as usize)
}

#[test]
fn rows_and_what_comes_back() {
    let mut insert = rows(3);
    insert.returning = [0, 2].into();
    assert_eq!(
        written!(|out| ommi_sql::insert(&insert, 0, 2, &Other, out)),
        "INSERT INTO `t` (`name`, `n`) VALUES ($1:text, $2:i32), ($3:text, $4:i32) RETURNING `id`, `n` \
         -- 1 = \"a0\", 2 = 0, 3 = \"a1\", 4 = 1"
    );
    assert_eq!(
        written!(|out| ommi_sql::insert(&insert, 2, 1, &Other, out)),
        "INSERT INTO `t` (`name`, `n`) VALUES ($1:text, $2:i32) RETURNING `id`, `n` -- 1 = \"a2\", 2 = 2"
    );
    for (first, count) in [(2, 2), (0, 4), (9, 1), (0, 0), (usize::MAX, 1)] {
        let error = ommi_sql::insert(&insert, first, count, &Other, &mut SqlText::new()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Query));
    }
}

#[test]
fn conflicts() {
    let mut insert = rows(1);
    insert.on_conflict = Some(OnConflict::new(vec![1], Vec::new()));
    let start = "INSERT INTO `t` (`name`, `n`) VALUES ($1:text, $2:i32) ON CONFLICT (`name`) DO ";
    let binds = " -- 1 = \"a0\", 2 = 0";
    assert_eq!(written!(|out| ommi_sql::insert(&insert, 0, 1, &Other, out)), format!("{start}NOTHING{binds}"));
    insert.on_conflict = Some(OnConflict::new(
        vec![1],
        vec![
            Assignment::new(2, Change::Add(Value::Int(5))),
            Assignment::new(1, Change::Set(col(1))),
            Assignment::new(0, Change::Set(int(9))),
        ],
    ));
    assert_eq!(
        written!(|out| ommi_sql::insert(&insert, 0, 1, &Other, out)),
        format!("{start}UPDATE SET `n` = `t`.`n` + $3:i32, `name` = `t`.`name`, `id` = $4:i64{binds}, 3 = 5, 4 = 9")
    );
}

#[test]
fn a_row_that_must_have_something_to_be_changed() {
    let mut insert = rows(1);
    let mut conflict = OnConflict::new(vec![1], vec![Assignment::new(0, Change::Set(int(9)))]);
    conflict.expected = Some((2, Value::Int(7)));
    insert.on_conflict = Some(conflict.clone());
    let start = "INSERT INTO `t` (`name`, `n`) VALUES ($1:text, $2:i32) ON CONFLICT (`name`) DO ";
    let binds = " -- 1 = \"a0\", 2 = 0";
    assert_eq!(
        written!(|out| ommi_sql::insert(&insert, 0, 1, &Other, out)),
        format!("{start}UPDATE SET `id` = $3:i64 WHERE `t`.`n` = $4:i32{binds}, 3 = 9, 4 = 7")
    );
    // What changes nothing asks for nothing.
    conflict.assignments.clear();
    insert.on_conflict = Some(conflict);
    assert_eq!(written!(|out| ommi_sql::insert(&insert, 0, 1, &Other, out)), format!("{start}NOTHING{binds}"));
}

#[test]
fn rows_without_columns() {
    let mut insert = Insert::new(model(), [], Vec::new(), 3);
    assert_eq!(written!(|out| ommi_sql::insert(&insert, 0, 1, &Other, out)), "INSERT INTO `t` DEFAULT VALUES");
    assert_eq!(
        written!(|out| ommi_sql::insert(&insert, 0, 3, &Other, out)),
        "INSERT INTO `t` (`id`) VALUES (DEFAULT), (DEFAULT), (DEFAULT)"
    );
    insert.on_conflict = Some(OnConflict::new(vec![0], Vec::new()));
    assert_eq!(
        written!(|out| ommi_sql::insert(&insert, 0, 1, &Other, out)),
        "INSERT INTO `t` (`id`) VALUES (DEFAULT) ON CONFLICT (`id`) DO NOTHING"
    );
    let given = build(ModelSchema::builder("G", "g").column(ColumnBuilder::new("id", ColumnType::Text).key()));
    let insert = Insert::new(given, [], Vec::new(), 2);
    let error = ommi_sql::insert(&insert, 0, 2, &Other, &mut SqlText::new()).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Unsupported { driver: "other", .. }));
}
