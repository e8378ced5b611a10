//! How the data shapes read and write themselves: epoch seconds for times, and numbers that the query protocol sends as text.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// Times as epoch seconds with a fraction, as the AWS JSON protocols have them.
pub mod epoch {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};
    use serde::de::Error as _;

    pub fn serialize<S: Serializer>(at: &Timestamp, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_f64(at.as_millisecond() as f64 / 1000.0)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Timestamp, D::Error> {
        let seconds = f64::deserialize(input)?;
        Timestamp::from_millisecond((seconds * 1000.0).round() as i64).map_err(D::Error::custom)
    }
}

/// Times that may be absent, as epoch seconds.
pub mod epoch_option {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};
    use serde::de::Error as _;

    pub fn serialize<S: Serializer>(at: &Option<Timestamp>, out: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => super::epoch::serialize(at, out),
            None => out.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Timestamp>, D::Error> {
        Option::<f64>::deserialize(input)?
            .map(|seconds| Timestamp::from_millisecond((seconds * 1000.0).round() as i64).map_err(D::Error::custom))
            .transpose()
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Lenient<T> {
    Typed(T),
    Text(String),
}

/// Reads a number or a flag also from text: the query protocol knows only text.
pub fn lenient<'de, D, T>(input: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + std::str::FromStr,
    T::Err: std::fmt::Display,
{
    match Option::<Lenient<T>>::deserialize(input)? {
        None => Ok(None),
        Some(Lenient::Typed(value)) => Ok(Some(value)),
        Some(Lenient::Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
    }
}
