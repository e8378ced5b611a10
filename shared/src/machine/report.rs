//! What a rollout is doing and what it waits for, for people and for the CLI.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Now, background, drift, next_wake_up, shortage};
use crate::ids::RolloutId;
use crate::observation::{Health, Read, ServiceSeen};
use crate::plan::Step;
use crate::rollout::{Homeward, PauseReason, Phase, Rollout, Side, StartRequest, StepState};
use crate::spec::{MetricSpec, Threshold};

/// One rollout at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Which.
    pub rollout: RolloutId,
    /// The spec's name.
    pub name: String,
    /// `Canary`, `BlueGreen`.
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
    /// Why, where it was not a plain `start`: a retry, an undo, a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The start that begins when this one has ended: who asked for it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// When this was true.
    pub now: Timestamp,
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Which.
    pub rollout: RolloutId,
    /// The spec's name.
    pub name: String,
    /// `Progressing`, `Paused`, `Aborting`, `Healthy`, `Degraded`.
    pub phase: String,
    /// The step's index and the number of steps.
    pub step: (usize, usize),
    /// The canary's share, in per cent, as we wrote or adopted it last.
    pub weight: String,
    /// `family:revision`.
    pub revision: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The start that begins then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
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
    /// Passed over, or to be: neither done nor successful.
    Skipped,
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

impl Rollout {
    /// Returns its line in a list.
    pub fn listed(&self) -> Listed {
        Listed {
            rollout: self.id.clone(),
            name: self.spec.name.clone(),
            phase: self.phase.name().to_owned(),
            step: (self.cursor, self.plan.steps.len()),
            weight: self.verified.to_string(),
            revision: self.baseline.revision.short().to_owned(),
            started_at: self.started_at,
            ended_at: self.ended_at,
            next: self.wishes.next.as_ref().map(next),
        }
    }
}

/// Reports a rollout.
pub fn report(rollout: &Rollout, now: Now) -> Report {
    let seen = rollout.seen.as_ref();
    let shares = seen.and_then(|seen| seen.rules.known()).and_then(|rules| drift::shares(rollout, rules).ok());
    let actual = shares.and_then(|all| all.first().copied().filter(|first| all.iter().all(|share| share == first)));
    let canary_revision = rollout.baseline.revision.short();
    Report {
        rollout: rollout.id.clone(),
        name: rollout.spec.name.clone(),
        strategy: rollout.spec.strategy.name().to_owned(),
        phase: rollout.phase.name().to_owned(),
        message: message(rollout),
        waiting_on: waiting_on(rollout),
        needs_person: needs_person(rollout),
        next_wake_up: next_wake_up(rollout),
        step: rollout.cursor,
        steps: steps(rollout),
        set_weight: rollout.verified.to_string(),
        actual_weight: actual.map(|share| share.to_string()),
        stable: side(
            &rollout.baseline.stable,
            rollout.baseline.stable.revision.short(),
            seen.map(|seen| (&seen.stable, &seen.stable_health)),
        ),
        canary: side(&rollout.baseline.canary, canary_revision, seen.map(|seen| (&seen.canary, &seen.canary_health))),
        analysis: metrics(rollout),
        started_at: rollout.started_at,
        promoted_at: rollout.promoted_at,
        ended_at: rollout.ended_at,
        started_by: rollout.started_by.clone(),
        next: rollout.wishes.next.as_ref().map(next),
        origin: (!rollout.wishes.is_plain()).then(|| rollout.wishes.why()),
        now: now.at,
    }
}

fn next(request: &StartRequest) -> String {
    let revision = request.task_definition.as_deref().unwrap_or("the revision of its spec");
    let revision = revision.rsplit('/').next().unwrap_or(revision);
    format!("{revision}, asked for by {} at {}", request.by, request.asked_at)
}

fn message(rollout: &Rollout) -> String {
    match &rollout.phase {
        Phase::Progressing => match &rollout.waits.stuck {
            Some(stuck) => format!("{}: stuck since {}: {}", rollout.current(), stuck.since, stuck.waiting_on),
            None => rollout.current().to_string(),
        },
        Phase::Paused { reason, .. } => reason.to_string(),
        Phase::Aborting { reason, .. } | Phase::Degraded { reason } => reason.to_string(),
        Phase::Healthy => format!("{} is stable", rollout.baseline.revision.short()),
    }
}

