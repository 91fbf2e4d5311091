//! Every mistake that the macros and the typed edge can meet, with the message that the compiler gives for it. The messages are
//! part of the product: `TRYBUILD=overwrite cargo test -p ommi-compile-fail` writes them anew, to be read before they are kept.

#[test]
fn mistakes_are_reported_where_they_stand() {
    let tests = trybuild::TestCases::new();
    tests.pass("ui/pass/*.rs");
    tests.compile_fail("ui/*.rs");
}
