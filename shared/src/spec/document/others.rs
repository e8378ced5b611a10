//! The written form of what a rollout does about others.

use schemars::JsonSchema;
use serde::Serialize;

use super::scalars::Duration;
use crate::spec::{limits, others};

/// Which earlier revisions may come back without pauses and analyses. Both limits hold where both are given.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1))]
pub struct RollbackWindow {
    /// At most so many promotions back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u32", default, range(min = *limits::WINDOW_REVISIONS.start(), max = *limits::WINDOW_REVISIONS.end()))]
    revisions: Option<u32>,
    /// Stable until at most so long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Duration", default)]
    age: Option<Duration>,
}

impl From<&others::RollbackWindow> for RollbackWindow {
    fn from(window: &others::RollbackWindow) -> Self {
        Self { revisions: window.revisions, age: window.age.map(Duration) }
    }
}

/// What becomes of a start that is asked for while a rollout is active.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum OnNewRevision {
    /// It is refused.
    Reject,
    /// The latest one begins when the rollout has ended.
    Queue,
    /// The rollout goes home, and the latest one begins then.
    Supersede,
}

/// What holds where nothing is said.
pub fn on_new_revision() -> OnNewRevision {
    OnNewRevision::Reject
}

impl From<others::OnNewRevision> for OnNewRevision {
    fn from(policy: others::OnNewRevision) -> Self {
        match policy {
            others::OnNewRevision::Reject => Self::Reject,
            others::OnNewRevision::Queue => Self::Queue,
            others::OnNewRevision::Supersede => Self::Supersede,
        }
    }
}
