//! References that lead nowhere, because they are NULL or because the row is not there.

use ommi::prelude::*;

use crate::expect::{error, not_found};

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "dangling_seats")]
struct Seat {
    id: i64,
    name: String,
    #[ommi(by = seat_id)]
    ticket: HasOne<Ticket>,
    #[ommi(by = next_id)]
    next_of: HasMany<Ticket>,
    guests: HasMany<Guest, Through<Reservation>>,
}

/// Data that came from elsewhere.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "dangling_tickets")]
struct Ticket {
    id: i64,
    #[ommi(references = Seat::id, constraint = false)]
    seat_id: i64,
    #[ommi(references = Seat::id, constraint = false)]
    next_id: Option<i64>,
    #[ommi(by = seat_id)]
    seat: BelongsTo<Seat>,
    #[ommi(by = next_id)]
    next: BelongsTo<Option<Seat>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "dangling_guests")]
struct Guest {
    id: i64,
    seats: HasMany<Seat, Through<Reservation>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "dangling_reservations")]
struct Reservation {
    #[ommi(key, references = Guest::id, constraint = false)]
    guest_id: i64,
    #[ommi(key, references = Seat::id, constraint = false)]
    seat_id: i64,
}

/// Seats 1 and 2. Ticket 1 is for seat 1, next to 2; ticket 2 for seat 9, next to 9; ticket 3 for seat 1 again, next to none.
async fn filled(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Seat, Ticket, Guest, Reservation)>().await?;
    db.add_all([(1, "one"), (2, "two")].map(|(id, name)| new!(Seat { id, name }))).await?;
    let tickets = [(1, 1, Some(2)), (2, 9, Some(9)), (3, 1, None)];
    db.add_all(tickets.map(|(id, seat_id, next_id)| new!(Ticket { id, seat_id, next_id }))).await?;
    db.add(new!(Guest { id: 1 })).await?;
    let reservations = [(1, 8), (1, 2), (1, 9), (1, 1), (7, 1)];
    db.add_all(reservations.map(|(guest_id, seat_id)| new!(Reservation { guest_id, seat_id }))).await?;
    Ok(())
}

async fn tickets(db: &Ommi) -> DBResult<Vec<Ticket>> {
    db.find_all::<Ticket>().sort(Ticket::id).all().await
}

pub(crate) async fn a_required_row_that_is_not_there(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let tickets = tickets(db).await?;
    let missing = error(tickets[1].seat.load(db).await);
    assert!(missing.to_string().contains("Ticket.seat"), "both models are named: {missing}");
    not_found(tickets[1].seat.load(db).await, "Seat");
    assert_eq!(tickets[0].seat.load(db).await?.id, 1, "the others have theirs");
    let alone = db.get::<Ticket>(2).await?;
    not_found(alone.seat.load(db).await, "Seat");
    Ok(())
}

pub(crate) async fn an_optional_row_that_is_not_there(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let mut found = Vec::new();
    for ticket in &tickets(db).await? {
        found.push(ticket.next.load(db).await?.map(|seat| seat.id));
    }
    assert_eq!(found, [Some(2), None, None]);
    assert_eq!(db.get::<Ticket>(2).await?.next.load(db).await?, None);
    Ok(())
}

pub(crate) async fn a_row_that_comes_later_is_found_by_the_next_load(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let mut tickets = tickets(db).await?;
    not_found(tickets[1].seat.load(db).await, "Seat");
    db.add(new!(Seat { id: 9, name: "nine" })).await?;
    not_found(tickets[1].seat.load(db).await, "Seat");
    assert_eq!(tickets[1].seat.refresh(db).await?.name, "nine");
    assert_eq!(tickets[1].seat.load(db).await?.name, "nine");
    Ok(())
}

pub(crate) async fn is_none_of_null_and_of_what_is_not_there(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let ids = async |predicate: Predicate<Ticket>| {
        let tickets = db.find(predicate).sort(Ticket::id).all().await?;
        DBResult::Ok(tickets.into_iter().map(|ticket| ticket.id).collect::<Vec<_>>())
    };
    assert_eq!(ids(Ticket::next.is_none()).await?, [2, 3]);
    assert_eq!(ids(!Ticket::next.is_none()).await?, [1]);
    assert_eq!(ids(Ticket::next.is_none() & Ticket::next_id.is_not_null()).await?, [2]);
    assert_eq!(ids(Ticket::seat.is_none()).await?, [2]);
    assert_eq!(ids(!Ticket::next.is(Seat::name.eq("two"))).await?, [2, 3]);
    assert_eq!(db.find(Seat::ticket.is_none()).one().await?.id, 2);
    Ok(())
}

