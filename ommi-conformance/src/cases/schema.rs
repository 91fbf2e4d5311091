//! Making tables, adding to them, and refusing those that do not fit.

use ommi::{ConstraintKind, prelude::*};

use crate::expect::{assert_kind, error, violation};

#[derive(Debug, Clone, PartialEq, Model)]
struct Article {
    #[ommi(auto)]
    id: i64,
    title: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Comment {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Article::id)]
    article_id: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Unrelated {
    id: i64,
}

async fn articles(db: &Ommi) -> DBResult<Vec<Article>> {
    db.create_tables::<Article>().await?;
    db.add_all(["one", "two"].map(|title| new!(Article { title }))).await
}

/// Asserts a `Schema` error whose text names these, and that nothing was made of what came with the misfit.
async fn misfit<M: Model + std::fmt::Debug>(db: &Ommi, names: &[&str]) -> DBResult<()> {
    let error = assert_kind!(db.create_tables::<(Unrelated, M)>().await, ErrorKind::Schema { .. });
    let text = error.to_string();
    assert!(names.iter().all(|name| text.contains(name)), "{names:?} in: {text}");
    let ErrorKind::Schema { mismatches, .. } = error.kind() else { panic!("{text}") };
    assert!(!mismatches.is_empty());
    assert!(db.find_all::<Unrelated>().count().await.is_err(), "the other table was made");
    Ok(())
}

pub(crate) async fn creating_again_keeps_the_data(db: &Ommi) -> DBResult<()> {
    let before = articles(db).await?;
    db.create_tables::<Article>().await?;
    db.create_tables::<(Article, Comment)>().await?;
    db.create_tables::<(Comment, Article, Article)>().await?;
    assert_eq!(db.find_all::<Article>().sort(Article::id).all().await?, before);
    let next = db.add(new!(Article { title: "three" })).await?;
    assert!(next.id > before[1].id);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(schema = "ommi_there_is_no_such_schema", table = "unrelateds")]
struct Elsewhere {
    id: i64,
}

/// Never the table of that name where tables are when nothing is said.
pub(crate) async fn a_named_schema_is_looked_into_or_refused(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Unrelated>().await?;
    db.add(Unrelated { id: 1 }).await?;
    let errors = [
        error(db.find_all::<Elsewhere>().all().await),
        error(db.add(Elsewhere { id: 2 }).await),
        error(db.find(Elsewhere::id.eq(1)).update(Elsewhere::id.set(2)).await),
        error(db.find_all::<Elsewhere>().delete().await),
    ];
    let has_schemas = db.driver().capabilities().schemas;
    for error in errors {
        match error.kind() {
            ErrorKind::Unsupported { .. } => assert!(!has_schemas, "{error}"),
            ErrorKind::Database => assert!(has_schemas, "{error}"),
            _ => panic!("{error}"),
        }
    }
    if !has_schemas {
        assert_kind!(db.create_tables::<(Elsewhere, Article)>().await, ErrorKind::Unsupported { .. });
        assert_kind!(db.drop_tables::<Elsewhere>().await, ErrorKind::Unsupported { .. });
        assert!(db.find_all::<Article>().count().await.is_err(), "the other table was made");
    }
    assert_eq!(db.find_all::<Unrelated>().all().await?, [Unrelated { id: 1 }]);
    Ok(())
}

pub(crate) async fn creating_twice_does_not_double_anything(db: &Ommi) -> DBResult<()> {
    for _ in 0..3 {
        db.create_tables::<(Indexed, Other)>().await?;
    }
    db.add(Indexed { id: 1, title: "a".to_owned(), rank: 1 }).await?;
    let again = Indexed { id: 2, title: "a".to_owned(), rank: 2 };
    violation(db.add(again).await, ConstraintKind::Unique, "indexed", &["title"]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "indexed", index((title, rank), (rank, title)))]
struct Indexed {
    id: i64,
    #[ommi(unique)]
    title: String,
    #[ommi(index)]
    rank: i64,
}

/// Indexes are named by table and columns, and names of different ones may meet.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "indexed_title")]
struct Other {
    id: i64,
    #[ommi(index)]
    rank: i64,
}

