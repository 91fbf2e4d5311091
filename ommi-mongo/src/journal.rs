//! What it takes to undo a part of a transaction: the documents that it touched, as they were before.
//!
//! MongoDB has no savepoints. So each level within a transaction keeps the first pre-image of every document that it touches, or that there
//! was none. Undoing it takes all of them away, and puts the pre-images back: at most two commands for each collection (more where they
//! are too large for one), however much was written, and in an order in which no unique index can be violated.

use std::collections::HashMap;
use std::sync::Arc;

use mongodb::bson::{RawArrayBuf, RawBsonRef, RawDocument, RawDocumentBuf, cstr, rawdoc};
use ommi_core::{DBError, DBResult, ErrorKind};

use crate::names::ID;

/// The most documents that the levels of a transaction keep.
pub(crate) const MOST_DOCUMENTS: usize = 10_000;
/// The most bytes of them.
pub(crate) const MOST_BYTES: usize = 32 * 1024 * 1024;

/// The most bytes, and documents, of one command that undoes.
const COMMAND_BYTES: usize = 12_000_000;
const COMMAND_DOCUMENTS: usize = 50_000;

/// A key, as the document `{_id: key}`.
pub(crate) type Id = RawDocumentBuf;

/// The first pre-images of a level, by collection and key. None for a document that was not there.
#[derive(Debug, Default)]
pub(crate) struct Level {
    tables: HashMap<Arc<str>, HashMap<Vec<u8>, Option<RawDocumentBuf>>>,
}

/// The levels of a transaction beside the outermost, which the server undoes itself.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    levels: Vec<Level>,
    documents: usize,
    bytes: usize,
}

impl Level {
    fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Notes what was there before this, where nothing is noted yet.
    fn note(&mut self, table: &str, id: Id, before: Option<RawDocumentBuf>) -> bool {
        let rows = match self.tables.get_mut(table) {
            Some(rows) => rows,
            None => self.tables.entry(table.into()).or_default(),
        };
        match rows.entry(id.into_bytes()) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(before);
                true
            }
        }
    }

    /// Takes what a level within it kept, which is younger.
    fn absorb(&mut self, inner: Level) {
        for (table, rows) in inner.tables {
            let own = self.tables.entry(table).or_default();
            for (id, before) in rows {
                own.entry(id).or_insert(before);
            }
        }
    }

    /// How many documents it keeps, and how many bytes they have.
    fn size(&self) -> (usize, usize) {
        let rows = self.tables.values().flatten();
        rows.fold((0, 0), |(count, bytes), (id, before)| (count + 1, bytes + size(id.len(), before.as_ref())))
    }

    /// The commands that bring everything back, in order.
    pub(crate) fn undoing(self) -> DBResult<Vec<RawDocumentBuf>> {
        let mut commands = Vec::new();
        for (table, rows) in self.tables {
            let broken = |error| DBError::new(ErrorKind::Database).with_source(error);
            let mut ids = Pages::default();
            for id in rows.keys() {
                let id = RawDocument::from_bytes(id).map_err(broken)?;
                let value = id.get(ID).map_err(broken)?.unwrap_or(RawBsonRef::Null);
                ids.push(value, id.as_bytes().len());
            }
            for ids in ids.finish() {
                commands.push(rawdoc! {
                    "delete": &*table,
                    "deletes": [{ "q": { "_id": { "$in": ids } }, "limit": 0 }],
                });
            }
            let mut documents = Pages::default();
            for before in rows.values().flatten() {
                documents.push(RawBsonRef::Document(before), before.as_bytes().len());
            }
            for documents in documents.finish() {
                // Past the validator would take a right of its own. What it refuses ends the whole transaction.
                commands.push(rawdoc! {
                    "insert": &*table,
                    "ordered": true,
                    "documents": documents,
                });
            }
        }
        Ok(commands)
    }
}

/// Lists that each fit into a command.
#[derive(Default)]
struct Pages {
    full: Vec<RawArrayBuf>,
    current: RawArrayBuf,
    count: usize,
    bytes: usize,
}

impl Pages {
    fn push(&mut self, value: RawBsonRef<'_>, bytes: usize) {
        if self.count > 0 && (self.bytes + bytes > COMMAND_BYTES || self.count >= COMMAND_DOCUMENTS) {
            self.full.push(std::mem::take(&mut self.current));
            (self.count, self.bytes) = (0, 0);
        }
        self.current.push(value);
        self.count += 1;
        // And its number in the list.
        self.bytes += bytes + 16;
    }

