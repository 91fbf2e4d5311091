//! Loading the related rows of many rows: one statement, two where an association model stands between.

use std::any::Any;
use std::sync::Arc;

use super::batch::{Batch, Batched};
use super::key::{KeyIndex, KeySource, NO_KEY};
use super::{Loaded, RelationInfo, ThroughInfo};
use crate::ast::{CompareOp, Condition, Direction, Expr, List, PerGroup, Related, RelatedExpr, Select, Sort};
use crate::driver::{Context, Row, RowSink};
use crate::error::{DBError, DBResult};
use crate::handle::At;
use crate::model::Model;
use crate::schema::SchemaRef;
use crate::value::Value;

/// Which of the related rows, and in which order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Narrow {
    pub(crate) filter: Condition,
    pub(crate) sort: Vec<Sort>,
    pub(crate) limit: Option<u64>,
    pub(crate) offset: Option<u64>,
}

impl Default for Narrow {
    fn default() -> Narrow {
        Narrow { filter: Condition::True, sort: Vec::new(), limit: None, offset: None }
    }
}

impl Narrow {
    /// The groups of rows with the same values in these columns, where only some of each are wanted.
    fn per_group(&self, columns: &[u16]) -> Option<PerGroup> {
        let limited = self.limit.is_some() || self.offset.is_some();
        limited.then(|| PerGroup::new(columns.to_vec(), self.limit, self.offset))
    }
}

/// How many keys one statement looks for. Stores take more, but not any number.
const KEYS: usize = 16_384;

/// How many keys of several columns are looked for one by one. Of more, those that have a part in common are looked for together if that makes
/// no more groups than this, else each column by itself. What either finds too much is left out here.
const PAIRS: usize = 64;

/// Loads what belongs to rows with these keys. The batches are those of the loaded rows.
pub(crate) async fn fetch<T: Model>(
    at: At<'_>,
    relation: &RelationInfo,
    keys: KeySource<'_>,
    narrow: &Narrow,
    context: &Context,
) -> DBResult<(Loaded<T>, Vec<Arc<Batch>>)> {
    T::schema().usable()?;
    let mut index = KeyIndex::default();
    let of_rows: Vec<u32> = match keys {
        KeySource::One(key) => vec![index.insert(key.clone())],
        KeySource::Many(keys, columns) => (0..keys.rows()).map(|row| index.insert(keys.key(row, columns))).collect(),
    };
    if index.len() == 0 {
        return Ok((Loaded { rows: Vec::new(), keys: of_rows, groups: Vec::new(), items: None }, Vec::new()));
    }
    match &relation.through {
        None => direct(at, relation, index, of_rows, narrow, context).await,
        Some(through) => {
            let (loaded, batch) = associated(at, relation, through, index, of_rows, narrow, context).await?;
            Ok((loaded, batch.into_iter().collect()))
        }
    }
}

async fn direct<T: Model>(
    at: At<'_>,
    relation: &RelationInfo,
    mut index: KeyIndex,
    of_rows: Vec<u32>,
    narrow: &Narrow,
    context: &Context,
) -> DBResult<(Loaded<T>, Vec<Arc<Batch>>)> {
    let (mut rows, mut batches) = (Vec::new(), Vec::new());
    let mut numbers = Vec::new();
    for (chunk, keys) in matching(relation.far, &index).into_iter().enumerate() {
        let mut select = ordered(T::schema(), narrow);
        select.filter = keys.and(narrow.filter.clone());
        select.per_group = narrow.per_group(relation.far);
        let mut sink = Batched::<T>::new();
        at.executor.fetch(&select, &mut sink, context).await?;
        let (more, batch) = sink.finish()?;
        batches.extend(batch);
        numbers.reserve(more.len());
        for row in &more {
            numbers.push(in_chunk(number(row, relation.far, &mut index)?, chunk));
        }
        if rows.is_empty() {
            rows = more;
        } else {
            rows.extend(more);
        }
    }
    let groups = group(&mut rows, numbers, index.len());
    Ok((Loaded { rows, keys: of_rows, groups, items: None }, batches))
}

