//! Pipelines, written out: conditions on related rows, orders by them, and writes by keys.

use std::sync::Arc;

use mongodb::bson::{Bson, Document, doc};
use ommi_core::ast::{
    CompareOp, Condition, Delete, Direction, Expr, Nulls, Output, Related, RelatedCount, RelatedExpr, Select, Sort,
    Statement,
};
use ommi_core::schema::{ColumnBuilder, ModelSchema, SchemaRef};
use ommi_core::value::{ColumnType, Value};
use ommi_core::{DBResult, ErrorKind};

use crate::bson::Writer;
use crate::explain::explain;
use crate::select::select;

pub(crate) const NULL: Bson = Bson::Null;

pub(crate) fn column(name: &'static str) -> ColumnBuilder {
    ColumnBuilder::new(name, ColumnType::I64)
}

pub(crate) fn schema(model: ommi_core::schema::ModelBuilder) -> SchemaRef {
    SchemaRef::from(Arc::new(model.build().unwrap()))
}

/// 0 id, 1 team_id, 2 hall, 3 number, 4 code
pub(crate) fn users() -> SchemaRef {
    let builder = ModelSchema::builder("User", "users").column(column("id").key()).column(column("team_id").nullable());
    let builder = builder.column(column("hall").nullable()).column(column("number").nullable());
    schema(builder.column(column("code").nullable().unique()))
}

/// 0 id, 1 author_id, 2 score, 3 code
pub(crate) fn posts() -> SchemaRef {
    let builder =
        ModelSchema::builder("Post", "posts").column(column("id").key()).column(column("author_id").nullable());
    schema(builder.column(column("score").nullable()).column(column("code").nullable()))
}

/// 0 hall, 1 number, 2 wanted
fn shelves() -> SchemaRef {
    let builder = ModelSchema::builder("Shelf", "shelves").column(column("hall").key()).column(column("number").key());
    schema(builder.column(column("wanted").nullable()))
}

pub(crate) fn command(query: &Select) -> Option<Document> {
    let mut writer = Writer::new();
    select(query, 9, &mut writer).unwrap()?;
    Some(Document::try_from(writer.finish().unwrap().0.as_ref()).unwrap())
}

pub(crate) fn pipeline(query: &Select) -> Vec<Document> {
    let command = command(query).unwrap();
    assert!(command.contains_key("aggregate"), "{command}");
    command.get_array("pipeline").unwrap().iter().map(|stage| stage.as_document().unwrap().clone()).collect()
}

pub(crate) fn of(model: SchemaRef, filter: Condition) -> Select {
    let mut select = Select::new(model);
    select.filter = filter;
    select
}

pub(crate) fn at_least(column: u16, number: i64) -> Condition {
    Condition::compare(CompareOp::Ge, Expr::Column(column), Expr::Value(Value::Int(number)))
}

pub(crate) fn exists(related: Related, negated: bool) -> Condition {
    Condition::Exists { related: Box::new(related), negated }
}

/// The posts of a user.
fn of_user() -> Related {
    Related::new(posts(), vec![(0, 1)])
}

fn count(op: CompareOp, number: u64) -> Condition {
    Condition::Count(Box::new(RelatedCount::new(of_user(), op, number)))
}

fn look_up(stages: &[Document]) -> Document {
    doc! { "$lookup": { "from": "posts", "localField": "_id", "foreignField": "author_id", "pipeline": stages, "as": "__r0" } }
}

fn first() -> [Document; 2] {
    [doc! { "$limit": 1 }, doc! { "$project": { "_id": 1 } }]
}

fn unset() -> Document {
    doc! { "$unset": ["__r0"] }
}

#[test]
fn some_every_and_no_row() {
    let score = doc! { "$match": { "score": { "$gte": 3i64 } } };
    let [limit, key] = first();
    let found = |related: Related, negated| pipeline(&of(users(), exists(related, negated)));
    let stages = look_up(&[score.clone(), limit.clone(), key.clone()]);
    let some = doc! { "$match": { "__r0": { "$ne": [] } } };
    let none = doc! { "$match": { "__r0": { "$eq": [] } } };
    assert_eq!(found(of_user().filter(at_least(2, 3)), false), [stages.clone(), some.clone(), unset()]);
    assert_eq!(found(of_user().filter(at_least(2, 3)), true), [stages, none.clone(), unset()]);
    // What is not true is false or unknown: all that the filter does not select.
    let not_true =
        look_up(&[doc! { "$match": { "$nor": [{ "score": { "$gte": 3i64 } }] } }, limit.clone(), key.clone()]);
    assert_eq!(found(of_user().not_true(at_least(2, 3)), true), [not_true, none.clone(), unset()]);
    // Whatever belongs to it.
    assert_eq!(found(of_user(), true), [look_up(&first()), none, unset()]);
    assert_eq!(found(of_user().not_true(Condition::False), false), [look_up(&first()), some, unset()]);
}