    fn finish(mut self) -> Vec<RawArrayBuf> {
        if self.count > 0 {
            self.full.push(self.current);
        }
        self.full
    }
}

fn size(id: usize, before: Option<&RawDocumentBuf>) -> usize {
    id + before.map_or(0, |document| document.as_bytes().len())
}

/// More than can be kept.
pub(crate) fn too_much() -> DBError {
    DBError::new(ErrorKind::TooLarge).with_detail(format!(
        "transactions within another keep what they change so as to undo it: {MOST_DOCUMENTS} documents and {} MB at most",
        MOST_BYTES / (1024 * 1024)
    ))
}

/// The key of a document.
pub(crate) fn id_of(document: &RawDocument) -> Id {
    let id = document.get(ID).ok().flatten().unwrap_or(RawBsonRef::Null);
    let mut own = RawDocumentBuf::new();
    own.append(cstr!("_id"), id);
    own
}

impl Journal {
    /// How many levels are open beside the outermost.
    pub(crate) fn depth(&self) -> u32 {
        u32::try_from(self.levels.len()).unwrap_or(u32::MAX)
    }

    /// Opens levels up to this one.
    pub(crate) fn open(&mut self, level: u32) {
        while self.depth() < level {
            self.levels.push(Level::default());
        }
    }

    /// Whether so many more documents of so many bytes can be kept. Asked before a write, since after it there is no way back.
    pub(crate) fn check_room(&self, documents: usize, bytes: usize) -> DBResult<()> {
        if self.documents.saturating_add(documents) > MOST_DOCUMENTS || self.bytes.saturating_add(bytes) > MOST_BYTES {
            return Err(too_much());
        }
        Ok(())
    }

