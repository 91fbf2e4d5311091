//! DELETE.

use ommi_core::ast::{Condition, Delete};

use crate::support::{Other, eq, model, written};

#[test]
fn some_rows_and_all() {
    let delete = Delete::new(model(), eq(2, 1));
    assert_eq!(written!(|out| ommi_sql::delete(&delete, &Other, out)), "DELETE FROM `t` WHERE `n` = $1:i32 -- 1 = 1");
    let delete = Delete::new(model(), Condition::True);
    assert_eq!(written!(|out| ommi_sql::delete(&delete, &Other, out)), "DELETE FROM `t`");
}
