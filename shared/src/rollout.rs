//! The persisted record of one rollout. Only `machine::step` changes it.

mod request;
mod waits;
mod wishes;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::analysis::AnalysisRun;
use crate::ids::{AlarmArn, RolloutId, ServiceArn, TargetGroupArn, TaskArn, TaskDefinitionArn};
use crate::observation::{Observation, RouteAt, RuleSeen};
use crate::plan::{Plan, Step};
pub use crate::rollout::request::{Manner, Origin, Promotion, StartRequest, Track};
pub use crate::rollout::waits::{Crash, Freeze, Gone, Shortage, Stuck, Thin, Waits};
pub use crate::rollout::wishes::Wishes;
use crate::spec::{OnTimeout, RolloutSpec};
use crate::weight::Weight;

/// The schema that this code writes. It reads this one and the one before.
pub const SCHEMA: u32 = 1;

/// One service moving from one revision to the next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// Schema of this record.
    pub schema: u32,
    /// Its id.
    pub id: RolloutId,
    /// The spec, pinned at start: later edits concern the next rollout.
    pub spec: RolloutSpec,
    /// The compiled steps, pinned at start.
    pub plan: Plan,
    /// What was there before the first mutation, and the way home.
    pub baseline: Baseline,
    /// Who asked for it.
    pub started_by: String,
    /// When it began.
    pub started_at: Timestamp,
    /// The point of no return: after it only `undo` leads back.
    pub promoted_at: Option<Timestamp>,
    /// When it reached its end.
    pub ended_at: Option<Timestamp>,
    /// Where it is as a whole.
    pub phase: Phase,
    /// Index of the current step in the plan.
    pub cursor: usize,
    /// What has been reached within the current step.
    pub step: StepState,
    /// When each step so far was entered; one entry per step at most.
    pub entered: Vec<Timestamp>,
    /// The canary's share that we asked for last, answered or not.
    pub commanded: Weight,
    /// The canary's share that was last read back from every rule.
    pub verified: Weight,
    /// When that was first read back.
    pub verified_at: Timestamp,
    /// How far the preview follows the canary.
    #[serde(default, skip_serializing_if = "Preview::is_at_stable")]
    pub preview: Preview,
    /// The highest share that a write was answered for as applied: live weights below it are somebody else's doing.
    #[serde(default, skip_serializing_if = "Weight::is_zero")]
    pub applied: Weight,
    /// The header routes, as far as they were asked for.
    #[serde(default, skip_serializing_if = "Routes::is_untouched")]
    pub routes: Routes,
    /// The canary service as we asked for it last.
    pub asked_of_canary: CanaryAsk,
    /// The last generation given out, to a look or to a write.
    pub generation: u64,
    /// The generation at which the last write was answered: only newer looks count.
    pub answered: u64,
    /// The one batch of mutating effects in the air.
    pub in_flight: Option<InFlight>,
    /// The look that has been asked for and not answered.
    pub looking: Option<Look>,
    /// The last look that counts.
    pub seen: Option<Observation>,
    /// The one live chain of delayed messages.
    pub timer: Timer,
    /// When somebody else's hand was first seen; it is believed when a later look still shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Timestamp>,
    /// The analysis beside the steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watching: Option<AnalysisRun>,
    /// What holds it back though nobody paused it.
    #[serde(default, skip_serializing_if = "Waits::is_empty")]
    pub waits: Waits,
    /// What people asked of it beyond its spec.
    #[serde(default, skip_serializing_if = "Wishes::is_empty")]
    pub wishes: Wishes,
    /// Writes that failed since the last one that worked, and why the last did.
    pub trouble: Option<Trouble>,
    /// What is known of the canary's tasks from their own events.
    pub tasks: BTreeMap<TaskArn, TaskFact>,
}

/// What was there before the first mutation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// The side with all the traffic. Pinned until the end.
    pub stable: Side,
    /// The side with none.
    pub canary: Side,
    /// The revision to roll out.
    pub revision: TaskDefinitionArn,
    /// Every managed rule with its whole action list: the way home, verbatim.
    pub rules: Vec<RuleSeen>,
    /// The preview's rules, in the same way; with none there is no preview.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preview: Vec<RuleSeen>,
    /// Where header routes are to stand: one beside each managed rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RouteAt>,
    /// The spec's alarms by name.
    pub alarms: BTreeMap<String, AlarmArn>,
}

