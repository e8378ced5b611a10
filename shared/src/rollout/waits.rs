//! What holds a rollout back without pausing it, and since when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a rollout has seen that keeps it from going on, though nobody paused it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Waits {
    /// Something that it moves was deleted by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone: Option<Gone>,
    /// The canary has fewer healthy targets than its share of traffic needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thin: Option<Thin>,
}

/// Something that a rollout moves was deleted by hand: nothing is made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gone {
    /// What, by its name.
    pub what: String,
    /// The look that first showed it.
    pub since: Timestamp,
}

/// Some healthy canary targets, and fewer than the canary's share needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Thin {
    /// Healthy ones, by the last look.
    pub healthy: u32,
    /// So many carry its share.
    pub needs: u32,
    /// The look that first showed it.
    pub since: Timestamp,
}

impl Waits {
    /// Whether nothing holds the rollout back.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
