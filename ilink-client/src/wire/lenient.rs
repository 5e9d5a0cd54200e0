//! Reads what it understands and takes everything else for absent.
//!
//! The server is not ours and has no specification: integers come as strings and the other way round, fields
//! are null or of another type. None of that may cost a message, so every field goes through [`Lenient`],
//! which never fails on a well-formed value. What a typed field could not hold is still in the raw JSON that
//! is kept beside each message.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, Serializer};
use serde_with::{DeserializeAs, SerializeAs};

use crate::id::{BotId, ClientId, ContextToken, Cursor, MessageId, QrHandle, RunId, TypingTicket, UserId};
use crate::secret::Secret;

/// The `serde_as` adapter for every optional field of the wire.
pub(crate) struct Lenient;

/// What a type makes of each kind of JSON value. `None` means "not mine": the field counts as absent.
pub(crate) trait Tolerant<'de>: Sized {
    fn from_int(_: i128) -> Option<Self> {
        None
    }
    fn from_bool(_: bool) -> Option<Self> {
        None
    }
    fn from_text(_: &str) -> Option<Self> {
        None
    }
    /// Null in a place where it has a meaning of its own, an element of a list for one.
    fn from_null() -> Option<Self> {
        None
    }
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl<'de, T: Tolerant<'de>> DeserializeAs<'de, Option<T>> for Lenient {
    fn deserialize_as<D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(LenientVisitor(PhantomData))
    }
}

impl<T: Serialize> SerializeAs<Option<T>> for Lenient {
    fn serialize_as<S: Serializer>(source: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        source.serialize(serializer)
    }
}

pub(crate) struct LenientVisitor<T>(pub(crate) PhantomData<T>);

impl<'de, T: Tolerant<'de>> Visitor<'de> for LenientVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }
    fn visit_bool<E: Error>(self, v: bool) -> Result<Self::Value, E> {
        Ok(T::from_bool(v))
    }
    fn visit_i64<E: Error>(self, v: i64) -> Result<Self::Value, E> {
        Ok(T::from_int(v.into()))
    }
    fn visit_u64<E: Error>(self, v: u64) -> Result<Self::Value, E> {
        Ok(T::from_int(v.into()))
    }
    fn visit_f64<E: Error>(self, v: f64) -> Result<Self::Value, E> {
        // 3.0 is 3; beyond 2^53 a double has lost digits already, and a wrong id is worse than none.
        let exact = v.fract() == 0.0 && v.abs() < 9_007_199_254_740_992.0;
        #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
        Ok(if exact { T::from_int(v as i128) } else { None })
    }
    fn visit_str<E: Error>(self, v: &str) -> Result<Self::Value, E> {
        Ok(T::from_text(v))
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(T::from_null())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::from_map(map)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        T::from_seq(seq)
    }
}

macro_rules! tolerant_int {
    ($($t:ty),*) => {$(
        impl Tolerant<'_> for $t {
            fn from_int(v: i128) -> Option<Self> {
                Self::try_from(v).ok()
            }
            fn from_text(v: &str) -> Option<Self> {
                v.trim().parse().ok()
            }
        }
    )*};
}
tolerant_int!(i64, u64);

impl Tolerant<'_> for MessageId {
    fn from_int(v: i128) -> Option<Self> {
        u64::from_int(v).map(Self)
    }
    fn from_text(v: &str) -> Option<Self> {
        u64::from_text(v).map(Self)
    }
}

impl Tolerant<'_> for bool {
    fn from_bool(v: bool) -> Option<Self> {
        Some(v)
    }
    fn from_int(v: i128) -> Option<Self> {
        Some(v != 0)
    }
    fn from_text(v: &str) -> Option<Self> {
        match v.trim() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }
}

macro_rules! tolerant_text {
    ($($t:ty),*) => {$(
        impl Tolerant<'_> for $t {
            fn from_int(v: i128) -> Option<Self> {
                Some(<$t>::from(v.to_string()))
            }
            fn from_text(v: &str) -> Option<Self> {
                Some(<$t>::from(v))
            }
        }
    )*};
}
tolerant_text!(String, Secret, UserId, BotId, ClientId, RunId, ContextToken, Cursor, TypingTicket, QrHandle);

impl<'de, T: Tolerant<'de>> Tolerant<'de> for Box<T> {
    fn from_map<A: MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        Ok(T::from_map(map)?.map(Self::new))
    }
}

/// A list whose odd elements keep their place: each becomes what its type makes of it, else the default.
impl<'de, T: Tolerant<'de> + Default> Tolerant<'de> for Vec<T> {
    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        struct Element<T>(T);
        impl<'de, T: Tolerant<'de> + Default> serde::Deserialize<'de> for Element<T> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let element = Lenient::deserialize_as(deserializer)?;
                Ok(Self(Option::unwrap_or_default(element)))
            }
        }
        let mut list = Self::new();
        while let Some(Element(element)) = seq.next_element()? {
            list.push(element);
        }
        Ok(Some(list))
    }
}

/// A struct of the wire: read from an object, absent otherwise.
macro_rules! tolerant_struct {
    ($($t:ty),* $(,)?) => {$(
        impl<'de> crate::wire::lenient::Tolerant<'de> for $t {
            fn from_map<A: serde::de::MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
                serde::Deserialize::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Some)
            }
        }
    )*};
}
pub(crate) use tolerant_struct;

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: for<'de> Tolerant<'de>>(json: &str) -> Option<T> {
        Lenient::deserialize_as(&mut serde_json::Deserializer::from_str(json)).unwrap()
    }

    #[test]
    fn numbers_as_strings_and_strings_as_numbers() {
        assert_eq!(read::<u64>("\"18446744073709551615\""), Some(u64::MAX));
        assert_eq!(read::<i64>("-2"), Some(-2));
        assert_eq!(read::<u64>("3.0"), Some(3));
        assert_eq!(read::<String>("7"), Some("7".into()));
        assert_eq!(read::<bool>("1"), Some(true));
    }

    #[test]
    fn what_does_not_fit_is_absent_and_never_an_error() {
        for odd in
            ["null", "[]", "[1,{\"a\":[2]}]", "{}", "{\"a\":{\"b\":1}}", "\"x\"", "true", "1.5", "1e300"]
        {
            assert_eq!(read::<u64>(odd), None, "{odd}");
        }
        assert_eq!(read::<MessageId>("7.441535359615656e18"), None);
        assert_eq!(read::<u64>("-1"), None);
    }
}
