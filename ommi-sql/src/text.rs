//! Predicates on text.
//!
//! Nothing in a needle has a meaning, so LIKE with its wildcards is not used. A prefix is a range, which an index serves; the
//! rest are functions, in the dialect's form.

use std::borrow::Cow;

use ommi_core::DBResult;
use ommi_core::ast::{Expr, TextOp};
use ommi_core::value::{ColumnType, Value};

use crate::dialect::Piece;
use crate::writer::Sql;
use crate::{Dialect, Out};

/// The least text that is greater than all texts with this prefix, by code point; `None` when there is no such text.
///
/// That is the prefix with its last code point raised by one. U+10FFFF cannot be raised: it is left out, and the one before it
/// is raised.
pub fn prefix_end(prefix: &str) -> Option<String> {
    let kept = prefix.trim_end_matches(char::MAX);
    let last = kept.chars().next_back()?;
    let raised = match last {
        // The surrogates are no characters: the next one follows them.
        '\u{D7FF}' => '\u{E000}',
        _ => char::from_u32(u32::from(last) + 1)?,
    };
    let mut end = kept.get(..kept.len() - last.len_utf8())?.to_owned();
    end.push(raised);
    Some(end)
}

/// How a predicate is written, which only the shape decides.
pub(crate) enum Form<'a> {
    /// `x >= needle`, and `x < end` where there is an end.
    Prefix(&'a str, Option<String>),
    /// `fold(x) = needle`.
    Equals,
    /// The dialect's form.
    Pieces(&'static [Piece]),
}

impl<'s, D: Dialect, O: Out> Sql<'s, D, O> {
    pub(crate) fn text_form<'a>(&self, op: TextOp, ignore_case: bool, needle: &'a Expr) -> DBResult<Form<'a>> {
        Ok(match (op, needle) {
            (TextOp::StartsWith, Expr::Value(Value::Text(text))) if !ignore_case => {
                Form::Prefix(text, prefix_end(text))
            }
            (TextOp::Equals, _) => Form::Equals,
            (TextOp::Contains | TextOp::StartsWith | TextOp::EndsWith, _) => {
                Form::Pieces(self.dialect.text_predicate(op))
            }
            _ => return Err(self.unsupported("this predicate on text")),
        })
    }

    pub(crate) fn text_predicate(
        &mut self,
        form: &Form<'_>,
        ignore_case: bool,
        expr: &'s Expr,
        needle: &'s Expr,
    ) -> DBResult<()> {
        match form {
            Form::Prefix(start, end) => {
                self.ordered(expr, Some(ColumnType::Text))?;
                self.text(" >= ");
                self.value(&Value::Text(Cow::Borrowed(start)), Some(ColumnType::Text))?;
                if let Some(end) = end {
                    self.text(" AND ");
                    self.ordered(expr, Some(ColumnType::Text))?;
                    self.text(" < ");
                    self.value(&Value::Text(Cow::Borrowed(end)), Some(ColumnType::Text))?;
                }
                Ok(())
            }
            Form::Equals => {
                self.operand(expr, ignore_case)?;
                self.text(" = ");
                self.operand(needle, ignore_case)
            }
            Form::Pieces(pieces) => {
                for piece in *pieces {
                    match piece {
                        Piece::Sql(text) => self.text(text),
                        Piece::Left => self.operand(expr, ignore_case)?,
                        Piece::Right => self.operand(needle, ignore_case)?,
                    }
                }
                Ok(())
            }
        }
    }

    /// An operand, folded where case does not matter: a value here, a column by the database.
    fn operand(&mut self, expr: &'s Expr, folded: bool) -> DBResult<()> {
        match expr {
            Expr::Value(Value::Text(text)) if folded && text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                self.value(&Value::Text(Cow::Owned(text.to_ascii_lowercase())), Some(ColumnType::Text))
            }
            Expr::Column(_) if folded => {
                let (before, after) = self.dialect.fold();
                self.text(before);
                self.expr(expr, Some(ColumnType::Text))?;
                self.text(after);
                Ok(())
            }
            _ => self.expr(expr, Some(ColumnType::Text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::prefix_end;

    #[test]
    fn the_end_of_a_prefix_is_its_last_code_point_raised() {
        let end = |prefix| prefix_end(prefix);
        assert_eq!(end("an").as_deref(), Some("ao"));
        assert_eq!(end("\u{7F}").as_deref(), Some("\u{80}"));
        assert_eq!(end("x\u{D7FF}").as_deref(), Some("x\u{E000}"));
        assert_eq!(end("a\u{10FFFF}\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(end("a\u{10FFFE}").as_deref(), Some("a\u{10FFFF}"));
        assert_eq!(end("\u{10FFFF}"), None);
        assert_eq!(end(""), None);
    }
}
