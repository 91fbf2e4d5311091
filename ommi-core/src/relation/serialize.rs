//! Relations in what serde writes and reads.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, Visitor};
use serde::ser::{Serialize, Serializer};

use super::fields::{BelongsTo, HasMany, HasOne, One, Through, Via};
use super::loaded::Many;
use crate::model::Model;

/// Writes something, or none.
fn maybe<S: Serializer>(loaded: Option<impl Serialize>, serializer: S) -> Result<S::Ok, S::Error> {
    match loaded {
        Some(loaded) => serializer.serialize_some(&loaded),
        None => serializer.serialize_none(),
    }
}

/// As an `Option` of the row: the row if it is loaded and there is one, else none (`null`).
impl<T: One<Model: Serialize>> Serialize for BelongsTo<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        maybe(self.get(), serializer)
    }
}

/// As an `Option` of the row: the row if it is loaded and there is one, else none (`null`).
impl<T: Model + Serialize> Serialize for HasOne<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        maybe(self.get(), serializer)
    }
}

/// As an `Option` of a sequence: the rows if they are loaded, else none (`null`).
impl<T: Model + Serialize> Serialize for HasMany<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        maybe(self.get(), serializer)
    }
}

/// As an `Option` of a sequence: the rows if they are loaded, else none (`null`).
impl<T: Model + Serialize, A: Model> Serialize for HasMany<T, Through<A>> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        maybe(self.get(), serializer)
    }
}

/// As a sequence.
impl<T: Serialize> Serialize for Many<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Takes anything or nothing, and makes a relation of no row.
struct Detached<F>(PhantomData<fn() -> F>);

impl<'de, F: Default> Visitor<'de> for Detached<F> {
    type Value = F;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_none<E: Error>(self) -> Result<F, E> {
        Ok(F::default())
    }

    fn visit_unit<E: Error>(self) -> Result<F, E> {
        Ok(F::default())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<F, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| F::default())
    }
}

macro_rules! detached {
    ([$($generics:tt)*] $field:ty) => {
        /// Gives a detached relation, as in a struct that is built by hand, whatever is there, also where nothing is: what comes from
        /// outside is not taken for rows of the database. The format must describe itself, as JSON does, where rows were written.
        impl<'de, $($generics)*> Deserialize<'de> for $field {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_option(Detached(PhantomData))
            }
        }
    };
}

detached!([T: One] BelongsTo<T>);
detached!([T: Model] HasOne<T>);
detached!([T: Model, V: Via] HasMany<T, V>);