pub(crate) async fn at_once_from_many_tasks(db: &Ommi) -> DBResult<()> {
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.create_tables::<(Comment, Article, Indexed, Other)>().await })
        })
        .collect();
    for task in tasks {
        task.await.map_err(|error| DBError::new(ErrorKind::Database).with_source(error))??;
    }
    db.add(new!(Article { title: "made" })).await?;
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "articles")]
struct ArticleWithMore {
    #[ommi(auto)]
    id: i64,
    title: String,
    note: Option<String>,
    #[ommi(default = 7)]
    rank: i64,
    #[ommi(default = "it's new")]
    state: String,
    #[ommi(index)]
    seen: Option<bool>,
    #[ommi(default = 5)]
    stars: Option<i64>,
}

pub(crate) async fn optional_columns_are_added(db: &Ommi) -> DBResult<()> {
    let before = articles(db).await?;
    db.create_tables::<ArticleWithMore>().await?;
    let stored = db.get::<ArticleWithMore>(before[0].id).await?;
    let expected = ArticleWithMore {
        id: before[0].id,
        title: "one".to_owned(),
        note: None,
        rank: 7,
        state: "it's new".to_owned(),
        seen: None,
        stars: Some(5),
    };
    assert_eq!(stored, expected, "old rows hold the defaults");
    let added = db.add(new!(ArticleWithMore { title: "three", note: "n", rank: 1, stars: None })).await?;
    assert_eq!(added.stars, None);
    db.create_tables::<ArticleWithMore>().await?;
    assert_eq!(db.get::<ArticleWithMore>(added.id).await?, added, "what is NULL stays so");
    assert_eq!(db.find(ArticleWithMore::rank.eq(7)).update(ArticleWithMore::note.set("old")).await?, 2);
    Ok(())
}

/// A program of yesterday on the table of today.
pub(crate) async fn an_older_model_works_on_a_table_with_more(db: &Ommi) -> DBResult<()> {
    db.create_tables::<ArticleWithMore>().await?;
    db.create_tables::<Article>().await?;
    let added = db.add(new!(Article { title: "old" })).await?;
    assert_eq!(db.get::<Article>(added.id).await?, added);
    let seen = db.get::<ArticleWithMore>(added.id).await?;
    assert_eq!((seen.rank, seen.state.as_str(), seen.note), (7, "it's new", None), "the database knows the defaults");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "articles", unique(title))]
struct UniqueArticle {
    #[ommi(auto)]
    id: i64,
    title: String,
}

pub(crate) async fn a_unique_index_is_added(db: &Ommi) -> DBResult<()> {
    articles(db).await?;
    db.create_tables::<UniqueArticle>().await?;
    let again = new!(UniqueArticle { title: "one" });
    violation(db.add(again).await, ConstraintKind::Unique, "articles", &["title"]);
    violation(db.add(new!(Article { title: "two" })).await, ConstraintKind::Unique, "articles", &["title"]);
    Ok(())
}

pub(crate) async fn a_unique_index_that_the_rows_violate_is_an_error(db: &Ommi) -> DBResult<()> {
    articles(db).await?;
    db.add(new!(Article { title: "one" })).await?;
    let error = error(db.create_tables::<(Unrelated, UniqueArticle)>().await);
    let told = matches!(error.kind(), ErrorKind::Schema { .. }) || error.is_unique_violation();
    assert!(told, "{:?}: {error}", error.kind());
    assert!(error.to_string().contains("articles"), "{error}");
    assert!(db.find_all::<Unrelated>().count().await.is_err(), "nothing was changed");
    db.add(new!(Article { title: "one" })).await?;
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "articles")]
struct ArticleWithRequired {
    #[ommi(auto)]
    id: i64,
    title: String,
    author: String,
    note: Option<String>,
}

pub(crate) async fn a_missing_required_column_is_a_misfit(db: &Ommi) -> DBResult<()> {
    let before = articles(db).await?;
    misfit::<ArticleWithRequired>(db, &["articles", "author"]).await?;
    assert_eq!(db.find_all::<Article>().sort(Article::id).all().await?, before);
    // `note` was not added either: it can still be of any type.
    db.create_tables::<ArticleWithNumberedNote>().await?;
    assert_eq!(db.find_all::<ArticleWithNumberedNote>().count().await?, 2);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "articles")]
