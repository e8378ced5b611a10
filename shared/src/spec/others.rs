//! What a rollout does about others: those before it, those after it, and those beside it.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

/// What a rollout does about others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Others {
    /// Which earlier revisions may come back on the fast track.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollback_window: Option<RollbackWindow>,
}

/// Which earlier revisions may come back without pauses and analyses. A limit that is given holds; one at least is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackWindow {
    /// At most so many promotions back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revisions: Option<u32>,
    /// Stable until at most so long ago.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age: Option<SignedDuration>,
}

impl Others {
    /// Whether nothing differs from what holds without them.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
