//! A club: its sections are a tree, its members are in sections with a role, and are friends with each other.
//!
//! ```text
//! cargo run --example club
//! cargo run --example club --features postgres -- --database postgres://.. --replace
//! ```
//!
//! Without a URL it runs on SQLite in memory. `--replace` drops the example's tables first, with everything in them. The answers are the same on
//! every store.

use std::process::ExitCode;

use ommi::prelude::*;

/// A section may be part of another: a reference of a model to itself, and the relations along it in both directions.
#[derive(Debug, Clone, PartialEq, Model)]
struct Section {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    name: String,
    #[ommi(references = Self::id)]
    parent_id: Option<i64>,
    parent: BelongsTo<Option<Section>>,
    parts: HasMany<Section>,
    members: HasMany<Member, Through<Membership>>,
}

#[derive(Debug, Clone, PartialEq, Model)]
struct Member {
    #[ommi(auto)]
    id: i64,
    #[ommi(unique)]
    name: String,
    sections: HasMany<Section, Through<Membership>>,
    /// The rows that associate, for what they say themselves.
    memberships: HasMany<Membership>,
    /// Both references of a friendship lead to a member: these say which is whose.
    #[ommi(by = member_id, to = friend_id)]
    friends: HasMany<Member, Through<Friendship>>,
    #[ommi(by = member_id)]
    friendships: HasMany<Friendship>,
}

/// Who is in which section: each pair once, with columns of its own.
#[derive(Debug, Clone, PartialEq, Model)]
struct Membership {
    #[ommi(key, references = Member::id)]
    member_id: i64,
    #[ommi(key, references = Section::id)]
    section_id: i64,
    #[ommi(default = "member")]
    role: String,
    since: i16,
    member: BelongsTo<Member>,
    section: BelongsTo<Section>,
}

/// Who is whose friend. A row goes one way, so friends have two.
#[derive(Debug, Clone, PartialEq, Model)]
struct Friendship {
    #[ommi(key, references = Member::id)]
    member_id: i64,
    #[ommi(key, references = Member::id)]
    friend_id: i64,
    since: i16,
    #[ommi(by = friend_id)]
    friend: BelongsTo<Member>,
}

type Everything = (Section, Member, Membership, Friendship);

#[tokio::main]
async fn main() -> ExitCode {
    let (mut url, mut replace) = ("sqlite::memory:".to_owned(), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), arguments.len()) {
            ("--replace", _) => replace = true,
            ("--database", 1..) => url = arguments.next().unwrap_or(url),
            _ => {
                eprintln!("Usage: club [--database URL] [--replace]");
                return ExitCode::from(2);
            }
        }
    }
    match run(&url, replace).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(url: &str, replace: bool) -> DBResult<()> {
    let db = Ommi::connect(url).await?;
    if replace {
        db.drop_tables::<Everything>().await?;
    }
    db.create_tables::<Everything>().await?;
    fill(&db).await?;
    tree(&db).await?;
    memberships(&db).await?;
    friendships(&db).await?;
    season(&db).await?;
    strict(&db).await?;
    db.close().await;
    Ok(())
}

/// Adds everything, or nothing.
async fn fill(db: &Ommi) -> DBResult<()> {
    db.transaction(async |tx| {
        // A tree is added with its root: a statement for each level, keys filled in.
        tx.add(new!(Section {
            name: "Club",
            parts: [
                { name: "Water", parts: [{ name: "Rowing" }, { name: "Sailing", parts: [{ name: "Dinghies" }] }] },
                { name: "Mountain", parts: [{ name: "Climbing" }, { name: "Skiing" }] },
            ],
        }))
        .await?;
        tx.add_all(["Ann", "Ben", "Cleo", "Dan", "Eve", "Finn"].map(|name| new!(Member { name }))).await?;

        for (name, section, role, since) in [
            ("Ann", "Rowing", "coach", 2004),
            ("Ann", "Sailing", "member", 2011),
            ("Ben", "Rowing", "member", 2019),
            ("Cleo", "Climbing", "coach", 1998),
            ("Cleo", "Rowing", "treasurer", 2015),
            ("Dan", "Dinghies", "member", 2022),
            ("Eve", "Climbing", "member", 2020),
        ] {
            let (member, section) = (member(tx, name).await?, self::section(tx, section).await?);
            member.sections.link_with(tx, &section, new!(Membership { role, since, .. })).await?;
        }
        for (one, other, since) in [
            ("Ann", "Ben", 2019),
            ("Ben", "Cleo", 2020),
            ("Cleo", "Dan", 2021),
            ("Cleo", "Eve", 2021),
            ("Ann", "Eve", 2023),
        ] {
            let (one, other) = (member(tx, one).await?, member(tx, other).await?);
            one.friends.link_with(tx, &other, new!(Friendship { since, .. })).await?;
            other.friends.link_with(tx, &one, new!(Friendship { since, .. })).await?;
        }
        Ok(())
    })
    .await
}

async fn member(db: &impl Handle, name: &str) -> DBResult<Member> {
    db.find(Member::name.eq(name)).one().await
}

async fn section(db: &impl Handle, name: &str) -> DBResult<Section> {
    db.find(Section::name.eq(name)).one().await
}

