//! The shape of a statement: its structure without the values.
//!
//! Two statements of one shape compile to the same native text and differ only in what is bound, so a driver
//! keeps what it compiled by shape. A shape is written out in full, word by word, and compared in full: a mere
//! hash could run another query's text. It tells NULL from other values, has lists by length class, and notes of
//! limits only that they are there.
//!
//! A shape holds the addresses of schemas. Whoever keeps a shape keeps the statement's model and its
//! [`related_models`](super::related_models) too, so that no other schema can take such an address meanwhile.

use std::hash::{Hash, Hasher};

use super::condition::{Condition, Expr, List};
use super::depth;
use super::related::{Related, RelatedCount, RelatedExpr, Truth};
use super::statement::{Assignment, Change, Delete, Insert, Output, Select, Sort, Update, UsualInsert};
use crate::error::DBResult;
use crate::schema::SchemaRef;
use crate::value::Value;

/// The structure of a statement, as words to hash and compare.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    words: Vec<u32>,
    /// The insert whose words these are, where it is of the usual kind: it mostly comes again.
    insert: Option<UsualInsert>,
}

/// Two shapes are equal when their words are.
impl PartialEq for Shape {
    fn eq(&self, other: &Shape) -> bool {
        self.words == other.words
    }
}

impl Eq for Shape {}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.words.hash(state);
    }
}

/// How many placeholders a list of values takes, so that lists of like lengths share one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListClass {
    /// No value.
    Empty,
    /// This many placeholders; the last value fills those that are left over.
    Fixed(u8),
    /// More than can be written as placeholders.
    Long,
}

impl ListClass {
    /// The class of a list of so many values.
    pub fn of(length: usize) -> ListClass {
        match length {
            0 => ListClass::Empty,
            1..=32 => ListClass::Fixed(length.next_power_of_two() as u8),
            _ => ListClass::Long,
        }
    }
}

impl Shape {
    /// An empty shape, to be written to again and again.
    pub fn new() -> Shape {
        Shape::default()
    }

    /// The words, to look up without a copy.
    pub fn words(&self) -> &[u32] {
        &self.words
    }

    /// Writes the shape of a select, in place of what was there.
    ///
    /// # Errors
    /// `TooLarge` for a condition that nests deeper than [`MAX_DEPTH`](super::MAX_DEPTH); the shape is then of no use.
    pub fn write_select(&mut self, select: &Select) -> DBResult<()> {
        depth::check(&select.filter, &select.model)?;
        self.start(1, &select.model);
        self.push(match select.output {
            Output::Model => 0,
            Output::Count => 1,
            Output::Exists => 2,
        });
        let lock = select.lock.map_or(0, |lock| 1 + (lock.strength as u32) * 3 + lock.wait as u32);
        self.push(u32::from(select.limit.is_some()) | u32::from(select.offset.is_some()) << 1 | lock << 2);
        self.push(select.sort.len() as u32);
        for Sort { expr, direction, nulls } in &select.sort {
            self.push(*direction as u32 | (*nulls as u32) << 1);
            self.expr(expr);
        }
        self.condition(&select.filter);
        if let Some(group) = &select.per_group {
            self.push(1 | u32::from(group.limit.is_some()) << 1 | u32::from(group.offset.is_some()) << 2);
            self.columns(&group.columns);
        }
        Ok(())
    }

    /// Writes the shape of an insert.
    pub fn write_insert(&mut self, insert: &Insert) {
        let usual = insert.usual();
        if usual.is_some() && self.insert == usual {
            return;
        }
        self.start(2, &insert.model);
        self.push(insert.rows as u32);
        self.columns(&insert.columns);
        self.columns(&insert.returning);
        match &insert.on_conflict {
            None => self.push(0),
            Some(conflict) => {
                self.push(1);
                self.columns(&conflict.target);
                self.assignments(&conflict.assignments);
                self.push(conflict.expected.as_ref().map_or(0, |(column, _)| u32::from(*column) + 1));
            }
        }
        self.insert = usual;
    }

