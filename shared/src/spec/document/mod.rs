//! The written form of a spec: what `lint` and `init` print, and what the published schema describes.

mod blue_green;
mod from;
mod header_route;
mod others;
mod policy;
mod scalars;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use self::blue_green::BlueGreen;
use self::header_route::HeaderRoute;
use self::scalars::{Dimensions, Duration, Percent, Yes};
use super::limits;

/// A rollout of Tidegate: one ECS service moving from one revision to the next.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Rollout")]
pub struct RolloutDocument {
    api_version: ApiVersion,
    kind: Kind,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Serialize, JsonSchema)]
enum ApiVersion {
    #[serde(rename = "tidegate.dev/v1alpha1")]
    V1Alpha1,
}

#[derive(Serialize, JsonSchema)]
enum Kind {
    Rollout,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Metadata {
    /// The service's name as people say it; the first part of every rollout's id.
    #[schemars(regex(pattern = limits::NAME_PATTERN))]
    name: String,
}

/// What moves, how, and what is watched meanwhile.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    workload: Workload,
    /// The revision to roll out: `family:revision`, `family` for its newest, or an ARN. `start` may name another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", default, regex(pattern = limits::TASK_DEFINITION_PATTERN))]
    task_definition: Option<String>,
    /// CloudWatch alarms by name, watched for the whole rollout: any in ALARM sends it home.
    #[schemars(default, length(max = limits::NAMES_MAX), inner(regex(pattern = limits::ALARM_PATTERN)))]
    alarms: Vec<String>,
    /// Longest time without progress of a deploying, scaling or weight step; then the rollout goes home.
    #[schemars(default = "progress_deadline", range(min = *limits::PROGRESS_DEADLINE.start(), max = *limits::PROGRESS_DEADLINE.end()))]
    progress_deadline_seconds: u32,
    /// Whether a missed deadline sends it home; otherwise it says that it is stuck, and tries on.
    #[schemars(default = "policy::yes")]
    progress_deadline_abort: bool,
    /// When tasks of the canary that stop for one and the same reason are enough.
    #[schemars(default = "policy::default_crash_loop")]
    crash_loop: policy::CrashLoop,
    /// When nothing moves forward.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default, length(max = limits::FREEZES_MAX))]
    freeze_windows: Vec<policy::FreezeWindow>,
    /// What a start does in one of them; `wait` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "policy::OnFreeze", default)]
    on_freeze: Option<policy::OnFreeze>,
    /// The metrics that analysis steps refer to by name.
    #[schemars(default, length(max = limits::METRICS_MAX))]
    metrics: Vec<Metric>,
    strategy: Strategy,
    /// Which earlier revisions may come back without pauses and analyses.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "others::RollbackWindow", default)]
    rollback_window: Option<others::RollbackWindow>,
    /// What becomes of a start that is asked for while this rollout is active.
    #[schemars(default = "others::on_new_revision")]
    on_new_revision: others::OnNewRevision,
}

/// Where revisions run and who moves their traffic.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Workload {
    /// Two ordinary ECS services, each with its own target group; the roles swap at promotion.
    #[serde(rename_all = "camelCase")]
    TwinServices(Twins),
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Twins {
    /// The cluster's name or ARN.
    #[schemars(regex(pattern = limits::CLUSTER_PATTERN))]
    cluster: String,
    /// The two services' names, in no particular order: which is stable is read from live weights.
    #[schemars(inner(regex(pattern = limits::SERVICE_PATTERN)))]
    services: [String; 2],
}

