//! Values with a written form of their own.

use std::borrow::Cow;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::spec::limits;
use crate::weight::Weight;

/// Per cent, in steps of 0.1.
pub struct Percent(pub Weight);

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let share = self.0.canary();
        if share.is_multiple_of(10) {
            serializer.serialize_u16(share / 10)
        } else {
            serializer.serialize_f64(f64::from(share) / 10.0)
        }
    }
}

impl JsonSchema for Percent {
    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    // No `multipleOf: 0.1`: validators disagree about 12.3, and the reader says what is too fine.
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Per cent, in steps of 0.1.",
            "type": "number",
            "minimum": 0,
            "maximum": 100,
        })
    }
}

/// `true`
pub struct Yes;

impl Serialize for Yes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(true)
    }
}

impl JsonSchema for Yes {
    fn schema_name() -> Cow<'static, str> {
        "Yes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "const": true })
    }
}

/// `30s`, `5m`, `1h30m`; a plain number is seconds.
pub struct Duration(pub SignedDuration);

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // `1h 30m` without its spaces: one word needs no quotes.
        serializer.serialize_str(&format!("{:#}", self.0).replace(' ', ""))
    }
}

impl JsonSchema for Duration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`30s`, `5m`, `1h30m`; a plain number is seconds.",
            "anyOf": [
                { "type": "integer", "minimum": 0 },
                { "type": "string", "pattern": limits::DURATION_PATTERN },
            ],
        })
    }
}

/// Names and values, in the order of the text.
#[derive(Default)]
pub struct Dimensions(pub Vec<(String, String)>);

impl Serialize for Dimensions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl JsonSchema for Dimensions {
    fn schema_name() -> Cow<'static, str> {
        "Dimensions".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let text = json_schema!({ "type": "string", "minLength": 1, "maxLength": limits::TEXT_MAX });
        json_schema!({
            "description": "Names and values as CloudWatch shows them.",
            "type": "object",
            "propertyNames": { "minLength": 1, "maxLength": limits::TEXT_MAX },
            "additionalProperties": text,
            "maxProperties": limits::DIMENSIONS_MAX,
        })
    }
}
