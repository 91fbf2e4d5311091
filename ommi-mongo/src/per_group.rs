//! Some rows of each group: what an include with a limit asks for.
//!
//! Mostly the groups are named, by a list of the values that they have in common. Then each is read by itself, by the index on its column, and
//! no further than it is wanted:
//!
//! ```text
//!   {$limit: 1}, {$project: {k: {$literal: [<values>]}}}, {$unwind: "$k"}, {$group: {_id: "$k"}}      each value once
//!   {$lookup: {from: <itself>, localField: "_id", foreignField: <column>, pipeline: [$match, $sort, $skip, $limit], as: "r"}}
//!   {$unwind: "$r"}, {$replaceRoot: {newRoot: "$r"}}
//! ```
//!
//! The first document of the collection stands in for a source of no documents; where the collection has none, there is no row anyway. Groups
//! that are not named so are numbered by `$setWindowFields`, which reads all of their rows. It promises no order of what comes out, so that is sorted by
//! the numbers: the groups come mixed, each in its order, as from SQL.

use ommi_core::DBResult;
use ommi_core::ast::{Condition, Expr, PerGroup, Select};
use ommi_core::value::Value;

use crate::bson::Writer;
use crate::condition::Truth;
use crate::lookup::deeper;
use crate::names::{ID, path, reference, scratch, type_of};
use crate::select::{Answer, begin_pipeline, end_pipeline, page, select, unset};
use crate::sort::Order;
use crate::value::rounded_down;

/// The values, and the groups.
const KEYS: &str = "k";
/// The rows of a group.
const ROWS: &str = "r";

/// Writes the command, or says that there is no row.
pub(crate) fn per_group(query: &Select, group: &PerGroup, batch: i64, writer: &mut Writer) -> DBResult<Option<Answer>> {
    if group.limit == Some(0) {
        return Ok(None);
    }
    if group.columns.iter().all(|column| query.filter.pinned_columns().any(|pinned| pinned == *column)) {
        // One group.
        let mut all = query.clone();
        (all.per_group, all.limit, all.offset) = (None, group.limit, group.offset);
        return select(&all, batch, writer);
    }
    let is_sent = match Named::of(query, group) {
        Some(named) => named.write(query, group, writer)?,
        None => numbered(query, group, writer)?,
    };
    if !is_sent {
        return Ok(None);
    }
    end_pipeline(batch, writer);
    Ok(Some(Answer::Rows))
}

/// Groups of one column, whose values are given.
struct Named<'a> {
    column: u16,
    values: &'a [Value<'static>],
    parts: &'a [Condition],
    /// Which of the parts gives the values.
    place: usize,
}