/// One of the twins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// The service.
    pub service: ServiceArn,
    /// Its target group.
    pub group: TargetGroupArn,
    /// The group's load balancer, as CloudWatch's dimension says it.
    pub load_balancer: String,
    /// The task definition that it ran at start.
    pub revision: TaskDefinitionArn,
    /// Its desired count at start.
    pub tasks: u32,
    /// How long its deregistered targets drain.
    pub deregistration_delay: SignedDuration,
}

/// Where a rollout is as a whole; each phase keeps its own data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "phase")]
pub enum Phase {
    /// Moving, or about to.
    Progressing,
    /// Waiting for a clock or a person; abort stays armed.
    Paused {
        /// What for.
        reason: PauseReason,
        /// Since when.
        since: Timestamp,
    },
    /// On the way home.
    Aborting {
        /// Why.
        reason: AbortReason,
        /// Since when.
        since: Timestamp,
        /// How far.
        home: Homeward,
        /// The write that was in the air when it turned home: its performer may not have stopped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        overtaken: Option<InFlight>,
    },
    /// Promoted: the canary is the stable side. Final.
    Healthy,
    /// Home again. Final.
    Degraded {
        /// Why it went home.
        reason: AbortReason,
    },
}

/// What a pause waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "for")]
pub enum PauseReason {
    /// The plan's own pause; `until` is `None` where it waits for `promote`.
    Step {
        /// When it ends by itself.
        until: Option<Timestamp>,
    },
    /// The plan's own pause, which waits for `promote` until its limit.
    Limited {
        /// When it ends by itself.
        until: Timestamp,
        /// How.
        then: OnTimeout,
    },
    /// A person said `pause`; `resume` ends it.
    Person {
        /// The caller's ARN.
        by: String,
    },
    /// An analysis could not tell.
    Inconclusive {
        /// Which metric.
        metric: String,
        /// What was missing.
        why: String,
    },
    /// The analysis beside the steps could not tell.
    Watched {
        /// Which metric.
        metric: String,
        /// What was missing.
        why: String,
    },
    /// Somebody else changed weights, a service, or an alarm.
    Drift {
        /// What was found, and what was expected.
        what: String,
    },
}

/// Why a rollout goes home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "because")]
pub enum AbortReason {
    /// An alarm of the spec went to ALARM.
    Alarm {
        /// Its name.
        name: String,
    },
    /// An analysis failed.
    Analysis {
        /// Which metric.
        metric: String,
        /// The values, in a sentence.
        why: String,
    },
    /// A person said `abort`.
    Person {
        /// The caller's ARN.
        by: String,
    },
    /// Another start was asked for, and the spec says that a later one takes its place.
    Superseded {
        /// Who asked for it.
        by: String,
        /// `family:revision` of the later one.
        revision: String,
    },
    /// A write is refused for good until a person changes something.
    Blocked {
        /// What was refused, and the service's words.
        why: String,
    },
    /// The canary has users and no healthy target, or ECS gave up its deployment.
    Unhealthy {
        /// What was seen.
        why: String,
    },
    /// Something that it moves was deleted by hand.
    Gone {
        /// What, and what became of the way home.
        what: String,
    },
    /// Nobody ended a pause of the plan within its limit.
    PauseTimeout {
        /// Which step.
        step: String,
    },
    /// Tasks of the canary stopped for one and the same reason, as many as the spec takes for a loop.
    CrashLoop {
        /// The reason, without what differs from task to task.
        cause: String,
        /// How many.
        tasks: u32,
    },
    /// There was no room for the canary's tasks: nothing that the revision did.
    Capacity {
        /// ECS's own words.
        what: String,
    },
    /// No progress for the spec's deadline.
    ProgressDeadline {
        /// Which step.
        step: String,
        /// What it waited for last.
        waiting_on: String,
    },
}

