//! What a rollout is doing and what it waits for, for people and for the CLI.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::RolloutId;

/// One rollout at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Which.
    pub rollout: RolloutId,
    /// The spec's name.
    pub name: String,
    /// `Canary`.
    pub strategy: String,
    /// `Progressing`, `Paused`, `Aborting`, `Healthy`, `Degraded`.
    pub phase: String,
    /// One sentence: why it is in this phase.
    pub message: String,
    /// What it waits for; never empty while it is not finished.
    pub waiting_on: String,
    /// Whether nothing more happens until a person acts: a pause without an end, or a way home that is held.
    /// `tidegate status --wait` ends here with its code for "paused".
    pub needs_person: bool,
    /// The next time that it wakes up by itself.
    pub next_wake_up: Option<Timestamp>,
    /// Index of the current step.
    pub step: usize,
    /// Every step of the plan.
    pub steps: Vec<StepReport>,
    /// The canary's share in per cent that the plan has reached.
    pub set_weight: String,
    /// The canary's share in per cent that was last read back from every rule; `None` if unknown or not the same on all.
    pub actual_weight: Option<String>,
    /// The stable side.
    pub stable: SideReport,
    /// The canary side.
    pub canary: SideReport,
    /// The analysis under way, or the last one in this step.
    pub analysis: Vec<MetricReport>,
    /// When it began.
    pub started_at: Timestamp,
    /// The point of no return.
    pub promoted_at: Option<Timestamp>,
    /// Its end.
    pub ended_at: Option<Timestamp>,
    /// By whom.
    pub started_by: String,
    /// When this was true.
    pub now: Timestamp,
}

/// One step of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// `setWeight 20`.
    pub step: String,
    /// Whether it is behind us, now, or ahead.
    pub state: StepProgress,
    /// When it began.
    pub entered_at: Option<Timestamp>,
}

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StepProgress {
    /// Behind us.
    Done,
    /// Under way.
    Current,
    /// Ahead.
    Ahead,
}

/// One of the twins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SideReport {
    /// The service's name.
    pub service: String,
    /// `family:revision` of what it runs or is to run.
    pub revision: String,
    /// Desired count; `None` until it was seen.
    pub desired: Option<u32>,
    /// Running tasks; `None` until seen.
    pub running: Option<u32>,
    /// Healthy targets; `None` until seen.
    pub healthy: Option<u32>,
}

/// One metric of an analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricReport {
    /// Its name.
    pub metric: String,
    /// Good windows so far, and how many are needed.
    pub successful: (u32, u32),
    /// Bad windows so far, and how many are allowed.
    pub failed: (u32, u32),
    /// Windows that could not tell, and how many are allowed.
    pub inconclusive: (u32, u32),
    /// The newest value; `None` where there was none.
    pub value: Option<f64>,
    /// The threshold, as `<= 0.01`.
    pub threshold: String,
}
