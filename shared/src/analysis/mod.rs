//! Measurements in, verdicts out.

pub mod calibration;
pub mod combine;
mod judge;
pub mod kayenta;
pub mod latency;
pub mod logspace;
mod normal;
pub mod sequential;
pub mod series;
pub mod split;
pub mod student;
pub mod verdict;
mod words;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::RolloutId;
use crate::spec::MetricSource;

pub use judge::{METRIC_LAG, begin, due, endless, judge, lost, not_before, ready_at, take};

/// What the analysis function is asked: self-contained, so that it needs no other right than reading metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeasureRequest {
    /// For which rollout.
    pub rollout: RolloutId,
    /// The analysis run, unique in the rollout; the answer carries it back.
    pub run: u64,
    /// The generation of this question; the answer carries it back.
    pub generation: u64,
    /// What to measure.
    pub queries: Vec<Query>,
}

/// One metric over one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Query {
    /// Name of the spec's metric.
    pub metric: String,
    /// What is measured.
    pub source: MetricSource,
    /// CloudWatch's `LoadBalancer` dimension of the canary.
    pub load_balancer: String,
    /// CloudWatch's `TargetGroup` dimension of the canary.
    pub target_group: String,
    /// Start of the window, inclusive, a whole minute.
    pub from: Timestamp,
    /// End of the window, exclusive, a whole minute.
    pub to: Timestamp,
}

/// Whose metrics: the canary's target group behind its load balancer, as CloudWatch's dimensions say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryDimensions {
    /// `app/name/id`.
    pub load_balancer: String,
    /// `targetgroup/name/id`.
    pub target_group: String,
}

/// The answer to a MeasureRequest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Measured {
    /// The run that asked.
    pub run: u64,
    /// The generation of the question.
    pub generation: u64,
    /// One reading per query, in the same order.
    pub readings: Vec<Reading>,
}

/// What CloudWatch said of one metric over one window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reading {
    /// Name of the spec's metric.
    pub metric: String,
    /// Start of the window.
    pub from: Timestamp,
    /// End of the window.
    pub to: Timestamp,
    /// What was found.
    pub found: Found,
}

/// Value, absence and error are three things.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "found")]
pub enum Found {
    /// A value.
    Value {
        /// In the metric's own unit; never NaN or infinite.
        value: f64,
        /// The canary's requests in the window.
        samples: u64,
    },
    /// No data points.
    NoData,
    /// CloudWatch did not answer, or answered in part.
    Error {
        /// Its words.
        why: String,
    },
}

/// One analysis step under way: what has been measured so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AnalysisRun {
    /// Unique in the rollout.
    pub run: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// One tally per metric, in the step's order.
    pub tallies: Vec<Tally>,
    /// The generation of the question in the air.
    pub asked: Option<u64>,
    /// No question before this; with one in the air, when it is given up.
    pub not_before: Timestamp,
    /// Whether it goes on measuring when it has as many good windows as it needs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub endless: bool,
}

/// What has been measured of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Name of the spec's metric.
    pub metric: String,
    /// Start of the next window.
    pub next_from: Timestamp,
    /// Windows within the threshold.
    pub successful: u32,
    /// Windows outside it.
    pub failed: u32,
    /// Windows that could not tell.
    pub inconclusive: u32,
    /// Errors of the provider in a row.
    pub errors: u32,
    /// The newest reading.
    pub last: Option<Reading>,
}

/// What is known of a metric, and with all of them, of an analysis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "verdict")]
pub enum Verdict {
    /// Not enough windows yet.
    Undecided,
    /// Every metric has enough good windows.
    Successful,
    /// A metric has too many bad windows.
    Failed {
        /// Which.
        metric: String,
        /// The last value against its threshold, in a sentence.
        why: String,
    },
    /// A metric has too many windows that could not tell.
    Inconclusive {
        /// Which.
        metric: String,
        /// What was missing.
        why: String,
    },
}
