//! Models that stand between two others, or between a model and itself.

use ommi::prelude::*;
use ommi::testing::assert_queries;

use crate::expect::assert_kind;

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "association_airports")]
struct Airport {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    code: String,
    #[ommi(by = origin_id)]
    departures: HasMany<Flight>,
    #[ommi(by = destination_id)]
    arrivals: HasMany<Flight>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "association_flights")]
struct Flight {
    #[ommi(auto)]
    id: i64,
    number: i64,
    #[ommi(references = Airport::id)]
    origin_id: i64,
    #[ommi(references = Airport::id)]
    destination_id: Option<i64>,
    #[ommi(by = origin_id)]
    origin: BelongsTo<Airport>,
    #[ommi(by = destination_id)]
    destination: BelongsTo<Option<Airport>>,
}

/// From A to B, from A to C, from B to A, from A to nowhere.
async fn flights(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Airport, Flight)>().await?;
    let airports = db.add_all(["A", "B", "C"].map(|code| new!(Airport { code }))).await?;
    let id = |n: usize| airports[n].id;
    let ends = [(0, Some(1)), (0, Some(2)), (1, Some(0)), (0, None)];
    let flight = |(number, (from, to)): (i64, (usize, Option<usize>))| {
        new!(Flight { number, origin_id: id(from), destination_id: to.map(id) })
    };
    db.add_all((1..).zip(ends).map(flight).collect::<Vec<_>>()).await?;
    Ok(())
}

fn numbers<'a>(flights: impl IntoIterator<Item = &'a Flight>) -> Vec<i64> {
    flights.into_iter().map(|flight| flight.number).collect()
}

pub(crate) async fn two_relations_to_one_model(db: &Ommi) -> DBResult<()> {
    flights(db).await?;
    assert_queries(3, db, async |db| {
        let mut ends = Vec::new();
        for flight in &db.find_all::<Flight>().sort(Flight::number).all().await? {
            let destination = flight.destination.load(db).await?.map_or("?", |airport| &airport.code);
            ends.push(format!("{}{destination}", flight.origin.load(db).await?.code));
        }
        assert_eq!(ends, ["AB", "AC", "BA", "A?"]);
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn two_relations_from_one_model(db: &Ommi) -> DBResult<()> {
    flights(db).await?;
    let includes = (Airport::departures.sort(Flight::number.desc()).limit(2), Airport::arrivals);
    let airports =
        assert_queries(3, db, async |db| db.find_all::<Airport>().sort(Airport::code).include(includes).all().await)
            .await?;
    let departures: Vec<_> = airports.iter().map(|airport| airport.departures.get().map(numbers)).collect();
    assert_eq!(departures, [Some(vec![4, 2]), Some(vec![3]), Some(vec![])]);
    let arrivals: Vec<_> = airports.iter().map(|airport| airport.arrivals.get().map(numbers)).collect();
    assert_eq!(arrivals, [Some(vec![3]), Some(vec![1]), Some(vec![2])]);
    Ok(())
}

pub(crate) async fn conditions_on_two_relations_of_one_model(db: &Ommi) -> DBResult<()> {
    flights(db).await?;
    let codes = async |predicate: Predicate<Airport>| {
        let airports = db.find(predicate).sort(Airport::code).all().await?;
        DBResult::Ok(airports.into_iter().map(|airport| airport.code).collect::<Vec<_>>())
    };
    assert_eq!(codes(Airport::departures.count().gt(1) & Airport::arrivals.count().eq(1)).await?, ["A"]);
    assert_eq!(codes(Airport::departures.is_empty() & !Airport::arrivals.is_empty()).await?, ["C"]);
    let to_c = Airport::departures.any(Flight::destination.is(Airport::code.eq("C")));
    assert_eq!(codes(Airport::arrivals.any(Flight::origin.is(to_c))).await?, ["B", "C"]);
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "association_friends")]
struct Friend {
    #[ommi(auto)]
    id: i64,
    name: String,
    #[ommi(by = from_id, to = to_id)]
    friends: HasMany<Friend, Through<Friendship>>,
    #[ommi(by = to_id, to = from_id)]
    friend_of: HasMany<Friend, Through<Friendship>>,
    #[ommi(by = from_id)]
    friendships: HasMany<Friendship>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "association_friendships")]
struct Friendship {
    #[ommi(key, references = Friend::id)]
    from_id: i64,
    #[ommi(key, references = Friend::id)]
    to_id: i64,
    #[ommi(default = 2000)]
    since: i64,
    #[ommi(by = to_id)]
    to: BelongsTo<Friend>,
}

fn names<'a>(friends: impl IntoIterator<Item = &'a Friend>) -> Vec<&'a str> {
    friends.into_iter().map(|friend| friend.name.as_str()).collect()
}