#[test]
fn what_is_known_is_not_asked() {
    let nothing = |condition| command(&of(users(), condition));
    assert_eq!(nothing(exists(of_user().filter(Condition::False), false)), None);
    assert_eq!(nothing(exists(of_user().not_true(Condition::True), false)), None);
    assert_eq!(nothing(count(CompareOp::Lt, 0)), None);
    assert_eq!(nothing(count(CompareOp::Gt, u64::MAX)), None);
    assert_eq!(nothing(count(CompareOp::Eq, u64::MAX)), None);
    // To a server a limit of zero is none.
    let mut none = Select::new(users());
    none.limit = Some(0);
    assert_eq!(command(&none), None);
    // Then `find` suffices.
    let all = |condition| command(&of(users(), condition)).unwrap();
    for condition in [
        exists(of_user().filter(Condition::False), true),
        count(CompareOp::Ge, 0),
        count(CompareOp::Le, u64::MAX),
        count(CompareOp::Ne, u64::MAX),
    ] {
        assert_eq!(all(condition), doc! { "find": "users", "batchSize": 9i64 });
    }
}

#[test]
fn a_number_of_rows_is_read_no_further_than_it_decides() {
    let [limit, key] = first();
    let (ne, eq) = (doc! { "$ne": [] }, doc! { "$eq": [] });
    let (one, other) = (doc! { "$size": 1 }, doc! { "$not": { "$size": 1 } });
    let some = |skip: i64| match skip {
        0 => vec![limit.clone(), key.clone()],
        skip => vec![doc! { "$skip": skip }, limit.clone(), key.clone()],
    };
    let two = |skip: i64| match skip {
        0 => vec![doc! { "$limit": 2 }, key.clone()],
        skip => vec![doc! { "$skip": skip }, doc! { "$limit": 2 }, key.clone()],
    };
    for (op, number, stages, test) in [
        (CompareOp::Ge, 1, some(0), &ne),
        (CompareOp::Ge, 3, some(2), &ne),
        (CompareOp::Gt, 0, some(0), &ne),
        (CompareOp::Gt, 3, some(3), &ne),
        (CompareOp::Lt, 1, some(0), &eq),
        (CompareOp::Lt, 3, some(2), &eq),
        (CompareOp::Le, 0, some(0), &eq),
        (CompareOp::Le, 3, some(3), &eq),
        (CompareOp::Eq, 0, some(0), &eq),
        (CompareOp::Ne, 0, some(0), &ne),
        (CompareOp::Eq, 1, two(0), &one),
        (CompareOp::Eq, 3, two(2), &one),
        (CompareOp::Ne, 3, two(2), &other),
    ] {
        let found = pipeline(&of(users(), count(op, number)));
        assert_eq!(found, [look_up(&stages), doc! { "$match": { "__r0": test.clone() } }, unset()], "{op:?} {number}");
        // The contrary, by the contrary test.
        let contrary = pipeline(&of(users(), Condition::Not(Box::new(count(op, number)))));
        assert_eq!(contrary[0], found[0]);
        assert_ne!(contrary[1], found[1]);
    }
}

/// NULL equals nothing, also where both sides may be NULL.
#[test]
fn null_is_no_reference() {
    let both = exists(Related::new(posts(), vec![(4, 3)]), false);
    let guard = doc! { "$match": { "code": { "$ne": NULL } } };
    let [limit, key] = first();
    let stages = doc! { "$lookup": {
        "from": "posts", "localField": "code", "foreignField": "code", "pipeline": [guard, limit, key], "as": "__r0",
    } };
    assert_eq!(pipeline(&of(users(), both))[0], stages);
}