/// How far the way home has been walked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "at")]
pub enum Homeward {
    /// Weights are not yet read back at home on every rule.
    Weights,
    /// They are, since `home_at`; the canary drains until its tasks may go.
    Draining {
        /// When home was first read back.
        home_at: Timestamp,
        /// Why the canary keeps its tasks all the same: home is worse, and a person is called.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept: Option<String>,
    },
    /// Held: home was last seen without a healthy target while the canary had some. A person is called.
    Held {
        /// Healthy targets at home and at the canary.
        why: String,
    },
}

/// What has been reached within the current step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "state")]
pub enum StepState {
    /// Under way since `since`; `progress_at` is when something last got better.
    Working {
        /// When the step began.
        since: Timestamp,
        /// When healthy targets or running tasks last grew.
        progress_at: Timestamp,
        /// The best count so far.
        best: u32,
    },
    /// The weight has been read back on every rule since `at`; it settles.
    Verified {
        /// When it was first read back.
        at: Timestamp,
    },
    /// A pause, a bake or a clean-up delay.
    Waiting {
        /// When it ends; `None` waits for a person.
        until: Option<Timestamp>,
    },
    /// An analysis.
    Judging {
        /// Its measurements.
        run: AnalysisRun,
    },
}

/// The header routes, as far as they were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Routes {
    /// The names of those that were to be created.
    pub asked: Vec<String>,
    /// The names of those that were read back, leading to the canary: whatever differs after that is drift.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verified: Vec<String>,
    /// The rules that were to lead to the canary, with the actions that lead home.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<RuleSeen>,
}

impl Routes {
    /// Whether none was asked for, or all are gone again.
    pub fn is_untouched(&self) -> bool {
        self.asked.is_empty() && self.verified.is_empty() && self.open.is_empty()
    }
}

/// How far the preview follows the canary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Preview {
    /// It shows what it showed at start.
    #[default]
    AtStable,
    /// It was asked to show the canary, answered or not.
    Asked,
    /// It has been read back that it shows the canary.
    AtCanary,
}

impl Preview {
    /// Whether it was never asked to move, or is back.
    pub fn is_at_stable(&self) -> bool {
        matches!(self, Self::AtStable)
    }
}

/// The canary service as we asked for it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "asked")]
pub enum CanaryAsk {
    /// Nothing yet.
    Nothing,
    /// The new revision with so many tasks; `seen` once ECS has shown it so. Whatever differs after that is
    /// somebody else's doing.
    Tasks {
        /// The desired count.
        tasks: u32,
        /// Whether ECS has shown it so.
        seen: bool,
    },
}

/// The one batch of mutating effects in the air.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InFlight {
    /// The generation given to it; its performer re-reads that it still stands.
    pub token: u64,
    /// What is being written, for people.
    pub what: String,
    /// The canary's share that it gives, where it sets one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Weight>,
    /// When its performer has certainly stopped.
    pub expires_at: Timestamp,
}

/// A look that has been asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// The generation given to it.
    pub generation: u64,
    /// When.
    pub asked_at: Timestamp,
    /// When its answer is no longer waited for, and the next look may be asked for.
    pub lost_at: Timestamp,
}

/// The one live chain of delayed messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timer {
    /// Messages of another generation end their chain.
    pub generation: u64,
    /// When the live message arrives.
    pub armed_until: Option<Timestamp>,
}

/// Writes that do not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// How many in a row.
    pub failures: u32,
    /// The last one's words.
    pub why: String,
    /// No write before this.
    pub retry_at: Timestamp,
}

/// What a task's own events say; folded by `version`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskFact {
    /// `detail.version`, which grows by one per change of the task.
    pub version: u64,
    /// `lastStatus`.
    pub last_status: String,
    /// `stoppedReason`, from the first event that has a stop code on.
    pub stopped_reason: Option<String>,
}

/// Stands for a step in a record that has none, which is broken: it does nothing, and waits for a person.
const NO_STEP: Step = Step::Pause { duration: None, limit: None };

impl Rollout {
    /// Whether it has reached its end.
    pub fn is_finished(&self) -> bool {
        match self.phase {
            Phase::Healthy | Phase::Degraded { .. } => true,
            Phase::Progressing | Phase::Paused { .. } | Phase::Aborting { .. } => false,
        }
    }