/// Ann likes Bob and Cid, Bob likes Ann, Cid likes himself, Dan nobody.
async fn friends(db: &Ommi) -> DBResult<Vec<Friend>> {
    db.create_tables::<(Friend, Friendship)>().await?;
    let all = db.add_all(["Ann", "Bob", "Cid", "Dan"].map(|name| new!(Friend { name }))).await?;
    let pair =
        |(from, to, since): (usize, usize, i64)| new!(Friendship { from_id: all[from].id, to_id: all[to].id, since });
    db.add_all([(0, 1, 1990), (0, 2, 2010), (1, 0, 1990), (2, 2, 1970)].map(pair)).await?;
    db.find_all::<Friend>().sort(Friend::name).all().await
}

pub(crate) async fn of_a_model_with_itself(db: &Ommi) -> DBResult<()> {
    let all = friends(db).await?;
    assert_queries(4, db, async |db| {
        let (mut liked, mut liking) = (Vec::new(), Vec::new());
        for friend in &all {
            liked.push(names(friend.friends.load(db).await?));
            liking.push(names(friend.friend_of.load(db).await?));
        }
        assert_eq!(liked, [vec!["Bob", "Cid"], vec!["Ann"], vec!["Cid"], vec![]]);
        assert_eq!(liking, [vec!["Bob"], vec!["Ann"], vec!["Ann", "Cid"], vec![]]);
        DBResult::Ok(())
    })
    .await
}

pub(crate) async fn friends_of_friends(db: &Ommi) -> DBResult<()> {
    friends(db).await?;
    let include = Friend::friends.include(Friend::friends);
    let ann = assert_queries(5, db, async |db| db.find(Friend::name.eq("Ann")).include(include).one().await).await?;
    let of_friends: Vec<_> = ann.friends.get().into_iter().flatten().map(|f| f.friends.get().map(names)).collect();
    assert_eq!(of_friends, [Some(vec!["Ann"]), Some(vec!["Cid"])]);
    let back = Friend::friends.any(Friend::friends.any(Friend::name.eq("Ann")));
    assert_eq!(db.find(back).one().await?.name, "Ann");
    Ok(())
}

pub(crate) async fn by_columns_of_the_association(db: &Ommi) -> DBResult<()> {
    let all = friends(db).await?;
    all[3].friends.link_with(db, &all[0], new!(Friendship { since: 2024, .. })).await?;
    let dan = db.get::<Friend>(all[3].id).await?;
    let links = dan.friendships.load(db).await?;
    assert_eq!(links.iter().map(|link| link.since).collect::<Vec<_>>(), [2024]);
    assert_eq!(links[0].to.load(db).await?.name, "Ann");
    let old = Friend::friendships.any(Friendship::since.lt(2000) & Friendship::to.is(Friend::name.ne("Cid")));
    assert_eq!(names(&db.find(old).sort(Friend::name).all().await?), ["Ann", "Bob"]);
    let by_age = Friend::friendships.sort(Friendship::since).limit(1).include(Friendship::to);
    let ann = db.find(Friend::name.eq("Ann")).include(by_age).one().await?;
    let first = ann.friendships.get().and_then(|links| links.first()?.to.get());
    assert_eq!(first.map(|friend| friend.name.as_str()), Some("Bob"));
    Ok(())
}