/// How traffic moves.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Strategy {
    /// Step by step, then a bake at 100 %, then promotion and clean-up.
    Canary(Canary),
    /// All at once, after a look at it: a preview, one switch, and the old side beside it for a while.
    BlueGreen(BlueGreen),
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Canary {
    /// In order; a last step to 100 % is added where it is not written.
    #[schemars(length(min = 1, max = limits::STEPS_MAX))]
    steps: Vec<Step>,
    /// What is judged beside the steps, from the first traffic until the bake ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Background", default)]
    analysis: Option<Background>,
    /// Wait at 100 % before promotion, with the way home open.
    #[schemars(default = "bake_minutes", range(min = *limits::BAKE_MINUTES.start(), max = *limits::BAKE_MINUTES.end()))]
    bake_time_in_minutes: u32,
    /// After promotion, how long the old revision keeps its tasks.
    #[schemars(default = "scale_down_seconds", range(min = *limits::SCALE_DOWN_SECONDS.start(), max = *limits::SCALE_DOWN_SECONDS.end()))]
    scale_down_delay_seconds: u32,
    /// After an abort, how long the canary keeps its tasks.
    #[schemars(default = "scale_down_seconds", range(min = *limits::SCALE_DOWN_SECONDS.start(), max = *limits::SCALE_DOWN_SECONDS.end()))]
    abort_scale_down_delay_seconds: u32,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Background {
    /// Names of `spec.metrics`.
    #[schemars(length(min = 1, max = limits::METRICS_MAX))]
    metrics: Vec<String>,
    /// Index of the step with which it begins; not before the first traffic.
    #[schemars(default, range(min = *limits::STARTING_STEP.start(), max = *limits::STARTING_STEP.end()))]
    starting_step: u32,
}

/// One step.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Step {
    /// Send this share of traffic to the canary.
    SetWeight(Percent),
    /// Decouple the canary's task count from its weight.
    SetCanaryScale(Scale),
    /// Wait: for a time, or, without one, until promoted.
    Pause(Pause),
    /// Send requests with certain headers to the canary, whatever its weight is.
    SetHeaderRoute(HeaderRoute),
    /// Judge metrics before going on.
    Analysis(Analysis),
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Scale {
    /// So many tasks.
    Replicas(#[schemars(range(min = *limits::REPLICAS.start(), max = *limits::REPLICAS.end()))] u32),
    /// This share of the stable side's count, in per cent of it.
    Weight(#[schemars(range(min = *limits::SCALE_PERCENT.start(), max = *limits::SCALE_PERCENT.end()))] u32),
    /// Follow the weight again.
    MatchTrafficWeight(Yes),
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pause {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Duration", default)]
    duration: Option<Duration>,
    /// Without a duration: how long it waits for `promote` at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Duration", default)]
    timeout: Option<Duration>,
    /// What then; `abort` where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnTimeout", default)]
    on_timeout: Option<OnTimeout>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum OnTimeout {
    /// Go home.
    Abort,
    /// Go on.
    Promote,
}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Analysis {
    /// Names of `spec.metrics`.
    #[schemars(length(min = 1, max = limits::METRICS_MAX), inner(length(min = 1, max = limits::TEXT_MAX)))]
    metrics: Vec<String>,
}

/// A typed threshold on a CloudWatch metric.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Metric {
    /// Unique in the spec.
    #[schemars(regex(pattern = limits::NAME_PATTERN))]
    name: String,
    provider: Provider,
    threshold: Limit,
    /// Time between measurements and length of each measured window; whole minutes.
    #[schemars(default = "interval")]
    interval: Duration,
    /// Wait before the first window begins.
    #[schemars(default = "initial_delay")]
    initial_delay: Duration,
    /// Successful measurements that make the analysis successful.
    #[schemars(default = "count", range(min = *limits::COUNT.start(), max = *limits::COUNT.end()))]
    count: u32,
    /// More failed measurements than this fail the analysis.
    #[schemars(default = "failure_limit", range(min = *limits::LIMIT.start(), max = *limits::LIMIT.end()))]
    failure_limit: u32,
    /// More inconclusive measurements than this pause the rollout for a person.
    #[schemars(default = "inconclusive_limit", range(min = *limits::LIMIT.start(), max = *limits::LIMIT.end()))]
    inconclusive_limit: u32,
    /// More errors of CloudWatch in a row than this pause it, too.
    #[schemars(default = "consecutive_error_limit", range(min = *limits::LIMIT.start(), max = *limits::LIMIT.end()))]
    consecutive_error_limit: u32,
    /// The least canary requests in a window for its value to count.
    #[schemars(range(min = *limits::MINIMUM_SAMPLES.start(), max = *limits::MINIMUM_SAMPLES.end()))]
    minimum_samples: u64,
    /// What a window with no data, or with too few samples, counts as. Never a success.
    no_data: NoData,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Provider {
    CloudWatch(CloudWatch),
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum CloudWatch {
    /// Share of requests that the canary's targets answered with 5xx, 0 to 1.
    ErrorRate(Nothing),
    /// The canary's `TargetResponseTime`, in seconds.
    ResponseTime(ResponseTime),
    /// Any CloudWatch metric.
    Metric(AnyMetric),
}

/// `{}`
#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ResponseTime {
    /// `Average` or a percentile such as `p99`.
    #[schemars(regex(pattern = limits::LATENCY_STATISTIC_PATTERN))]
    statistic: String,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AnyMetric {
    #[schemars(length(min = 1, max = limits::TEXT_MAX))]
    namespace: String,
    #[schemars(length(min = 1, max = limits::TEXT_MAX))]
    metric_name: String,
    #[schemars(default)]
    dimensions: Dimensions,
    /// `Sum`, `Average`, `Minimum`, `Maximum`, `SampleCount` or a percentile.
    #[schemars(regex(pattern = limits::STATISTIC_PATTERN))]
    statistic: String,
}

/// What a good value is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Limit {
    /// Good while value ≤ this.
    AtMost(f64),
    /// Good while value ≥ this.
    AtLeast(f64),
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
enum NoData {
    /// As an inconclusive measurement.
    Inconclusive,
    /// As a failed measurement.
    Failed,
}

impl RolloutDocument {
    /// Prints it as YAML.
    pub fn yaml(&self) -> String {
        // The serializer fails on what a document does not have: unknown lengths and keys that are no words.
        serde_saphyr::to_string(self).unwrap_or_else(|error| format!("# {error}\n"))
    }
}

/// Returns the JSON Schema of the written form. What it cannot say, the reader does: names that refer to nothing,
/// weights that go down, values that are too fine.
pub fn schema() -> Schema {
    schemars::schema_for!(RolloutDocument)
}

fn progress_deadline() -> u32 {
    limits::PROGRESS_DEADLINE_DEFAULT
}

fn bake_minutes() -> u32 {
    limits::BAKE_MINUTES_DEFAULT
}

fn scale_down_seconds() -> u32 {
    limits::SCALE_DOWN_SECONDS_DEFAULT
}

fn interval() -> Duration {
    Duration(limits::INTERVAL_DEFAULT)
}

fn initial_delay() -> Duration {
    Duration(SignedDuration::ZERO)
}

fn count() -> u32 {
    limits::COUNT_DEFAULT
}

fn failure_limit() -> u32 {
    limits::FAILURE_LIMIT_DEFAULT
}

fn inconclusive_limit() -> u32 {
    limits::INCONCLUSIVE_LIMIT_DEFAULT
}

fn consecutive_error_limit() -> u32 {
    limits::CONSECUTIVE_ERROR_LIMIT_DEFAULT
}
