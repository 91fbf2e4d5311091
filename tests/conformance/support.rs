//! `docs/support.md`: what each driver declares that it can do.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use ommi::driver::Capabilities;

/// The drivers, as the table names them, with what they declare without being connected. A driver whose capabilities depend on the
/// server declares what a usual one can do, and says so in the remark.
fn drivers() -> Vec<(&'static str, Capabilities, Option<&'static str>)> {
    vec![
        ("SQLite", ommi::sqlite::capabilities().clone(), None),
        ("PostgreSQL", ommi::postgres::capabilities().clone(), None),
        (
            "MongoDB",
            ommi::mongo::capabilities().clone(),
            Some("transactions, and with them atomic statements, need a replica set; what is declared here is one's."),
        ),
    ]
}

/// Set, the file is written anew; `cargo xtask support-table` sets it.
const RENEW: &str = "OMMI_RENEW_SUPPORT_TABLE";

fn table() -> String {
    let drivers = drivers();
    let declared: Vec<_> = drivers.iter().map(|(_, capabilities, _)| capabilities.declared()).collect();
    let mut text = "# What each driver can do\n\n\
        Made by `cargo xtask support-table` from what the drivers declare. A test fails when it is stale.\n\n"
        .to_owned();
    let names: Vec<&str> = drivers.iter().map(|(name, ..)| *name).collect();
    // Writing to a `String` does not fail.
    let _ = writeln!(text, "| capability | {} | meaning |\n|---|{}---|", names.join(" | "), "---|".repeat(names.len()));
    for (row, capability) in declared[0].iter().enumerate() {
        let values: Vec<&str> = declared.iter().map(|declared| declared[row].value.as_str()).collect();
        let _ = writeln!(text, "| {} | {} | {} |", capability.title, values.join(" | "), capability.meaning);
    }
    for (name, _, remark) in &drivers {
        if let Some(remark) = remark {
            let _ = writeln!(text, "\n{name}: {remark}");
        }
    }
    text
}

#[test]
fn the_table_in_the_documentation_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/support.md");
    let table = table();
    if env::var_os(RENEW).is_some() {
        fs::write(&path, &table).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == table, "docs/support.md is stale; `cargo xtask support-table` renews it");
}