pub(crate) async fn a_link_goes_one_way(db: &Ommi) -> DBResult<()> {
    let all = friends(db).await?;
    all[3].friends.link(db, &all[1]).await?;
    let stored = db.find_all::<Friend>().sort(Friend::name).include((Friend::friends, Friend::friend_of)).all().await?;
    assert_eq!(stored[3].friends.get().map(names), Some(vec!["Bob"]));
    assert_eq!(stored[3].friend_of.get().map(names), Some(vec![]));
    assert_eq!(stored[1].friend_of.get().map(names), Some(vec!["Ann", "Dan"]));
    assert_eq!(stored[1].friends.get().map(names), Some(vec!["Ann"]));
    // From the other side the same row goes.
    stored[1].friend_of.unlink(db, &stored[3]).await?;
    assert_eq!(db.find(Friend::friends.is_empty()).one().await?.name, "Dan");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "association_tenants")]
struct Tenant {
    #[ommi(auto)]
    id: i64,
    name: String,
    places: HasMany<Place, Through<Visit>>,
    visits: HasMany<Visit>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "association_places")]
struct Place {
    #[ommi(auto)]
    id: i64,
    name: String,
    tenants: HasMany<Tenant, Through<Visit>>,
}

/// Has a key of its own, so that two rows may be associated several times.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "association_visits")]
struct Visit {
    #[ommi(auto)]
    id: i64,
    #[ommi(references = Tenant::id)]
    guest_id: i64,
    #[ommi(references = Place::id)]
    place_id: Option<i64>,
    #[ommi(default = 0)]
    nights: i64,
}

fn places<'a>(places: impl IntoIterator<Item = &'a Place>) -> Vec<&'a str> {
    places.into_iter().map(|place| place.name.as_str()).collect()
}

/// Ann was in Rome twice, in Oslo once and somewhere that is not known; Bob nowhere.
async fn visits(db: &Ommi) -> DBResult<(Tenant, Place)> {
    db.create_tables::<(Tenant, Place, Visit)>().await?;
    let tenants = db.add_all(["Ann", "Bob"].map(|name| new!(Tenant { name }))).await?;
    let places = db.add_all(["Rome", "Oslo"].map(|name| new!(Place { name }))).await?;
    let visit =
        |place: Option<usize>| new!(Visit { guest_id: tenants[0].id, place_id: place.map(|place| places[place].id) });
    db.add_all([Some(0), Some(1), None, Some(0)].map(visit)).await?;
    Ok((db.get::<Tenant>(tenants[0].id).await?, db.get::<Place>(places[0].id).await?))
}

/// As often as there are rows of the association: so that a count and what is counted agree.
pub(crate) async fn a_row_associated_twice_is_there_twice(db: &Ommi) -> DBResult<()> {
    let (ann, _) = visits(db).await?;
    assert_eq!(places(ann.places.load(db).await?), ["Rome", "Rome", "Oslo"]);
    let include = Tenant::places.sort(Place::name.desc()).limit(2);
    let tenants = db.find_all::<Tenant>().sort(Tenant::name).include(include).all().await?;
    let found: Vec<_> = tenants.iter().map(|tenant| tenant.places.get().map(places)).collect();
    assert_eq!(found, [Some(vec!["Rome", "Rome"]), Some(vec![])]);
    assert_eq!(db.find(Tenant::places.count().eq(3)).one().await?.name, "Ann", "NULL leads to no place");
    assert_eq!(db.find(Tenant::visits.count().eq(4)).one().await?.name, "Ann");
    assert_eq!(db.find(Place::tenants.count().eq(2)).one().await?.name, "Rome");
    Ok(())
}

pub(crate) async fn with_a_key_of_its_own_a_link_is_made_once(db: &Ommi) -> DBResult<()> {
    let (ann, rome) = visits(db).await?;
    ann.places.link(db, &rome).await?;
    assert_eq!(db.find_all::<Visit>().count().await?, 4, "they were associated already");
    let bob = db.find(Tenant::name.eq("Bob")).one().await?;
    bob.places.link_with(db, &rome, new!(Visit { nights: 3, .. })).await?;
    bob.places.link(db, &rome).await?;
    let nights: Vec<i64> = bob.visits.load(db).await?.iter().map(|visit| visit.nights).collect();
    assert_eq!(nights, [3]);
    Ok(())
}