async fn associated<T: Model>(
    at: At<'_>,
    relation: &RelationInfo,
    through: &ThroughInfo,
    mut index: KeyIndex,
    of_rows: Vec<u32>,
    narrow: &Narrow,
    context: &Context,
) -> DBResult<(Loaded<T>, Option<Arc<Batch>>)> {
    // Which are related: the rows of the association model.
    let schema = (through.schema)();
    schema.usable()?;
    let on: Vec<(u16, u16)> = through.near.iter().copied().zip(through.far.iter().copied()).collect();
    let per_group = narrow.per_group(relation.far);
    let mut targets = KeyIndex::default();
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for (chunk, keys) in matching(relation.far, &index).into_iter().enumerate() {
        let mut select = Select::new(schema.clone());
        select.filter = keys;
        if let Some(groups) = &per_group {
            // What leads to no row, or to none that is wanted, does not count.
            let related = Box::new(Related::new(T::schema(), on.clone()).filter(narrow.filter.clone()));
            select.filter = select.filter.and(Condition::Exists { related, negated: false });
            for sort in ordered(T::schema(), narrow).sort {
                let expr = Expr::Related(Box::new(RelatedExpr::new(T::schema(), on.clone(), sort.expr)));
                select.sort.push(Sort { expr, ..sort });
            }
            select.sort.extend(by_key(&schema));
            select.per_group = Some(groups.clone());
        }
        let mut sink = Tuples::new([relation.far, through.near].concat());
        at.executor.fetch(&select, &mut sink, context).await?;
        for mut values in sink.rows {
            let target = values.split_off(relation.far.len());
            let row = in_chunk(index.get(values), chunk);
            let target = match target.iter().any(Value::is_null) {
                true => NO_KEY,
                false => targets.insert(key_of(target)),
            };
            if row != NO_KEY && target != NO_KEY {
                pairs.push((row, target));
            }
        }
    }

    // The related rows themselves, each once, in their order.
    let mut sink = Batched::<T>::new();
    if targets.len() > 0 {
        let mut select = ordered(T::schema(), narrow);
        select.filter = matches(through.far, &targets.numbers, &targets.distinct).and(narrow.filter.clone());
        at.executor.fetch(&select, &mut sink, context).await?;
    }
    let (rows, batch) = sink.finish()?;
    let mut places = vec![NO_KEY; targets.len()];
    for (place, row) in (0..).zip(&rows) {
        let target = number(row, through.far, &mut targets)?;
        if let Some(slot) = places.get_mut(target as usize) {
            *slot = place;
        }
    }
    let mut items: Vec<(u32, u32)> = pairs
        .into_iter()
        .filter_map(|(row, target)| {
            let place = places.get(target as usize).copied().filter(|&place| place != NO_KEY)?;
            Some((row, place))
        })
        .collect();
    items.sort_unstable();
    let mut groups = vec![(0, 0); index.len()];
    for (item, (row, _)) in (0..).zip(&items) {
        if let Some((start, count)) = groups.get_mut(*row as usize) {
            if *count == 0 {
                *start = item;
            }
            *count += 1;
        }
    }
    let items = items.into_iter().map(|(_, place)| place).collect();
    Ok((Loaded { rows, keys: of_rows, groups, items: Some(items) }, batch))
}

/// The rows of a model in the order that is wanted; the key decides what is left open.
fn ordered(schema: SchemaRef, narrow: &Narrow) -> Select {
    let mut select = Select::new(schema);
    select.sort.extend(narrow.sort.iter().cloned());
    select.sort.extend(by_key(&select.model));
    select
}

fn by_key(schema: &SchemaRef) -> impl Iterator<Item = Sort> {
    schema.key.iter().map(|&column| Sort::new(Expr::Column(column), Direction::Ascending))
}

/// The conditions that the columns have one of the keys, each for a statement of its own.
fn matching(columns: &[u16], index: &KeyIndex) -> Vec<Condition> {
    let numbers = index.numbers.chunks(KEYS).map(|numbers| matches(columns, numbers, &[]));
    let others = index.distinct.chunks(KEYS).map(|others| matches(columns, &[], others));
    numbers.chain(others).collect()
}

/// The number of a key, if it is one of those that this statement was for: what is found too much belongs to another.
fn in_chunk(number: u32, chunk: usize) -> u32 {
    if number as usize / KEYS == chunk { number } else { NO_KEY }
}

