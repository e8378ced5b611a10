//! What is to be done: a closed enum out. Effects are absolute and idempotent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::analysis::MeasureRequest;
use crate::ids::{RolloutId, ServiceArn, TargetGroupArn, TaskDefinitionArn};
use crate::observation::{Action, RouteAt, RuleRef};
use crate::weight::Weight;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "effect")]
pub enum Effect {
    /// Describe everything that the rollout touches.
    Observe {
        /// The answer carries it back.
        generation: u64,
    },
    /// Change the world.
    Perform {
        /// The answer carries it back; the performer re-reads that it still stands.
        token: u64,
        /// What.
        write: Write,
    },
    /// Read metrics, in the function that can do nothing else.
    Measure(MeasureRequest),
    /// Send a delayed message.
    WakeAt {
        /// When it is to arrive.
        at: Timestamp,
        /// The chain that it belongs to.
        generation: u64,
    },
    /// Tell the bus.
    Announce(Announcement),
}

/// A change of the world.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "write")]
pub enum Write {
    /// Weights on every managed rule.
    SetWeights {
        /// The canary's share.
        canary: Weight,
        /// The whole action list of each rule.
        rules: Vec<RuleWrite>,
    },
    /// The recorded baseline on every managed rule, verbatim. Not gated by any read.
    GoHome {
        /// The whole action list of each rule.
        rules: Vec<RuleWrite>,
    },
    /// All of the preview's traffic to the canary, on every rule of the preview.
    Preview {
        /// The whole action list of each rule.
        rules: Vec<RuleWrite>,
    },
    /// Rules for header routes, as harmless as the managed rules beside them; those that are there are left alone.
    CreateRoutes {
        /// Where, and what.
        routes: Vec<RouteWrite>,
    },
    /// Header routes to the canary.
    OpenRoutes {
        /// The whole action list of each rule.
        rules: Vec<RuleWrite>,
    },
    /// No rule of a header route.
    DeleteRoutes {
        /// Where.
        routes: Vec<RouteAt>,
        /// Re-read just before: not while the rule sends requests to this group.
        unless_weighted: Option<Weighted>,
    },
    /// A revision and a count on a service.
    Deploy {
        /// The service.
        service: ServiceArn,
        /// The revision.
        revision: TaskDefinitionArn,
        /// The desired count.
        tasks: u32,
    },
    /// A count on a service, nothing else.
    Scale {
        /// The service.
        service: ServiceArn,
        /// The desired count.
        tasks: u32,
        /// Re-read just before: not while this group has weight on any rule.
        unless_weighted: Option<Weighted>,
    },
}

/// The whole action list that a rule gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleWrite {
    /// Where.
    pub rule: RuleRef,
    /// What.
    pub actions: Vec<Action>,
    /// What must be there just before; `None` writes whatever is there (the way home).
    pub only_if: Option<Vec<Action>>,
}

/// A rule for a header route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteWrite {
    /// Where.
    pub at: RouteAt,
    /// The whole action list that it is born with.
    pub actions: Vec<Action>,
}

/// The precondition of taking capacity away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Weighted {
    /// The group that must carry no weight, on any rule: those that were made since the start, too.
    pub group: TargetGroupArn,
}

/// A transition, told once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Announcement {
    /// Which rollout.
    pub rollout: RolloutId,
    /// `RolloutStarted`, `StepStarted`, `WeightVerified`, `RolloutPaused`, `RolloutAborting`, `RolloutCompleted`, …
    pub what: Transition,
    /// One sentence for people.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// The transitions that are announced. Their names are detail-types on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transition {
    /// A rollout began.
    RolloutStarted,
    /// A step began.
    StepStarted,
    /// A weight was read back on every rule.
    WeightVerified,
    /// It waits for a clock or a person.
    RolloutPaused,
    /// A freeze or a shortage of capacity holds it back.
    RolloutHeld,
    /// It missed its progress deadline, and tries on.
    RolloutStuck,
    /// It goes on.
    RolloutResumed,
    /// It goes home.
    RolloutAborting,
    /// All weights are home.
    WeightsHome,
    /// Going home is held or refused: a person is needed now.
    RollbackBlocked,
    /// It is home. Final.
    RolloutDegraded,
    /// The canary is the stable side.
    RolloutPromoted,
    /// Everything is done. Final.
    RolloutHealthy,
}

/// Prints a write in a few words: `weights 20 %`, `home`, `deploy checkout-green checkout:42 × 2`.
impl std::fmt::Display for Write {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SetWeights { canary, .. } => write!(f, "weights {canary} %"),
            Self::GoHome { .. } => write!(f, "weights home"),
            Self::Preview { .. } => write!(f, "the preview to the canary"),
            Self::CreateRoutes { routes } => write!(f, "create {} header rules", routes.len()),
            Self::OpenRoutes { rules } => write!(f, "{} header rules to the canary", rules.len()),
            Self::DeleteRoutes { routes, .. } => write!(f, "delete {} header rules", routes.len()),
            Self::Deploy { service, revision, tasks } => {
                write!(f, "deploy {} × {tasks} on {}", revision.short(), service.name())
            }
            Self::Scale { service, tasks, .. } => write!(f, "scale {} to {tasks}", service.name()),
        }
    }
}
