//! What holds a rollout back without pausing it, and since when.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::TaskArn;

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
    /// What is next is held by a freeze.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen: Option<Freeze>,
    /// There is no room for the canary's tasks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shortage: Option<Shortage>,
    /// The progress deadline was missed, and the rollout tries on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stuck: Option<Stuck>,
    /// Why the canary's tasks stopped by themselves, a few causes at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub crashes: Vec<Crash>,
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

/// A freeze that holds what is next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Freeze {
    /// Why, by the spec.
    pub reason: String,
    /// When it ends.
    pub until: Timestamp,
}

/// ECS finds no room for the canary's tasks: nothing that the revision did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shortage {
    /// ECS's own words.
    pub what: String,
    /// Since when.
    pub since: Timestamp,
}

/// A missed progress deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stuck {
    /// What it waited for.
    pub waiting_on: String,
    /// Since when.
    pub since: Timestamp,
}

/// Tasks of the canary that stopped for one and the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Crash {
    /// The reason, without what differs from task to task.
    pub cause: String,
    /// The tasks, and when their stop was heard of; as many as make a loop, at most.
    pub tasks: Vec<(TaskArn, Timestamp)>,
}

impl Waits {
    /// Whether nothing holds the rollout back.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What only keeps a rollout from going forward is forgotten on the way home.
    pub fn forget_forward(&mut self) {
        let gone = self.gone.take();
        *self = Self { gone, ..Self::default() };
    }
}
