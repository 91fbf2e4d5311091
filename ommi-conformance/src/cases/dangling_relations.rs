//! References that lead nowhere, because they are NULL or because the row is not there.

use ommi::prelude::*;
use ommi::testing::assert_queries;
use ommi::value::Value;

use crate::expect::{assert_kind, error, not_found};

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
    not_found(tickets[1].seat.load_alone(db).await, "Seat");
    assert_eq!(tickets[0].seat.load(db).await?.id, 1, "the others have theirs");
    let alone = db.get::<Ticket>(2).await?;
    not_found(alone.seat.load(db).await, "Seat");
    Ok(())
}

/// Both rows are named: in the text by their columns, and by their values for those who ask.
pub(crate) async fn the_error_names_both_rows(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let mut tickets = tickets(db).await?;
    for missing in [error(tickets[1].seat.load(db).await), error(db.get::<Ticket>(2).await?.seat.load(db).await)] {
        let text = missing.to_string();
        for part in ["Seat", "`Ticket.seat`", "`seat_id`", "`id`"] {
            assert!(text.contains(part), "{text}");
        }
        let row = missing.missing_row().expect("it is a row that another refers to");
        assert_eq!((row.relation(), row.model()), ("Ticket.seat", "Seat"));
        assert!(row.by().eq(["seat_id"]));
        assert!(row.key().eq([("id", &Value::Int(9))]));
    }
    // On the struct it is told of which row, and by its reference as it is now.
    tickets[1].seat_id = 777;
    let missing = error(tickets[1].load(Ticket::seat, db).await);
    let row = missing.missing_row().expect("it is a row that another refers to");
    assert!(row.key().eq([("id", &Value::Int(777))]));
    assert!(row.referring_key().eq([("id", &Value::Int(2))]));
    for shown in [missing.to_string(), format!("{missing:?}")] {
        assert!(!shown.contains("777"), "values are the user's data: {shown}");
    }
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
    let tickets = tickets(db).await?;
    let alone = db.get::<Ticket>(2).await?;
    let strict = db.strict();
    for ticket in [&tickets[1], &alone] {
        for _ in 0..3 {
            not_found(ticket.seat.load(&strict).await, "Seat");
            not_found(ticket.load(Ticket::seat, &strict).await, "Seat");
        }
    }
    db.add(new!(Seat { id: 9, name: "nine" })).await?;
    for ticket in [&tickets[1], &alone] {
        assert_eq!(ticket.seat.load(&strict).await?.name, "nine");
        assert_queries(0, db, async |db| {
            assert_eq!(ticket.seat.load(db).await?.name, "nine", "it is loaded");
            DBResult::Ok(())
        })
        .await?;
    }
    Ok(())
}

/// What is asked for again is what was missed, not what was looked for with it.
pub(crate) async fn rows_that_are_not_there_are_asked_for_together(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    db.add_all((4..10).map(|id| new!(Ticket { id, seat_id: 90 + id }))).await?;
    assert_queries(2, db, async |db| {
        for ticket in &tickets(db).await? {
            assert_eq!(ticket.seat.load(db).await.optional()?.is_some(), ticket.seat_id == 1);
        }
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn a_row_that_has_gone_is_missed_by_a_refresh(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    let mut tickets = tickets(db).await?;
    assert_eq!(tickets[0].seat.load(db).await?.name, "one");
    db.find(Seat::id.eq(1)).delete().await?;
    not_found(tickets[0].seat.refresh(db).await, "Seat");
    not_found(tickets[0].seat.load(db).await, "Seat");
    assert_eq!(tickets[2].seat.load(db).await?.name, "one", "the others have what they had");
    db.add(new!(Seat { id: 1, name: "another" })).await?;
    assert_eq!(tickets[0].seat.load(db).await?.name, "another");
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

/// Which of them would be meant is not said. So nothing is sent, and a transaction goes on.
pub(crate) async fn no_order_by_one_of_several(db: &Ommi) -> DBResult<()> {
    filled(db).await?;
    db.transaction(async |tx| {
        let of_seats = tx.find_all::<Seat>().sort(Seat::ticket.then(Ticket::id).asc()).all().await.map(drop);
        let further = Ticket::next.then(Seat::ticket.then(Ticket::id));
        let of_tickets = tx.find_all::<Ticket>().sort(further.desc()).all().await.map(drop);
        for refused in [of_seats, of_tickets] {
            let error = assert_kind!(refused, ErrorKind::Query);
            assert!(error.to_string().contains("of which several rows may belong to it"), "{error}");
        }
        assert!(tx.find_all::<Seat>().count().await? > 0);
        DBResult::Ok(())
    })
    .await
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
