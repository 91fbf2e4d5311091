//! Writing BSON: one buffer, front to back.
//!
//! A command is written in one pass, nested documents in their place, so that a row costs no map and no copy of its parts. The same
//! pass serves `explain`: there a writer notes the values apart and leaves a mark where each would stand.

use mongodb::bson::spec::BinarySubtype;
use mongodb::bson::{RawBsonRef, RawDocument, RawDocumentBuf};
use ommi_core::value::Value;
use ommi_core::{DBError, DBResult, ErrorKind};

const DOUBLE: u8 = 0x01;
const STRING: u8 = 0x02;
const DOCUMENT: u8 = 0x03;
const ARRAY: u8 = 0x04;
const BINARY: u8 = 0x05;
const OBJECT_ID: u8 = 0x07;
const BOOL: u8 = 0x08;
const DATE_TIME: u8 = 0x09;
const NULL: u8 = 0x0A;
/// Deprecated, and written by nothing else here: the mark of a value in an explanation.
const SYMBOL: u8 = 0x0E;
const INT32: u8 = 0x10;
const INT64: u8 = 0x12;
const DECIMAL: u8 = 0x13;

/// The subtypes of binary data that Ommi writes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subtype {
    Generic = 0,
    Uuid = 4,
}

/// Writes one document.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    /// Where the open documents and arrays begin, and how many elements each array has.
    open: Vec<(usize, u32)>,
    /// The values of an explanation, in order.
    explained: Option<Vec<Value<'static>>>,
}

impl Writer {
    /// Begins a document.
    pub(crate) fn new() -> Writer {
        let mut writer = Writer { bytes: Vec::with_capacity(256), open: Vec::with_capacity(8), explained: None };
        writer.start();
        writer
    }

    /// Begins a document that shows marks in place of values.
    pub(crate) fn explaining() -> Writer {
        Writer { explained: Some(Vec::new()), ..Writer::new() }
    }

    /// How many documents and arrays are open, the outermost among them.
    pub(crate) fn depth(&self) -> usize {
        self.open.len()
    }

    /// So many bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Makes room at once.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// Ends the document, and gives what an explanation noted apart.
    pub(crate) fn finish(mut self) -> DBResult<(RawDocumentBuf, Vec<Value<'static>>)> {
        while !self.open.is_empty() {
            self.end();
        }
        match RawDocumentBuf::from_bytes(self.bytes) {
            Ok(document) => Ok((document, self.explained.unwrap_or_default())),
            // Its length does not fit where BSON writes it: more than two gigabytes.
            Err(error) => Err(DBError::new(ErrorKind::TooLarge).with_source(error).unsent()),
        }
    }

    fn start(&mut self) {
        self.open.push((self.bytes.len(), 0));
        self.bytes.extend_from_slice(&[0; 4]);
    }