#[test]
fn by_several_columns() {
    let [limit, key] = first();
    // A whole key, whatever the order: its document is made, and looked for as one.
    let shelf = exists(Related::new(shelves(), vec![(3, 1), (2, 0)]), false);
    assert_eq!(
        pipeline(&of(users(), shelf))[..2],
        [
            doc! { "$set": { "__r0": { "hall": "$hall", "number": "$number" } } },
            doc! { "$lookup": {
                "from": "shelves", "localField": "__r0", "foreignField": "_id", "pipeline": [limit.clone(), key.clone()], "as": "__r0",
            } },
        ]
    );
    // As the key is stored, since documents with another order are other documents: `==` takes them for the same.
    let made = pipeline(&of(users(), exists(Related::new(shelves(), vec![(3, 1), (2, 0)]), false)));
    let made = made[0].get_document("$set").and_then(|set| set.get_document("__r0")).unwrap();
    assert!(made.keys().eq(["hall", "number"]), "{made}");
    // One part twice is not the key.
    let half = exists(Related::new(shelves(), vec![(2, 0), (3, 0)]), false);
    assert_eq!(
        pipeline(&of(users(), half))[0].get_document("$lookup").unwrap().get_str("foreignField").unwrap(),
        "_id.hall"
    );
    // A column of the key that two must equal is more than the key.
    let twice = exists(Related::new(shelves(), vec![(2, 0), (3, 1), (4, 0)]), false);
    let equal = |variable: &str, column: &str| [doc! { "$gt": [variable, NULL] }, doc! { "$eq": [column, variable] }];
    let guard = [equal("$$k0", "$_id.number"), equal("$$k1", "$_id.hall")].concat();
    assert_eq!(
        pipeline(&of(users(), twice))[0],
        doc! { "$lookup": {
            "from": "shelves", "localField": "hall", "foreignField": "_id.hall", "let": { "k0": "$number", "k1": "$code" },
            "pipeline": [{ "$match": { "$expr": { "$and": guard } } }, limit.clone(), key.clone()], "as": "__r0",
        } }
    );
    // The other way round: one column by the index, the others by `let`, none of them NULL.
    let there = exists(Related::new(users(), vec![(0, 2), (1, 3)]), false);
    let guard = doc! { "$match": { "$expr": { "$and": [{ "$gt": ["$$k0", NULL] }, { "$eq": ["$number", "$$k0"] }] } } };
    assert_eq!(
        pipeline(&of(shelves(), there))[0],
        doc! { "$lookup": {
            "from": "users", "localField": "_id.hall", "foreignField": "hall", "let": { "k0": "$_id.number" },
            "pipeline": [guard, limit.clone(), key.clone()], "as": "__r0",
        } }
    );
    let neither = exists(Related::new(users(), vec![(2, 2), (3, 3)]), false);
    let guard = doc! { "$match": {
        "hall": { "$ne": NULL }, "$expr": { "$and": [{ "$gt": ["$$k0", NULL] }, { "$eq": ["$number", "$$k0"] }] },
    } };
    assert_eq!(
        pipeline(&of(users(), neither))[0],
        doc! { "$lookup": {
            "from": "users", "localField": "hall", "foreignField": "hall", "let": { "k0": "$number" },
            "pipeline": [guard, limit, key], "as": "__r0",
        } }
    );
}

/// What a `$match` says by itself comes first; each relation is followed for what is left then.
#[test]
fn beside_other_conditions_and_within_each_other() {
    let [limit, key] = first();
    let author = Related::new(users(), vec![(1, 0)]);
    let inner = author.filter(exists(of_user().filter(at_least(2, 3)), false).or(at_least(1, 5)));
    let query = of(posts(), exists(inner, false).and(count_of_author()).and(at_least(2, 1)));
    let posts = look_up(&[doc! { "$match": { "score": { "$gte": 3i64 } } }, limit.clone(), key.clone()]);
    let either = doc! { "$match": { "$or": [{ "__r0": { "$ne": [] } }, { "team_id": { "$gte": 5i64 } }] } };
    let of_author = |stages: Vec<Document>, field: &str| {
        doc! { "$lookup": { "from": "users", "localField": "author_id", "foreignField": "_id", "pipeline": stages, "as": field } }
    };
    assert_eq!(
        pipeline(&query),
        [
            doc! { "$match": { "score": { "$gte": 1i64 } } },
            of_author(vec![posts, either, limit, key.clone()], "__r0"),
            doc! { "$match": { "__r0": { "$ne": [] } } },
            of_author(vec![doc! { "$limit": 2 }, key], "__r1"),
            doc! { "$match": { "__r1": { "$size": 1 } } },
            doc! { "$unset": ["__r0", "__r1"] },
        ]
    );
}

fn count_of_author() -> Condition {
    let author = Related::new(users(), vec![(1, 0)]);
    Condition::Count(Box::new(RelatedCount::new(author, CompareOp::Eq, 1)))
}

