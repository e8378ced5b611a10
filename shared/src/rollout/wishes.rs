//! What people asked of a rollout beyond its spec.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::request::{Origin, StartRequest};

/// What people asked of a rollout beyond its spec.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Wishes {
    /// Why it was asked for.
    #[serde(skip_serializing_if = "Origin::is_start")]
    pub origin: Origin,
    /// Whether it takes the fast track: back to an earlier revision without pauses and analyses.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fast: bool,
    /// Alarms of the spec that were in ALARM when an undo began: they are why, and are not watched.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unwatched: Vec<String>,
    /// The start that begins when this rollout has ended; kept until it has its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<StartRequest>,
    /// Indices of the steps that are or will be passed over: neither done nor successful.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub skipped: BTreeSet<usize>,
}

impl Wishes {
    /// Whether a plain `start` began it.
    pub fn is_plain(&self) -> bool {
        self.origin.is_start() && !self.fast
    }

    /// Says why it was asked for, in a few words.
    pub fn why(&self) -> String {
        let fast = if self.fast { ", on the fast track" } else { "" };
        let unwatched = match self.unwatched.is_empty() {
            true => String::new(),
            false => format!("; not watched, because in ALARM already: {}", self.unwatched.join(", ")),
        };
        format!("{}{fast}{unwatched}", self.origin)
    }

    /// Whether nobody asked for anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