struct ArticleWithNumberedNote {
    #[ommi(auto)]
    id: i64,
    title: String,
    note: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "articles")]
struct ArticleWithNumber {
    #[ommi(auto)]
    id: i64,
    title: i64,
}

pub(crate) async fn a_column_of_another_type_is_a_misfit(db: &Ommi) -> DBResult<()> {
    articles(db).await?;
    misfit::<ArticleWithNumber>(db, &["articles", "title"]).await
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "articles")]
struct ArticleByTitle {
    id: i64,
    #[ommi(key)]
    title: String,
}

pub(crate) async fn another_key_is_a_misfit(db: &Ommi) -> DBResult<()> {
    articles(db).await?;
    misfit::<ArticleByTitle>(db, &["articles"]).await
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "articles")]
struct ArticleWithOptionalTitle {
    #[ommi(auto)]
    id: i64,
    title: Option<String>,
}

/// It would refuse what the model allows.
pub(crate) async fn a_required_column_for_an_optional_field_is_a_misfit(db: &Ommi) -> DBResult<()> {
    articles(db).await?;
    misfit::<ArticleWithOptionalTitle>(db, &["articles", "title"]).await
}

/// It may hold NULL, which the field cannot.
pub(crate) async fn an_optional_column_for_a_required_field_is_a_misfit(db: &Ommi) -> DBResult<()> {
    db.create_tables::<ArticleWithOptionalTitle>().await?;
    misfit::<Article>(db, &["articles", "title"]).await
}

pub(crate) async fn every_misfit_is_named(db: &Ommi) -> DBResult<()> {
    articles(db).await?;
    db.create_tables::<Indexed>().await?;
    let result = db.create_tables::<(ArticleWithManyMisfits, IndexedOtherwise)>().await;
    let text = assert_kind!(result, ErrorKind::Schema { .. }).to_string();
    for name in ["title", "author", "editor", "rank"] {
        assert!(text.contains(name), "{name} in: {text}");
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "articles")]
struct ArticleWithManyMisfits {
    #[ommi(auto)]
    id: i64,
    title: bool,
    author: String,
    editor: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "indexed")]
struct IndexedOtherwise {
    id: i64,
    title: String,
    rank: String,
}

pub(crate) async fn two_models_with_one_table_at_once_are_a_misfit(db: &Ommi) -> DBResult<()> {
    let result = db.create_tables::<(Article, Unrelated, ArticleWithMore)>().await;
    let text = assert_kind!(result, ErrorKind::Schema { .. }).to_string();
    for name in ["Article", "ArticleWithMore", "articles"] {
        assert!(text.contains(name), "{name} in: {text}");
    }
    assert!(db.find_all::<Unrelated>().count().await.is_err());
    Ok(())
}

pub(crate) async fn dropped_tables_are_gone_with_their_rows(db: &Ommi) -> DBResult<()> {
    articles(db).await?;
    db.create_tables::<Unrelated>().await?;
    db.drop_tables::<Article>().await?;
    error(db.find_all::<Article>().count().await);
    assert_eq!(db.find_all::<Unrelated>().count().await?, 0, "the other one stays");
    db.drop_tables::<(Article, Comment)>().await?;
    db.create_tables::<Article>().await?;
    assert_eq!(db.find_all::<Article>().count().await?, 0);
    db.add(new!(Article { title: "new" })).await?;
    Ok(())
}

pub(crate) async fn tables_that_refer_to_each_other_are_dropped_in_any_order(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Article, Comment)>().await?;
    let article = db.add(new!(Article { title: "x" })).await?;
    db.add(new!(Comment { article_id: article.id })).await?;
    db.drop_tables::<(Article, Comment)>().await?;
    db.create_tables::<(Article, Comment)>().await?;
    db.drop_tables::<(Comment, Article)>().await?;
    error(db.find_all::<Article>().count().await);
    error(db.find_all::<Comment>().count().await);
    Ok(())
}