pub(crate) async fn with_a_key_of_its_own_an_unlink_takes_all(db: &Ommi) -> DBResult<()> {
    let (ann, rome) = visits(db).await?;
    ann.places.unlink(db, &rome).await?;
    let ann = db.get::<Tenant>(ann.id).await?;
    assert_eq!(places(ann.places.load(db).await?), ["Oslo"]);
    assert_eq!(ann.visits.load(db).await?.len(), 2, "that to Oslo, and that to nowhere");
    Ok(())
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "association_lodgers")]
struct Lodger {
    #[ommi(key)]
    house: i64,
    #[ommi(key)]
    number: i64,
    flats: HasMany<Flat, Through<Lease>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "association_flats")]
struct Flat {
    #[ommi(key)]
    house: i64,
    #[ommi(key)]
    number: i64,
}

#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(
    table = "association_leases",
    references((house, lodger) = (Lodger::house, Lodger::number)),
    references((house, flat) = (Flat::house, Flat::number))
)]
struct Lease {
    #[ommi(key)]
    house: i64,
    #[ommi(key)]
    lodger: i64,
    #[ommi(key)]
    flat: i64,
}

/// A lodger has no flat in another house.
pub(crate) async fn by_references_that_share_a_column(db: &Ommi) -> DBResult<()> {
    db.create_tables::<(Lodger, Flat, Lease)>().await?;
    let lodgers = db.add_all([1, 2].map(|house| new!(Lodger { house, number: 5 }))).await?;
    let places = [(1, 10), (1, 11), (2, 10)];
    let flats = db.add_all(places.map(|(house, number)| new!(Flat { house, number }))).await?;
    let leases = async || -> DBResult<Vec<(i64, i64, i64)>> {
        let leases = db.find_all::<Lease>().sort((Lease::house, Lease::lodger, Lease::flat)).all().await?;
        Ok(leases.iter().map(|lease| (lease.house, lease.lodger, lease.flat)).collect())
    };
    lodgers[0].flats.link(db, &flats[0]).await?;
    lodgers[0].flats.link(db, &flats[0]).await?;
    assert_eq!(leases().await?, [(1, 5, 10)]);
    let refused = assert_kind!(lodgers[0].flats.link(db, &flats[2]).await, ErrorKind::Query);
    assert!(refused.to_string().contains("differ in `Lease.house`"), "{refused}");
    assert_kind!(lodgers[0].flats.replace(db, [&flats[1], &flats[2]]).await, ErrorKind::Query);
    assert_kind!(lodgers[0].flats.unlink(db, &flats[2]).await, ErrorKind::Query);
    assert_eq!(leases().await?, [(1, 5, 10)]);
    lodgers[0].flats.replace(db, [&flats[1]]).await?;
    lodgers[1].flats.link(db, &flats[2]).await?;
    assert_eq!(leases().await?, [(1, 5, 11), (2, 5, 10)]);
    let strange = new!(Lodger { house: 3, number: 5, flats: [{ house: 4, number: 10 }] });
    assert_kind!(db.add(strange).await, ErrorKind::Query);
    db.add(new!(Lodger { house: 3, number: 5, flats: [{ house: 3, number: 10 }] })).await?;
    assert_eq!(leases().await?, [(1, 5, 11), (2, 5, 10), (3, 5, 10)]);
    let lodgers = db.find_all::<Lodger>().sort(Lodger::house).include(Lodger::flats).all().await?;
    let flats: Vec<Vec<i64>> =
        lodgers.iter().map(|g| g.flats.get().into_iter().flatten().map(|r| r.number).collect()).collect();
    assert_eq!(flats, [[11], [10], [10]]);
    Ok(())
}