    /// Writes the shape of an update.
    ///
    /// # Errors
    /// `TooLarge` for a condition that nests deeper than [`MAX_DEPTH`](super::MAX_DEPTH); the shape is then of no use.
    pub fn write_update(&mut self, update: &Update) -> DBResult<()> {
        depth::check(&update.filter, &update.model)?;
        self.start(3, &update.model);
        self.assignments(&update.assignments);
        self.condition(&update.filter);
        Ok(())
    }

    /// Writes the shape of a delete.
    ///
    /// # Errors
    /// `TooLarge` for a condition that nests deeper than [`MAX_DEPTH`](super::MAX_DEPTH); the shape is then of no use.
    pub fn write_delete(&mut self, delete: &Delete) -> DBResult<()> {
        depth::check(&delete.filter, &delete.model)?;
        self.start(4, &delete.model);
        self.condition(&delete.filter);
        Ok(())
    }

    fn start(&mut self, statement: u32, model: &SchemaRef) {
        self.words.clear();
        self.insert = None;
        self.push(statement);
        self.model(model);
    }

    fn model(&mut self, model: &SchemaRef) {
        let address = model.address() as u64;
        self.push(address as u32);
        self.push((address >> 32) as u32);
    }

    fn push(&mut self, word: u32) {
        self.words.push(word);
    }

    fn columns(&mut self, columns: &[u16]) {
        self.push(columns.len() as u32);
        self.words.extend(columns.iter().map(|&column| u32::from(column)));
    }

