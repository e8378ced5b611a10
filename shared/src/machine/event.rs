//! What can happen to a rollout: a closed enum in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::analysis::Measured;
use crate::fault::Outcome;
use crate::ids::{AlarmArn, ServiceArn, TaskArn};
use crate::observation::{AlarmState, Observation};
use crate::rollout::StartRequest;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "event")]
pub enum Event {
    /// Nothing in particular: the sweep, or effects handed on to this function. Look where it is time to.
    Tick,
    /// A delayed message of our own.
    WakeUp {
        /// The generation of the chain that it belongs to.
        generation: u64,
    },
    /// AWS says that something about the services changed. A knock, not a fact.
    Knock {
        /// What it says, for the log.
        what: String,
    },
    /// ECS found no place for a task of a service.
    Unplaced {
        /// The service.
        service: ServiceArn,
        /// ECS's reason, such as `RESOURCE:FARGATE`.
        reason: String,
    },
    /// A task changed. Carries a version, so it folds.
    Task(TaskChange),
    /// An alarm changed its state.
    Alarm(AlarmChange),
    /// The answer to an Observe.
    Observed(Box<Observation>),
    /// The answer to a Write.
    Performed {
        /// The write's generation.
        token: u64,
        /// What became of it.
        outcome: Outcome,
    },
    /// The answer to a Measure.
    Measured(Measured),
    /// A person's will.
    Command(Command),
    /// A start that is asked for while this rollout has the services.
    Successor(Box<Successor>),
}

/// What is said of a start that waits for a rollout's end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "successor")]
pub enum Successor {
    /// It was asked for.
    Asked {
        /// As it was.
        request: StartRequest,
        /// The ARN of its revision.
        revision: String,
    },
    /// It has its answer: it began, or was refused.
    Answered {
        /// Its key.
        key: String,
    },
}

/// What a task event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskChange {
    /// The task.
    pub task: TaskArn,
    /// Its service.
    pub service: ServiceArn,
    /// `detail.version`.
    pub version: u64,
    /// `startedBy`: the id of the deployment that started it.
    pub started_by: Option<String>,
    /// `lastStatus`.
    pub last_status: String,
    /// `desiredStatus`.
    pub desired_status: String,
    /// `stopCode`.
    pub stop_code: Option<String>,
    /// `stoppedReason`.
    pub stopped_reason: Option<String>,
    /// What became of its containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerStop>,
}

/// What became of one container of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerStop {
    /// `exitCode`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// `reason`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What an alarm event says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlarmChange {
    /// The alarm.
    pub alarm: AlarmArn,
    /// Its new state.
    pub state: AlarmState,
    /// When it changed, by the event.
    pub at: Timestamp,
}

/// A person's will, conditional on where they believe the rollout is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Command {
    /// What.
    pub verb: Verb,
    /// The step they saw; a stale one is refused.
    pub expected_step: Option<usize>,
    /// The caller's ARN, from the signed request.
    pub by: String,
}

/// The verbs that act on a rollout in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verb {
    /// End the current pause, and go on.
    Promote,
    /// Pass over every pause, analysis and weight that is left; full capacity, the gate and the bake stay.
    PromoteFull,
    /// Hold where it is.
    Pause,
    /// End a person's pause.
    Resume,
    /// Go home.
    Abort,
}

impl std::fmt::Display for Verb {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Promote => "promote",
            Self::PromoteFull => "promote --full",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Abort => "abort",
        })
    }
}
