//! References from one model to another, as far as the database holds them to be true.

use ommi::{ConstraintKind, prelude::*};

use crate::expect::{error, violation};

#[derive(Debug, Clone, PartialEq, Model)]
struct Team {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    name: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Player {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Team::id)]
    team_id: i64,
    #[ommi(references = Team::id, on_delete = "set null")]
    former_id: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Match {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Team::id, on_delete = "cascade")]
    team_id: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Sponsor {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Team::id, on_delete = "restrict")]
    team_id: i64,
    #[ommi(references = Team::name, on_update = "cascade", on_delete = "set null")]
    team_name: Option<String>,
}

async fn teams(db: &Ommi) -> DBResult<(Team, Team)> {
    // In no good order: the tables come in the order of their references.
    db.create_tables::<(Player, Match, Sponsor, Team)>().await?;
    Ok((db.add(new!(Team { name: "red" })).await?, db.add(new!(Team { name: "blue" })).await?))
}

/// A foreign key violation on one of these tables: databases differ in which side they name.
#[track_caller]
fn foreign_key<T: std::fmt::Debug>(result: DBResult<T>) {
    let error = error(result);
    let kind = error.constraint().map(ommi::Constraint::kind);
    assert_eq!(kind, Some(ConstraintKind::ForeignKey), "{error}");
}

pub(crate) async fn a_row_refers_to_one_that_exists(db: &Ommi) -> DBResult<()> {
    let (red, blue) = teams(db).await?;
    db.add(new!(Player { team_id: red.id, former_id: blue.id })).await?;
    db.add(new!(Player { team_id: red.id })).await?;
    foreign_key(db.add(new!(Player { team_id: 99 })).await);
    foreign_key(db.add(new!(Player { team_id: red.id, former_id: 99 })).await);
    assert_eq!(db.find_all::<Player>().count().await?, 2);
    Ok(())
}

pub(crate) async fn an_update_refers_to_a_row_that_exists(db: &Ommi) -> DBResult<()> {
    let (red, blue) = teams(db).await?;
    let mut player = db.add(new!(Player { team_id: red.id })).await?;
    foreign_key(db.find(Player::id.eq(player.id)).update(Player::team_id.set(99)).await);
    player.team_id = blue.id;
    db.save(&mut player).await?;
    assert_eq!(db.get::<Player>(player.id).await?.team_id, blue.id);
    Ok(())
}

pub(crate) async fn a_row_that_is_referred_to_stays(db: &Ommi) -> DBResult<()> {
    let (red, _) = teams(db).await?;
    db.add(new!(Player { team_id: red.id })).await?;
    foreign_key(db.delete(&red).await);
    foreign_key(db.find_all::<Team>().delete().await);
    assert_eq!(db.find_all::<Team>().count().await?, 2);
    Ok(())
}

pub(crate) async fn restrict(db: &Ommi) -> DBResult<()> {
    let (red, blue) = teams(db).await?;
    let sponsor = db.add(new!(Sponsor { team_id: red.id })).await?;
    foreign_key(db.delete(&red).await);
    db.delete(&blue).await?;
    db.delete(&sponsor).await?;
    db.delete(&red).await?;
    Ok(())
}

pub(crate) async fn on_delete_cascade(db: &Ommi) -> DBResult<()> {
    let (red, blue) = teams(db).await?;
    db.add_all([red.id, red.id, blue.id].map(|team_id| new!(Match { team_id }))).await?;
    assert_eq!(db.find(Team::id.eq(red.id)).delete().await?, 1, "what goes with it is not counted");
    let left = db.find_all::<Match>().all().await?;
    assert_eq!(left.iter().map(|row| row.team_id).collect::<Vec<_>>(), [blue.id]);
    Ok(())
}

pub(crate) async fn on_delete_set_null(db: &Ommi) -> DBResult<()> {
    let (red, blue) = teams(db).await?;
    let player = db.add(new!(Player { team_id: red.id, former_id: blue.id })).await?;
    db.delete(&blue).await?;
    assert_eq!(db.get::<Player>(player.id).await?, Player { former_id: None, ..player });
    Ok(())
}

