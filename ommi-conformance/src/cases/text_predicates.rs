//! What a text contains, begins and ends with.

use ommi::prelude::*;

use crate::samples::HOSTILE;

#[derive(Debug, Clone, PartialEq, Model)]
struct Title {
    id: i64,
    text: String,
    other: Option<String>,
}

const NONE: [i64; 0] = [];

async fn titles(db: &Ommi, texts: &[&str]) -> DBResult<()> {
    db.create_tables::<Title>().await?;
    let rows = (1..).zip(texts).map(|(id, text)| Title { id, text: (*text).to_owned(), other: None });
    db.add_all(rows.collect::<Vec<_>>()).await?;
    Ok(())
}

async fn ids(db: &Ommi, predicate: Predicate<Title>) -> DBResult<Vec<i64>> {
    let rows = db.find(predicate).sort(Title::id).all().await?;
    Ok(rows.iter().map(|row| row.id).collect())
}

pub(crate) async fn contains_minds_the_case(db: &Ommi) -> DBResult<()> {
    titles(db, &["Rust", "rust", "trust", "RUST", "ru st"]).await?;
    assert_eq!(ids(db, Title::text.contains("rust")).await?, [2, 3]);
    assert_eq!(ids(db, Title::text.contains("RUST")).await?, [4]);
    assert_eq!(ids(db, Title::text.contains("t")).await?, [1, 2, 3, 5]);
    assert_eq!(ids(db, Title::text.contains(" ")).await?, [5]);
    Ok(())
}

pub(crate) async fn starts_with_minds_the_case(db: &Ommi) -> DBResult<()> {
    titles(db, &["abc", "Abc", "ab", "a", "xabc", "abd", "ac"]).await?;
    assert_eq!(ids(db, Title::text.starts_with("ab")).await?, [1, 3, 6]);
    assert_eq!(ids(db, Title::text.starts_with("A")).await?, [2]);
    assert_eq!(ids(db, Title::text.starts_with("abc")).await?, [1]);
    assert_eq!(ids(db, Title::text.starts_with("abcd")).await?, NONE, "longer than the text");
    Ok(())
}

pub(crate) async fn ends_with_minds_the_case(db: &Ommi) -> DBResult<()> {
    titles(db, &["a.txt", "b.TXT", "txt", "c.txt ", "d.txt.old", ""]).await?;
    assert_eq!(ids(db, Title::text.ends_with("txt")).await?, [1, 3]);
    assert_eq!(ids(db, Title::text.ends_with(".TXT")).await?, [2]);
    assert_eq!(ids(db, Title::text.ends_with("xa.txt")).await?, NONE, "longer than the text");
    Ok(())
}

pub(crate) async fn an_empty_needle_is_in_every_text(db: &Ommi) -> DBResult<()> {
    titles(db, &["", "a"]).await?;
    for predicate in [
        Title::text.contains(""),
        Title::text.starts_with(""),
        Title::text.ends_with(""),
        Title::text.icontains(""),
        Title::text.istarts_with(""),
        Title::text.iends_with(""),
    ] {
        assert_eq!(ids(db, predicate.clone()).await?, [1, 2]);
        assert_eq!(ids(db, !predicate).await?, NONE);
    }
    assert_eq!(ids(db, Title::text.ieq("")).await?, [1]);
    assert_eq!(ids(db, Title::other.contains("")).await?, NONE, "but not in NULL");
    assert_eq!(ids(db, !Title::other.contains("")).await?, NONE, "nor its contrary");
    Ok(())
}

pub(crate) async fn a_null_text_meets_neither_a_predicate_nor_its_contrary(db: &Ommi) -> DBResult<()> {
    titles(db, &["a", "b", "c"]).await?;
    db.find(Title::id.eq(1)).update(Title::other.set("xyz")).await?;
    db.find(Title::id.eq(2)).update(Title::other.set("abc")).await?;
    for (predicate, found, others) in [
        (Title::other.contains("y"), [1], [2]),
        (Title::other.starts_with("x"), [1], [2]),
        (Title::other.ends_with("z"), [1], [2]),
        (Title::other.ieq("ABC"), [2], [1]),
        (Title::other.icontains("B"), [2], [1]),
        (Title::other.istarts_with("AB"), [2], [1]),
        (Title::other.iends_with("C"), [2], [1]),
    ] {
        assert_eq!(ids(db, predicate.clone()).await?, found, "{predicate:?}");
        assert_eq!(ids(db, !predicate.clone()).await?, others, "not {predicate:?}");
    }
    Ok(())
}

