//! Associations that require more than their two references. What is forgotten here is found when the program is built, not when it is checked.

use ommi::prelude::*;

#[derive(Model)]
struct Section {
    #[ommi(auto)]
    id: i64,
    name: String,
    members: HasMany<Member, Through<Membership>>,
}

#[derive(Model)]
struct Member {
    #[ommi(auto)]
    id: i64,
    name: String,
}

#[derive(Model)]
struct Membership {
    #[ommi(key, references = Member::id)]
    member_id: i64,
    #[ommi(key, references = Section::id)]
    section_id: i64,
    #[ommi(default = "member")]
    role: String,
    since: i16,
}

// Requires a third reference, so that no two of them are enough.
#[derive(Model)]
struct Loan {
    #[ommi(key, references = Member::id)]
    lender_id: i64,
    #[ommi(key, references = Member::id)]
    borrower_id: i64,
    #[ommi(key, references = Boat::id)]
    boat_id: i64,
}

#[derive(Model)]
struct Boat {
    #[ommi(auto)]
    id: i64,
    #[ommi(to = lender_id)]
    lenders: HasMany<Member, Through<Loan>>,
}

fn associated(db: &Ommi, section: &Section, member: &Member) {
    let _ = section.members.link(db, member);
    let _ = section.members.add(db, new!(Member { name: "Zoe" }));
    let _ = section.members.replace(db, [member]);
}

fn lent(db: &Ommi, boat: &Boat, member: &Member) {
    let _ = boat.lenders.link(db, member);
}

fn main() {
    let _ = new!(Section { name: "Rowing", members: [{ name: "Zoe" }] });
    // As a draft, in a `Vec`.
    let _ = new!(Section { name: "Rowing", members: vec![new!(Member { name: "Zoe" })] });
    // By the draft's method.
    let _ = SectionDraft::new().name("Rowing").members([new!(Member { name: "Zoe" })]);
    // What the program may call is built.
    let _: fn(&Ommi, &Section, &Member) = associated;
    let _: fn(&Ommi, &Boat, &Member) = lent;
}