pub(crate) async fn on_update_cascade_of_a_unique_column(db: &Ommi) -> DBResult<()> {
    let (red, _) = teams(db).await?;
    let sponsor = db.add(new!(Sponsor { team_id: red.id, team_name: "red" })).await?;
    foreign_key(db.add(new!(Sponsor { team_id: red.id, team_name: "green" })).await);
    db.find(Team::id.eq(red.id)).update(Team::name.set("crimson")).await?;
    assert_eq!(db.get::<Sponsor>(sponsor.id).await?.team_name.as_deref(), Some("crimson"));
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Node {
    id: i64,
    #[ommi(references = Node::id, on_delete = "cascade")]
    parent_id: Option<i64>,
}

pub(crate) async fn a_model_refers_to_itself(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Node>().await?;
    let nodes = [(1, None), (2, Some(1)), (3, Some(2)), (4, None), (5, Some(5))];
    db.add_all(nodes.map(|(id, parent_id)| Node { id, parent_id })).await?;
    foreign_key(db.add(Node { id: 6, parent_id: Some(77) }).await);
    db.find(Node::id.eq(1)).delete().await?;
    let left = db.find_all::<Node>().sort(Node::id).all().await?;
    assert_eq!(left.iter().map(|node| node.id).collect::<Vec<_>>(), [4, 5]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Country {
    id: i64,
    #[ommi(references = City::id)]
    capital_id: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct City {
    id: i64,
    #[ommi(references = Country::id)]
    country_id: i64,
}

pub(crate) async fn two_models_refer_to_each_other(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Country, City)>().await?;
    db.create_tables::<(City, Country)>().await?;
    db.add(Country { id: 1, capital_id: None }).await?;
    db.add(City { id: 10, country_id: 1 }).await?;
    db.save(&mut Country { id: 1, capital_id: Some(10) }).await?;
    foreign_key(db.add(City { id: 11, country_id: 2 }).await);
    foreign_key(db.find(Country::id.eq(1)).update(Country::capital_id.set(12)).await);
    foreign_key(db.delete(&City { id: 10, country_id: 1 }).await);
    Ok(())
}

/// Without foreign keys, tables in a circle are made and dropped all the same.
pub(crate) async fn tables_in_a_circle_are_made_and_dropped(db: &Ommi) -> DBResult<()> {
    for _ in 0..2 {
        db.create_tables::<(Country, City)>().await?;
        db.add(Country { id: 1, capital_id: None }).await?;
        db.add(City { id: 10, country_id: 1 }).await?;
        db.find(Country::id.eq(1)).update(Country::capital_id.set(10)).await?;
        db.drop_tables::<(Country, City)>().await?;
        error(db.find_all::<City>().count().await);
    }
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Shelf {
    #[ommi(key)]
    hall: String,
    #[ommi(key)]
    number: i32,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(references((hall, number) = (Shelf::hall, Shelf::number), on_delete = "cascade"))]
struct Book {
    id: i64,
    hall: Option<String>,
    number: Option<i32>,
}

pub(crate) async fn a_reference_of_several_columns(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Book, Shelf)>().await?;
    let shelf = |hall: &str, number| Shelf { hall: hall.to_owned(), number };
    let book = |id, hall: Option<&str>, number| Book { id, hall: hall.map(str::to_owned), number };
    db.add_all([shelf("A", 1), shelf("A", 2), shelf("B", 1)]).await?;
    db.add_all([book(1, Some("A"), Some(1)), book(2, Some("A"), Some(2)), book(3, Some("B"), Some(1))]).await?;
    foreign_key(db.add(book(4, Some("B"), Some(2))).await);
    db.add_all([book(5, None, None), book(6, Some("Z"), None)]).await?;
    db.delete(&shelf("A", 2)).await?;
    let left = db.find_all::<Book>().sort(Book::id).all().await?;
    assert_eq!(left.iter().map(|book| book.id).collect::<Vec<_>>(), [1, 3, 5, 6], "NULL in a part refers to nothing");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Imported {
    id: i64,
    #[ommi(references = Team::id, constraint = false)]
    team_id: i64,
}

/// Data that came from elsewhere may dangle.
pub(crate) async fn a_reference_without_a_constraint_may_dangle(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Team, Imported)>().await?;
    db.add(Imported { id: 1, team_id: 99 }).await?;
    let red = db.add(new!(Team { name: "red" })).await?;
    db.add(Imported { id: 2, team_id: red.id }).await?;
    db.delete(&red).await?;
    assert_eq!(db.find_all::<Imported>().count().await?, 2);
    Ok(())
}

/// All rows or none, whichever of them breaks the rule.
pub(crate) async fn one_dangling_row_among_many_adds_none(db: &Ommi) -> DBResult<()> {
    let (red, _) = teams(db).await?;
    let ids = (0..50).map(|n| if n == 49 { 99 } else { red.id });
    foreign_key(db.add_all(ids.map(|team_id| new!(Match { team_id }))).await);
    assert_eq!(db.find_all::<Match>().count().await?, 0);
    Ok(())
}

/// Rows of one statement may refer to each other, in any order.
pub(crate) async fn rows_added_together_refer_to_each_other(db: &Ommi) -> DBResult<()> {
    db.create_tables::<Node>().await?;
    let nodes = [(1, Some(2)), (2, Some(3)), (3, None)];
    db.add_all(nodes.map(|(id, parent_id)| Node { id, parent_id })).await?;
    assert_eq!(db.find_all::<Node>().count().await?, 3);
    Ok(())
}

/// What the error tells beyond its kind: the table whose reference it is, where the database knows.
pub(crate) async fn the_error_says_what_it_knows(db: &Ommi) -> DBResult<()> {
    teams(db).await?;
    let error = error(db.add(new!(Player { team_id: 99 })).await);
    let Some(constraint) = error.constraint() else { panic!("{error}") };
    assert!(constraint.table().is_none_or(|table| table == "players"), "{error}");
    assert!(constraint.columns().is_empty() || constraint.columns() == ["team_id"], "{error}");
    assert!(error.to_string().contains("reference"), "{error}");
    assert!(!error.is_unique_violation());
    // A unique violation beside it is still told apart.
    violation(db.add(new!(Team { name: "red" })).await, ConstraintKind::Unique, "teams", &["name"]);
    Ok(())
}