/// Nothing in a needle has a special meaning: it is found in the texts in which the letters are.
pub(crate) async fn wildcards_mean_themselves(db: &Ommi) -> DBResult<()> {
    titles(db, HOSTILE).await?;
    let found = |holds: &dyn Fn(&str) -> bool| -> Vec<i64> {
        (1..).zip(HOSTILE).filter(|(_, text)| holds(text)).map(|(id, _)| id).collect()
    };
    for needle in HOSTILE {
        let needle = *needle;
        assert_eq!(ids(db, Title::text.contains(needle)).await?, found(&|t| t.contains(needle)), "contains {needle:?}");
        let expected = found(&|t| t.starts_with(needle));
        assert_eq!(ids(db, Title::text.starts_with(needle)).await?, expected, "starts_with {needle:?}");
        assert_eq!(
            ids(db, Title::text.ends_with(needle)).await?,
            found(&|t| t.ends_with(needle)),
            "ends_with {needle:?}"
        );
    }
    Ok(())
}

pub(crate) async fn wildcards_mean_themselves_whatever_the_case(db: &Ommi) -> DBResult<()> {
    titles(db, HOSTILE).await?;
    let found = |holds: &dyn Fn(&str) -> bool| -> Vec<i64> {
        let texts = (1..).zip(HOSTILE).map(|(id, text)| (id, text.to_ascii_lowercase()));
        texts.filter(|(_, text)| holds(text)).map(|(id, _)| id).collect()
    };
    for needle in HOSTILE {
        let folded = needle.to_ascii_lowercase();
        let expected = found(&|t| t.contains(&folded));
        assert_eq!(ids(db, Title::text.icontains(*needle)).await?, expected, "icontains {needle:?}");
        let expected = found(&|t| t.starts_with(&folded));
        assert_eq!(ids(db, Title::text.istarts_with(*needle)).await?, expected, "istarts_with {needle:?}");
        let expected = found(&|t| t.ends_with(&folded));
        assert_eq!(ids(db, Title::text.iends_with(*needle)).await?, expected, "iends_with {needle:?}");
        assert_eq!(ids(db, Title::text.ieq(*needle)).await?, found(&|t| t == folded), "ieq {needle:?}");
    }
    Ok(())
}

pub(crate) async fn ignoring_case_folds_ascii(db: &Ommi) -> DBResult<()> {
    titles(db, &["Hello World", "HELLO", "hello", "help", "World, hello"]).await?;
    assert_eq!(ids(db, Title::text.icontains("hELLo")).await?, [1, 2, 3, 5]);
    assert_eq!(ids(db, Title::text.istarts_with("hel")).await?, [1, 2, 3, 4]);
    assert_eq!(ids(db, Title::text.iends_with("HELLO")).await?, [2, 3, 5]);
    assert_eq!(ids(db, Title::text.ieq("Hello")).await?, [2, 3]);
    assert_eq!(ids(db, !Title::text.ieq("Hello")).await?, [1, 4, 5]);
    Ok(())
}

/// `é` and `É`, `ß` and `SS`, `k` and KELVIN SIGN stay different; so do `[` and `{`, which lie beside the letters.
pub(crate) async fn ignoring_case_folds_nothing_but_ascii(db: &Ommi) -> DBResult<()> {
    titles(db, &["É", "é", "\u{212a}", "k", "K", "ß", "SS", "İ", "i", "I", "ı", "[", "{", "@", "`", "ſ", "s"]).await?;
    for (needle, expected) in [
        ("é", vec![2]),
        ("É", vec![1]),
        ("k", vec![4, 5]),
        ("\u{212a}", vec![3]),
        ("ss", vec![7]),
        ("ß", vec![6]),
        ("i", vec![9, 10]),
        ("İ", vec![8]),
        ("ı", vec![11]),
        ("[", vec![12]),
        ("{", vec![13]),
        ("@", vec![14]),
        ("`", vec![15]),
        ("S", vec![17]),
    ] {
        assert_eq!(ids(db, Title::text.ieq(needle)).await?, expected, "ieq {needle:?}");
        let more = if needle == "S" { vec![7, 17] } else { expected };
        assert_eq!(ids(db, Title::text.icontains(needle)).await?, more, "icontains {needle:?}");
        assert_eq!(ids(db, Title::text.istarts_with(needle)).await?, more, "istarts_with {needle:?}");
        assert_eq!(ids(db, Title::text.iends_with(needle)).await?, more, "iends_with {needle:?}");
    }
    Ok(())
}