#[test]
fn fields_within_a_pipeline_are_none_of_the_model() {
    let builder = ModelSchema::builder("T", "t").column(column("id").key());
    let model = schema(builder.column(column("__r0").nullable()).column(column("__o0").nullable()));
    let mut query = of(model.clone(), exists(Related::new(model.clone(), vec![(1, 0)]), false));
    let related = RelatedExpr::new(model, vec![(1, 0)], Expr::Column(2));
    query.sort.push(Sort::new(Expr::Related(Box::new(related)), Direction::Ascending));
    let stages = pipeline(&query);
    assert_eq!(stages[1], doc! { "$match": { "__r0_": { "$ne": [] } } });
    assert_eq!(stages.last(), Some(&doc! { "$unset": ["__r0_", "__o0_"] }));
}

#[test]
fn counted_and_asked_for() {
    let mut query = of(users(), exists(of_user(), false));
    let test = doc! { "$match": { "__r0": { "$ne": [] } } };
    let [limit, key] = first();
    query.output = Output::Exists;
    assert_eq!(pipeline(&query), [look_up(&first()), test.clone(), limit, key]);
    query.output = Output::Count;
    (query.limit, query.offset) = (Some(3), Some(2));
    let number = doc! { "$group": { "_id": NULL, "n": { "$sum": 1i64 } } };
    assert_eq!(pipeline(&query), [look_up(&first()), test, doc! { "$skip": 2i64 }, doc! { "$limit": 3i64 }, number]);
}

/// Rows that refer to the same row need it once.
#[test]
fn what_is_only_counted_is_brought_together_first() {
    let author = Related::new(users(), vec![(1, 0)]);
    let mut query = of(posts(), exists(author.clone(), true).and(at_least(2, 3)));
    query.output = Output::Count;
    let [limit, key] = first();
    let author_of = |field: &str| {
        doc! { "$lookup": {
            "from": "users", "localField": "author_id", "foreignField": "_id", "pipeline": [limit.clone(), key.clone()], "as": field,
        } }
    };
    let alike = doc! { "$group": {
        "_id": { "c0": "$author_id" }, "author_id": { "$first": "$author_id" }, "__n0": { "$sum": 1i64 },
    } };
    let number = doc! { "$group": { "_id": NULL, "n": { "$sum": "$__n0" } } };
    assert_eq!(
        pipeline(&query),
        [
            doc! { "$match": { "score": { "$gte": 3i64 } } },
            alike.clone(),
            author_of("__r0"),
            doc! { "$match": { "__r0": { "$eq": [] } } },
            number.clone(),
        ]
    );
    // By several columns, each once.
    let shelf = Related::new(shelves(), vec![(2, 0), (3, 1)]);
    let mut query = of(users(), exists(shelf.clone(), false).or(exists(shelf, false)));
    query.output = Output::Count;
    let stages = pipeline(&query);
    assert_eq!(
        stages[0],
        doc! { "$group": {
            "_id": { "c0": "$hall", "c1": "$number" }, "hall": { "$first": "$hall" }, "number": { "$first": "$number" },
            "__n0": { "$sum": 1i64 },
        } }
    );
    assert_eq!(stages.last(), Some(&number));
    // Not where other columns decide too, where no two rows are alike, and of a page.
    let grouped = |query: &Select| pipeline(query).iter().filter(|stage| stage.contains_key("$group")).count() == 2;
    let counted = |model: SchemaRef, filter| {
        let mut query = of(model, filter);
        query.output = Output::Count;
        query
    };
    assert!(grouped(&counted(posts(), exists(author.clone(), false))));
    assert!(!grouped(&counted(posts(), exists(author.clone(), false).or(at_least(2, 3)))));
    assert!(!grouped(&counted(users(), exists(of_user(), false))));
    assert!(!grouped(&counted(users(), exists(Related::new(posts(), vec![(4, 3)]), false))));
    let mut page = counted(posts(), exists(author, false));
    page.limit = Some(3);
    assert!(!grouped(&page));
}

