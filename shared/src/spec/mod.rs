//! What the user writes: one service moving from one revision to the next.
//!
//! The types here are the meaning of a spec. Reading YAML into them, with every mistake named at its line and
//! column, is `reader`'s part.

mod blue_green;
mod document;
mod error;
mod header_route;
pub(crate) mod limits;
mod lint;
mod others;
pub mod policy;
mod reader;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

pub use self::blue_green::{AutoPromotion, BlueGreenSpec, PreviewSpec};
pub use self::document::schema;
pub use self::error::{Mistake, SpecError};
pub use self::header_route::{HeaderMatch, HeaderRoute, HeaderValue};
pub use self::lint::{Lint, lint, print, read};
pub use self::others::{OnNewRevision, Others, RollbackWindow};
pub use self::policy::Policies;
use crate::weight::Weight;

/// One service moving from one revision to the next: what, how, and what is watched meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutSpec {
    /// The service's name as people say it; first part of every rollout id.
    pub name: String,
    /// Where revisions run.
    pub workload: WorkloadSpec,
    /// The revision to roll out, as `family:revision` or ARN; `start` may name another.
    pub task_definition: Option<String>,
    /// CloudWatch alarms by name, watched for the whole rollout: any in ALARM sends it home.
    pub alarms: Vec<String>,
    /// The metrics that analysis steps refer to by name.
    pub metrics: Vec<MetricSpec>,
    /// How traffic moves.
    pub strategy: StrategySpec,
    /// Longest time without progress of a deploying, scaling or weight step; then the rollout goes home.
    pub progress_deadline: SignedDuration,
    /// What it does about other rollouts.
    #[serde(default, skip_serializing_if = "Others::is_default")]
    pub others: Others,
    /// What it is patient with, and when it may not move.
    #[serde(default, skip_serializing_if = "Policies::is_default")]
    pub policies: Policies,
}

/// Where a revision runs and who moves its traffic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WorkloadSpec {
    /// Two ordinary ECS services, each with its own target group; the roles swap at promotion.
    TwinServices {
        /// The cluster's name or ARN.
        cluster: String,
        /// The names of the two services, in no particular order: which is stable is read from live weights.
        services: [String; 2],
    },
}

/// How traffic moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum StrategySpec {
    /// Step by step.
    Canary(CanarySpec),
    /// All at once, after a look at it.
    BlueGreen(BlueGreenSpec),
}

/// A canary: steps, then a bake at 100 %, then promotion and clean-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CanarySpec {
    /// The user's steps, in order; a last step to 100 % is added where it is not written.
    pub steps: Vec<CanaryStep>,
    /// Wait at 100 % before promotion, with the way home open (`bakeTimeInMinutes`).
    pub bake: SignedDuration,
    /// After promotion, how long the old revision keeps its tasks (`scaleDownDelaySeconds`).
    pub scale_down_delay: SignedDuration,
    /// After an abort, how long the canary keeps its tasks (`abortScaleDownDelaySeconds`).
    pub abort_scale_down_delay: SignedDuration,
    /// What is judged beside the steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<BackgroundAnalysis>,
}

/// An analysis beside the steps, until the bake ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackgroundAnalysis {
    /// Names of `metrics`.
    pub metrics: Vec<String>,
    /// Index of the step with which it begins; not before the first traffic.
    pub starting_step: u32,
}

/// One step as the user writes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CanaryStep {
    /// Send this share of traffic to the canary.
    SetWeight(Weight),
    /// Decouple the canary's task count from its weight.
    SetCanaryScale(CanaryScale),
    /// Wait: for a time, or for a person.
    Pause {
        /// How long; `None` waits for `promote`.
        duration: Option<SignedDuration>,
        /// How long it waits for `promote` at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<PauseLimit>,
    },
    /// Send requests with certain headers to the canary, whatever its weight is.
    SetHeaderRoute(HeaderRoute),
    /// Judge these metrics before going on.
    Analysis {
        /// Names of `metrics`.
        metrics: Vec<String>,
    },
}

/// The longest that a pause waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PauseLimit {
    /// How long, from the beginning of the pause (`timeout`).
    pub timeout: SignedDuration,
    /// What then.
    pub on_timeout: OnTimeout,
}

/// What a pause does that nobody ended in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnTimeout {
    /// It goes home.
    Abort,
    /// It goes on, as by `promote`.
    Promote,
}

/// How many tasks the canary has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CanaryScale {
    /// So many.
    Replicas(u32),
    /// This share of the stable side's count, in per cent of it, rounded up.
    Percent(u32),
    /// Follow the weight again: the share of tasks that the share of traffic needs.
    MatchTrafficWeight,
}

