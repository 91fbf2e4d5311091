//! Rows that are added with those that belong to them.

use ommi::prelude::*;

use crate::expect::assert_kind;

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "tree_words")]
struct Word {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    code: Option<String>,
    parts: HasMany<Part>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "tree_parts")]
struct Part {
    #[ommi(auto)]
    id: i64,
    text: String,
    #[ommi(references = Word::code)]
    code: Option<String>,
    word: BelongsTo<Option<Word>>,
}

/// Nothing can belong to it, and what was to is not added by itself.
pub(crate) async fn under_a_row_whose_key_is_null(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Word, Part)>().await?;
    let rootless = new!(Word { parts: [{ text: "lost" }] });
    assert_kind!(db.add(rootless).await, ErrorKind::Query);
    let rootless = new!(Part { text: "lost", word: {} });
    assert_kind!(db.add(rootless).await, ErrorKind::Query);
    assert_eq!((db.find_all::<Word>().count().await?, db.find_all::<Part>().count().await?), (0, 0));
    let word = db.add(new!(Word { code: "w", parts: [{ text: "kept" }] })).await?;
    assert_eq!(db.find(Part::code.eq("w")).count().await?, 1);
    assert_eq!(word.parts.load(db).await?.len(), 1);
    Ok(())
}

/// What was undone is loaded by nobody, also from the rows that the add gave.
pub(crate) async fn in_a_transaction_that_is_rolled_back(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Word, Part)>().await?;
    let kept = db.add(new!(Word { code: "kept" })).await?;
    let tx = db.begin().await?;
    let word = tx.add(new!(Word { code: "w", parts: [{ text: "a" }, { text: "b" }] })).await?;
    assert_eq!(word.parts.get().map(<[Part]>::len), Some(2));
    assert_eq!(word.parts.load(&tx).await?.len(), 2);
    tx.rollback().await?;
    assert_eq!(word.parts.get(), None);
    assert!(word.parts.load(db).await?.is_empty());
    assert!(kept.parts.load(db).await?.is_empty());
    Ok(())
}

/// The user's own types and their control flow go into nested rows as anywhere.
pub(crate) async fn of_values_that_are_waited_for(db: &Ommi) -> DBResult<()> {
    struct Given;
    impl Given {
        const TEXT: &'static str = "given";
    }
    db.create_tables::<(Word, Part)>().await?;
    let text = async || DBResult::Ok("waited for");
    let word = db.add(new!(Word { code: "w", parts: [{ text: Given::TEXT }, { text: text().await? }] })).await?;
    let texts: Vec<&str> = word.parts.load(db).await?.iter().map(|part| part.text.as_str()).collect();
    assert_eq!(texts, ["given", "waited for"]);
    Ok(())
}
