//! The five tables, and how a line of each file becomes a new row.
//!
//! The data is real: a flight may name a plane, an airport or an hour of weather that is not there. Such references are declared with
//! `constraint = false`: they say what belongs together, and the database does not insist. The relations, which have no columns, are found from them;
//! one to a row that may not be there is a `BelongsTo<Option<..>>`.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use ommi::prelude::*;
use ommi::value::{ColumnType, DecodeFailure, InvalidValue, Value};

use crate::data::{Fields, FromLine};
use crate::error::Result;

/// An airline.
#[derive(Debug, Clone, PartialEq, Model)]
pub(crate) struct Airline {
    #[ommi(key)]
    pub(crate) carrier: String,
    pub(crate) name: String,
}

/// An airport of the United States.
#[derive(Debug, Clone, PartialEq, Model)]
pub(crate) struct Airport {
    #[ommi(key)]
    pub(crate) faa: String,
    pub(crate) name: String,
    pub(crate) lat: f64,
    pub(crate) lon: f64,
    /// Feet above the sea.
    pub(crate) alt: i16,
    /// Hours from UTC.
    pub(crate) tz: i8,
    pub(crate) dst: DaylightSaving,
    pub(crate) tzone: Option<String>,
    /// A flight refers to two airports.
    #[ommi(by = origin)]
    pub(crate) departures: HasMany<Flight>,
    #[ommi(by = dest)]
    pub(crate) arrivals: HasMany<Flight>,
}

/// A plane.
#[derive(Debug, Clone, PartialEq, Model)]
pub(crate) struct Plane {
    #[ommi(key)]
    pub(crate) tailnum: String,
    /// Of manufacture.
    pub(crate) year: Option<i16>,
    #[ommi(column = "type")]
    pub(crate) kind: String,
    pub(crate) manufacturer: String,
    pub(crate) model: String,
    pub(crate) engines: i8,
    pub(crate) seats: i16,
    /// Of cruising, in miles per hour.
    pub(crate) speed: Option<i16>,
    pub(crate) engine: String,
    pub(crate) flights: HasMany<Flight>,
}

/// The weather of one hour at one airport.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(table = "weather")]
pub(crate) struct Weather {
    #[ommi(key, references = Airport::faa)]
    pub(crate) origin: String,
    /// When the hour began.
    #[ommi(key)]
    pub(crate) time_hour: DateTime<Utc>,
    /// This and the next three are local time.
    pub(crate) year: i16,
    pub(crate) month: i8,
    pub(crate) day: i8,
    pub(crate) hour: i8,
    /// Degrees Fahrenheit.
    pub(crate) temp: Option<f64>,
    pub(crate) dewp: Option<f64>,
    pub(crate) humid: Option<f64>,
    pub(crate) wind_dir: Option<i16>,
    /// Miles per hour.
    pub(crate) wind_speed: Option<f64>,
    pub(crate) wind_gust: Option<f64>,
    pub(crate) precip: f64,
    pub(crate) pressure: Option<f64>,
    pub(crate) visib: f64,
    pub(crate) flights: HasMany<Flight>,
}

/// A departure from New York. Times are local and written as the file has them: 1705 is five past five in the afternoon.
#[derive(Debug, Clone, PartialEq, Model)]
#[ommi(
    index((origin, time_hour), (tailnum, carrier)),
    references((origin, time_hour) = (Weather::origin, Weather::time_hour), constraint = false)
)]
pub(crate) struct Flight {
    #[ommi(key, auto)]
    pub(crate) id: i64,
    pub(crate) year: i16,
    pub(crate) month: i8,
    pub(crate) day: i8,
    /// `None` for a flight that never left.
    pub(crate) dep_time: Option<i16>,
    pub(crate) sched_dep_time: i16,
    /// Minutes; negative when it left early.
    pub(crate) dep_delay: Option<i16>,
    pub(crate) arr_time: Option<i16>,
    pub(crate) sched_arr_time: i16,
    #[ommi(index)]
    pub(crate) arr_delay: Option<i16>,
    #[ommi(references = Airline::carrier)]
    pub(crate) carrier: String,
    #[ommi(column = "flight")]
    pub(crate) number: i16,
    #[ommi(references = Plane::tailnum, constraint = false)]
    pub(crate) tailnum: Option<String>,
    #[ommi(references = Airport::faa, constraint = false)]
    pub(crate) origin: String,
    #[ommi(references = Airport::faa, constraint = false)]
    pub(crate) dest: String,
    /// Minutes.
    pub(crate) air_time: Option<i16>,
    /// Miles.
    pub(crate) distance: i16,
    /// This and the next are of the scheduled departure.
    pub(crate) hour: i8,
    pub(crate) minute: i8,
    /// When the hour of the scheduled departure began.
    pub(crate) time_hour: DateTime<Utc>,
    pub(crate) airline: BelongsTo<Airline>,
    pub(crate) plane: BelongsTo<Option<Plane>>,
    #[ommi(by = origin)]
    pub(crate) origin_airport: BelongsTo<Option<Airport>>,
    #[ommi(by = dest)]
    pub(crate) dest_airport: BelongsTo<Option<Airport>>,
    /// Of the hour at the origin, by both columns.
    pub(crate) weather: BelongsTo<Option<Weather>>,
}

