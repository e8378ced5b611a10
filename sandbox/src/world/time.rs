//! What is due and when: the queue of the discrete-event model. Ties run in the order in which they were planned.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Something that happens by itself at an instant. Names of things are their ARNs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    /// The service scheduler looks at a service.
    SchedulerPass {
        service: String,
    },
    /// A task goes to its next status; `generation` is stale once its path changed.
    TaskStep {
        task: String,
        generation: u32,
    },
    /// The container of a running task exits by itself.
    TaskCrash {
        task: String,
    },
    /// ECS takes the target of a crashed task out of its groups.
    TaskDeregister {
        task: String,
    },
    /// A STOPPED task leaves the API's memory.
    TaskForgotten {
        task: String,
    },
    /// The service is told (and tells) that it is steady.
    SteadyState {
        service: String,
        generation: u32,
    },
    /// A target's state follows its health checks.
    TargetVerdict {
        group: String,
        target: String,
        generation: u32,
    },
    /// The deregistration delay of a target is over.
    TargetDrained {
        group: String,
        target: String,
        generation: u32,
    },
    /// The application in a task becomes able to answer.
    AppReady {
        task: String,
    },
    /// One node of the load balancer takes over a rule as written.
    RuleReaches {
        rule: String,
        node: usize,
        generation: u32,
    },
    /// The load balancer's nodes close the minute that ends now.
    MinuteEnds,
    AlarmEvaluation {
        alarm: String,
        generation: u32,
    },
}

impl Due {
    /// Whether requests may go elsewhere, or be counted elsewhere, from this instant on. What does more than it says
    /// here (a scheduler's pass that registers or stops something) lets traffic flow first by itself.
    pub(super) fn moves_traffic(&self) -> bool {
        match self {
            Due::TaskStep { .. }
            | Due::TaskCrash { .. }
            | Due::TaskDeregister { .. }
            | Due::TargetVerdict { .. }
            | Due::TargetDrained { .. }
            | Due::AppReady { .. }
            | Due::RuleReaches { .. }
            | Due::MinuteEnds => true,
            Due::SchedulerPass { .. }
            | Due::TaskForgotten { .. }
            | Due::SteadyState { .. }
            | Due::AlarmEvaluation { .. } => false,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Queue {
    due: BTreeMap<(Timestamp, u64), Due>,
    planned: u64,
}

impl Queue {
    pub(super) fn plan(&mut self, at: Timestamp, due: Due) {
        self.planned += 1;
        self.due.insert((at, self.planned), due);
    }

    pub(super) fn next_at(&self) -> Option<Timestamp> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn take_first(&mut self) -> Option<(Timestamp, Due)> {
        self.due.pop_first().map(|((at, _), due)| (at, due))
    }
}

/// Returns the instant cut to whole seconds, as event envelopes have it.
pub(super) fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// Returns the instant cut to milliseconds: AWS tells no finer time.
pub(super) fn milliseconds(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}