    /// The type and name of an element. Names come from schemas and from this crate, and hold no NUL.
    fn element(&mut self, kind: u8, key: &str) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(key.as_bytes());
        self.bytes.push(0);
    }

    pub(crate) fn begin_document(&mut self, key: &str) {
        self.element(DOCUMENT, key);
        self.start();
    }

    pub(crate) fn begin_array(&mut self, key: &str) {
        self.element(ARRAY, key);
        self.start();
    }

    /// The name of the next element of the innermost array.
    pub(crate) fn index(&mut self) -> Index {
        let number = match self.open.last_mut() {
            Some((_, count)) => {
                let number = *count;
                *count += 1;
                number
            }
            None => 0,
        };
        Index::new(number)
    }

    /// Begins a document as the next element of an array.
    pub(crate) fn item_document(&mut self) {
        let index = self.index();
        self.begin_document(index.as_str());
    }

    /// Begins an array as the next element of an array.
    pub(crate) fn item_array(&mut self) {
        let index = self.index();
        self.begin_array(index.as_str());
    }

    /// Text as the next element of an array.
    pub(crate) fn item_string(&mut self, text: &str) {
        let index = self.index();
        self.string(index.as_str(), text);
    }

    /// NULL as the next element of an array.
    pub(crate) fn item_null(&mut self) {
        let index = self.index();
        self.null(index.as_str());
    }

    /// A number as the next element of an array.
    pub(crate) fn item_int(&mut self, number: i64) {
        let index = self.index();
        self.int64(index.as_str(), number);
    }

    /// Ends the innermost document or array.
    pub(crate) fn end(&mut self) {
        let Some((start, _)) = self.open.pop() else { return };
        self.bytes.push(0);
        // What does not fit is refused at the end.
        let length = i32::try_from(self.bytes.len() - start).unwrap_or(i32::MAX);
        if let Some(place) = self.bytes.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
    }

    pub(crate) fn null(&mut self, key: &str) {
        self.element(NULL, key);
    }

    pub(crate) fn bool(&mut self, key: &str, value: bool) {
        self.element(BOOL, key);
        self.bytes.push(u8::from(value));
    }

    pub(crate) fn int32(&mut self, key: &str, value: i32) {
        self.element(INT32, key);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn int64(&mut self, key: &str, value: i64) {
        self.element(INT64, key);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn double(&mut self, key: &str, value: f64) {
        self.element(DOUBLE, key);
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn date_time(&mut self, key: &str, millis: i64) {
        self.element(DATE_TIME, key);
        self.bytes.extend_from_slice(&millis.to_le_bytes());
    }

    pub(crate) fn string(&mut self, key: &str, text: &str) {
        self.element(STRING, key);
        self.text(text);
    }

    fn text(&mut self, text: &str) {
        let length = i32::try_from(text.len() + 1).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
    }

    pub(crate) fn binary(&mut self, key: &str, subtype: Subtype, data: &[u8]) {
        self.element(BINARY, key);
        let length = i32::try_from(data.len()).unwrap_or(i32::MAX);
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.push(subtype as u8);
        self.bytes.extend_from_slice(data);
    }

    pub(crate) fn object_id(&mut self, key: &str, bytes: [u8; 12]) {
        self.element(OBJECT_ID, key);
        self.bytes.extend_from_slice(&bytes);
    }

    pub(crate) fn raw_document(&mut self, key: &str, document: &RawDocument) {
        self.element(DOCUMENT, key);
        self.bytes.extend_from_slice(document.as_bytes());
    }

    /// A value that this crate has read: a default, a key. It is none of another type; that would become NULL.
    pub(crate) fn raw(&mut self, key: &str, value: RawBsonRef<'_>) {
        match value {
            RawBsonRef::Boolean(value) => self.bool(key, value),
            RawBsonRef::Int32(value) => self.int32(key, value),
            RawBsonRef::Int64(value) => self.int64(key, value),
            RawBsonRef::Double(value) => self.double(key, value),
            RawBsonRef::String(value) => self.string(key, value),
            RawBsonRef::DateTime(value) => self.date_time(key, value.timestamp_millis()),
            RawBsonRef::ObjectId(value) => self.object_id(key, value.bytes()),
            RawBsonRef::Binary(value) if value.subtype == BinarySubtype::Uuid => {
                self.binary(key, Subtype::Uuid, value.bytes);
            }
            RawBsonRef::Binary(value) => self.binary(key, Subtype::Generic, value.bytes),
            RawBsonRef::Document(value) => self.raw_document(key, value),
            RawBsonRef::Decimal128(value) => {
                self.element(DECIMAL, key);
                self.bytes.extend_from_slice(&value.bytes());
            }
            _ => self.null(key),
        }
    }

    /// In an explanation, notes the value and leaves a mark; else says that the value is to be written.
    pub(crate) fn is_marked(&mut self, key: &str, mark: &str, value: impl FnOnce() -> Value<'static>) -> bool {
        let Some(explained) = &mut self.explained else { return false };
        explained.push(value());
        self.element(SYMBOL, key);
        self.text(mark);
        true
    }

    /// In an explanation, a mark of what is not known before something else was asked, as the next element of an array.
    pub(crate) fn item_mark(&mut self, mark: &str) {
        let index = self.index();
        self.element(SYMBOL, index.as_str());
        self.text(mark);
    }

    /// A number that the user gave: of rows, say.
    pub(crate) fn given_int(&mut self, key: &str, number: i64) {
        if !self.is_marked(key, "?", || Value::Int(number)) {
            self.int64(key, number);
        }
    }

    /// Text that was made of the user's.
    pub(crate) fn given_text(&mut self, key: &str, mark: &str, text: &str) {
        if !self.is_marked(key, mark, || Value::Text(text.to_owned().into())) {
            self.string(key, text);
        }
    }
}

/// The decimal name of an array's element.
#[derive(Debug)]
pub(crate) struct Index {
    digits: [u8; 10],
    start: usize,
}

impl Index {
    fn new(mut number: u32) -> Index {
        let mut digits = [b'0'; 10];
        let mut start = digits.len();
        for (place, digit) in digits.iter_mut().enumerate().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            start = place;
            if number == 0 {
                break;
            }
        }
        Index { digits, start }
    }

    pub(crate) fn as_str(&self) -> &str {
        self.digits.get(self.start..).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or("0")
    }
}

#[cfg(test)]
mod tests {
    use mongodb::bson::{Document, doc};

    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let mut writer = Writer::new();
        writer.string("text", "é");
        writer.begin_array("list");
        for number in 0..12 {
            writer.item_int(number);
        }
        writer.item_document();
        writer.null("none");
        writer.bool("yes", true);
        writer.end();
        writer.end();
        writer.int32("small", -1);
        writer.double("half", 0.5);
        let (raw, binds) = writer.finish().unwrap();
        let read = Document::try_from(raw.as_ref()).unwrap();
        let mut list: Vec<mongodb::bson::Bson> = (0..12i64).map(Into::into).collect();
        list.push(doc! { "none": null, "yes": true }.into());
        assert_eq!(read, doc! { "text": "é", "list": list, "small": -1, "half": 0.5 });
        assert!(binds.is_empty());
    }

    #[test]
    fn the_names_of_elements_are_decimal() {
        for number in [0, 9, 10, 123, u32::MAX] {
            assert_eq!(Index::new(number).as_str(), number.to_string());
        }
    }

    #[test]
    fn an_explanation_holds_no_value() {
        let mut writer = Writer::explaining();
        writer.given_text("a", "?", "secret");
        let (raw, binds) = writer.finish().unwrap();
        assert!(!raw.as_bytes().windows(6).any(|window| window == b"secret"));
        assert_eq!(binds, [Value::Text("secret".into())]);
    }
}
