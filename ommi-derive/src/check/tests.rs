use syn::DeriveInput;

use super::*;
use crate::input::Precision;
use crate::parse;

/// What a model is understood as, and the messages.
fn read(text: &str) -> (Option<Model>, Vec<String>) {
    let input: DeriveInput = syn::parse_str(text).unwrap();
    let mut errors = Errors::default();
    let model = parse::model(input, &mut errors).map(|input| super::model(input, &mut errors));
    (model, errors.messages())
}

fn model(text: &str) -> Model {
    let (model, messages) = read(text);
    assert_eq!(messages, [""; 0]);
    model.unwrap()
}

#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let (_, messages) = read(text);
    assert_eq!(messages.len(), expected.len(), "{messages:#?}");
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.contains(expected), "{message}\ndoes not say: {expected}");
    }
}

#[test]
fn a_plain_struct_gets_every_default() {
    let model = model("pub struct UserTag { id: i64, pub r#type: Option<String> }");
    assert_eq!((model.table.as_str(), model.columns_on.is_none()), ("user_tags", true));
    let columns: Vec<_> = model.columns.iter().map(|c| (c.field.as_str(), c.stored.as_str(), c.key)).collect();
    assert_eq!(columns, [("id", "id", true), ("type", "type", false)]);
}

#[test]
fn several_sets_in_one_item() {
    let model =
        model("#[ommi(unique((a, b), (b, id)), index((a, id)), index(b))] struct Set { id: i64, a: i64, b: i64 }");
    assert_eq!(model.uniques, [[1, 2], [2, 0]]);
    assert_eq!(model.indexes, [vec![1, 0], vec![2]]);
    refused("#[ommi(index((id), id))] struct A { id: i64 }", &["expected parentheses"]);
    refused("#[ommi(index((id, 3)))] struct A { id: i64 }", &["`index(a, b)`"]);
}

#[test]
fn attributes_are_read() {
    let model = model(
        r#"
        #[ommi(table = "people", columns = Columns, unique(b, c), crate = "a::b")]
        #[ommi(index(c), references((b, c) = (Other::x, Self::key_b), on_update = "cascade"))]
        struct Person {
            #[ommi(key, auto = "uuid_v4")] id: Uuid,
            #[ommi(column = "Bee", unique, index, default = f::<A, B>(1, 2))] b: i64,
            #[ommi(default)] c: Option<u8>,
            #[ommi(references = Person::id, on_delete = "set null", constraint = true)] d: Option<Uuid>,
            #[ommi(precision = "us", truncate)] at: Time,
            #[ommi(skip)] e: Cache<Self>,
        }"#,
    );
    assert_eq!(model.table, "people");
    assert_eq!((model.uniques, model.indexes), (vec![vec![1, 2]], vec![vec![2]]));
    assert_eq!(model.skipped.iter().map(unraw).collect::<Vec<_>>(), ["e"]);
    let column = |place: usize| &model.columns[place];
    assert_eq!(column(0).auto, Some(AutoKind::UuidV4));
    assert_eq!(column(1).stored, "Bee");
    assert!(column(1).unique && column(1).index && matches!(column(1).default, Some(Default::Value(_))));
    assert!(matches!(column(2).default, Some(Default::OfType)));
    assert_eq!((column(4).precision, column(4).truncate), (Some(Precision::Microseconds), true));
    let targets: Vec<_> =
        model.references.iter().map(|r| (r.columns.clone(), crate::types::text(&r.targets[0]))).collect();
    assert_eq!(targets, [(vec![3], "Columns::id".to_owned()), (vec![1, 2], "Other::x".to_owned())]);
}

#[test]
fn only_plain_structs_are_models() {
    refused("enum A { B }", &["not an enum"]);
    refused("union A { a: i64 }", &["not a union"]);
    refused("struct A(i64);", &["named fields"]);
    refused("struct A;", &["named fields"]);
    refused("struct A<T> { id: T }", &["cannot be generic"]);
    refused("struct A<'a> { id: &'a str }", &["cannot be generic"]);
    refused("struct A {}", &["has no columns"]);
    refused("struct A { #[ommi(skip)] id: i64 }", &["has no columns"]);
}