    /// Returns the current step.
    pub fn current(&self) -> &Step {
        self.plan.steps.get(self.cursor).or(self.plan.steps.last()).unwrap_or(&NO_STEP)
    }

    /// Whether nothing of it is left to be done: it has ended, and no start waits for that.
    pub fn is_settled(&self) -> bool {
        self.is_finished() && self.wishes.next.is_none()
    }

    /// Returns the promotion that it made, once it has ended with one.
    pub fn promotion(&self) -> Option<Promotion> {
        let at = self.promoted_at.filter(|_| self.is_finished())?;
        let Baseline { revision, stable, .. } = &self.baseline;
        let (revision, before) = (revision.clone(), stable.revision.clone());
        Some(Promotion { rollout: self.id.clone(), revision, before, at })
    }

    /// Returns the services whose events concern it.
    pub fn services(&self) -> [&ServiceArn; 2] {
        [&self.baseline.stable.service, &self.baseline.canary.service]
    }
}

impl AbortReason {
    /// Whether it speaks against the revision: a platform without room, a person, or something deleted does not.
    pub fn blames_revision(&self) -> bool {
        match self {
            Self::Alarm { .. }
            | Self::Analysis { .. }
            | Self::Unhealthy { .. }
            | Self::CrashLoop { .. }
            | Self::ProgressDeadline { .. } => true,
            Self::Person { .. }
            | Self::Superseded { .. }
            | Self::Blocked { .. }
            | Self::Gone { .. }
            | Self::PauseTimeout { .. }
            | Self::Capacity { .. } => false,
        }
    }
}

impl Phase {
    /// Returns its name as the CLI, logs and the table show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Progressing => "Progressing",
            Self::Paused { .. } => "Paused",
            Self::Aborting { .. } => "Aborting",
            Self::Healthy => "Healthy",
            Self::Degraded { .. } => "Degraded",
        }
    }
}

impl std::fmt::Display for PauseReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Step { until: Some(until) } => write!(f, "the plan's pause, until {until}"),
            Self::Step { until: None } => write!(f, "the plan's pause, until somebody says `promote`"),
            Self::Limited { until, then: OnTimeout::Abort } => {
                write!(f, "the plan's pause, until somebody says `promote`; it goes home at {until}")
            }
            Self::Limited { until, then: OnTimeout::Promote } => {
                write!(f, "the plan's pause, until somebody says `promote`; it goes on at {until}")
            }
            Self::Person { by } => write!(f, "{by} said `pause`; `resume` goes on"),
            Self::Inconclusive { metric, why } => {
                write!(f, "{metric} could not tell ({why}); `resume` measures again, `promote` passes it")
            }
            Self::Watched { metric, why } => {
                write!(f, "{metric} could not tell in the background ({why}); `resume` measures anew, or `abort`")
            }
            Self::Drift { what } => write!(f, "{what}; put it right and `resume`, or `abort`"),
        }
    }
}

impl std::fmt::Display for AbortReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Alarm { name } => write!(f, "alarm {name} is in ALARM"),
            Self::Analysis { metric, why } => write!(f, "analysis of {metric} failed: {why}"),
            Self::Person { by } => write!(f, "{by} said `abort`"),
            Self::Superseded { by, revision } => write!(f, "superseded: {by} asked for {revision}"),
            Self::Blocked { why } => write!(f, "a write is refused: {why}"),
            Self::Unhealthy { why } => write!(f, "the canary is not well: {why}"),
            Self::Gone { what } => write!(f, "deleted by hand: {what}"),
            Self::PauseTimeout { step } => write!(f, "nobody said `promote` in time at {step}"),
            Self::CrashLoop { cause, tasks } => write!(f, "{tasks} tasks of the canary stopped alike: {cause}"),
            Self::Capacity { what } => write!(f, "no capacity for the canary, which is not its fault: {what}"),
            Self::ProgressDeadline { step, waiting_on } => {
                write!(f, "no progress within the deadline at {step}: {waiting_on}")
            }
        }
    }
}
