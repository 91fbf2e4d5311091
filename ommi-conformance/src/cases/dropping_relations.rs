//! Loads and changes of relations of each kind, dropped at every await.

use std::time::Duration;

use ommi::prelude::*;

use crate::dropped::{self, Outcome};

#[derive(Debug, Clone, PartialEq, Model)]
struct Keeper {
    id: i64,
    name: String,
    badge: HasOne<Badge>,
    cards: HasMany<Card>,
    clubs: HasMany<Club, Through<Seat>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Badge {
    id: i64,
    #[ommi(unique, references = Keeper::id)]
    keeper_id: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Card {
    id: i64,
    #[ommi(references = Keeper::id)]
    keeper_id: Option<i64>,
    #[ommi(default = 0)]
    value: i64,
    keeper: BelongsTo<Option<Keeper>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Club {
    id: i64,
    name: String,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Seat {
    #[ommi(key, references = Keeper::id)]
    keeper_id: i64,
    #[ommi(key, references = Club::id)]
    club_id: i64,
    #[ommi(default = 0)]
    row: i64,
}

/// A keeper with a badge, a card and a seat in a club, and one without; a card and a club that are nobody's.
async fn fill(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Keeper, Badge, Card, Club, Seat)>().await?;
    db.add_all([new!(Keeper { id: 1, name: "one" }), new!(Keeper { id: 2, name: "two" })]).await?;
    db.add(new!(Badge { id: 1, keeper_id: 1 })).await?;
    db.add_all([new!(Card { id: 1, keeper_id: Some(1) }), new!(Card { id: 2 })]).await?;
    db.add_all([new!(Club { id: 1, name: "chess" }), new!(Club { id: 2, name: "go" })]).await?;
    db.add(new!(Seat { keeper_id: 1, club_id: 1 })).await?;
    Ok(())
}

/// What the tables hold: keepers, cards with their keepers and values, clubs, seats.
type State = (Vec<i64>, Vec<(i64, Option<i64>, i64)>, Vec<i64>, Vec<(i64, i64, i64)>);

/// The same, once others have had their turn.
async fn look(db: &Ommi) -> DBResult<State> {
    let limit = Duration::from_secs(60);
    futures::future::try_join_all((0..6).map(|_| db.find_all::<Club>().count().timeout(limit))).await?;
    db.find_all::<Card>().update(Card::value.increment(0)).timeout(limit).await?;
    let keepers = db.find_all::<Keeper>().sort(Keeper::id).all().await?;
    let cards = db.find_all::<Card>().sort(Card::id).all().await?;
    let clubs = db.find_all::<Club>().sort(Club::id).all().await?;
    let seats = db.find_all::<Seat>().sort((Seat::keeper_id, Seat::club_id)).all().await?;
    Ok((
        keepers.iter().map(|keeper| keeper.id).collect(),
        cards.iter().map(|card| (card.id, card.keeper_id, card.value)).collect(),
        clubs.iter().map(|club| club.id).collect(),
        seats.iter().map(|seat| (seat.keeper_id, seat.club_id, seat.row)).collect(),
    ))
}

/// Drops a write after every number of polls; `undo` makes the tables what they were, also where it came to its end.
async fn drop_a_write<F: Outcome, U: Outcome>(
    db: &Ommi,
    operation: impl Fn() -> F,
    undo: impl Fn() -> U,
    after: impl Fn(&mut State),
) -> DBResult<()> {
    let before = look(db).await?;
    let changed = |mut state: State| {
        after(&mut state);
        state
    };
    dropped::drop_everywhere(|| look(db), operation, &undo, changed).await?;
    undo().await?;
    assert_eq!(look(db).await?, before);
    Ok(())
}

async fn drop_a_read<F: Outcome>(db: &Ommi, operation: impl Fn() -> F) -> DBResult<()> {
    dropped::drop_everywhere(|| look(db), operation, || async { Ok(()) }, |state| state).await
}

/// For one row and for all of its batch, for itself, and once more.
macro_rules! drop_each_load {
    ($db:ident: $($model:ident.$relation:ident),+) => {$(
        let all = || $db.find_all::<$model>().sort($model::id).all();
        drop_a_read($db, || async { all().await?[0].$relation.load($db).await.map(drop) }).await?;
        drop_a_read($db, || async { all().await?[0].$relation.load_alone($db).await.map(drop) }).await?;
        let rows = all().await?;
        drop_a_read($db, || async { rows[0].$relation.load($db).await.map(drop) }).await?;
        drop_a_read($db, || async {
            let mut row = rows[0].clone();
            row.$relation.refresh($db).await.map(drop)
        })
        .await?;
        assert!(rows[0].$relation.is_loaded());
    )+};
}

pub(crate) async fn loads_of_each_kind(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    drop_each_load!(db: Keeper.badge, Keeper.cards, Keeper.clubs, Card.keeper);
    let card = db.get::<Card>(1).await?;
    drop_a_read(db, || async { card.load(Card::keeper, db).await.map(drop) }).await
}

pub(crate) async fn rows_that_change_hands(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let keeper = db.get::<Keeper>(1).await?;
    let (own, free) = (db.get::<Card>(1).await?, db.get::<Card>(2).await?);
    let back = || async {
        db.find(Card::id.eq(1)).update(Card::keeper_id.set(1)).await?;
        db.find(Card::id.eq(2)).update(Card::keeper_id.set(None)).await
    };
    drop_a_write(db, || async { keeper.cards.link(db, &free).await }, back, |state| state.1[1].1 = Some(1)).await?;
    drop_a_write(db, || async { keeper.cards.unlink(db, &own).await }, back, |state| state.1[0].1 = None).await
}

pub(crate) async fn rows_that_are_associated(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let keeper = db.get::<Keeper>(1).await?;
    let club = db.get::<Club>(2).await?;
    let back = || async {
        db.find(Seat::club_id.ge(2)).delete().await?;
        db.find(Club::id.gt(2)).delete().await
    };
    let with = || async { keeper.clubs.link_with(db, &club, new!(Seat { row: 7, .. })).await };
    drop_a_write(db, with, back, |state| state.3.push((1, 2, 7))).await?;
    let add = || async { keeper.clubs.add(db, new!(Club { id: 3, name: "new" })).await };
    drop_a_write(db, add, back, |state| {
        state.2.push(3);
        state.3.push((1, 3, 0));
    })
    .await
}

pub(crate) async fn many_rows_with_rows_of_their_own(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let keepers = || {
        [
            new!(Keeper { id: 3, name: "three", cards: [{ id: 3 }, { id: 4 }], clubs: [{ id: 3, name: "new" }] }),
            new!(Keeper { id: 4, name: "four", cards: [{ id: 5 }] }),
        ]
    };
    let back = || async {
        db.find(Seat::keeper_id.gt(2)).delete().await?;
        db.find(Card::id.gt(2)).delete().await?;
        db.find(Club::id.gt(2)).delete().await?;
        db.find(Keeper::id.gt(2)).delete().await
    };
    drop_a_write(
        db,
        || async { db.add_all(keepers()).await },
        back,
        |state| {
            state.0.extend([3, 4]);
            state.1.extend([(3, Some(3), 0), (4, Some(3), 0), (5, Some(4), 0)]);
            state.2.push(3);
            state.3.push((3, 3, 0));
        },
    )
    .await
}

pub(crate) async fn writes_on_conditions_of_related_rows(db: &Ommi) -> DBResult<()> {
    fill(db).await?;
    let of_one = || Card::keeper.is(Keeper::name.eq("one"));
    let back = || async {
        db.upsert(new!(Card { id: 1, keeper_id: Some(1) })).on(Card::id).update(Card::value.set(0)).await?;
        db.upsert(new!(Keeper { id: 2, name: "two" })).on(Keeper::id).ignore().await
    };
    let update = || async { db.find(of_one()).update(Card::value.set(5)).await };
    drop_a_write(db, update, back, |state| state.1[0].2 = 5).await?;
    let delete = || async { db.find(of_one()).delete().await };
    drop_a_write(db, delete, back, |state| state.1.retain(|card| card.0 != 1)).await?;
    let without = || async { db.find(Keeper::cards.none(Card::id.gt(0))).delete().await };
    drop_a_write(db, without, back, |state| state.0.retain(|keeper| *keeper != 2)).await
}