#[test]
fn every_mistake_of_a_model_is_reported() {
    refused(
        "#[ommi(tabel = \"x\", unique(a, nam), index())] struct A { a: i64, #[ommi(kee, default = 1, default)] name: i64 }",
        &[
            "did you mean `key`",
            "`default` is given twice",
            "did you mean `table`",
            "has no key",
            "did you mean `name`",
            "`index` names no field",
        ],
    );
}

#[test]
fn attributes_have_their_place_and_form() {
    refused("struct A { #[ommi(table = \"x\")] id: i64 }", &["`table` stands on a model, not on a field"]);
    refused("#[ommi(key)] struct A { id: i64 }", &["`key` stands on a field"]);
    refused("struct A { #[ommi(banana)] id: i64 }", &["a field takes `key`, `auto`"]);
    refused("struct A { #[ommi(key = 1)] id: i64 }", &["`key` takes no value"]);
    refused("struct A { #[ommi(key(a))] id: i64 }", &["`key` takes no value"]);
    refused("struct A { #[ommi(column)] id: i64 }", &["`column` needs a value: `column = \"..\"`"]);
    refused("struct A { #[ommi(column = 3)] id: i64 }", &["`column` needs a value of another form"]);
    refused("struct A { #[ommi(column = \"a\" + \"b\")] id: i64 }", &["`column` needs a value of another form"]);
    refused("struct A { #[ommi(key auto)] id: i64 }", &["`key` takes no value"]);
    refused("struct A { #[ommi()] id: i64 }", &["an empty attribute"]);
    refused("#[ommi(unique)] struct A { id: i64 }", &["`unique(a, b)`"]);
    refused("#[ommi(crate = \"a b\")] struct A { id: i64 }", &["`crate` needs a path"]);
}

#[test]
fn names_must_be_usable_and_apart() {
    refused("#[ommi(table = \"a.b\")] struct A { id: i64 }", &["contains a dot"]);
    refused("struct A { id: i64, #[ommi(column = \"$a\")] b: i64 }", &["dollar"]);
    refused("struct A { id: i64, a: i64, #[allow(non_snake_case)] A: i64 }", &["`a` and `A` are stored as"]);
    refused("struct A { id: i64, #[ommi(column = \"id\")] b: i64 }", &["`id` and `b` are both stored as `id`"]);
    let swapped = "struct A { #[ommi(column = \"b\")] id: i64, #[ommi(column = \"id\")] b: i64 }";
    assert_eq!(model(swapped).columns[1].stored, "id");
}

#[test]
fn keys_and_what_makes_them_fit() {
    refused("struct A { a: i64 }", &["`A` has no key"]);
    refused("struct A { id: Option<i64> }", &["a key cannot be optional"]);
    refused("struct A { #[ommi(key)] a: f64 }", &["a key cannot be a float"]);
    refused("struct A { id: i64, #[ommi(auto)] a: i64 }", &["`auto` makes keys, and `a` is none"]);
    refused("struct A { #[ommi(auto)] id: String }", &["cannot make a `String`"]);
    refused("struct A { #[ommi(auto = \"increment\")] id: Uuid }", &["counts integers"]);
    refused("struct A { #[ommi(auto = \"uuid_v7\")] id: i64 }", &["makes a `Uuid`"]);
    refused("struct A { #[ommi(auto = \"uuid\")] id: i64 }", &["unknown way `uuid`"]);
    refused("struct A { #[ommi(auto, default = 1)] id: i64 }", &["not both"]);
    refused("struct A { #[ommi(key, auto)] a: i64, #[ommi(key)] b: i64 }", &["composite key cannot count"]);
    model("struct A { #[ommi(key, auto)] a: uuid::Uuid, #[ommi(key)] b: i64 }");
    model("struct A { #[ommi(auto)] id: UserId }");
    model("struct A { #[ommi(key)] a: i64, id: Option<f64> }");
}

#[test]
fn skipped_fields_are_nothing_else() {
    refused("struct A { id: i64, #[ommi(skip, unique, column = \"b\")] b: i64 }", &["`unique` has", "`column` has"]);
    refused("#[ommi(unique(b))] struct A { id: i64, #[ommi(skip)] b: i64 }", &["`b` is skipped"]);
    refused("#[ommi(index(id, id))] struct A { id: i64 }", &["names `id` twice"]);
    refused("struct A { id: i64, b: Option<Option<i64>> }", &["NULL has one meaning"]);
}

