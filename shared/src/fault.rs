//! What can go wrong, typed by who can fix it: a call that fails, a command that is refused.

use serde::{Deserialize, Serialize};

/// Why a call was not answered as asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum Fault {
    /// Throttling, a 5xx answer, a lost connection on a read: it goes away by itself.
    #[error("{why}")]
    Transient {
        /// The service's own words.
        why: String,
    },
    /// Somebody else was first: a condition did not hold.
    #[error("{why}")]
    Conflict {
        /// What was found instead.
        why: String,
    },
    /// It stays until a person changes something.
    #[error("{reason}: {why}")]
    Permanent {
        /// Which kind of obstacle.
        reason: Obstacle,
        /// The service's own words.
        why: String,
    },
}

/// What a person has to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Obstacle {
    /// The role does not allow the call.
    AccessDenied,
    /// The thing is gone.
    NotFound,
    /// The service refuses the arguments.
    Invalid,
    /// A quota is used up.
    Limit,
}

impl std::fmt::Display for Obstacle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::AccessDenied => "access denied",
            Self::NotFound => "not found",
            Self::Invalid => "refused as invalid",
            Self::Limit => "limit reached",
        })
    }
}

/// What became of a mutating call. A time-out is `Unknown`, never a guess.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "outcome")]
pub enum Outcome {
    /// The service said yes.
    Applied,
    /// The service said no, or the call never left.
    NotApplied {
        /// Why.
        fault: Fault,
    },
    /// No answer: it may have been applied. The machine looks before it acts again.
    Unknown {
        /// What was seen of it.
        why: String,
    },
}

/// Why a command is refused, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{why}")]
pub struct Refusal {
    /// The reason, in a sentence that names the thing.
    pub why: String,
    /// The way out.
    pub hint: String,
}

impl Refusal {
    /// A reason with its way out.
    pub fn new(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { why: why.into(), hint: hint.into() }
    }
}

impl Fault {
    /// A passing fault, in the service's words.
    pub fn transient(why: impl Into<String>) -> Self {
        Self::Transient { why: why.into() }
    }

    /// A lost race, with what was found instead.
    pub fn conflict(why: impl Into<String>) -> Self {
        Self::Conflict { why: why.into() }
    }

    /// A fault that waits for a person.
    pub fn permanent(reason: Obstacle, why: impl Into<String>) -> Self {
        Self::Permanent { reason, why: why.into() }
    }
}