/// The condition that the columns have one of these keys, or one that [`KeyIndex`] does not know.
fn matches(columns: &[u16], numbers: &[i64], others: &[Arc<[Value<'static>]>]) -> Condition {
    if let [column] = columns {
        let others = others.iter().filter_map(|key| key.first().cloned());
        return is_in(*column, numbers.iter().map(|&number| Value::Int(number)).chain(others));
    }
    if others.len() <= PAIRS {
        let pair = |key: &[Value<'static>]| {
            let equals = columns.iter().zip(key).map(|(&column, value)| {
                Condition::compare(CompareOp::Eq, Expr::Column(column), Expr::Value(value.clone()))
            });
            equals.fold(Condition::True, Condition::and)
        };
        return others.iter().map(|key| pair(key)).fold(Condition::False, Condition::or);
    }
    // The part with the fewest values tells the others apart: of two columns nothing is found too much then.
    let leads = (0..columns.len()).map(|part| Lead::new(others, part)).min_by_key(|lead| lead.values.len());
    match leads.filter(|lead| lead.values.len() <= PAIRS) {
        Some(lead) => lead.condition(columns),
        None => each_in(columns, others.iter().map(|key| &**key), None),
    }
}

/// Composite keys by the value of one of their parts.
struct Lead<'k> {
    part: usize,
    values: Vec<Value<'static>>,
    keys: Vec<Vec<&'k [Value<'static>]>>,
}

impl<'k> Lead<'k> {
    fn new(all: &'k [Arc<[Value<'static>]>], part: usize) -> Lead<'k> {
        let mut seen = KeyIndex::default();
        let mut lead = Lead { part, values: Vec::new(), keys: Vec::new() };
        for key in all {
            let Some(value) = key.get(part) else { continue };
            let number = seen.insert(key_of(vec![value.clone()])) as usize;
            match lead.keys.get_mut(number) {
                Some(alike) => alike.push(key),
                None => {
                    lead.values.push(value.clone());
                    lead.keys.push(vec![key]);
                }
            }
        }
        lead
    }

    fn condition(self, columns: &[u16]) -> Condition {
        let Some(&column) = columns.get(self.part) else { return Condition::False };
        let groups = self.values.into_iter().zip(self.keys).map(|(value, keys)| {
            let is_value = Condition::compare(CompareOp::Eq, Expr::Column(column), Expr::Value(value));
            is_value.and(each_in(columns, keys.into_iter(), Some(self.part)))
        });
        groups.fold(Condition::False, Condition::or)
    }
}

/// The condition that each of the columns, but for this one, has a value that it has in one of the keys.
fn each_in<'k>(
    columns: &[u16],
    keys: impl Iterator<Item = &'k [Value<'static>]> + Clone,
    but: Option<usize>,
) -> Condition {
    let parts = columns.iter().enumerate().filter(|(part, _)| Some(*part) != but).map(|(part, &column)| {
        let mut seen = KeyIndex::default();
        for value in keys.clone().filter_map(|key| key.get(part)) {
            seen.insert(key_of(vec![value.clone()]));
        }
        let others = seen.distinct.into_iter().filter_map(|key| key.first().cloned());
        is_in(column, seen.numbers.into_iter().map(Value::Int).chain(others))
    });
    parts.fold(Condition::True, Condition::and)
}

fn is_in(column: u16, values: impl Iterator<Item = Value<'static>>) -> Condition {
    let mut values = values.peekable();
    let first = values.next();
    match (first, values.peek()) {
        (None, _) => Condition::False,
        (Some(one), None) => Condition::compare(CompareOp::Eq, Expr::Column(column), Expr::Value(one)),
        (Some(first), _) => {
            let list = List::new(std::iter::once(first).chain(values));
            Condition::In { expr: Expr::Column(column), list, negated: false }
        }
    }
}

fn key_of(mut values: Vec<Value<'static>>) -> super::Key {
    match (values.pop(), values.is_empty()) {
        (Some(Value::Int(value)), true) => super::Key::Int(value),
        (Some(Value::Uuid(value)), true) => super::Key::Uuid(value),
        (last, _) => {
            values.extend(last);
            super::Key::Other(values.into())
        }
    }
}

/// The number of the key that a row has in these columns.
fn number<T: Model>(row: &T, columns: &[u16], index: &mut KeyIndex) -> DBResult<u32> {
    let mut failed = None;
    let values = columns.iter().map(|&column| match row.value_of(column) {
        Ok(value) => value,
        Err(invalid) => {
            failed = Some(invalid.at(column));
            Value::Null
        }
    });
    let number = index.get(values);
    match failed {
        Some(invalid) => Err(DBError::invalid_query(&T::schema(), &invalid)),
        None => Ok(number),
    }
}