/// Says what a rollout waits for: never empty while it is not finished.
fn waiting_on(rollout: &Rollout) -> String {
    if rollout.is_finished() {
        return String::new();
    }
    let trouble = rollout
        .trouble
        .as_ref()
        .map(|trouble| format!(" (try {} at {}, after: {})", trouble.failures + 1, trouble.retry_at, trouble.why));
    if let Err(broken) = rollout.assert_valid() {
        return format!("a person: the record is broken, and nothing but the way home is written any more ({broken})");
    }
    if let Some(held) = held_back(rollout) {
        return held;
    }
    let doubt = rollout.doubt.filter(|_| matches!(rollout.phase, Phase::Progressing));
    let waits = match (&rollout.in_flight, &rollout.phase) {
        (None, Phase::Progressing) if doubt.is_some() => "a second look: somebody else may have been here".to_owned(),
        (None, Phase::Aborting { home: Homeward::Draining { .. }, overtaken: Some(write), .. }) => {
            format!("the end of what was under way before: {}", write.what)
        }
        (Some(in_flight), _) => format!("the answer to: {}", in_flight.what),
        (None, Phase::Aborting { home: Homeward::Weights, .. }) => "weights to be read back at home".to_owned(),
        (None, Phase::Aborting { home: Homeward::Held { why }, .. }) => format!("a person: home is held, {why}"),
        (None, Phase::Aborting { home: Homeward::Draining { kept: Some(why), .. }, .. }) => {
            format!("a person: {why}; the canary drains, and keeps its tasks")
        }
        (None, Phase::Aborting { home: Homeward::Draining { kept: None, .. }, .. }) => "the canary to drain".to_owned(),
        (None, Phase::Paused { reason: PauseReason::Step { until: Some(until) }, .. }) => format!("the clock: {until}"),
        (None, Phase::Paused { reason, .. }) => format!("a person: {reason}"),
        (None, Phase::Progressing | Phase::Healthy | Phase::Degraded { .. }) => forward(rollout),
    };
    waits + &trouble.unwrap_or_default()
}

/// What holds a rollout back that nobody paused, and that is not on its way home.
fn held_back(rollout: &Rollout) -> Option<String> {
    if rollout.in_flight.is_some() || matches!(rollout.phase, Phase::Aborting { .. }) {
        return None;
    }
    let gone = rollout.waits.gone.as_ref().map(|gone| format!("a second look: {} seems to be gone", gone.what));
    let thin = || {
        let thin = rollout.waits.thin?;
        let (healthy, needs) = (thin.healthy, thin.needs);
        Some(format!("{needs} healthy canary targets for its share of traffic, {healthy} so far; else it goes home"))
    };
    let frozen = || {
        let frozen = rollout.waits.frozen.as_ref()?;
        Some(format!("the end of a freeze at {}: {}", frozen.until, frozen.reason))
    };
    let short = || shortage::holds(rollout).map(|shortage| format!("capacity: {}", shortage.what));
    gone.or_else(thin).or_else(frozen).or_else(short)
}

/// A write that failed so often in a row needs somebody to look at it.
const FAILURES_ALONE: u32 = 6;

/// Whether nothing more happens until a person acts.
fn needs_person(rollout: &Rollout) -> bool {
    // Before promotion, a forward write that fails for long goes home by itself.
    let past_the_deadlines = rollout.promoted_at.is_some() || matches!(rollout.phase, Phase::Aborting { .. });
    let stuck = rollout.trouble.as_ref().is_some_and(|trouble| trouble.failures >= FAILURES_ALONE);
    if !rollout.is_finished() && ((past_the_deadlines && stuck) || rollout.assert_valid().is_err()) {
        return true;
    }
    if rollout.waits.stuck.is_some() {
        return true;
    }
    match &rollout.phase {
        Phase::Paused { reason: PauseReason::Step { until }, .. } => until.is_none(),
        Phase::Paused { reason: PauseReason::Limited { .. }, .. } => false,
        Phase::Paused { .. } | Phase::Aborting { home: Homeward::Held { .. }, .. } => true,
        Phase::Aborting { home: Homeward::Draining { kept, .. }, .. } => kept.is_some(),
        Phase::Progressing | Phase::Aborting { .. } | Phase::Healthy | Phase::Degraded { .. } => false,
    }
}

