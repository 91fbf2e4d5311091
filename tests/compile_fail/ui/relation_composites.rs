//! Relations by references of several columns that do not fit.

use ommi::prelude::*;

#[derive(Model)]
#[ommi(references((country, town) = (City::country, City::name)))]
#[ommi(references((country, birthplace) = (City::country, City::name)))]
#[ommi(references((boss_name, boss_country) = (Self::name, Self::country)))]
struct Person {
    #[ommi(key)]
    name: String,
    #[ommi(key)]
    country: String,
    town: Option<String>,
    birthplace: Option<String>,
    boss_name: Option<String>,
    boss_country: Option<String>,
    // Both references have it.
    #[ommi(by = country)]
    ambiguous: BelongsTo<Option<City>>,
    // One part of either.
    #[ommi(by = (town, birthplace))]
    mixed: BelongsTo<Option<City>>,
    // Fewer columns than a reference has, or more.
    #[ommi(by = (town, town))]
    twice: BelongsTo<Option<City>>,
    #[ommi(by = (country, town, name))]
    more: BelongsTo<Option<City>>,
    // Right.
    #[ommi(by = (town, country))]
    home: BelongsTo<Option<City>>,
    #[ommi(by = birthplace)]
    born: BelongsTo<Option<City>>,
    // One reference cannot be both sides.
    #[ommi(by = (boss_name, boss_country))]
    colleagues: HasMany<Person, Through<Person>>,
}

#[derive(Model)]
struct City {
    #[ommi(key)]
    country: String,
    #[ommi(key)]
    name: String,
}

fn main() {}
