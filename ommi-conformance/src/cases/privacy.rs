//! No value shows up where it was not asked for: values are the user's data.

use std::fmt::Debug;

use ommi::prelude::*;

use crate::expect::error;

const SECRET: &str = "s3cr3t-marker";

#[derive(Clone, PartialEq, Model)]
struct Patient {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    name: String,
    note: Option<String>,
    #[ommi(default = 0.0)]
    dose: f64,
    #[ommi(default = 0)]
    age: i64,
}

/// Not the derived one, which would print the row.
impl Debug for Patient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Patient")
    }
}

#[track_caller]
fn hidden(shown: impl Debug) {
    for text in [format!("{shown:?}"), format!("{shown:#?}")] {
        assert!(!text.contains(SECRET) && !text.contains("424242"), "{text}");
    }
}

#[track_caller]
fn hidden_in(error: &DBError) {
    hidden(error);
    let text = error.to_string();
    assert!(!text.contains(SECRET) && !text.contains("424242"), "{text}");
}

fn secrets() -> Predicate<Patient> {
    let texts = Patient::name.eq(SECRET) | Patient::note.contains(SECRET) | Patient::note.in_([SECRET, "other"]);
    texts & (Patient::age.between(424_242, 424_242) | Patient::dose.lt(424_242.0))
}

pub(crate) async fn queries_do_not_show_values(db: &Ommi) -> DBResult<()> {
    hidden(secrets());
    hidden(!secrets());
    hidden(db.find(secrets()).sort(Patient::name));
    hidden(Patient::name.set(SECRET));
    hidden(Patient::age.increment(424_242));
    hidden(db.find(secrets()).all());
    hidden(db.find(secrets()).stream());
    hidden(db.get::<Patient>(424_242));
    Ok(())
}

pub(crate) async fn new_rows_do_not_show_values(db: &Ommi) -> DBResult<()> {
    let row = || new!(Patient { name: SECRET, note: SECRET, age: 424_242 });
    hidden(row());
    hidden(row().name);
    hidden(db.add(row()));
    hidden(db.upsert(row()));
    hidden(db.upsert(row()).on(Patient::name));
    Ok(())
}

pub(crate) async fn explain_shows_values_only_when_asked(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Patient>().await?;
    let changes = || (Patient::name.set(SECRET), Patient::age.increment(424_242));
    let row = || new!(Patient { name: SECRET, note: SECRET, age: 424_242 });
    for explanation in [
        db.find(secrets()).explain()?,
        db.find(secrets()).explain_update(changes())?,
        db.find(secrets()).explain_delete()?,
        db.find(secrets()).explain_count()?,
        db.find(secrets()).explain_exists()?,
        db.explain_add(row())?,
        db.upsert(row()).on(Patient::name).explain_update(changes())?,
        db.upsert(row()).on(Patient::name).explain_ignore()?,
    ] {
        hidden(&explanation);
        let text = explanation.to_string();
        assert!(!text.is_empty() && !text.contains(SECRET) && !text.contains("424242"), "{text}");
        let shown = explanation.with_values().to_string();
        assert!(shown.contains(SECRET), "{shown}");
    }
    Ok(())
}

pub(crate) async fn violations_do_not_show_values(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Patient>().await?;
    let row = || new!(Patient { name: SECRET, age: 424_242 });
    db.add(row()).await?;
    hidden_in(&error(db.add(row()).await));
    hidden_in(&error(db.add_all([row(), row()]).await));
    let other = db.add(new!(Patient { name: "other" })).await?;
    hidden_in(&error(db.find(Patient::id.eq(other.id)).update(Patient::name.set(SECRET)).await));
    hidden_in(&error(db.upsert(row()).on(Patient::id).ignore().await));
    Ok(())
}

pub(crate) async fn invalid_values_are_not_shown(db: &Ommi) -> DBResult<()> {
    let text = format!("{SECRET}\0");
    hidden_in(&error(db.add(new!(Patient { name: text.clone() })).await));
    hidden_in(&error(db.find(Patient::name.eq(text.clone())).all().await));
    hidden(Patient::name.eq(text.clone()));
    hidden(Patient::name.set(text.clone()));
    hidden(db.find(Patient::name.contains(text)));
    Ok(())
}

/// The same table, read as what it is not.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "patients")]
struct Misread {
    id: i64,
    name: i64,
}

pub(crate) async fn values_that_cannot_be_read_are_not_shown(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Patient>().await?;
    db.add(new!(Patient { name: SECRET })).await?;
    let error = error(db.find_all::<Misread>().all().await);
    assert!(matches!(error.kind(), ErrorKind::Decode { .. }), "{error:?}");
    hidden_in(&error);
    Ok(())
}

pub(crate) async fn a_missing_table_shows_no_values(db: &Ommi) -> DBResult<()> {
    hidden_in(&error(db.find(secrets()).all().await));
    hidden_in(&error(db.add(new!(Patient { name: SECRET })).await));
    hidden_in(&error(db.find(secrets()).update(Patient::note.set(SECRET)).await));
    Ok(())
}
