//! Related rows in a filter: a `$lookup` before the `$match`, and in the `$match` a test of what it found.
//!
//! ```text
//!   some row        the first that is meant                       {__r0: {$ne: []}}
//!   no row          the same                                      {__r0: {$eq: []}}
//!   at least n      the n-th that is meant                        {__r0: {$ne: []}}
//!   exactly n       the n-th that is meant and the one after it   {__r0: {$size: 1}}
//! ```
//!
//! None of them is ever unknown. A row for which a condition is *not true* is one that its filter does not select: here `$nor` is right.

use ommi_core::DBResult;
use ommi_core::ast::{self, CompareOp, Related, RelatedCount};

use super::Filter;
use super::leaf::Leaf;
use super::truth::{Truth, contrary};
use crate::bson::Writer;
use crate::lookup::{Join, deeper};
use crate::names::{ID, unsupported};

/// Some of the rows that belong to a row, and what is asked of them.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    join: Join<'a>,
    /// The field that takes what is found. It has its name once the whole filter is known.
    pub(super) field: String,
    filter: Filter<'a>,
    /// Whether those are meant that the filter does not select.
    not_true: bool,
    /// How many that are meant are passed over.
    skip: i64,
    /// How many of the next are looked at.
    limit: i32,
    test: Test,
}

/// A test of what was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Some,
    None,
    One,
    NotOne,
}

impl<'m> Truth<'m> {
    /// The rows of which "there is a related row" is `wanted`.
    pub(super) fn exists<'a>(self, related: &'a Related, wanted: bool) -> DBResult<Filter<'a>>
    where
        'm: 'a,
    {
        self.at_least(related, 1, wanted)
    }

    /// The rows of which a comparison of the number of related rows is `wanted`.
    pub(super) fn count<'a>(self, count: &'a RelatedCount, wanted: bool) -> DBResult<Filter<'a>>
    where
        'm: 'a,
    {
        let RelatedCount { related, number, .. } = count;
        let number = *number;
        // Nothing is more often there than can be counted.
        let above = |wanted| match number.checked_add(1) {
            Some(above) => self.at_least(related, above, wanted),
            None => Ok(Filter::constant(!wanted)),
        };
        match if wanted { count.op } else { contrary(count.op)? } {
            CompareOp::Ge => self.at_least(related, number, true),
            CompareOp::Lt => self.at_least(related, number, false),
            CompareOp::Gt => above(true),
            CompareOp::Le => above(false),
            CompareOp::Eq if number == 0 => self.at_least(related, 1, false),
            CompareOp::Ne if number == 0 => self.at_least(related, 1, true),
            CompareOp::Eq => self.rows(related, number, 2, Test::One),
            CompareOp::Ne => self.rows(related, number, 2, Test::NotOne),
            _ => Err(unsupported("this comparison")),
        }
    }

    fn at_least<'a>(self, related: &'a Related, number: u64, wanted: bool) -> DBResult<Filter<'a>>
    where
        'm: 'a,
    {
        match number {
            0 => Ok(Filter::constant(wanted)),
            _ => self.rows(related, number, 1, if wanted { Test::Some } else { Test::None }),
        }
    }

    /// Looks at so many related rows from the n-th on.
    fn rows<'a>(self, related: &'a Related, nth: u64, limit: i32, test: Test) -> DBResult<Filter<'a>>
    where
        'm: 'a,
    {
        let Related { model: far, on, filter, wanted, .. } = related;
        let depth = deeper(self.depth)?;
        let filter = Truth::within(far, depth).filter(filter)?;
        let not_true = match wanted {
            ast::Truth::True => false,
            ast::Truth::NotTrue => true,
            _ => return Err(unsupported("this condition on related rows")),
        };
        // No collection has more rows than `i64::MAX`.
        let skip = i64::try_from(nth.saturating_sub(1)).ok();
        let none_is_meant = if not_true { filter.is_all() } else { filter.is_nothing() };
        match skip {
            Some(skip) if !none_is_meant => {
                let join = Join { near: self.model, far, on };
                let rows = Rows { join, field: String::new(), filter, not_true, skip, limit, test };
                Ok(Filter::Test(Leaf::Related(Box::new(rows))))
            }
            _ => Ok(Filter::constant(matches!(test, Test::None | Test::NotOne))),
        }
    }
}

impl Rows<'_> {
    /// The columns whose values decide which rows are related.
    pub(super) fn near_columns(&self) -> impl Iterator<Item = u16> {
        self.join.on.iter().map(|(near, _)| *near)
    }

    /// The stages that put what is looked for into the field.
    pub(super) fn stages(&self, writer: &mut Writer) -> DBResult<()> {
        let far = self.join.far;
        self.join.begin(&self.field, writer)?;
        if !self.not_true {
            self.filter.stages(far, writer)?;
        } else if !self.filter.is_nothing() {
            self.filter.lookups(writer)?;
            writer.item_document();
            writer.begin_document("$match");
            writer.begin_array("$nor");
            writer.item_document();
            self.filter.fields(writer, far)?;
            writer.end();
            writer.end();
            writer.end();
            writer.end();
        }
        if self.skip > 0 {
            writer.item_document();
            writer.given_int("$skip", self.skip);
            writer.end();
        }
        writer.item_document();
        writer.int32("$limit", self.limit);
        writer.end();
        writer.item_document();
        writer.begin_document("$project");
        writer.int32(ID, 1);
        writer.end();
        writer.end();
        Join::end(&self.field, writer);
        Ok(())
    }

    /// The test of the field.
    pub(super) fn test(&self, writer: &mut Writer) {
        writer.begin_document(&self.field);
        match self.test {
            Test::Some => {
                writer.begin_array("$ne");
                writer.end();
            }
            Test::None => {
                writer.begin_array("$eq");
                writer.end();
            }
            Test::One => writer.int32("$size", 1),
            Test::NotOne => {
                writer.begin_document("$not");
                writer.int32("$size", 1);
                writer.end();
            }
        }
        writer.end();
    }
}
