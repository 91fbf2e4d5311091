//! The statements that make and drop tables.

use std::sync::Arc;

use ommi_core::schema::{ColumnBuilder, ModelSchema, ReferenceSchema, ReferentialAction, Target};
use ommi_core::value::ColumnType;
use ommi_sql::ddl::{self, WantedIndex};

use crate::support::{Other, build, model};

fn column(name: &'static str, ty: ColumnType) -> ColumnBuilder {
    ColumnBuilder::new(name, ty)
}

#[test]
fn tables() {
    assert_eq!(
        ddl::create_table(&model(), |_| true, &Other),
        "CREATE TABLE `t` (`id` i64 COUNTED PRIMARY KEY, `name` text NOT NULL, `n` i32)"
    );
    let target =
        Arc::new(ModelSchema::builder("A", "a`b").column(column("id", ColumnType::Uuid).key()).build().unwrap());
    let schema = build(
        ModelSchema::builder("P", "p")
            .column(column("x", ColumnType::Uuid).key())
            .column(column("y", ColumnType::U8).key().default_value(7_u8))
            .reference(
                ReferenceSchema::new(vec![0], Target::Schema(target), vec![0])
                    .on_delete(ReferentialAction::Restrict)
                    .on_update(ReferentialAction::SetDefault),
            )
            .reference(ReferenceSchema::new(vec![0, 1], Target::Itself, vec![0, 1]).unenforced()),
    );
    let columns = "`x` uuid NOT NULL, `y` u8 NOT NULL DEFAULT 7 CONSTRAINT `ommi_range_y` CHECK (`y` BETWEEN 0 AND 255), PRIMARY KEY (`x`, `y`)";
    assert_eq!(
        ddl::create_table(&schema, |reference| reference.enforced, &Other),
        format!(
            "CREATE TABLE `p` ({columns}, FOREIGN KEY (`x`) REFERENCES `a``b` (`id`) ON DELETE RESTRICT ON UPDATE SET DEFAULT)"
        )
    );
    assert_eq!(ddl::create_table(&schema, |_| false, &Other), format!("CREATE TABLE `p` ({columns})"));
    assert_eq!(ddl::drop_table(&schema, &Other), "DROP TABLE IF EXISTS `p`");
}

#[test]
fn columns_that_are_added() {
    let schema = model();
    let n = schema.column(2).unwrap();
    assert_eq!(ddl::add_column(&schema, n, None, &Other), "ALTER TABLE `t` ADD COLUMN `n` i32");
    let reference = ReferenceSchema::new(vec![2], Target::Itself, vec![0]).on_delete(ReferentialAction::SetNull);
    assert_eq!(
        ddl::add_column(&schema, n, Some(&reference), &Other),
        "ALTER TABLE `t` ADD COLUMN `n` i32 REFERENCES `t` (`id`) ON DELETE SET NULL"
    );
}

#[test]
fn each_index_once_and_one_for_each_reference_that_none_serves() {
    let itself = |columns: &[u16]| ReferenceSchema::new(columns.to_vec(), Target::Itself, columns.to_vec());
    let schema = build(
        ModelSchema::builder("T", "t")
            .column(column("a", ColumnType::I64).key())
            .column(column("b", ColumnType::I64).key())
            .column(column("c", ColumnType::I64).unique())
            .column(column("d", ColumnType::I64).index())
            .unique(&[0, 1])
            .unique(&[2])
            .index(&[2])
            .index(&[3, 2])
            .reference(itself(&[0]))
            .reference(itself(&[1]))
            .reference(itself(&[3]))
            .reference(itself(&[3, 2]))
            .reference(itself(&[2, 3])),
    );
    let index = |columns: &[u16], unique| WantedIndex { columns: columns.to_vec(), unique };
    assert_eq!(
        ddl::indexes(&schema),
        [index(&[2], true), index(&[3], false), index(&[3, 2], false), index(&[1], false), index(&[2, 3], false)]
    );
    assert_eq!(
        ddl::create_index(&schema, "i`", &index(&[2, 3], true), &Other),
        "CREATE UNIQUE INDEX `i``` ON `t` (`c`, `d`)"
    );
}

#[test]
fn names_of_indexes_fit_and_differ() {
    let schema = build(
        ModelSchema::builder("T", "täble")
            .column(column("id", ColumnType::I64).key())
            .column(column("ä_rather_long_column_name", ColumnType::I64)),
    );
    let index = |columns: &[u16], unique| WantedIndex { columns: columns.to_vec(), unique };
    let name = |wanted: &WantedIndex, attempt| ddl::index_name(&schema, wanted, attempt, &Other);
    assert_eq!(name(&index(&[0], false), 0), "täble_id_index");
    assert_eq!(name(&index(&[0], true), 1), "täble_id_unique_2");
    let long = [
        name(&index(&[1], false), 0),
        name(&index(&[1], true), 0),
        name(&index(&[0, 1], true), 0),
        name(&index(&[1], true), 7),
    ];
    for (i, one) in long.iter().enumerate() {
        assert!(one.len() <= 24 && one.starts_with('t'), "{one}");
        assert!(long.iter().skip(i + 1).all(|other| other != one));
    }
}
