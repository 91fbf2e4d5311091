//! Names that mean something else to a database, or to Rust.

use ommi::{ConstraintKind, prelude::*};

use crate::expect::{out_of_range, violation};

/// Adds, changes, sorts, finds and deletes, with each name of a model in each place where names stand.
macro_rules! works {
    ($db:expr, $model:ident, $name:ident) => {{
        let db = $db;
        db.create_tables::<$model>().await?;
        db.create_tables::<$model>().await?;
        let first = db.add(new!($model { $name: "first" })).await?;
        let more = db.add_all(["second", "third"].map(|text| new!($model { $name: text }))).await?;
        assert_eq!(db.get::<$model>(first.id).await?, first);
        let find = || db.find($model::$name.eq("second"));
        assert_eq!(find().one().await?, more[0]);
        let sorted = db.find($model::$name.contains("r")).sort($model::$name.desc()).limit(5).all().await?;
        assert_eq!(sorted, [more[1].clone(), first.clone()]);
        assert_eq!(find().update($model::$name.set("changed")).await?, 1);
        assert!(!find().exists().await?);
        let again = new!($model { id: first.id, $name: "upsert" });
        let changed = db.upsert(again).on($model::id).update($model::$name.set("upserted")).await?;
        assert_eq!(changed.$name, "upserted");
        assert_eq!(db.find($model::$name.in_(["upserted", "changed"])).count().await?, 2);
        let mut saved = changed;
        saved.$name = "saved".to_owned();
        db.save(&mut saved).await?;
        assert_eq!(db.find($model::$name.eq($model::$name) & $model::$name.eq("saved")).delete().await?, 1);
        let duplicate = new!($model { $name: "third" });
        let error = crate::expect::error(db.add(duplicate).await);
        assert!(error.is_unique_violation(), "{error}");
        db.drop_tables::<$model>().await?;
    }};
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "select")]
struct Keyword {
    #[ommi(auto)]
    id: i64,
    #[ommi(column = "from", unique)]
    text: String,
    #[ommi(column = "where", index)]
    other: Option<i64>,
    #[ommi(default = 1)]
    order: i64,
    group: Option<i64>,
    index: Option<i64>,
    values: Option<i64>,
    #[ommi(column = "rowid")]
    row_id: Option<i64>,
    #[ommi(column = "oid")]
    object_id: Option<i64>,
}

pub(crate) async fn keywords(db: &Ommi) -> DBResult<()> {
    works!(db, Keyword, text);
    db.create_tables::<Keyword>().await?;
    let added = db.add(new!(Keyword { text: "x", order: 5, row_id: 77, object_id: 78, group: 1 })).await?;
    assert_eq!(db.find(Keyword::order.eq(5) & Keyword::group.lt(2)).sort(Keyword::index).one().await?, added);
    assert_eq!(db.find(Keyword::row_id.eq(77)).one().await?, added);
    db.find(Keyword::row_id.eq(77)).update((Keyword::values.set(3), Keyword::order.increment(1))).await?;
    assert_eq!(db.get::<Keyword>(added.id).await?.order, 6);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "group")]
struct Group {
    #[ommi(auto)]
    id: i64,
    #[ommi(column = "true", unique)]
    name: bool,
    members: HasMany<Member>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "order")]
struct Member {
    #[ommi(auto)]
    id: i64,
    #[ommi(column = "true", references = Group::name)]
    group: bool,
    #[ommi(column = "null")]
    age: Option<i64>,
    of: BelongsTo<Group>,
}

/// Also names that stand for values where there are no such columns.
pub(crate) async fn relations_by_keywords(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Group, Member)>().await?;
    let yes = db.add(new!(Group { name: true })).await?;
    let no = db.add(new!(Group { name: false })).await?;
    for (group, age) in [(true, Some(1)), (true, Some(2)), (false, Some(2)), (false, None)] {
        db.add(new!(Member { group, age })).await?;
    }
    let groups = async |condition| {
        let groups = db.find(condition).sort(Group::id).all().await?;
        DBResult::Ok(groups.into_iter().map(|group| group.id).collect::<Vec<i64>>())
    };
    assert_eq!(groups(Group::members.all(Member::age.le(2))).await?, [yes.id]);
    assert_eq!(groups(Group::members.all(Member::age.is_null() | Member::age.gt(1))).await?, [no.id]);
    assert_eq!(groups(Group::members.all(Member::group.eq(false))).await?, [no.id]);
    assert_eq!(groups(Group::members.any(Member::age.eq(1))).await?, [yes.id]);
    assert_eq!(groups(Group::members.none(Member::age.eq(1))).await?, [no.id]);
    assert_eq!(groups(Group::members.count().ge(2)).await?, [yes.id, no.id]);
    assert_eq!(db.find(Member::of.is(Group::name.eq(true))).count().await?, 2);
    let sorted =
        db.find_all::<Member>().sort((Member::of.then(Group::name).asc(), Member::id)).include(Member::of).all();
    let names: Vec<Option<bool>> = sorted.await?.iter().map(|member| member.of.get().map(|group| group.name)).collect();
    assert_eq!(names, [false, false, true, true].map(Some));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "a \"quoted\" table")]
