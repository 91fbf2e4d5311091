//! Stored values as they are: keys of documents, and what references go by.

use mongodb::bson::raw::RawElement;
use mongodb::bson::{Bson, RawBson, RawBsonRef, RawDocument};
use ommi_core::DBResult;

use crate::bson::Writer;
use crate::names::ID;
use crate::work::no_document;

/// A stored value. Equal ones have the same bytes, which documents of one column do.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Stored(Box<[u8]>);

impl Stored {
    /// Takes a value out of a document.
    ///
    /// # Errors
    /// For a value that no column and no key of Ommi's is.
    pub(crate) fn of(value: RawBsonRef<'_>) -> DBResult<Stored> {
        let mut writer = Writer::new();
        writer.raw("", value);
        let (document, _) = writer.finish()?;
        // Of what the writer does not know, it makes something else.
        let is_same = document.get("").ok().flatten() == Some(value);
        if is_same { Ok(Stored(document.as_bytes().into())) } else { Err(no_document()) }
    }

    /// As [`of`](Stored::of), for a value that was read into a map.
    pub(crate) fn of_bson(value: &Bson) -> DBResult<Stored> {
        let raw = RawBson::try_from(value.clone()).map_err(|error| no_document().with_source(error))?;
        Stored::of(raw.as_raw_bson_ref())
    }

    /// The key of a document.
    pub(crate) fn key(document: &RawDocument) -> DBResult<Stored> {
        document.get(ID).ok().flatten().ok_or_else(no_document).and_then(Stored::of)
    }

    /// Writes it as the value of a field.
    pub(crate) fn write(&self, key: &str, writer: &mut Writer) {
        let document = RawDocument::from_bytes(&self.0).ok();
        let element = document.and_then(|document| document.iter_elements().next()?.ok());
        writer.raw(key, element.and_then(|element: RawElement<'_>| element.value().ok()).unwrap_or(RawBsonRef::Null));
    }

    /// Writes it as the next element of an array.
    pub(crate) fn write_item(&self, writer: &mut Writer) {
        let index = writer.index();
        self.write(index.as_str(), writer);
    }

    /// About how many bytes it takes in a command.
    pub(crate) fn size(&self) -> usize {
        self.0.len() + 8
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::oid::ObjectId;
    use mongodb::bson::{DateTime, Document, doc};

    use super::*;

    /// A key that was read is written as it was; what cannot be is an error, not another key.
    #[test]
    fn every_key_is_written_as_it_was_read() {
        let keys: [Bson; 8] = [
            1.into(),
            1i64.into(),
            1.5.into(),
            "a".into(),
            ObjectId::from_bytes([7; 12]).into(),
            DateTime::from_millis(-1).into(),
            doc! { "a": 1i64, "b": { "c": Bson::Null } }.into(),
            Bson::Decimal128("1.5".parse().unwrap()),
        ];
        for key in keys {
            let stored = Stored::of_bson(&key).unwrap();
            let mut writer = Writer::new();
            stored.write("k", &mut writer);
            let written = Document::try_from(writer.finish().unwrap().0.as_ref()).unwrap();
            assert_eq!(written, doc! { "k": key });
        }
        let old = mongodb::bson::Binary { subtype: mongodb::bson::spec::BinarySubtype::UuidOld, bytes: vec![1; 16] };
        assert!(Stored::of_bson(&Bson::Binary(old)).is_err());
        assert!(Stored::of_bson(&Bson::MaxKey).is_err());
    }
}
