//! What would be sent, without sending it. Its text is the driver's own affair; the tests of each driver compare it.

use ommi::driver::Explanation;
use ommi::prelude::*;

use crate::expect::{assert_kind, invalid_column};

#[derive(Debug, Clone, PartialEq, Model)]
struct Song {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    title: String,
    #[ommi(default = 0)]
    plays: i64,
}

/// The table need not be there, and what is added and deleted is not.
pub(crate) async fn every_verb_without_running_it(db: &Ommi) -> DBResult<()> {
    let played = || db.find(Song::plays.gt(41));
    let row = || new!(Song { title: "a title", plays: 41 });
    let upsert = || db.upsert(row()).on(Song::title);
    let explained = || -> DBResult<Vec<Explanation>> {
        Ok(vec![
            played().sort(Song::title).limit(41).explain()?,
            played().explain_count()?,
            played().explain_exists()?,
            played().explain_update(Song::title.set("other"))?,
            played().explain_delete()?,
            db.explain_add(row())?,
            upsert().explain_update(Song::plays.increment(1))?,
            upsert().explain_ignore()?,
        ])
    };
    let without_a_table = explained()?;
    for (i, explanation) in without_a_table.iter().enumerate() {
        assert!(explanation.with_values().to_string().contains("41"), "{i}: {explanation}");
        let others = without_a_table.iter().filter(|other| other.statement() == explanation.statement()).count();
        assert_eq!(others, 1, "{explanation}");
    }
    db.create_tables::<Song>().await?;
    db.add(new!(Song { title: "there", plays: 50 })).await?;
    let texts = |all: &[Explanation]| all.iter().map(|one| one.with_values().to_string()).collect::<Vec<_>>();
    assert_eq!(texts(&explained()?), texts(&without_a_table));
    assert_eq!(db.find_all::<Song>().all().await?.len(), 1);
    assert_eq!(db.find(Song::plays.eq(50)).one().await?.title, "there");
    Ok(())
}

pub(crate) async fn what_is_wrong_is_found_as_when_it_runs(db: &Ommi) -> DBResult<()> {
    let bad = || Song::title.eq("a\0b");
    assert_kind!(db.find(bad()).explain_count(), ErrorKind::InvalidValue { .. });
    assert_kind!(db.find(bad()).explain_exists(), ErrorKind::InvalidValue { .. });
    invalid_column(db.explain_add(new!(Song { title: "a\0b" })), "Song", "title");
    invalid_column(db.upsert(new!(Song { title: "a\0b" })).on(Song::title).explain_ignore(), "Song", "title");
    let upsert = || db.upsert(new!(Song { title: "a" }));
    assert_kind!(upsert().on(Song::plays).explain_ignore(), ErrorKind::Query);
    assert_kind!(upsert().on(Song::title).explain_update(None::<ommi::Assign<Song>>), ErrorKind::Query);
    assert_kind!(upsert().on(Song::title).explain_update(Song::title.set("\0")), ErrorKind::InvalidValue { .. });
    Ok(())
}
