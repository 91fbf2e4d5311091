//! Every operation has a span that says what was done, how long it took and with how many rows, and none of its values.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use ommi::prelude::*;
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

#[derive(Debug, Clone, Model)]
struct User {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    email: String,
}

/// The fields of each span, in the order in which they began.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<(Id, Fields)>>>);

type Fields = BTreeMap<&'static str, String>;

struct Write<'a>(&'a mut Fields);

impl Visit for Write<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut fields = BTreeMap::new();
        attributes.record(&mut Write(&mut fields));
        self.0.lock().unwrap().push((id.clone(), fields));
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        // A span that has ended leaves its number to another one: the last of that number is meant.
        let mut spans = self.0.lock().unwrap();
        let (_, fields) = spans.iter_mut().rev().find(|(other, _)| other == id).unwrap();
        values.record(&mut Write(fields));
    }
}

#[test]
fn each_operation_has_its_span_and_no_value_is_in_it() {
    let spans = Spans::default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(spans.clone()), || {
        runtime.block_on(async {
            let db = Ommi::connect("sqlite::memory:").await.unwrap();
            db.create_tables::<User>().await.unwrap();
            db.add(new!(User { email: "secret-1" })).await.unwrap();
            db.add(new!(User { email: "secret-1" })).await.unwrap_err();
            db.find(User::email.ne("secret-2")).all().await.unwrap();
            db.find(User::email.eq("secret-1")).update(User::email.set("secret-3")).await.unwrap();
            let mut rows = db.find_all::<User>().stream();
            while rows.try_next().await.unwrap().is_some() {}
            db.find_all::<User>().delete().await.unwrap();
            db.begin().await.unwrap().commit().await.unwrap();
        });
    });
    let spans: Vec<Fields> = spans
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|(_, fields)| fields.clone())
        .filter(|fields| fields.contains_key("operation"))
        .collect();
    let shown: Vec<[&str; 3]> = spans
        .iter()
        .map(|span| ["operation", "rows", "statement"].map(|field| span.get(field).map_or("", |v| v)))
        .collect();
    assert_eq!(
        shown,
        [
            [r#""create_tables""#, "0", ""],
            [r#""add""#, "1", r#""INSERT INTO \"users\" (\"email\") VALUES (?)""#],
            [r#""add""#, "", r#""INSERT INTO \"users\" (\"email\") VALUES (?)""#],
            [r#""all""#, "1", r#""SELECT \"id\", \"email\" FROM \"users\" WHERE \"email\" <> ?""#],
            [r#""update""#, "1", r#""UPDATE \"users\" SET \"email\" = ? WHERE \"email\" = ?""#],
            [r#""stream""#, "1", r#""SELECT \"id\", \"email\" FROM \"users\"""#],
            [r#""delete""#, "1", r#""DELETE FROM \"users\"""#],
            [r#""begin""#, "0", ""],
            [r#""commit""#, "0", ""],
        ]
    );
    for span in spans.iter() {
        let of_transaction = ["begin", "commit"].iter().any(|name| span["operation"].contains(name));
        assert_eq!(span["model"], if of_transaction { r#""""# } else { r#""User""# });
        assert!(span["duration_us"].parse::<u64>().is_ok(), "{span:?}");
        assert!(!format!("{span:?}").contains("secret"), "{span:?}");
    }
    assert!(spans[2]["error"].contains("same `email`"), "{:?}", spans[2]);
}