pub(crate) async fn a_table_that_another_refers_to_is_not_dropped_without_it(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Article, Comment, Unrelated)>().await?;
    let article = db.add(new!(Article { title: "x" })).await?;
    db.add(new!(Comment { article_id: article.id })).await?;
    let result = db.drop_tables::<(Unrelated, Article)>().await;
    let text = assert_kind!(result, ErrorKind::Schema { .. }).to_string();
    for name in ["articles", "comments"] {
        assert!(text.contains(name), "{name} in: {text}");
    }
    assert_eq!(db.find_all::<Article>().all().await?, [article], "nothing was changed");
    assert_eq!(db.find_all::<Comment>().count().await?, 1);
    assert_eq!(db.find_all::<Unrelated>().count().await?, 0);
    db.drop_tables::<Comment>().await?;
    db.drop_tables::<(Unrelated, Article)>().await?;
    error(db.find_all::<Article>().count().await);
    Ok(())
}

/// A statement that was kept for the old table must not be run on the new one as it is.
pub(crate) async fn a_table_that_is_made_anew_is_read_as_it_is_now(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Article>().await?;
    for title in ["first", "second"] {
        let added = db.add(new!(Article { title })).await?;
        assert_eq!(db.find(Article::title.eq(title)).all().await?, [added]);
        db.drop_tables::<Article>().await?;
        db.create_tables::<ArticleWithMore>().await?;
        assert_eq!(db.find_all::<Article>().all().await?, []);
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "changing")]
struct Numbers {
    id: i64,
    value: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "changing")]
struct Words {
    id: i64,
    value: String,
}

/// The statements say the same, and give other types.
pub(crate) async fn a_table_that_is_made_anew_with_other_types_works_with_every_verb(db: &Ommi) -> DBResult<()> {
    for _ in 0..3 {
        db.create_tables::<Numbers>().await?;
        let number = db.add(Numbers { id: 1, value: 5 }).await?;
        assert_eq!(db.find_all::<Numbers>().stream().try_next().await?, Some(number.clone()));
        assert_eq!(db.get::<Numbers>(1).await?, number);
        let again = db.upsert(number).on(Numbers::id).update(Numbers::value.increment(1)).await?;
        assert_eq!(again.value, 6);
        db.drop_tables::<Numbers>().await?;

        db.create_tables::<Words>().await?;
        let word = db.add(Words { id: 1, value: "five".to_owned() }).await?;
        assert_eq!(db.find_all::<Words>().stream().try_next().await?, Some(word.clone()));
        assert_eq!(db.get::<Words>(1).await?, word);
        assert_eq!(db.find_all::<Words>().update(Words::value.set("six")).await?, 1);
        let again = db.upsert(word).on(Words::id).update(Words::value.set("seven")).await?;
        assert_eq!(again.value, "seven");
        assert_eq!(db.find_all::<Words>().delete().await?, 1);
        db.drop_tables::<Words>().await?;
    }
    Ok(())
}

pub(crate) async fn a_table_that_grew_is_read_by_statements_kept_before(db: &Ommi) -> DBResult<()> {
    let before = articles(db).await?;
    let all = || db.find_all::<Article>().sort(Article::id);
    assert_eq!(all().all().await?, before);
    db.create_tables::<ArticleWithMore>().await?;
    assert_eq!(all().all().await?, before);
    assert_eq!(db.find(Article::title.eq("one")).update(Article::title.set("uno")).await?, 1);
    assert_eq!(all().first().await?.map(|row| row.title).as_deref(), Some("uno"));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Pointing {
    id: i64,
    #[ommi(references = Article::title)]
    title: String,
}

pub(crate) async fn a_reference_to_what_is_not_unique_is_a_misfit(db: &Ommi) -> DBResult<()> {
    let text = assert_kind!(db.create_tables::<(Article, Pointing)>().await, ErrorKind::Schema { .. }).to_string();
    assert!(text.contains("pointings") && text.contains("articles"), "{text}");
    assert!(db.find_all::<Article>().count().await.is_err());
    Ok(())
}
