//! The written form of the step `setHeaderRoute`.

use schemars::JsonSchema;
use serde::Serialize;

use super::limits;
use crate::spec;

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderRoute {
    /// Unique in the spec.
    #[schemars(regex(pattern = limits::NAME_PATTERN))]
    name: String,
    /// Headers that must all match.
    #[schemars(length(min = 1, max = limits::HEADERS_MAX))]
    r#match: Vec<HeaderMatch>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HeaderMatch {
    #[schemars(regex(pattern = limits::HEADER_PATTERN))]
    header_name: String,
    header_value: HeaderValue,
}

/// Compared without regard to case.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum HeaderValue {
    /// This.
    Exact(#[schemars(regex(pattern = limits::HEADER_VALUE_PATTERN))] String),
    /// Anything that begins so.
    Prefix(#[schemars(regex(pattern = limits::HEADER_PREFIX_PATTERN))] String),
    /// One of these.
    Values(
        #[schemars(length(min = 1, max = limits::HEADER_VALUES_MAX), inner(regex(pattern = limits::HEADER_VALUE_PATTERN)))]
         Vec<String>,
    ),
}

impl From<&spec::HeaderRoute> for HeaderRoute {
    fn from(route: &spec::HeaderRoute) -> Self {
        Self { name: route.name.clone(), r#match: route.matches.iter().map(HeaderMatch::from).collect() }
    }
}

impl From<&spec::HeaderMatch> for HeaderMatch {
    fn from(one: &spec::HeaderMatch) -> Self {
        Self {
            header_name: one.header.clone(),
            header_value: match &one.value {
                spec::HeaderValue::Exact(value) => HeaderValue::Exact(value.clone()),
                spec::HeaderValue::Prefix(prefix) => HeaderValue::Prefix(prefix.clone()),
                spec::HeaderValue::Values(values) => HeaderValue::Values(values.clone()),
            },
        }
    }
}