    fn assignments(&mut self, assignments: &[Assignment]) {
        self.push(assignments.len() as u32);
        for Assignment { column, change } in assignments {
            self.push(u32::from(*column));
            match change {
                Change::Set(expr) => {
                    self.push(1);
                    self.expr(expr);
                }
                Change::Add(value) => {
                    self.push(2);
                    self.value(value);
                }
                Change::Subtract(value) => {
                    self.push(3);
                    self.value(value);
                }
            }
        }
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Column(column) => self.push(1 << 16 | u32::from(*column)),
            Expr::Value(value) => self.value(value),
            Expr::Related(related) => {
                let RelatedExpr { model, on, expr } = &**related;
                self.push(3 << 16);
                self.model(model);
                self.on(on);
                self.expr(expr);
            }
        }
    }

    fn value(&mut self, value: &Value<'_>) {
        self.push(2 << 16 | u32::from(value.tag()));
    }

    fn list(&mut self, list: &List) {
        let class = match ListClass::of(list.values().len()) {
            ListClass::Empty => 0,
            ListClass::Fixed(count) => u32::from(count),
            ListClass::Long => 255,
        };
        let tag = list.values().first().map_or(0, Value::tag);
        self.push(class | u32::from(list.has_null()) << 8 | u32::from(tag) << 16);
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::True => self.push(1),
            Condition::False => self.push(2),
            Condition::And(parts) => self.conditions(3, parts),
            Condition::Or(parts) => self.conditions(4, parts),
            Condition::Not(inner) => {
                self.push(5);
                self.condition(inner);
            }
            Condition::Compare { op, left, right } => {
                self.push(6 | (*op as u32) << 8);
                self.expr(left);
                self.expr(right);
            }
            Condition::IsNull { expr, negated } => {
                self.push(7 | u32::from(*negated) << 8);
                self.expr(expr);
            }
            Condition::Between { expr, low, high } => {
                self.push(8);
                self.expr(expr);
                self.expr(low);
                self.expr(high);
            }
            Condition::In { expr, list, negated } => {
                self.push(9 | u32::from(*negated) << 8);
                self.expr(expr);
                self.list(list);
            }
            Condition::Text { op, ignore_case, expr, needle } => {
                // Drivers may treat the empty needle, and one without an upper bound, as forms of their own.
                let special = match needle {
                    Expr::Value(Value::Text(text)) => {
                        u32::from(text.is_empty()) | u32::from(text.chars().all(|c| c == char::MAX)) << 1
                    }
                    _ => 0,
                };
                self.push(10 | (*op as u32) << 8 | u32::from(*ignore_case) << 16 | special << 17);
                self.expr(expr);
                self.expr(needle);
            }
            Condition::Exists { related, negated } => {
                self.push(11 | u32::from(*negated) << 8);
                self.related(related);
            }
            Condition::Count(count) => {
                let RelatedCount { related, op, .. } = &**count;
                self.push(12 | (*op as u32) << 8);
                self.related(related);
            }
        }
    }

    fn on(&mut self, on: &[(u16, u16)]) {
        self.push(on.len() as u32);
        self.words.extend(on.iter().map(|&(own, other)| u32::from(own) << 16 | u32::from(other)));
    }

    fn related(&mut self, related: &Related) {
        let Related { model, on, filter, wanted } = related;
        self.model(model);
        self.on(on);
        self.push(match wanted {
            Truth::True => 0,
            Truth::NotTrue => 1,
        });
        self.condition(filter);
    }

    fn conditions(&mut self, kind: u32, parts: &[Condition]) {
        self.push(kind | (parts.len() as u32) << 8);
        for part in parts {
            self.condition(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use super::*;
    use crate::ast::OnConflict;
    use crate::schema::{ColumnBuilder, ColumnList, ModelSchema};
    use crate::value::ColumnType;

    fn model(table: &'static str) -> ModelSchema {
        let id = ColumnBuilder::new("id", ColumnType::I64).key().auto(crate::schema::Auto::Increment);
        ModelSchema::builder("T", table).column(id).column(ColumnBuilder::new("a", ColumnType::Text)).build().unwrap()
    }

    static ONE: LazyLock<ModelSchema> = LazyLock::new(|| model("one"));
    static OTHER: LazyLock<ModelSchema> = LazyLock::new(|| model("other"));

    #[test]
    fn an_insert_that_comes_again_has_the_words_that_it_has_alone() {
        let alone = |insert: &Insert| {
            let mut shape = Shape::new();
            shape.write_insert(insert);
            shape
        };
        let mut statements = Vec::new();
        let built = SchemaRef::from(Arc::new(model("built")));
        for model in [SchemaRef::from_static(&ONE), SchemaRef::from_static(&OTHER), built] {
            let insert = |columns: ColumnList, returning: ColumnList, rows: usize| {
                let mut insert = Insert::new(model.clone(), columns, Vec::new(), rows);
                insert.returning = returning;
                insert
            };
            let (all, rest) = (ColumnList::all(&model), ColumnList::without_generated(&model));
            let (key, none) = (ColumnList::generated(&model), ColumnList::NONE);
            statements.push(insert(all.clone(), none.clone(), 1));
            statements.push(insert(all.clone(), key.clone(), 1));
            statements.push(insert(rest.clone(), key.clone(), 1));
            statements.push(insert(rest.clone(), all.clone(), 1));
            statements.push(insert(rest.clone(), key.clone(), 2));
            statements.push(insert([1].into(), key.clone(), 1));
            statements.push(insert(none, key.clone(), 1));
            let mut upsert = insert(rest, key, 1);
            let mut conflict = OnConflict::new(vec![0], Vec::new());
            upsert.on_conflict = Some(conflict.clone());
            statements.push(upsert.clone());
            conflict.expected = Some((1, Value::Null));
            upsert.on_conflict = Some(conflict);
            assert_ne!(alone(&upsert), alone(&statements[statements.len() - 1]));
            statements.push(upsert);
        }
        let mut shape = Shape::new();
        for first in &statements {
            for second in &statements {
                for insert in [first, second, second] {
                    shape.write_insert(insert);
                    assert_eq!(shape, alone(insert), "{insert:?}");
                }
                let select = Select::new(first.model.clone());
                shape.write_select(&select).unwrap();
                shape.write_insert(second);
                assert_eq!(shape, alone(second), "{second:?} after a select");
            }
        }
    }
}