struct Quotes {
    #[ommi(auto)]
    id: i64,
    #[ommi(column = "it's \"a\" `column`", unique)]
    text: String,
    #[ommi(column = "[brackets]")]
    brackets: Option<i64>,
    #[ommi(column = "back\\slash")]
    backslash: Option<i64>,
}

pub(crate) async fn quotes(db: &Ommi) -> DBResult<()> {
    works!(db, Quotes, text);
    db.create_tables::<Quotes>().await?;
    db.add(new!(Quotes { text: "a", brackets: 1 })).await?;
    assert_eq!(db.find(Quotes::brackets.eq(1) & Quotes::backslash.is_null()).count().await?, 1);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "x; DROP TABLE users; --")]
struct Injection {
    #[ommi(auto)]
    id: i64,
    #[ommi(column = "\") FROM x; --", unique)]
    text: String,
    #[ommi(column = "?1")]
    question: Option<i64>,
    #[ommi(column = "a$1:name@x")]
    dollar: Option<i64>,
    #[ommi(column = "%s {} *")]
    percent: Option<i64>,
}

pub(crate) async fn names_that_would_be_statements(db: &Ommi) -> DBResult<()> {
    works!(db, Injection, text);
    db.create_tables::<Injection>().await?;
    db.add(new!(Injection { text: "a", question: 1, dollar: 2, percent: 3 })).await?;
    let found = Injection::question.eq(1) & Injection::dollar.eq(2) & Injection::percent.eq(3);
    assert_eq!(db.find(found).count().await?, 1);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = " spaces and\ttabs ")]
struct Spaces {
    #[ommi(auto)]
    id: i64,
    #[ommi(column = " ", unique)]
    text: String,
    #[ommi(column = "  two  ")]
    two: Option<i64>,
}

pub(crate) async fn spaces(db: &Ommi) -> DBResult<()> {
    works!(db, Spaces, text);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "Größe 日本 😀")]
struct Unicode {
    #[ommi(auto)]
    id: i64,
    #[ommi(column = "naïve", unique)]
    text: String,
    straße: Option<i64>,
    名前: Option<String>,
}

pub(crate) async fn unicode(db: &Ommi) -> DBResult<()> {
    works!(db, Unicode, text);
    db.create_tables::<Unicode>().await?;
    let added = db.add(new!(Unicode { text: "a", straße: 1, 名前: "n" })).await?;
    assert_eq!(db.find(Unicode::straße.eq(1) & Unicode::名前.eq("n")).one().await?, added);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "MixedCase")]
#[allow(non_snake_case)] // What the case is about.
struct Mixed {
    #[ommi(auto, column = "ID")]
    id: i64,
    #[ommi(column = "FullName", unique)]
    text: String,
    camelCase: Option<i64>,
}