pub(crate) async fn sorts_as_null(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let ids = |tickets: Vec<Ticket>| tickets.into_iter().map(|ticket| ticket.id).collect::<Vec<_>>();
    let upwards = db.find_all::<Ticket>().sort((Ticket::next.then(Seat::name).asc(), Ticket::id)).all().await?;
    assert_eq!(ids(upwards), [2, 3, 1]);
    let downwards = db.find_all::<Ticket>().sort((Ticket::seat.then(Seat::id).desc(), Ticket::id)).all().await?;
    assert_eq!(ids(downwards), [1, 3, 2]);
    Ok(())
}

pub(crate) async fn is_included_as_none(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let tickets = db.find_all::<Ticket>().sort(Ticket::id).include((Ticket::seat, Ticket::next)).all().await?;
    assert!(tickets.iter().all(|ticket| ticket.seat.is_loaded() && ticket.next.is_loaded()));
    assert_eq!(tickets[1].seat.get(), None);
    not_found(tickets[1].seat.load(db).await, "Seat");
    let next: Vec<_> = tickets.iter().map(|ticket| ticket.next.get().map(|seat| seat.id)).collect();
    assert_eq!(next, [Some(2), None, None]);
    Ok(())
}

pub(crate) async fn associations_that_lead_nowhere(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let ids = |guest: &Guest| guest.seats.get().map(|seats| seats.iter().map(|seat| seat.id).collect::<Vec<_>>());
    let guest = db.get::<Guest>(1).await?;
    guest.seats.load(db).await?;
    assert_eq!(ids(&guest), Some(vec![1, 2]));
    // What leads nowhere takes no place among the first.
    let guest = db.find_all::<Guest>().include(Guest::seats.sort(Seat::id.desc()).limit(1)).one().await?;
    assert_eq!(ids(&guest), Some(vec![2]));
    assert_eq!(db.find(Guest::seats.count().eq(2)).count().await?, 1);
    assert_eq!(db.find(Seat::guests.count().eq(1)).count().await?, 2, "guest 7 is not there");
    Ok(())
}

pub(crate) async fn the_first_by_key_of_several_where_one_is_wanted(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let mut tickets = Vec::new();
    for seat in &db.find_all::<Seat>().sort(Seat::id).all().await? {
        tickets.push(seat.ticket.load(db).await?.map(|ticket| ticket.id));
    }
    assert_eq!(tickets, [Some(1), None]);
    let seat = db.find(Seat::id.eq(1)).include(Seat::ticket).one().await?;
    assert_eq!(seat.ticket.get().map(|ticket| ticket.id), Some(1));
    assert_eq!(db.find(Seat::ticket.is(Ticket::id.eq(3))).one().await?.id, 1, "a condition sees them all");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "dangling_sites")]
struct Site {
    id: i64,
    #[ommi(unique)]
    code: Option<String>,
    hits: HasMany<Hit>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "dangling_hits")]
struct Hit {
    id: i64,
    #[ommi(references = Site::code)]
    code: Option<String>,
    site: BelongsTo<Option<Site>>,
}

/// Both sides can be NULL, and two NULLs are not equal.
pub(crate) async fn null_belongs_to_nothing(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Site, Hit)>().await?;
    db.add_all([(1, None), (2, Some("x".to_owned())), (3, None)].map(|(id, code)| new!(Site { id, code }))).await?;
    db.add_all([(1, None), (2, Some("x".to_owned())), (3, None)].map(|(id, code)| new!(Hit { id, code }))).await?;
    let mut hits = Vec::new();
    for site in &db.find_all::<Site>().sort(Site::id).all().await? {
        hits.push(site.hits.load(db).await?.len());
        assert_eq!(db.get::<Site>(site.id).await?.hits.load(db).await?.len(), hits[hits.len() - 1]);
    }
    assert_eq!(hits, [0, 1, 0]);
    let included = db.find_all::<Hit>().sort(Hit::id).include(Hit::site).all().await?;
    assert_eq!(included.iter().map(|hit| hit.site.get().map(|s| s.id)).collect::<Vec<_>>(), [None, Some(2), None]);
    assert_eq!(db.find(Site::hits.any(None)).count().await?, 1);
    assert_eq!(db.find(Site::hits.count().eq(0)).count().await?, 2);
    assert_eq!(db.find(Hit::site.is_none()).count().await?, 2);
    let sort = (Hit::site.then(Site::id).desc(), Hit::id);
    assert_eq!(db.find_all::<Hit>().sort(sort).first().await?.map(|hit| hit.id), Some(2));
    Ok(())
}