/// A typed threshold on a CloudWatch metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricSpec {
    /// Its name; unique in the spec.
    pub name: String,
    /// What is measured.
    pub source: MetricSource,
    /// What a good value is.
    pub threshold: Threshold,
    /// Time between measurements and length of each measured window; whole minutes.
    pub interval: SignedDuration,
    /// Wait before the first window begins.
    pub initial_delay: SignedDuration,
    /// Successful measurements that make the analysis successful.
    pub count: u32,
    /// More failed measurements than this fail the analysis.
    pub failure_limit: u32,
    /// More inconclusive measurements than this make it inconclusive: the rollout pauses for a person.
    pub inconclusive_limit: u32,
    /// More errors of the provider in a row than this make it inconclusive, too: never a success.
    pub consecutive_error_limit: u32,
    /// The least canary requests in a window for its value to count.
    pub minimum_samples: u64,
    /// What a window with no data, or with too few samples, counts as. Never a success.
    pub no_data: NoDataPolicy,
}

/// What is measured, always of the canary's target group unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum MetricSource {
    /// Share of requests that the canary's targets answered with 5xx, 0 to 1.
    ErrorRate,
    /// The canary's `TargetResponseTime`, in seconds.
    ResponseTime {
        /// `Average` or a percentile such as `p99`.
        statistic: String,
    },
    /// Any CloudWatch metric.
    CloudWatch {
        /// For example `Shop/Checkout`.
        namespace: String,
        /// For example `OrdersLost`.
        metric_name: String,
        /// Dimension names and values.
        dimensions: Vec<(String, String)>,
        /// `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount` or a percentile.
        statistic: String,
    },
}

/// What a good value is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Threshold {
    /// Good while value ≤ this.
    AtMost(f64),
    /// Good while value ≥ this.
    AtLeast(f64),
}

impl Threshold {
    /// Whether a value is good. NaN is not.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }
}

/// What a window without enough data counts as. There is no variant for success.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NoDataPolicy {
    /// As an inconclusive measurement.
    Inconclusive,
    /// As a failed measurement.
    Failed,
}

impl StrategySpec {
    /// Returns the names of the metrics that its analysis steps judge, one by one, in order, as often as they are.
    pub fn judged(&self) -> impl Iterator<Item = &str> {
        let lists: Vec<&Vec<String>> = match self {
            Self::Canary(canary) => {
                let background = canary.analysis.iter().map(|analysis| &analysis.metrics);
                canary.steps.iter().filter_map(CanaryStep::judged).chain(background).collect()
            }
            Self::BlueGreen(blue_green) => vec![&blue_green.pre_promotion, &blue_green.post_promotion],
        };
        lists.into_iter().flatten().map(String::as_str)
    }

    /// Returns its name as reports show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Canary(_) => "Canary",
            Self::BlueGreen(_) => "BlueGreen",
        }
    }

    /// Returns how long the canary keeps its tasks after an abort.
    pub fn abort_scale_down_delay(&self) -> SignedDuration {
        match self {
            Self::Canary(canary) => canary.abort_scale_down_delay,
            Self::BlueGreen(blue_green) => blue_green.abort_scale_down_delay,
        }
    }

    /// Returns the header routes that its steps open, in order.
    pub fn routes(&self) -> Vec<&HeaderRoute> {
        match self {
            Self::Canary(canary) => canary.steps.iter().filter_map(CanaryStep::route).collect(),
            Self::BlueGreen(_) => Vec::new(),
        }
    }

    /// Returns where the new revision can be met before it has users.
    pub fn preview(&self) -> Option<PreviewSpec> {
        match self {
            Self::Canary(_) => None,
            Self::BlueGreen(blue_green) => blue_green.preview,
        }
    }
}

impl CanaryStep {
    /// Returns the metrics that it judges.
    fn judged(&self) -> Option<&Vec<String>> {
        match self {
            Self::Analysis { metrics } => Some(metrics),
            Self::SetWeight(_) | Self::SetCanaryScale(_) | Self::Pause { .. } | Self::SetHeaderRoute(_) => None,
        }
    }

    /// Returns the header route that it opens.
    fn route(&self) -> Option<&HeaderRoute> {
        match self {
            Self::SetHeaderRoute(route) => Some(route),
            Self::SetWeight(_) | Self::SetCanaryScale(_) | Self::Pause { .. } | Self::Analysis { .. } => None,
        }
    }
}

impl RolloutSpec {
    /// Returns the metric of that name.
    pub fn metric(&self, name: &str) -> Option<&MetricSpec> {
        self.metrics.iter().find(|metric| metric.name == name)
    }
}
