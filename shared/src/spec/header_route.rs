//! What the user writes to send requests with a certain header to the canary, whatever its weight is.

use serde::{Deserialize, Serialize};

/// One listener rule above each managed one: requests that match every header go to the canary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderRoute {
    /// Its name; unique in the spec.
    pub name: String,
    /// Headers that must all match.
    pub matches: Vec<HeaderMatch>,
}

/// One header that must match. Load balancers compare names and values without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeaderMatch {
    /// The header's name.
    pub header: String,
    /// What its value must be.
    pub value: HeaderValue,
}

/// What a header's value must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum HeaderValue {
    /// This.
    Exact(String),
    /// Anything that begins so.
    Prefix(String),
    /// One of these.
    Values(Vec<String>),
}

impl HeaderMatch {
    /// Returns the comparison strings of a load balancer's condition: one of them must match.
    pub fn patterns(&self) -> Vec<String> {
        match &self.value {
            HeaderValue::Exact(value) => vec![value.clone()],
            HeaderValue::Prefix(prefix) => vec![format!("{prefix}*")],
            HeaderValue::Values(values) => values.clone(),
        }
    }

    /// Whether a condition on this header with these comparison strings is this one.
    pub fn is(&self, header: &str, patterns: &[String]) -> bool {
        let mut ours = self.patterns();
        let mut theirs = patterns.to_vec();
        ours.sort();
        theirs.sort();
        self.header.eq_ignore_ascii_case(header) && ours == theirs
    }
}

impl HeaderRoute {
    /// Returns how many comparison strings a rule of it has beside those of the managed rule, and how many wildcards.
    pub fn budget(&self) -> (usize, usize) {
        let patterns: Vec<String> = self.matches.iter().flat_map(HeaderMatch::patterns).collect();
        (patterns.len(), patterns.iter().filter(|pattern| pattern.ends_with('*')).count())
    }
}