/// Brings rows with the same number together without changing their order otherwise, and gives where each number's rows begin and how
/// many they are. Rows without a number are dropped.
fn group<T>(rows: &mut Vec<T>, numbers: Vec<u32>, count: usize) -> Vec<(u32, u32)> {
    let mut groups = vec![(0u32, 0u32); count];
    for &number in &numbers {
        if let Some((_, count)) = groups.get_mut(number as usize) {
            *count += 1;
        }
    }
    let mut start = 0;
    for group in &mut groups {
        group.0 = start;
        start += group.1;
    }
    // Where each row goes: behind those of its number that came before it.
    let mut next: Vec<u32> = groups.iter().map(|(start, _)| *start).collect();
    let mut rest = start;
    let mut places: Vec<u32> = numbers
        .into_iter()
        .map(|number| {
            let place = next.get_mut(number as usize).unwrap_or(&mut rest);
            *place += 1;
            *place - 1
        })
        .collect();
    for row in 0..rows.len() {
        // Every swap brings one row to its place.
        while let Some(&place) = places.get(row)
            && place as usize != row
        {
            rows.swap(row, place as usize);
            places.swap(row, place as usize);
        }
    }
    rows.truncate(start as usize);
    groups
}

/// Collects some columns of rows.
struct Tuples {
    columns: Vec<u16>,
    rows: Vec<Vec<Value<'static>>>,
}

impl Tuples {
    fn new(columns: Vec<u16>) -> Tuples {
        Tuples { columns, rows: Vec::new() }
    }
}

impl RowSink for Tuples {
    fn row(&mut self, row: &mut dyn Row) -> DBResult<()> {
        let mut values: Vec<Value<'static>> = Vec::with_capacity(self.columns.len());
        for (i, &column) in self.columns.iter().enumerate() {
            // A row gives each value once.
            let known = self.columns.iter().take(i).position(|&before| before == column);
            let value = match known.and_then(|before| values.get(before).cloned()) {
                Some(value) => value,
                None => row.value(usize::from(column))?.into_owned(),
            };
            values.push(value);
        }
        self.rows.push(values);
        Ok(())
    }

    fn clear(&mut self) {
        self.rows.clear();
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn fork(&self) -> Box<dyn RowSink> {
        Box::new(Tuples::new(self.columns.clone()))
    }

    fn absorb(&mut self, fork: Box<dyn RowSink>) {
        if let Ok(fork) = fork.into_any().downcast::<Tuples>() {
            self.rows.extend(fork.rows);
        }
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_group_come_together_in_their_order() {
        let mut rows = vec!["b1", "a1", "none", "b2", "c1", "a2", "b3"];
        let groups = group(&mut rows, vec![1, 0, NO_KEY, 1, 3, 0, 1], 4);
        assert_eq!(rows, ["a1", "a2", "b1", "b2", "b3", "c1"]);
        assert_eq!(groups, [(0, 2), (2, 3), (5, 0), (5, 1)]);
    }

    #[test]
    fn keys_with_a_part_in_common_are_looked_for_together() {
        let keys: Vec<Arc<[Value<'static>]>> =
            (0..200).map(|n| Arc::from([Value::Int(n), Value::Int(n % 3)])).collect();
        let lead = Lead::new(&keys, 1);
        assert_eq!(lead.values, [Value::Int(0), Value::Int(1), Value::Int(2)]);
        let sizes: Vec<usize> = lead.keys.iter().map(Vec::len).collect();
        assert_eq!(sizes, [67, 67, 66]);
        // By the second column, although the first one comes first.
        let together = Lead::new(&keys, 1).condition(&[5, 7]);
        assert_eq!(matches(&[5, 7], &[], &keys), together);
        let first = Condition::compare(CompareOp::Eq, Expr::Column(7), Expr::Value(Value::Int(0)))
            .and(is_in(5, (0..200).step_by(3).map(Value::Int)));
        match &together {
            Condition::Or(groups) => assert_eq!((groups.len(), groups.first()), (3, Some(&first))),
            other => panic!("{other:?}"),
        }
    }
}