    /// The same for documents as they are, each with its collection, of which some may be kept already.
    pub(crate) fn check_room_for<'d>(
        &self,
        documents: impl IntoIterator<Item = (&'d str, &'d RawDocumentBuf)>,
    ) -> DBResult<()> {
        let (mut count, mut bytes) = (0, 0);
        for (table, document) in documents {
            let id = id_of(document);
            let kept = self.levels.last().and_then(|level| level.tables.get(table));
            if kept.is_none_or(|kept| !kept.contains_key(id.as_bytes())) {
                count += 1;
                bytes += size(id.as_bytes().len(), Some(document));
            }
        }
        self.check_room(count, bytes)
    }

    /// Notes documents of a collection as they were before a write.
    pub(crate) fn note_before(&mut self, table: &str, documents: Vec<RawDocumentBuf>) {
        for document in documents {
            let id = id_of(&document);
            let bytes = size(id.as_bytes().len(), Some(&document));
            self.note(table, id, Some(document), bytes);
        }
    }

    /// Notes documents that were not there before a write.
    pub(crate) fn note_added(&mut self, table: &str, ids: Vec<Id>) {
        for id in ids {
            let bytes = id.as_bytes().len();
            self.note(table, id, None, bytes);
        }
    }

    fn note(&mut self, table: &str, id: Id, before: Option<RawDocumentBuf>, bytes: usize) {
        if let Some(level) = self.levels.last_mut()
            && level.note(table, id, before)
        {
            self.documents += 1;
            self.bytes += bytes;
        }
    }

    /// Makes what is open from this level on part of the one around it.
    pub(crate) fn keep(&mut self, level: u32) {
        let inner = self.take(level);
        if let Some(outer) = self.levels.last_mut() {
            outer.absorb(inner);
        }
        let sizes = self.levels.iter().map(Level::size);
        (self.documents, self.bytes) = sizes.fold((0, 0), |(d, b), (documents, bytes)| (d + documents, b + bytes));
    }

    /// Takes what is open beyond this level, to be undone; nothing where nothing was touched.
    pub(crate) fn take_beyond(&mut self, level: u32) -> Option<Level> {
        let beyond = self.take(level.saturating_add(1));
        let (documents, bytes) = beyond.size();
        self.documents = self.documents.saturating_sub(documents);
        self.bytes = self.bytes.saturating_sub(bytes);
        (!beyond.is_empty()).then_some(beyond)
    }

    /// Takes what is open from this level on, as one.
    fn take(&mut self, level: u32) -> Level {
        let from = (level.max(1) as usize - 1).min(self.levels.len());
        let mut all = Level::default();
        for inner in self.levels.drain(from..) {
            all.absorb(inner);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Document, doc};

    use super::*;

    fn document(id: i64, n: i64) -> RawDocumentBuf {
        rawdoc! { "_id": id, "n": n }
    }

    fn id(id: i64) -> Id {
        rawdoc! { "_id": id }
    }

    fn undone(level: Option<Level>) -> Vec<Document> {
        let commands = level.map(Level::undoing).transpose().unwrap().unwrap_or_default();
        commands.iter().map(|command| Document::try_from(&**command).unwrap()).collect()
    }

    #[test]
    fn the_first_pre_image_counts() {
        let mut journal = Journal::default();
        journal.open(1);
        journal.note_before("t", vec![document(1, 10)]);
        journal.note_before("t", vec![document(1, 11)]);
        journal.note_added("t", vec![id(1)]);
        assert_eq!(
            undone(journal.take_beyond(0)),
            [
                doc! { "delete": "t", "deletes": [{ "q": { "_id": { "$in": [1i64] } }, "limit": 0 }] },
                doc! { "insert": "t", "ordered": true, "documents": [{ "_id": 1i64, "n": 10i64 }] },
            ]
        );
        assert_eq!((journal.depth(), journal.documents, journal.bytes), (0, 0, 0));
    }

    #[test]
    fn what_was_added_is_only_taken_away() {
        let mut journal = Journal::default();
        journal.open(1);
        journal.note_added("t", vec![id(1)]);
        journal.note_before("t", vec![document(1, 5)]);
        let commands = undone(journal.take_beyond(0));
        assert_eq!(commands, [doc! { "delete": "t", "deletes": [{ "q": { "_id": { "$in": [1i64] } }, "limit": 0 }] }]);
    }

    #[test]
    fn a_level_that_is_kept_gives_what_is_older_to_the_one_around_it() {
        let mut journal = Journal::default();
        journal.open(2);
        journal.note_before("t", vec![document(1, 20)]);
        journal.keep(2);
        assert_eq!(journal.depth(), 1);
        journal.open(2);
        journal.note_before("t", vec![document(1, 21), document(2, 1)]);
        journal.keep(2);
        assert_eq!(journal.documents, 2);
        let restored = undone(journal.take_beyond(0)).into_iter().find(|command| command.contains_key("insert"));
        let mut restored: Vec<Document> = restored
            .unwrap()
            .get_array("documents")
            .unwrap()
            .iter()
            .map(|document| document.as_document().unwrap().clone())
            .collect();
        restored.sort_by_key(|document| document.get_i64("_id").unwrap());
        assert_eq!(restored, [doc! { "_id": 1i64, "n": 20i64 }, doc! { "_id": 2i64, "n": 1i64 }]);
    }

    #[test]
    fn the_outermost_level_keeps_nothing() {
        let mut journal = Journal::default();
        journal.note_before("t", vec![document(1, 1)]);
        journal.open(1);
        journal.note_before("t", vec![document(1, 1)]);
        journal.keep(1);
        assert_eq!((journal.depth(), journal.documents, journal.bytes), (0, 0, 0));
        assert!(journal.take_beyond(0).is_none());
    }

    #[test]
    fn over_the_bound_nothing_more_is_kept() {
        let mut journal = Journal::default();
        journal.open(1);
        assert!(journal.check_room(MOST_DOCUMENTS, 0).is_ok());
        journal.note_added("t", vec![id(1)]);
        let error = journal.check_room(MOST_DOCUMENTS, 0).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TooLarge), "{error}");
        assert!(journal.check_room(1, MOST_BYTES).is_err());
        // What is kept already takes no room.
        journal.note_before("t", vec![document(2, 1)]);
        let again: Vec<RawDocumentBuf> = (2..MOST_DOCUMENTS as i64 + 1).map(|id| document(id, 2)).collect();
        let of = |table| again.iter().map(move |document| (table, document));
        assert!(journal.check_room_for(of("t")).is_ok());
        assert!(journal.check_room_for(of("other")).is_err());
        assert!(journal.take_beyond(0).is_some());
        assert!(journal.check_room(MOST_DOCUMENTS, 0).is_ok());
    }

    #[test]
    fn what_does_not_fit_into_one_command_goes_into_several() {
        let mut journal = Journal::default();
        journal.open(1);
        let text = "x".repeat(5_000_000);
        journal.note_before("t", (0..4i64).map(|n| rawdoc! { "_id": n, "text": &*text }).collect());
        let commands = undone(journal.take_beyond(0));
        assert_eq!(commands.iter().filter(|command| command.contains_key("delete")).count(), 1);
        assert_eq!(commands.iter().filter(|command| command.contains_key("insert")).count(), 2);
        assert!(commands[0].contains_key("delete"), "taken away before anything is put back");
    }
}