fn forward(rollout: &Rollout) -> String {
    let seen = rollout.seen.as_ref();
    let healthy = seen.and_then(|seen| seen.canary_health.known()).map(|health| health.healthy);
    let healthy = healthy.map_or("an unknown number".to_owned(), |healthy| healthy.to_string());
    match (&rollout.step, rollout.current()) {
        (StepState::Verified { .. }, _) => "the load balancer to follow the new weights".to_owned(),
        (StepState::Judging { .. }, step) => format!("measurements: {step}"),
        (StepState::Waiting { until: Some(until) }, step @ Step::Bake { .. }) if !background::has_enough(rollout) => {
            format!("the clock: {step} until {until}, and enough measurements in the background")
        }
        (StepState::Waiting { until: Some(until) }, step) => format!("the clock: {step} until {until}"),
        (StepState::Waiting { until: None }, step) => step.to_string(),
        (StepState::Working { .. }, Step::Deploy { tasks } | Step::Scale { tasks }) => {
            let stopped = rollout.tasks.values().rev().find_map(|fact| fact.stopped_reason.clone());
            let stopped = stopped.map(|why| format!("; a task stopped: {why}")).unwrap_or_default();
            format!("{tasks} healthy canary targets, {healthy} so far{stopped}")
        }
        (StepState::Working { .. }, Step::SetWeight { canary, needs }) => {
            format!("{canary} % on every rule, with {needs} healthy canary targets, {healthy} so far")
        }
        (StepState::Working { .. }, Step::Preview { needs }) => {
            format!("the preview to show the canary, with {needs} healthy targets, {healthy} so far")
        }
        (StepState::Working { .. }, Step::HeaderRoute { name, needs }) => {
            format!("the header route {name}, with {needs} healthy canary targets, {healthy} so far")
        }
        (StepState::Working { .. }, Step::RemoveRoutes) => "the header routes to go".to_owned(),
        (
            StepState::Working { .. },
            Step::Pause { .. } | Step::Analysis { .. } | Step::Watch { .. } | Step::Bake { .. },
        ) => rollout.current().to_string(),
        (StepState::Working { .. }, Step::Promote) => "a fresh look at weights and health".to_owned(),
        (StepState::Working { .. }, Step::CleanUp { .. }) => "the old tasks to go".to_owned(),
    }
}

fn steps(rollout: &Rollout) -> Vec<StepReport> {
    let finished = matches!(rollout.phase, Phase::Healthy);
    rollout
        .plan
        .steps
        .iter()
        .enumerate()
        .map(|(index, step)| StepReport {
            step: step.to_string(),
            state: match index.cmp(&rollout.cursor) {
                _ if rollout.wishes.skipped.contains(&index) => StepProgress::Skipped,
                std::cmp::Ordering::Less => StepProgress::Done,
                std::cmp::Ordering::Equal if finished => StepProgress::Done,
                std::cmp::Ordering::Equal => StepProgress::Current,
                std::cmp::Ordering::Greater => StepProgress::Ahead,
            },
            entered_at: rollout.entered.get(index).copied(),
        })
        .collect()
}

fn side(side: &Side, revision: &str, seen: Option<(&Read<ServiceSeen>, &Read<Health>)>) -> SideReport {
    let service = seen.and_then(|(service, _)| service.known());
    SideReport {
        service: side.service.name().to_owned(),
        revision: revision.to_owned(),
        desired: service.map(|service| service.desired),
        running: service.map(|service| service.running),
        healthy: seen.and_then(|(_, health)| health.known()).map(|health| health.healthy),
    }
}

fn metrics(rollout: &Rollout) -> Vec<MetricReport> {
    let of_step = match &rollout.step {
        StepState::Judging { run } => Some(run),
        StepState::Working { .. } | StepState::Verified { .. } | StepState::Waiting { .. } => None,
    };
    let tallies = of_step.into_iter().chain(&rollout.watching).flat_map(|run| &run.tallies);
    let known = tallies.filter_map(|tally| Some((tally, rollout.spec.metric(&tally.metric)?)));
    known
        .map(|(tally, metric)| MetricReport {
            metric: tally.metric.clone(),
            successful: (tally.successful, metric.count),
            failed: (tally.failed, metric.failure_limit),
            inconclusive: (tally.inconclusive, metric.inconclusive_limit),
            value: tally.last.as_ref().and_then(|reading| match reading.found {
                crate::analysis::Found::Value { value, .. } => Some(value),
                crate::analysis::Found::NoData | crate::analysis::Found::Error { .. } => None,
            }),
            threshold: threshold(metric),
        })
        .collect()
}

fn threshold(metric: &MetricSpec) -> String {
    match metric.threshold {
        Threshold::AtMost(limit) => format!("<= {limit}"),
        Threshold::AtLeast(limit) => format!(">= {limit}"),
    }
}