/// A database that folds unquoted names must be given quoted ones.
pub(crate) async fn mixed_case(db: &Ommi) -> DBResult<()> {
    works!(db, Mixed, text);
    db.create_tables::<Mixed>().await?;
    db.add(new!(Mixed { text: "a", camelCase: 1 })).await?;
    let again = new!(Mixed { text: "a" });
    violation(db.add(again).await, ConstraintKind::Unique, "MixedCase", &["FullName"]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Raw {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    r#type: String,
    r#match: Option<i64>,
    #[ommi(column = "stored", default = 2)]
    r#fn: i64,
}

pub(crate) async fn raw_identifiers(db: &Ommi) -> DBResult<()> {
    works!(db, Raw, r#type);
    db.create_tables::<Raw>().await?;
    let added = db.add(new!(Raw { r#type: "a", r#match: 1 })).await?;
    assert_eq!(added.r#fn, 2);
    assert_eq!(db.find(Raw::r#match.eq(1)).one().await?, added);
    let again = new!(Raw { r#type: "a" });
    violation(db.add(again).await, ConstraintKind::Unique, "raws", &["type"]);
    Ok(())
}

/// Names of the longest length that all stores take, which differ only at their ends.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "a_table_with_a_very_long_name_that_is_sixty_characters_long_")]
struct Long {
    #[ommi(auto)]
    id: i64,
    #[ommi(column = "a_column_with_a_very_long_name_that_is_sixty_characters_lo_1", unique)]
    text: String,
    #[ommi(column = "a_column_with_a_very_long_name_that_is_sixty_characters_lo_2", unique)]
    second: Option<String>,
    #[ommi(column = "a_column_with_a_very_long_name_that_is_sixty_characters_lo_3", index)]
    third: Option<String>,
    #[ommi(column = "a_column_with_a_very_long_name_that_is_sixty_characters_lo_4", default = 0)]
    small: i8,
    #[ommi(column = "a_column_with_a_very_long_name_that_is_sixty_characters_lo_5", default = 0)]
    byte: u8,
}

/// The names of their indexes and checks, cut where they are too long, stay different.
pub(crate) async fn long_names(db: &Ommi) -> DBResult<()> {
    works!(db, Long, text);
    db.create_tables::<Long>().await?;
    db.add(new!(Long { text: "a", second: "a" })).await?;
    let table = "a_table_with_a_very_long_name_that_is_sixty_characters_long_";
    let first = "a_column_with_a_very_long_name_that_is_sixty_characters_lo_1";
    let second = "a_column_with_a_very_long_name_that_is_sixty_characters_lo_2";
    violation(db.add(new!(Long { text: "a" })).await, ConstraintKind::Unique, table, &[first]);
    violation(db.add(new!(Long { text: "b", second: "a" })).await, ConstraintKind::Unique, table, &[second]);
    let all = || db.find_all::<Long>();
    for (change, name) in [
        (Long::small.increment(127), "a_column_with_a_very_long_name_that_is_sixty_characters_lo_4"),
        (Long::byte.decrement(1), "a_column_with_a_very_long_name_that_is_sixty_characters_lo_5"),
    ] {
        all().update(Long::small.set(1)).await?;
        match out_of_range(all().update(change).await, table).kind() {
            ErrorKind::OutOfRange { column, .. } => {
                assert!(column.as_deref().is_none_or(|column| column == name), "{column:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "dotted, \"names\"", unique(a, b))]
struct Lists {
    id: i64,
    #[ommi(column = "a, b")]
    a: i64,
    #[ommi(column = "c")]
    b: i64,
}

/// Databases report columns as text; names with separators must come out of it whole.
pub(crate) async fn a_violation_names_columns_with_separators(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Lists>().await?;
    db.add(Lists { id: 1, a: 1, b: 1 }).await?;
    let result = db.add(Lists { id: 2, a: 1, b: 1 }).await;
    violation(result, ConstraintKind::Unique, "dotted, \"names\"", &["a, b", "c"]);
    Ok(())
}

mod clash {
    use ommi::prelude::*;

    /// Columns on a type of their own, where they would clash with functions of the model.
    #[derive(Debug, Clone, PartialEq, Default, Model)]
    #[ommi(columns = SettingColumns)]
    pub(super) struct Setting {
        pub(super) id: i64,
        pub(super) name: String,
        #[ommi(default = 0)]
        pub(super) default: i64,
    }

    impl Setting {
        pub(super) fn name(&self) -> &str {
            &self.name
        }
    }
}

pub(crate) async fn columns_on_a_type_of_their_own(db: &Ommi) -> DBResult<()> {
    use clash::{Setting, SettingColumns};

    db.create_tables::<Setting>().await?;
    db.add(Setting { id: 1, name: "a".to_owned(), ..Setting::default() }).await?;
    db.add(new!(Setting { id: 2, name: "b", default: 3 })).await?;
    let found = db.find(SettingColumns::name.eq("b") & SettingColumns::default.eq(3)).one().await?;
    assert_eq!((found.id, found.name()), (2, "b"));
    Ok(())
}