/// Down the tree and up again.
async fn tree(db: &impl Handle) -> DBResult<()> {
    println!("The sections, with the number of their members");
    let root = db.find(Section::parent.is_none()).include(Section::members).one().await?;
    // What is loaded of one row is loaded for all that came with it: a statement for each level of the tree.
    let mut next = vec![(0, &root)];
    while let Some((depth, section)) = next.pop() {
        let members = section.members.load(db).await?.len();
        println!("  {:indent$}{} {members}", "", section.name, indent = 2 * depth);
        next.extend(section.parts.load(db).await?.iter().rev().map(|part| (depth + 1, part)));
    }

    println!("\nThe way up from Dinghies");
    let dinghies = section(db, "Dinghies").await?;
    let (mut way, mut here) = (vec![dinghies.name.as_str()], &dinghies);
    while let Some(above) = here.parent.load(db).await? {
        way.push(&above.name);
        here = above;
    }
    println!("  {}", way.join(" < "));

    println!("\nSections of two levels, by an include");
    let parts = Section::parts.sort(Section::name.desc()).include(Section::parts);
    let club = db.find(Section::name.eq("Club")).include(parts).one().await?;
    for part in club.parts.get().unwrap_or_default() {
        let names: Vec<&str> = part.parts.get().unwrap_or_default().iter().map(|part| part.name.as_str()).collect();
        println!("  {}: {}", part.name, names.join(", "));
    }
    Ok(())
}

/// What stands between members and sections is a model, with columns to read, to filter and to sort by.
async fn memberships(db: &impl Handle) -> DBResult<()> {
    println!("\nMembers, and where they are what since when");
    let memberships = Member::memberships.sort(Membership::since).include(Membership::section);
    for member in db.find_all::<Member>().sort(Member::name).include(memberships).all().await? {
        let sections = member.memberships.get().unwrap_or_default().iter().map(|membership| {
            let section = membership.section.get().map_or("?", |section| &section.name);
            format!("{section} ({}, {})", membership.role, membership.since)
        });
        println!("  {}: {}", member.name, or_nothing(sections));
    }

    println!("\nQuestions about them");
    let on_water = Section::parent.is(Section::name.eq("Water"));
    let coaches = Membership::role.eq("coach") & Membership::section.is(on_water);
    show(db, "coaches on the water", Member::memberships.any(coaches)).await?;
    show(db, "in several sections", Member::sections.count().ge(2)).await?;
    show(db, "in no section", Member::sections.is_empty()).await?;
    show(db, "only in sections since 2015", Member::memberships.all(Membership::since.ge(2015))).await?;
    Ok(())
}

/// A graph of members.
async fn friendships(db: &Ommi) -> DBResult<()> {
    println!("\nFriends, the oldest friendship of each first");
    let oldest = Member::friendships.sort(Friendship::since).limit(2).include(Friendship::friend);
    for member in db.find_all::<Member>().sort(Member::name).include(oldest).all().await? {
        let friends = member.friendships.get().unwrap_or_default().iter().map(|friendship| {
            format!("{} ({})", friendship.friend.get().map_or("?", |friend| &friend.name), friendship.since)
        });
        println!("  {}: {}", member.name, or_nothing(friends));
    }

    println!("\nFriends of friends");
    let ann = Member::name.eq("Ann");
    let of_friends = Member::friends.any(Member::friends.any(ann.clone()));
    show(db, "two steps from Ann, and not one", of_friends & Member::friends.none(ann) & Member::name.ne("Ann"))
        .await?;

    // Both ways are one friendship, so both go, or none.
    let (ann, eve) = (member(db, "Ann").await?, member(db, "Eve").await?);
    db.transaction(async |tx| {
        ann.friends.unlink(tx, &eve).await?;
        eve.friends.unlink(tx, &ann).await
    })
    .await?;
    show(db, "Ann's friends without Eve", Member::friends.any(Member::name.eq("Ann"))).await
}

/// Who comes and goes: a membership requires its year, so that the methods take it along.
async fn season(db: &Ommi) -> DBResult<()> {
    println!("\nA new season");
    let (rowing, finn) = (section(db, "Rowing").await?, member(db, "Finn").await?);
    db.transaction(async |tx| {
        // A new member, with the row that associates.
        let gus = new!(Member { name: "Gus" });
        let gus = rowing.members.add_with(tx, gus, new!(Membership { since: 2025, .. })).await?;
        // These three and no others. Ann was there, and keeps her role and her year.
        let ann = member(tx, "Ann").await?;
        let coxes = [&gus, &finn, &ann].map(|member| (member, new!(Membership { role: "cox", since: 2026, .. })));
        rowing.members.replace_with(tx, coxes).await
    })
    .await?;
    let of_rowing = Membership::section.is(Section::id.eq(rowing.id));
    let sort = Membership::member.then(Member::name).asc();
    for membership in db.find(of_rowing).sort(sort).include(Membership::member).all().await? {
        let name = membership.member.get().map_or("?", |member| &member.name);
        println!("  {name}: {} since {}", membership.role, membership.since);
    }
    Ok(())
}

/// A strict handle finds the loop that should have been one query.
async fn strict(db: &Ommi) -> DBResult<()> {
    println!("\nOne by one, on a strict handle");
    let db = db.strict();
    for name in ["Ann", "Ben"] {
        let member = member(&db, name).await?;
        match member.friends.load(&db).await {
            Ok(friends) => println!("  {name} has {} friend", friends.len()),
            Err(error) => println!("  {name}: {error}"),
        }
    }
    Ok(())
}

async fn show(db: &impl Handle, question: &str, condition: Predicate<Member>) -> DBResult<()> {
    let members = db.find(condition).sort(Member::name).all().await?;
    println!("  {question}: {}", or_nothing(members.into_iter().map(|member| member.name)));
    Ok(())
}

fn or_nothing(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}
