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
    /// What becomes of a start that is asked for while this rollout is active.
    #[serde(skip_serializing_if = "OnNewRevision::is_reject")]
    pub on_new_revision: OnNewRevision,
}

/// What becomes of a start that is asked for while a rollout is active.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnNewRevision {
    /// It is refused, and says what is in its way.
    #[default]
    Reject,
    /// The latest one is kept, and begins when the rollout has ended, however that was.
    Queue,
    /// As `Queue`, and the rollout goes home for it.
    Supersede,
}

impl OnNewRevision {
    /// Whether it is what holds where nothing is said.
    pub fn is_reject(&self) -> bool {
        *self == Self::Reject
    }
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