#[test]
fn references_say_what_they_can_mean() {
    let with = |attributes: &str, ty: &str| format!("struct A {{ id: i64, #[ommi({attributes})] b: {ty} }}");
    refused(&with("references = Team", "i64"), &["names a model's column"]);
    refused(&with("references = \"Team::id\"", "i64"), &["names a model's column"]);
    refused(&with("references", "i64"), &["`references` needs a value: `references = Team::id`"]);
    refused(&with("on_delete = \"cascade\"", "i64"), &["`on_delete` needs a reference"]);
    refused(&with("constraint = false", "i64"), &["`constraint` needs a reference"]);
    refused(&with("references = T::id, on_delete = \"cascad\"", "i64"), &["did you mean \"cascade\""]);
    refused(&with("references = T::id, on_delete = \"explode\"", "i64"), &["`on_delete` is one of"]);
    refused(&with("references = T::id, on_delete = \"set null\"", "i64"), &["needs an `Option<i64>`"]);
    refused(&with("references = T::id, on_update = \"set default\"", "i64"), &["`b` has no default"]);
    refused(&with("references = T::id, constraint = false, on_delete = \"cascade\"", "i64"), &["keeps the database"]);
    let on = |list: &str| format!("#[ommi(references({list}))] struct A {{ id: i64, a: i64, b: Option<i64> }}");
    refused(&on("(a, b) = (T::x)"), &["names 1 for 2"]);
    refused(&on("(a, c) = (T::x, T::y)"), &["no field `c`"]);
    refused(&on("(a, b) = (T::x, y)"), &["names a model's column"]);
    refused(&on("(a, b) = (T::x, T::y), on_delete = \"set null\""), &["`a` cannot be NULL"]);
    refused(&on("a = T::x"), &["needs fields and columns"]);
    refused(&on("(a, b) = (T::x, T::y), deferred"), &["unknown option `deferred`"]);
}

#[test]
fn precisions_are_units_and_truncate_needs_one() {
    refused("struct A { id: i64, #[ommi(precision = \"s\")] at: Time }", &["\"ms\", \"us\" or \"ns\""]);
    refused("struct A { id: i64, #[ommi(precision)] at: Time }", &["`precision` needs a value"]);
    refused("struct A { id: i64, #[ommi(truncate)] at: Time }", &["say which"]);
}

#[test]
fn a_version_is_an_integer_and_nothing_else() {
    let page = model("struct Page { id: i64, #[ommi(version, column = \"rev\", index)] revision: u32 }");
    let versions: Vec<_> = page.columns.iter().filter(|column| column.version).map(|c| c.stored.as_str()).collect();
    assert_eq!(versions, ["rev"]);
    let field = |attributes: &str, ty: &str| format!("struct A {{ id: i64, #[ommi(version{attributes})] v: {ty} }}");
    for (text, expected) in [
        (field("", "Option<i64>"), "cannot be optional"),
        (field("", "String"), "`String` is no integer"),
        (field("", "f64"), "`f64` is no integer"),
        (field("", "Uuid"), "`Uuid` is no integer"),
        (field(", unique", "i64"), "cannot be unique"),
        (field(", default = 0", "i64"), "no `default`"),
        (field(", auto", "i64"), "no `auto`"),
        (field(", references = Team::id", "i64"), "cannot be a reference"),
        (field(", skip", "i64"), "`version` has no meaning"),
        (field(" = 3", "i64"), "`version` takes no value"),
        (field(", key", "i64"), "part of the key"),
        ("struct A { #[ommi(version)] id: i64 }".to_owned(), "part of the key"),
        ("struct A { id: i64, #[ommi(version)] a: i64, #[ommi(version)] b: i64 }".to_owned(), "`a` is the version"),
        ("#[ommi(unique(v))] struct A { id: i64, #[ommi(version)] v: i64 }".to_owned(), "cannot be unique"),
        (
            "#[ommi(references((a, v) = (B::a, B::b)))] struct A { id: i64, a: i64, #[ommi(version)] v: i64 }"
                .to_owned(),
            "part of a reference",
        ),
        ("#[ommi(version)] struct A { id: i64 }".to_owned(), "`version` stands on a field"),
    ] {
        refused(&text, &[expected]);
    }
}