/// The rule by which an airport's clocks change. A type of this program that a column can hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum DaylightSaving {
    UnitedStates,
    Never,
    Unknown,
}

impl DaylightSaving {
    pub(crate) fn letter(self) -> &'static str {
        match self {
            DaylightSaving::UnitedStates => "A",
            DaylightSaving::Never => "N",
            DaylightSaving::Unknown => "U",
        }
    }
}

impl FromStr for DaylightSaving {
    type Err = NoSuchRule;

    fn from_str(letter: &str) -> Result<DaylightSaving, NoSuchRule> {
        match letter {
            "A" => Ok(DaylightSaving::UnitedStates),
            "N" => Ok(DaylightSaving::Never),
            "U" => Ok(DaylightSaving::Unknown),
            _ => Err(NoSuchRule),
        }
    }
}

impl FieldType for DaylightSaving {
    const TYPE: ColumnType = ColumnType::Text;

    fn encode(&self) -> Result<Value<'_>, InvalidValue> {
        Ok(Value::Text(self.letter().into()))
    }

    fn decode(value: Value<'_>) -> Result<DaylightSaving, DecodeFailure> {
        match &value {
            Value::Text(letter) => {
                letter.parse().map_err(|rule| DecodeFailure::new("A, N or U", "other text").with_source(rule))
            }
            other => Err(DecodeFailure::new("A, N or U", other.kind())),
        }
    }
}

/// A letter that stands for no rule.
#[derive(Debug)]
pub(crate) struct NoSuchRule;

impl fmt::Display for NoSuchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the rules are A, N and U")
    }
}

impl std::error::Error for NoSuchRule {}

impl FromLine for Airline {
    const FILE: &'static str = "airlines.csv";

    fn from_line(line: &mut Fields<'_>) -> Result<Self::Draft> {
        Ok(new!(Airline { carrier: line.text("carrier")?, name: line.text("name")? }))
    }
}

impl FromLine for Airport {
    const FILE: &'static str = "airports.csv";

    fn from_line(line: &mut Fields<'_>) -> Result<Self::Draft> {
        Ok(new!(Airport {
            faa: line.text("faa")?,
            name: line.text("name")?,
            lat: line.value::<f64>("lat")?,
            lon: line.value::<f64>("lon")?,
            alt: line.value::<i16>("alt")?,
            tz: line.value::<i8>("tz")?,
            dst: line.value::<DaylightSaving>("dst")?,
            tzone: line.optional::<String>("tzone")?,
        }))
    }
}

impl FromLine for Plane {
    const FILE: &'static str = "planes.csv";

    fn from_line(line: &mut Fields<'_>) -> Result<Self::Draft> {
        Ok(new!(Plane {
            tailnum: line.text("tailnum")?,
            year: line.optional::<i16>("year")?,
            kind: line.text("type")?,
            manufacturer: line.text("manufacturer")?,
            model: line.text("model")?,
            engines: line.value::<i8>("engines")?,
            seats: line.value::<i16>("seats")?,
            speed: line.optional::<i16>("speed")?,
            engine: line.text("engine")?,
        }))
    }
}

impl FromLine for Weather {
    const FILE: &'static str = "weather.csv";

    fn from_line(line: &mut Fields<'_>) -> Result<Self::Draft> {
        Ok(new!(Weather {
            origin: line.text("origin")?,
            year: line.value::<i16>("year")?,
            month: line.value::<i8>("month")?,
            day: line.value::<i8>("day")?,
            hour: line.value::<i8>("hour")?,
            temp: line.optional::<f64>("temp")?,
            dewp: line.optional::<f64>("dewp")?,
            humid: line.optional::<f64>("humid")?,
            wind_dir: line.optional::<i16>("wind_dir")?,
            wind_speed: line.optional::<f64>("wind_speed")?,
            wind_gust: line.optional::<f64>("wind_gust")?,
            precip: line.value::<f64>("precip")?,
            pressure: line.optional::<f64>("pressure")?,
            visib: line.value::<f64>("visib")?,
            time_hour: line.value::<DateTime<Utc>>("time_hour")?,
        }))
    }
}

impl FromLine for Flight {
    const FILE: &'static str = "flights.csv";

    fn from_line(line: &mut Fields<'_>) -> Result<Self::Draft> {
        Ok(new!(Flight {
            year: line.value::<i16>("year")?,
            month: line.value::<i8>("month")?,
            day: line.value::<i8>("day")?,
            dep_time: line.optional::<i16>("dep_time")?,
            sched_dep_time: line.value::<i16>("sched_dep_time")?,
            dep_delay: line.optional::<i16>("dep_delay")?,
            arr_time: line.optional::<i16>("arr_time")?,
            sched_arr_time: line.value::<i16>("sched_arr_time")?,
            arr_delay: line.optional::<i16>("arr_delay")?,
            carrier: line.text("carrier")?,
            number: line.value::<i16>("flight")?,
            tailnum: line.optional::<String>("tailnum")?,
            origin: line.text("origin")?,
            dest: line.text("dest")?,
            air_time: line.optional::<i16>("air_time")?,
            distance: line.value::<i16>("distance")?,
            hour: line.value::<i8>("hour")?,
            minute: line.value::<i8>("minute")?,
            time_hour: line.value::<DateTime<Utc>>("time_hour")?,
        }))
    }
}
