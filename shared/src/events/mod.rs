//! The desk: bytes in, typed arrivals out. The only room that reads JSON of others.

use serde::{Deserialize, Serialize};

use crate::analysis::MeasureRequest;
use crate::ids::{RolloutId, ServiceArn};
use crate::machine::event::{AlarmChange, Event};

/// What we send to ourselves through our own queues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "tidegate")]
pub enum Message {
    /// A delayed message.
    WakeUp {
        /// Whom.
        rollout: RolloutId,
        /// The chain that it belongs to.
        generation: u64,
    },
    /// An event that another function hands on, with everything that follows from it.
    Event {
        /// Whom.
        rollout: RolloutId,
        /// What.
        event: Event,
    },
    /// A start that has been asked for.
    Start(StartRequest),
    /// A question to CloudWatch.
    Measure(MeasureRequest),
}

/// A rollout that has been asked for: by the verb, by `retry`, or by an event.
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
}

/// What came in at the door.
#[derive(Debug, Clone, PartialEq)]
pub enum Arrival {
    /// For one rollout.
    Rollout {
        /// Whom.
        rollout: RolloutId,
        /// What.
        event: Event,
    },
    /// For the active rollout of a service, if it has one.
    Service {
        /// Whose.
        service: ServiceArn,
        /// What.
        event: Event,
    },
    /// For every rollout that watches an alarm.
    Alarm(AlarmChange),
    /// A start that has been asked for.
    Start(StartRequest),
    /// A question to CloudWatch.
    Measure(MeasureRequest),
    /// Well-formed, and none of our business.
    Ignored(Ignored),
}

/// Why something well-formed is ignored; counted by `reason`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ignored {
    /// A short name to count by, such as `unknown-detail-type`.
    pub reason: &'static str,
    /// What exactly.
    pub what: String,
}
