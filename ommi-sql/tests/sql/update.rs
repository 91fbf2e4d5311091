//! UPDATE.

use ommi_core::ast::{Assignment, Change, Condition, Update};
use ommi_core::value::Value;

use crate::support::{Other, col, eq, model, text, written};

#[test]
fn each_change() {
    let changes = vec![
        Assignment::new(1, Change::Set(text("x"))),
        Assignment::new(2, Change::Add(Value::Int(1))),
        Assignment::new(0, Change::Subtract(Value::Int(2))),
    ];
    let update = Update::new(model(), changes, eq(0, 3));
    assert_eq!(
        written!(|out| ommi_sql::update(&update, &Other, out)),
        "UPDATE `t` SET `name` = $1:text, `n` = `n` + $2:i32, `id` = `id` - $3:i64 WHERE `id` = $4:i64 \
         -- 1 = \"x\", 2 = 1, 3 = 2, 4 = 3"
    );
    let update = Update::new(model(), vec![Assignment::new(1, Change::Set(col(1)))], Condition::True);
    assert_eq!(written!(|out| ommi_sql::update(&update, &Other, out)), "UPDATE `t` SET `name` = `name`");
}
