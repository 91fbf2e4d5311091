//! Writes that take two steps: the keys of the documents that are meant, then the write by these keys.
//!
//! `update` and `delete` take a filter and no pipeline, so what a filter cannot say, conditions on related rows, is asked before. Both steps are in
//! one transaction, whose snapshot they share. Where the server has none, what changes between the two is not seen.

use ommi_core::ast::Condition;
use ommi_core::driver::Context;
use ommi_core::schema::ModelSchema;

use crate::bson::Writer;
use crate::condition::{Filter, Truth};
use crate::driver::Inner;
use crate::error::Failure;
use crate::run::{Place, Work, check_size};
use crate::select::{ONE_BATCH, begin_pipeline, end_pipeline, keys_only};
use crate::stored::Stored;

/// The most keys of one command, and the most of their bytes.
const KEYS: usize = 1_000;
const BYTES: usize = 4_000_000;

/// A write by keys.
pub(crate) struct ByKey<'s> {
    pub(crate) model: &'s ModelSchema,
    pub(crate) condition: &'s Condition,
    /// What it is as a filter.
    pub(crate) filter: &'s Filter<'s>,
    /// The command, as far as the keys.
    pub(crate) command: Writer,
}

impl Work for ByKey<'_> {
    async fn run(&self, inner: &Inner, place: &mut Place<'_>, context: &Context) -> Result<u64, Failure> {
        let mut query = Writer::new();
        match inner.with_named(self.model, self.condition, place, context).await? {
            None => keys(self.model, self.filter, &mut query)?,
            Some(condition) => {
                let filter = Truth::new(self.model).filter(&condition)?;
                if filter.is_nothing() {
                    return Ok(0);
                }
                keys(self.model, &filter, &mut query)?;
            }
        }
        let found = inner.read_all(place, query, context).await?;
        let keys = found.iter().map(|document| Stored::key(document)).collect::<Result<Vec<_>, _>>()?;
        inner.write_keys(place, &self.command, &keys, context).await
    }
}

/// Writes the command that reads the keys of the documents which a filter selects.
pub(crate) fn keys(model: &ModelSchema, filter: &Filter<'_>, writer: &mut Writer) -> ommi_core::DBResult<()> {
    begin_pipeline(model, writer);
    filter.stages(model, writer)?;
    keys_only(writer);
    end_pipeline(ONE_BATCH, writer);
    Ok(())
}

impl Inner {
    /// Runs a command for documents with these keys, in as many parts as it needs. It is written as far as the keys.
    pub(crate) async fn write_keys(
        &self,
        place: &mut Place<'_>,
        command: &Writer,
        keys: &[Stored],
        context: &Context,
    ) -> Result<u64, Failure> {
        // Before the first is sent: what is found later would leave a part of it written.
        for keys in parts(keys, KEYS, Stored::size) {
            check_size(command.len() + keys.iter().map(Stored::size).sum::<usize>())?;
        }
        let mut reached = 0;
        for keys in parts(keys, KEYS, Stored::size) {
            let mut writer = command.clone();
            keys.iter().for_each(|key| key.write_item(&mut writer));
            reached += self.write(place, &[writer], context).await?;
        }
        Ok(reached)
    }
}

/// Parts of a list, each of which one command takes.
pub(crate) fn parts<T>(all: &[T], most: usize, size: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = all;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(most).take_while(|item| {
            bytes += size(item);
            bytes <= BYTES
        });
        // One that is too large by itself is refused when it is sent.
        let (part, others) = rest.split_at_checked(fits.count().max(1))?;
        rest = others;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_goes_in_parts() {
        let numbers: Vec<usize> = (0..2_500).collect();
        let lengths = |size: usize| parts(&numbers, KEYS, move |_| size).map(<[usize]>::len).collect::<Vec<_>>();
        assert_eq!(lengths(8), [1_000, 1_000, 500]);
        assert_eq!(lengths(BYTES / 2)[..3], [2, 2, 2]);
        assert_eq!(lengths(BYTES + 1).len(), 2_500);
        assert_eq!(parts(&numbers, KEYS, |_| 8).flatten().copied().collect::<Vec<_>>(), numbers);
        assert_eq!(parts(&[0; 0], KEYS, |_| 8).count(), 0);
    }
}
