//! The desk: bytes in, typed arrivals out. The only room that reads JSON of others.
//!
//! Fields of AWS's events are optional, and its words open: what is unknown but well-formed is ignored with a
//! counted reason, never an error. An error is what nobody can make sense of; its body ends in the dead-letter queue.

#![deny(clippy::wildcard_enum_match_arm)]

mod cloudwatch;
mod codedeploy;
mod ecr;
mod ecs;
mod envelope;
mod explain;
mod hook;
mod rollouts;
mod shape;
pub mod sqs;
mod text;
pub mod url;

use serde::{Deserialize, Serialize};

use crate::analysis::MeasureRequest;
use crate::ids::{RolloutId, ServiceArn};
use crate::machine::effect::Effect;
use crate::machine::event::{AlarmChange, Event};

pub use crate::rollout::StartRequest;
pub use explain::{Explanation, Wakes, explain};
pub use rollouts::ROLLOUT_REQUESTED;
pub use text::{BODY_MAX, DEPTH_MAX, PRINTED_MAX, printable};

use shape::Shape;

/// The `source` of our own events on the bus.
pub const SOURCE: &str = "tidegate";

/// Where this installation is: events of AWS about another account or Region are none of its business.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Twelve digits, as text: it may start with 0.
    pub account: String,
    /// For example `eu-west-1`.
    pub region: String,
}

/// What we send to ourselves through our own queues.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "tidegate")]
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
    /// Effects of a step that another function committed and may not perform itself.
    Effects {
        /// Whose.
        rollout: RolloutId,
        /// Which, in order.
        effects: Vec<Effect>,
    },
    /// A start that has been asked for.
    Start(StartRequest),
    /// A question to CloudWatch.
    Measure(MeasureRequest),
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
    /// Effects that another function hands on.
    Effects {
        /// Whose.
        rollout: RolloutId,
        /// Which, in order.
        effects: Vec<Effect>,
    },
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
    /// What it is counted by.
    pub reason: Reason,
    /// What exactly; printable.
    pub what: String,
}

/// The reasons to ignore something; each is a value of the metric dimension `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// About another account, or about none.
    ForeignAccount,
    /// About another Region.
    ForeignRegion,
    /// From a source that we do not follow.
    UnknownSource,
    /// Of a kind that we do not know, from a source that we do.
    UnknownDetailType,
    /// A task that no service started.
    TaskOfNoService,
    /// An old ARN without a cluster, and no cluster beside it: it names no service.
    ServiceWithoutCluster,
    /// A container instance: its tasks speak for themselves.
    ContainerInstance,
    /// An alarm in a state that is none of OK, ALARM and INSUFFICIENT_DATA.
    UnknownAlarmState,
    /// An alarm that was created, changed or deleted.
    AlarmConfiguration,
    /// One of several things that make up an alarm: the alarm's own event says it.
    AlarmContributor,
    /// A CodeDeploy deployment: no backend follows them yet.
    CodeDeploy,
    /// An image in a registry: no rollout begins by a push yet.
    Image,
    /// A hook of ECS or CodeDeploy: no backend answers them yet.
    Hook,
    /// A tick of a schedule: the sweep needs to know nothing of it.
    Schedule,
    /// An API call that CloudTrail recorded: late and best effort.
    ApiCall,
    /// Our own announcement.
    Announcement,
    /// A detail without the envelope that says whose it is.
    WithoutEnvelope,
}

/// Why bytes are no event: what is wrong with them, and the way out. Their body goes to the dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{what}")]
pub struct ParseError {
    /// What is wrong; printable.
    pub what: String,
    /// The way out.
    pub hint: String,
}

/// Reads what one queue record, or one direct invocation by EventBridge or an alarm, carries: one thing.
///
/// # Errors
/// Not JSON, too large, too deep, or a shape that no sender of ours has.
pub fn parse(body: &str, home: &Home) -> Result<Arrival, ParseError> {
    text::bounded(body)?;
    match Shape::of(body)? {
        Shape::Message => rollouts::message(body),
        Shape::Envelope => envelope::arrival(body, home),
        Shape::AlarmAction => cloudwatch::action(body, home),
        Shape::AlarmNotice => cloudwatch::notice(body, home),
        Shape::Notification => parse(&shape::notification(body)?, home),
        Shape::LifecycleHook => hook::lifecycle(body),
        Shape::CodeDeployHook => hook::code_deploy(body),
        Shape::ApiCall => envelope::api_call(body),
        Shape::Records => Err(ParseError::new(
            "a batch of records where one event was expected",
            "the function's event source is SQS: read the batch with `sqs::batch`, then each body",
        )),
        Shape::Detail(kind) => Err(ParseError::new(
            format!("the detail of `{kind}` without its EventBridge envelope"),
            "take InputPath, Input and InputTransformer off the rule's target",
        )),
    }
}

impl Ignored {
    pub(crate) fn new(reason: Reason, what: impl AsRef<str>) -> Self {
        Self { reason, what: printable(what.as_ref()) }
    }
}

impl ParseError {
    pub(crate) fn new(what: impl AsRef<str>, hint: impl Into<String>) -> Self {
        Self { what: printable(what.as_ref()), hint: hint.into() }
    }
}

impl Reason {
    /// Every reason, in the order of this file.
    pub const ALL: [Self; 17] = [
        Self::ForeignAccount,
        Self::ForeignRegion,
        Self::UnknownSource,
        Self::UnknownDetailType,
        Self::TaskOfNoService,
        Self::ServiceWithoutCluster,
        Self::ContainerInstance,
        Self::UnknownAlarmState,
        Self::AlarmConfiguration,
        Self::AlarmContributor,
        Self::CodeDeploy,
        Self::Image,
        Self::Hook,
        Self::Schedule,
        Self::ApiCall,
        Self::Announcement,
        Self::WithoutEnvelope,
    ];

    /// Returns the name that it is counted by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ForeignAccount => "foreign-account",
            Self::ForeignRegion => "foreign-region",
            Self::UnknownSource => "unknown-source",
            Self::UnknownDetailType => "unknown-detail-type",
            Self::TaskOfNoService => "task-of-no-service",
            Self::ServiceWithoutCluster => "service-without-cluster",
            Self::ContainerInstance => "container-instance",
            Self::UnknownAlarmState => "unknown-alarm-state",
            Self::AlarmConfiguration => "alarm-configuration",
            Self::AlarmContributor => "alarm-contributor",
            Self::CodeDeploy => "code-deploy",
            Self::Image => "image",
            Self::Hook => "hook",
            Self::Schedule => "schedule",
            Self::ApiCall => "api-call",
            Self::Announcement => "announcement",
            Self::WithoutEnvelope => "without-envelope",
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_stored_by_the_name_that_it_is_counted_by() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
