//! A rollout that is asked for: what, by whom, why, and on which track.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{RolloutId, TaskDefinitionArn};

/// A rollout that has been asked for: by a verb, or by an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartRequest {
    /// Idempotency key.
    pub key: String,
    /// The spec's text, YAML or JSON.
    pub spec: String,
    /// The revision, where it is not the spec's own.
    pub task_definition: Option<String>,
    /// Who asked: a caller's ARN, or the account and source of an event.
    pub by: String,
    /// When, in domain time: a start that lay in a dead-letter queue since yesterday is not wanted today.
    pub asked_at: Timestamp,
    /// Why it is asked for, and how it is to go.
    #[serde(default, skip_serializing_if = "Manner::is_plain")]
    pub manner: Manner,
}

/// Why a rollout is asked for, and how it is to go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Manner {
    /// Why.
    #[serde(skip_serializing_if = "Origin::is_start")]
    pub origin: Origin,
    /// How.
    #[serde(skip_serializing_if = "Track::is_by_window")]
    pub track: Track,
    /// The rollout whose end it waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<RolloutId>,
}

/// Why a rollout is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "as")]
pub enum Origin {
    /// Somebody wants that revision.
    #[default]
    Start,
    /// Again what went home.
    Retry {
        /// The rollout that went home.
        of: RolloutId,
        /// From the step at which it turned, instead of from the first.
        from_step: bool,
    },
    /// Back to the revision before the last promotion, or to one that is named.
    Undo {
        /// The newest rollout that the caller saw.
        of: RolloutId,
    },
    /// The revision that stable runs, once more.
    Restart {
        /// The newest rollout that the caller saw.
        of: RolloutId,
    },
}

/// Which steps a rollout takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Track {
    /// The fast ones inside the spec's rollback window, and all of them outside.
    #[default]
    ByWindow,
    /// All of them, window or not.
    FullSteps,
    /// The fast ones, or none: refused outside the window.
    Fast,
}

/// One revision that took another's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    /// By which rollout.
    pub rollout: RolloutId,
    /// The revision that became stable.
    pub revision: TaskDefinitionArn,
    /// The one that had been.
    pub before: TaskDefinitionArn,
    /// When.
    pub at: Timestamp,
}

impl StartRequest {
    /// Returns the key of a start that waits for a rollout's end: the key that it was asked for by has its answer then.
    pub fn key_after(&self) -> String {
        format!("{}/after", self.key)
    }

    /// Returns it as it is asked for once that rollout has ended.
    #[must_use]
    pub fn after(self, rollout: &RolloutId) -> Self {
        let manner = Manner { after: Some(rollout.clone()), ..self.manner.clone() };
        Self { key: self.key_after(), manner, ..self }
    }
}

impl Manner {
    /// Whether somebody simply wants a revision.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

impl Origin {
    /// Whether somebody simply wants a revision.
    pub fn is_start(&self) -> bool {
        *self == Self::Start
    }
}

impl Track {
    /// Whether the window decides.
    pub fn is_by_window(&self) -> bool {
        *self == Self::ByWindow
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start => write!(f, "start"),
            Self::Retry { of, from_step: false } => write!(f, "retry of {of}"),
            Self::Retry { of, from_step: true } => write!(f, "retry of {of} from the step at which it turned"),
            Self::Undo { of } => write!(f, "undo after {of}"),
            Self::Restart { of } => write!(f, "restart after {of}"),
        }
    }
}