impl<'a> Named<'a> {
    fn of(query: &'a Select, group: &PerGroup) -> Option<Named<'a>> {
        let [column] = *group.columns.as_slice() else { return None };
        let parts = match &query.filter {
            Condition::And(parts) => parts.as_slice(),
            one => std::slice::from_ref(one),
        };
        parts.iter().enumerate().find_map(|(place, part)| match part {
            Condition::In { expr: Expr::Column(of), list, negated: false } if *of == column => {
                Some(Named { column, values: list.values(), parts, place })
            }
            _ => None,
        })
    }

    fn write(&self, query: &Select, group: &PerGroup, writer: &mut Writer) -> DBResult<bool> {
        let model = &query.model;
        let depth = deeper(0)?;
        let others = self.parts.iter().enumerate().filter(|(place, _)| *place != self.place).map(|(_, part)| part);
        let filter = Truth::within(model, depth).all_of(others)?;
        let order = Order::new(model, &query.sort, depth)?;
        // What BSON cannot hold equals nothing that is stored.
        let mut values = self.values.iter().filter(|value| rounded_down(value).is_none()).peekable();
        if filter.is_nothing() || values.peek().is_none() {
            return Ok(false);
        }
        begin_pipeline(model, writer);
        writer.item_document();
        writer.int32("$limit", 1);
        writer.end();
        writer.item_document();
        writer.begin_document("$project");
        writer.int32(ID, 0);
        writer.begin_document(KEYS);
        writer.begin_array("$literal");
        values.for_each(|value| writer.item_value(type_of(model, self.column), value));
        writer.end();
        writer.end();
        writer.end();
        writer.end();
        unwind(KEYS, writer);
        writer.item_document();
        writer.begin_document("$group");
        writer.string(ID, &format!("${KEYS}"));
        writer.end();
        writer.end();

        writer.item_document();
        writer.begin_document("$lookup");
        writer.string("from", &model.table);
        writer.string("localField", ID);
        writer.string("foreignField", &path(model, self.column)?);
        writer.begin_array("pipeline");
        filter.stages(model, writer)?;
        order.stages(writer)?;
        page(group.offset, group.limit, writer);
        let mut fields = Vec::new();
        filter.fields_left(&mut fields);
        order.fields_left(&mut fields);
        unset(&fields, writer);
        writer.end();
        writer.string("as", ROWS);
        writer.end();
        writer.end();
        unwind(ROWS, writer);
        writer.item_document();
        writer.begin_document("$replaceRoot");
        writer.string("newRoot", &format!("${ROWS}"));
        writer.end();
        writer.end();
        Ok(true)
    }
}

fn unwind(field: &str, writer: &mut Writer) {
    writer.item_document();
    writer.string("$unwind", &format!("${field}"));
    writer.end();
}

/// Numbers the rows of each group, and takes those whose numbers are wanted.
fn numbered(query: &Select, group: &PerGroup, writer: &mut Writer) -> DBResult<bool> {
    let model = &query.model;
    let filter = Truth::new(model).filter(&query.filter)?;
    if filter.is_nothing() {
        return Ok(false);
    }
    let order = Order::new(model, &query.sort, 0)?;
    let number = scratch(model, "n", 0);
    begin_pipeline(model, writer);
    filter.stages(model, writer)?;
    order.prepare(writer)?;
    writer.item_document();
    writer.begin_document("$setWindowFields");
    writer.begin_document("partitionBy");
    for (place, column) in group.columns.iter().enumerate() {
        // A missing field is NULL.
        writer.begin_document(&format!("c{place}"));
        writer.begin_array("$ifNull");
        writer.item_string(&reference(model, *column)?);
        writer.item_null();
        writer.end();
        writer.end();
    }
    writer.end();
    writer.begin_document("sortBy");
    order.write(writer)?;
    writer.end();
    writer.begin_document("output");
    writer.begin_document(&number);
    writer.begin_document("$documentNumber");
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    writer.end();
    let first = group.offset.unwrap_or(0);
    let bound = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    writer.item_document();
    writer.begin_document("$match");
    writer.begin_document(&number);
    writer.given_int("$gt", bound(first));
    if let Some(limit) = group.limit {
        writer.given_int("$lte", bound(first.saturating_add(limit)));
    }
    writer.end();
    writer.end();
    writer.end();
    writer.item_document();
    writer.begin_document("$sort");
    writer.int32(&number, 1);
    writer.end();
    writer.end();
    let mut fields = vec![number.as_str()];
    filter.fields_left(&mut fields);
    order.fields_left(&mut fields);
    unset(&fields, writer);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{DateTime, doc};
    use ommi_core::ast::{CompareOp, Direction, List, Related, Sort};
    use ommi_core::schema::{ColumnBuilder, ModelSchema};
    use ommi_core::value::{ColumnType, Moment};

    use super::*;
    use crate::pipelines::{NULL, at_least, column, command, exists, of, pipeline, posts, schema, users};

    fn grouped(filter: Condition, columns: Vec<u16>, limit: Option<u64>, offset: Option<u64>) -> Select {
        let mut query = of(posts(), filter);
        query.sort = vec![Sort::new(Expr::Column(0), Direction::Descending)];
        query.per_group = Some(PerGroup::new(columns, limit, offset));
        query
    }

    fn authors(list: [i64; 2]) -> Condition {
        let list = List::new(list.map(Value::Int).into_iter().chain([Value::Null]));
        Condition::In { expr: Expr::Column(1), list, negated: false }
    }

    #[test]
    fn groups_that_are_named_are_read_one_by_one() {
        let query = grouped(authors([7, 8]).and(at_least(2, 3)), vec![1], Some(2), Some(1));
        let of_one = [
            doc! { "$match": { "score": { "$gte": 3i64 } } },
            doc! { "$sort": { "_id": -1 } },
            doc! { "$skip": 1i64 },
            doc! { "$limit": 2i64 },
        ];
        assert_eq!(
            pipeline(&query),
            [
                doc! { "$limit": 1 },
                doc! { "$project": { "_id": 0, "k": { "$literal": [7i64, 8i64] } } },
                doc! { "$unwind": "$k" },
                doc! { "$group": { "_id": "$k" } },
                doc! { "$lookup": { "from": "posts", "localField": "_id", "foreignField": "author_id", "pipeline": of_one.to_vec(), "as": "r" } },
                doc! { "$unwind": "$r" },
                doc! { "$replaceRoot": { "newRoot": "$r" } },
            ]
        );
        // One group is a page, and none is nothing.
        let one = Condition::compare(CompareOp::Eq, Expr::Column(1), Expr::Value(Value::Int(7)));
        assert_eq!(
            command(&grouped(one, vec![1], Some(2), None)).unwrap(),
            doc! {
                "find": "posts", "filter": { "author_id": { "$eq": 7i64 } }, "sort": { "_id": -1 }, "allowDiskUse": true, "limit": 2i64, "batchSize": 9i64,
            }
        );
        // A list that is negated names no groups, and in one of times that BSON cannot hold there are none.
        let others = Condition::In { expr: Expr::Column(1), list: List::new([Value::Int(7)]), negated: true };
        assert!(pipeline(&grouped(others, vec![1], Some(1), None))[1].contains_key("$setWindowFields"));
        let visits = ModelSchema::builder("Visit", "visits").column(column("id").key());
        let mut query = Select::new(schema(visits.column(ColumnBuilder::new("at", ColumnType::Timestamp))));
        query.per_group = Some(PerGroup::new(vec![1], Some(1), None));
        let at = |nanos: &[u32]| {
            let list = List::new(nanos.iter().map(|nanos| Value::Timestamp(Moment::new(0, *nanos).unwrap())));
            Condition::In { expr: Expr::Column(1), list, negated: false }
        };
        query.filter = at(&[1, 2]);
        assert_eq!(command(&query), None);
        query.filter = at(&[0, 1]);
        assert_eq!(
            pipeline(&query)[1],
            doc! { "$project": { "_id": 0, "k": { "$literal": [DateTime::from_millis(0)] } } }
        );
        assert_eq!(command(&grouped(authors([7, 8]), vec![1], Some(0), None)), None);
        assert_eq!(command(&grouped(authors([7, 8]).and(Condition::False), vec![1], Some(1), None)), None);
    }

    #[test]
    fn other_groups_are_numbered() {
        let filter = authors([7, 8]).and(exists(Related::new(users(), vec![(1, 0)]), false));
        let stages = pipeline(&grouped(filter, vec![1, 3], Some(2), Some(1)));
        assert_eq!(stages[0], doc! { "$match": { "author_id": { "$in": [7i64, 8i64] } } });
        let number = doc! { "$setWindowFields": {
            "partitionBy": { "c0": { "$ifNull": ["$author_id", NULL] }, "c1": { "$ifNull": ["$code", NULL] } },
            "sortBy": { "_id": -1 },
            "output": { "__n0": { "$documentNumber": {} } },
        } };
        let wanted = doc! { "$match": { "__n0": { "$gt": 1i64, "$lte": 3i64 } } };
        let sorted = doc! { "$sort": { "__n0": 1 } };
        assert_eq!(stages[3..], [number, wanted, sorted, doc! { "$unset": ["__n0", "__r0"] }]);
        // Without a limit, all after the first.
        let stages = pipeline(&grouped(Condition::True, vec![1], None, Some(1)));
        assert_eq!(stages[1], doc! { "$match": { "__n0": { "$gt": 1i64 } } });
    }
}