#[test]
fn sorted_by_a_row_that_a_row_leads_to() {
    let team = RelatedExpr::new(shelves(), vec![(2, 0), (3, 1)], Expr::Column(2));
    let author = RelatedExpr::new(users(), vec![(1, 0)], Expr::Related(Box::new(team)));
    let mut query = Select::new(posts());
    let by = |nulls| {
        let mut sort = Sort::new(Expr::Related(Box::new(author.clone())), Direction::Descending);
        sort.nulls = nulls;
        sort
    };
    query.sort = vec![by(Nulls::Last), Sort::new(Expr::Column(0), Direction::Ascending)];
    query.limit = Some(2);
    let first = |field: &str| doc! { "$set": { field: { "$first": format!("${field}") } } };
    let shelf = [
        doc! { "$limit": 1 },
        doc! { "$set": { "__o0": { "hall": "$hall", "number": "$number" } } },
        doc! { "$lookup": {
            "from": "shelves", "localField": "__o0", "foreignField": "_id",
            "pipeline": [{ "$limit": 1 }, { "$project": { "_id": 0, "v": "$wanted" } }], "as": "__o0",
        } },
        first("__o0"),
        doc! { "$project": { "_id": 0, "v": "$__o0.v" } },
    ];
    let look_up = doc! { "$lookup": {
        "from": "users", "localField": "author_id", "foreignField": "_id", "pipeline": shelf.to_vec(), "as": "__o0",
    } };
    assert_eq!(
        pipeline(&query),
        [
            look_up.clone(),
            first("__o0"),
            doc! { "$sort": { "__o0.v": -1, "_id": 1 } },
            doc! { "$limit": 2i64 },
            doc! { "$unset": ["__o0"] },
        ]
    );
    // NULL, of a column or for want of a row, is moved by a mark.
    query.sort[0] = by(Nulls::First);
    assert_eq!(
        pipeline(&query),
        [
            look_up,
            first("__o0"),
            doc! { "$set": { "__s0": { "$cond": [{ "$gt": ["$__o0.v", NULL] }, 1i64, 0i64] } } },
            doc! { "$sort": { "__s0": 1, "__o0.v": -1, "_id": 1 } },
            doc! { "$limit": 2i64 },
            doc! { "$unset": ["__o0", "__s0"] },
        ]
    );
}

/// Once is enough, and a number in a projection would say whether a field is wanted.
#[test]
fn sorted_by_a_column_twice_and_by_a_constant_of_a_related_row() {
    let by = |expr| Sort::new(expr, Direction::Descending);
    let constant = RelatedExpr::new(users(), vec![(1, 0)], Expr::Value(Value::Int(0)));
    let mut query = Select::new(posts());
    query.sort = vec![by(Expr::Related(Box::new(constant))), by(Expr::Column(2)), by(Expr::Column(2))];
    let stages = pipeline(&query);
    let look_up = stages[0].get_document("$lookup").unwrap().get_array("pipeline").unwrap();
    assert_eq!(look_up[1], Bson::Document(doc! { "$project": { "_id": 0, "v": { "$literal": 0i64 } } }));
    let sort = stages[2].get_document("$sort").unwrap();
    assert!(sort.keys().eq(["__o0.v", "score"]), "{sort}");
    let mut sort = query.sort.split_off(1);
    sort[1].direction = Direction::Ascending;
    query.sort = sort;
    assert_eq!(command(&query).unwrap().get_document("sort").unwrap(), &doc! { "score": -1 });
}

#[test]
fn a_write_is_shown_as_the_two_that_it_is() {
    let delete = Delete::new(users(), exists(of_user().filter(at_least(2, 3)), false));
    let text = explain(&Statement::Delete(delete)).unwrap().to_string();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with(r#"{ "aggregate": "users", "pipeline": [{ "$lookup": "#), "{text}");
    assert!(lines[0].contains(r#"{ "$project": { "_id": 1 } }], "cursor""#), "{text}");
    assert_eq!(
        lines[1],
        r#"{ "delete": "users", "deletes": [{ "limit": 0, "q": { "_id": { "$in": [<the keys>] } } }] }"#
    );
}

/// A server follows 20 relations, one within the other; it refuses the 21st.
#[test]
fn too_many_relations_within_each_other_are_refused_before_they_are_sent() {
    let nested = |levels: usize| {
        (0..levels).fold(Condition::True, |inner, level| {
            let (model, on) = if level % 2 == 0 { (posts(), vec![(0, 1)]) } else { (users(), vec![(1, 0)]) };
            exists(Related::new(model, on).filter(inner), false)
        })
    };
    let outermost = |levels: usize| if levels % 2 == 1 { users() } else { posts() };
    let written = |levels: usize| -> DBResult<()> {
        select(&of(outermost(levels), nested(levels)), 9, &mut Writer::new()).map(drop)
    };
    assert!(written(20).is_ok());
    let error = written(21).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::TooLarge), "{error}");
    let sorted = |levels: usize| {
        let expr = (0..levels)
            .fold(Expr::Column(0), |inner, _| Expr::Related(Box::new(RelatedExpr::new(users(), vec![(1, 0)], inner))));
        let mut query = Select::new(users());
        query.sort.push(Sort::new(expr, Direction::Ascending));
        select(&query, 9, &mut Writer::new()).map(drop)
    };
    assert!(sorted(20).is_ok());
    assert!(matches!(sorted(21).unwrap_err().kind(), ErrorKind::TooLarge));
}
