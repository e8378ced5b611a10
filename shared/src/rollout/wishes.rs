//! What people asked of a rollout beyond its spec.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What people asked of a rollout beyond its spec.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Wishes {
    /// Indices of the steps that are or will be passed over: neither done nor successful.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub skipped: BTreeSet<usize>,
}

impl Wishes {
    /// Whether nobody asked for anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
