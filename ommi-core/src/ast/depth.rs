//! How deep conditions nest, and what happens to those that nest too deep.
//!
//! Whatever walks a tree recurses, in Ommi, in drivers and in databases, and the stack of a thread is finite. So a limit is set
//! here, far above what people write and far below what a small stack takes; and a deeper tree, which can be built all the same,
//! falls without recursion.

use super::condition::Condition;
use crate::error::{DBError, DBResult, ErrorKind};
use crate::schema::ModelSchema;

/// How many levels of `And`, `Or`, `Not` and related rows may lie above a comparison. A condition that nests deeper is
/// [`TooLarge`](ErrorKind::TooLarge), before anything is sent.
///
/// Chains of one operator are one level, however long. MongoDB takes documents that nest 200 levels deep, of which each level here is up to
/// three; PostgreSQL with its usual `max_stack_depth` of 2 MB and SQLite with its `SQLITE_MAX_EXPR_DEPTH` of 1 000 take more.
pub const MAX_DEPTH: usize = 64;

impl Condition {
    /// Whether more than so many levels of `And`, `Or`, `Not` and related rows lie above a comparison. Looks no deeper than that.
    pub fn is_deeper_than(&self, levels: usize) -> bool {
        match self {
            Condition::And(parts) | Condition::Or(parts) => match levels.checked_sub(1) {
                Some(levels) => parts.iter().any(|part| part.is_deeper_than(levels)),
                None => true,
            },
            Condition::Not(inner) => levels.checked_sub(1).is_none_or(|levels| inner.is_deeper_than(levels)),
            Condition::Exists { related, .. } => {
                levels.checked_sub(1).is_none_or(|levels| related.filter.is_deeper_than(levels))
            }
            Condition::Count(count) => {
                levels.checked_sub(1).is_none_or(|levels| count.related.filter.is_deeper_than(levels))
            }
            _ => false,
        }
    }

    /// The levels of `And`, `Or`, `Not` and related rows above the deepest comparison, as far as [`MAX_DEPTH`]; none if there are more.
    pub(crate) fn depth(&self) -> Option<usize> {
        fn depth(condition: &Condition, left: usize) -> Option<usize> {
            match condition {
                Condition::And(parts) | Condition::Or(parts) => {
                    let left = left.checked_sub(1)?;
                    parts.iter().try_fold(1, |deepest: usize, part| Some(deepest.max(1 + depth(part, left)?)))
                }
                Condition::Not(inner) => Some(1 + depth(inner, left.checked_sub(1)?)?),
                Condition::Exists { related, .. } => Some(1 + depth(&related.filter, left.checked_sub(1)?)?),
                Condition::Count(count) => Some(1 + depth(&count.related.filter, left.checked_sub(1)?)?),
                _ => Some(0),
            }
        }
        depth(self, MAX_DEPTH)
    }
}

/// Conditions of fewer levels are left to the compiler's own, recursive drop.
const SHALLOW: usize = 8;

impl Drop for Condition {
    /// Takes a deep tree apart without recursion.
    fn drop(&mut self) {
        if !self.is_deeper_than(SHALLOW) {
            return;
        }
        let mut rest = Vec::new();
        let take = |condition: &mut Condition, rest: &mut Vec<Condition>| match condition {
            Condition::And(parts) | Condition::Or(parts) => rest.append(parts),
            Condition::Not(inner) => rest.push(std::mem::replace(&mut **inner, Condition::True)),
            Condition::Exists { related, .. } => rest.push(std::mem::replace(&mut related.filter, Condition::True)),
            Condition::Count(count) => rest.push(std::mem::replace(&mut count.related.filter, Condition::True)),
            _ => {}
        };
        take(self, &mut rest);
        while let Some(mut condition) = rest.pop() {
            take(&mut condition, &mut rest);
        }
    }
}

/// The error of a condition that nests too deep.
pub(crate) fn too_deep(model: &ModelSchema) -> DBError {
    let detail = format!(
        "a condition on {} nests more than {MAX_DEPTH} levels deep; `all_of` and `any_of` join any number without nesting",
        model.name
    );
    DBError::new(ErrorKind::TooLarge).with_detail(detail).unsent()
}

/// Refuses a condition that nests deeper than [`MAX_DEPTH`].
pub(super) fn check(condition: &Condition, model: &ModelSchema) -> DBResult<()> {
    if condition.is_deeper_than(MAX_DEPTH) { Err(too_deep(model)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::{CompareOp, Expr};
    use crate::value::Value;

    fn leaf() -> Condition {
        Condition::compare(CompareOp::Eq, Expr::Column(0), Expr::Value(Value::Int(1)))
    }

    fn nested(levels: usize) -> Condition {
        (0..levels).fold(leaf(), |inner, level| match level % 3 {
            0 => Condition::Not(Box::new(inner)),
            1 => Condition::And(vec![leaf(), inner]),
            _ => Condition::Or(vec![inner, leaf()]),
        })
    }

    #[test]
    fn depth_is_counted_up_to_the_limit() {
        for levels in [0, 1, 2, 7, 50, MAX_DEPTH] {
            assert_eq!(nested(levels).depth(), Some(levels));
            assert!(!nested(levels).is_deeper_than(levels));
            assert!(levels == 0 || nested(levels).is_deeper_than(levels - 1));
        }
        assert_eq!(nested(MAX_DEPTH + 1).depth(), None);
        assert_eq!(Condition::And(vec![leaf(); 1_000]).depth(), Some(1));
        assert_eq!(Condition::Or(vec![]).depth(), Some(1));
    }

    /// On a stack of 128 KiB, recursion would end the process.
    #[test]
    fn a_tree_of_any_depth_falls_on_a_small_stack() {
        let work = || {
            drop(nested(300_000));
            drop((0..300_000).fold(leaf(), |all, _| all.and(leaf())));
            let mixed = (0..50_000).fold(leaf(), |inner, _| !inner.and(leaf()).or(leaf()));
            assert!(mixed.is_deeper_than(MAX_DEPTH) && mixed.depth().is_none());
        };
        std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
    }
}