/// In a pattern, `.` does not match a line break and `$` matches before the last one.
pub(crate) async fn line_breaks_are_letters_like_any_other(db: &Ommi) -> DBResult<()> {
    titles(db, &["end", "end\n", "end\n\n", "a\nend", "\nend", "a\r\nb"]).await?;
    assert_eq!(ids(db, Title::text.ends_with("end")).await?, [1, 4, 5]);
    assert_eq!(ids(db, Title::text.iends_with("END")).await?, [1, 4, 5]);
    assert_eq!(ids(db, Title::text.starts_with("end")).await?, [1, 2, 3]);
    assert_eq!(ids(db, Title::text.ends_with("\n")).await?, [2, 3]);
    assert_eq!(ids(db, Title::text.contains("a\nend")).await?, [4]);
    assert_eq!(ids(db, Title::text.ieq("END")).await?, [1]);
    assert_eq!(ids(db, Title::text.contains("\r\n")).await?, [6]);
    Ok(())
}

/// Prefixes that have no next text, or whose next one is not the next code point.
pub(crate) async fn prefixes_at_the_edges_of_unicode(db: &Ommi) -> DBResult<()> {
    titles(
        db,
        &[
            "\u{10ffff}",
            "\u{10ffff}x",
            "a\u{10ffff}",
            "a\u{10ffff}b",
            "b",
            "\u{d7ff}1",
            "\u{e000}",
            "\u{7f}a",
            "\u{80}",
        ],
    )
    .await?;
    assert_eq!(ids(db, Title::text.starts_with("\u{10ffff}")).await?, [1, 2]);
    assert_eq!(ids(db, !Title::text.starts_with("\u{10ffff}")).await?, [3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(ids(db, Title::text.starts_with("a\u{10ffff}")).await?, [3, 4]);
    assert_eq!(ids(db, Title::text.starts_with("\u{d7ff}")).await?, [6]);
    assert_eq!(ids(db, Title::text.starts_with("\u{7f}")).await?, [8]);
    assert_eq!(ids(db, Title::text.istarts_with("A\u{10ffff}")).await?, [3, 4]);
    Ok(())
}

/// Part of a character is no character.
pub(crate) async fn characters_of_several_bytes(db: &Ommi) -> DBResult<()> {
    titles(db, &["😀", "😁", "é", "e\u{301}", "日本語", "本"]).await?;
    assert_eq!(ids(db, Title::text.contains("😀")).await?, [1]);
    assert_eq!(ids(db, Title::text.contains("本")).await?, [5, 6]);
    assert_eq!(ids(db, Title::text.starts_with("e")).await?, [4]);
    assert_eq!(ids(db, Title::text.ends_with("\u{301}")).await?, [4]);
    assert_eq!(ids(db, Title::text.ends_with("語")).await?, [5]);
    Ok(())
}

/// Longer than the patterns that stores take.
pub(crate) async fn a_very_long_needle(db: &Ommi) -> DBResult<()> {
    let long = "%_aB[".repeat(20_000);
    let text = format!("<{long}>");
    titles(db, &[&text, &long, "short"]).await?;
    assert_eq!(ids(db, Title::text.contains(&long)).await?, [1, 2]);
    assert_eq!(ids(db, Title::text.starts_with(&long)).await?, [2]);
    assert_eq!(ids(db, Title::text.ends_with(&long)).await?, [2]);
    let folded = long.to_ascii_uppercase();
    assert_eq!(ids(db, Title::text.icontains(&folded)).await?, [1, 2]);
    assert_eq!(ids(db, Title::text.ieq(&folded)).await?, [2]);
    assert_eq!(ids(db, Title::text.iends_with(&folded)).await?, [2]);
    assert_eq!(ids(db, Title::text.istarts_with(&folded)).await?, [2]);
    Ok(())
}

pub(crate) async fn a_column_as_the_needle(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Title>().await?;
    let rows = [
        (1, "snake_case", Some("_")),
        (2, "plain", Some("_")),
        (3, "100%", Some("%")),
        (4, "all", Some("%")),
        (5, "Text", Some("text")),
        (6, "text", None),
        (7, "", Some("")),
        (8, "a", Some("abc")),
    ];
    let rows = rows.map(|(id, text, other)| Title { id, text: text.to_owned(), other: other.map(str::to_owned) });
    db.add_all(rows).await?;
    assert_eq!(ids(db, Title::text.contains(Title::other)).await?, [1, 3, 7]);
    assert_eq!(ids(db, !Title::text.contains(Title::other)).await?, [2, 4, 5, 8]);
    assert_eq!(ids(db, Title::text.starts_with(Title::other)).await?, [7]);
    assert_eq!(ids(db, Title::text.ends_with(Title::other)).await?, [3, 7]);
    assert_eq!(ids(db, Title::text.ieq(Title::other)).await?, [5, 7]);
    assert_eq!(ids(db, Title::other.icontains(Title::text)).await?, [5, 7, 8]);
    Ok(())
}
