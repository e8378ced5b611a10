//! The compiled rollout: an explicit list of steps, so specific that executing it has no choices left.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::spec::{OnTimeout, PauseLimit, RolloutSpec};
use crate::weight::Weight;

/// The steps from the first deployed task to the last removed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Plan {
    /// In order; the last two are always `Promote` and `CleanUp`.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Returns the highest share that the steps up to and with `cursor` give the canary.
    pub fn highest_until(&self, cursor: usize) -> Weight {
        let weights = self.steps.iter().take(cursor + 1).filter_map(Step::share);
        weights.map(|(canary, _)| canary).max().unwrap_or(Weight::ZERO)
    }

    /// Returns how many healthy targets the canary needs for a share that the steps up to and with `cursor` gave it.
    pub fn needs_of(&self, share: Weight, cursor: usize) -> Option<u32> {
        let mut shares = self.steps.iter().take(cursor + 1).filter_map(Step::share);
        shares.find_map(|(canary, needs)| (canary >= share).then_some(needs))
    }

    /// Returns how many healthy targets the canary needs to carry everything.
    pub fn needs_at_full(&self) -> u32 {
        self.steps.iter().filter_map(Step::share).map(|(_, needs)| needs).max().unwrap_or(1)
    }
}

/// One step. All counts and weights are absolute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// The canary service gets the new revision with this many tasks; done when as many targets are healthy.
    Deploy {
        /// Desired count of the canary service.
        tasks: u32,
    },
    /// The canary service gets this many tasks; done when as many targets are healthy.
    Scale {
        /// Desired count of the canary service.
        tasks: u32,
    },
    /// This share of traffic goes to the canary on every managed rule; done when read back and settled.
    SetWeight {
        /// The canary's share.
        canary: Weight,
        /// Healthy canary targets without which the weight is not raised.
        needs: u32,
    },
    /// The preview shows the canary; production is untouched. Done when read back and settled.
    Preview {
        /// Healthy canary targets without which nothing is shown.
        needs: u32,
    },
    /// Requests that match the spec's header route of this name go to the canary; done when read back and settled.
    HeaderRoute {
        /// The route's name.
        name: String,
        /// Healthy canary targets without which nobody is sent.
        needs: u32,
    },
    /// The header routes go: everything is at the canary.
    RemoveRoutes,
    /// Wait for a time, or for a person.
    Pause {
        /// `None` waits for `promote`.
        duration: Option<SignedDuration>,
        /// How long it waits for `promote` at most, and what then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<PauseLimit>,
    },
    /// Judge metrics of the canary.
    Analysis {
        /// Names of the spec's metrics.
        metrics: Vec<String>,
    },
    /// Begin to judge metrics of the canary beside the steps, until the bake ends.
    Watch {
        /// Names of the spec's metrics.
        metrics: Vec<String>,
    },
    /// Wait at 100 %, the way home still open.
    Bake {
        /// How long.
        duration: SignedDuration,
    },
    /// The point of no return: the canary becomes stable.
    Promote,
    /// The old revision's tasks are removed.
    CleanUp {
        /// Wait before removing them, beside the drain.
        delay: SignedDuration,
    },
}

/// From a verified weight to the first complete CloudWatch minute that can be asked for: the rest of the minute
/// under way, and the metric's own lag.
const MEASURING_SETTLES: SignedDuration = SignedDuration::from_mins(2);

impl Step {
    /// Returns the share that the step gives the canary, and the healthy targets without which it does not.
    pub fn share(&self) -> Option<(Weight, u32)> {
        match self {
            Self::SetWeight { canary, needs } => Some((*canary, *needs)),
            Self::Deploy { .. }
            | Self::Scale { .. }
            | Self::Preview { .. }
            | Self::HeaderRoute { .. }
            | Self::RemoveRoutes
            | Self::Pause { .. }
            | Self::Analysis { .. }
            | Self::Watch { .. }
            | Self::Bake { .. }
            | Self::Promote
            | Self::CleanUp { .. } => None,
        }
    }

    /// Returns the least time that the step takes: what the spec asks for, nothing for tasks to become healthy.
    pub fn least(&self, spec: &RolloutSpec) -> SignedDuration {
        match self {
            Self::Pause { duration: Some(duration), .. }
            | Self::Bake { duration }
            | Self::CleanUp { delay: duration } => *duration,
            Self::Analysis { metrics } => {
                let windows = metrics.iter().filter_map(|name| spec.metric(name)).map(|metric| {
                    let count = i32::try_from(metric.count).unwrap_or(i32::MAX);
                    metric.initial_delay.saturating_add(metric.interval.saturating_mul(count))
                });
                windows.max().unwrap_or_default().saturating_add(MEASURING_SETTLES)
            }
            Self::Deploy { .. }
            | Self::Scale { .. }
            | Self::Preview { .. }
            | Self::HeaderRoute { .. }
            | Self::RemoveRoutes
            | Self::SetWeight { .. }
            | Self::Watch { .. }
            | Self::Pause { duration: None, .. }
            | Self::Promote => SignedDuration::ZERO,
        }
    }
}

/// Prints a step as `plan`, `get` and logs show it: `setWeight 20`, `pause 5m`, `deploy 1 task`.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Deploy { tasks } => write!(f, "deploy {}", counted(*tasks)),
            Self::Scale { tasks } => write!(f, "scale {}", counted(*tasks)),
            Self::SetWeight { canary, .. } => write!(f, "setWeight {canary}"),
            Self::Preview { .. } => write!(f, "preview"),
            Self::HeaderRoute { name, .. } => write!(f, "setHeaderRoute {name}"),
            Self::RemoveRoutes => write!(f, "removeHeaderRoutes"),
            Self::Pause { duration: Some(duration), .. } => write!(f, "pause {duration:#}"),
            Self::Pause { duration: None, limit: None } => write!(f, "pause until promoted"),
            Self::Pause { duration: None, limit: Some(PauseLimit { timeout, on_timeout }) } => {
                let then = match on_timeout {
                    OnTimeout::Abort => "abort",
                    OnTimeout::Promote => "promote",
                };
                write!(f, "pause until promoted, {then} after {timeout:#}")
            }
            Self::Analysis { metrics } => write!(f, "analysis {}", metrics.join(", ")),
            Self::Watch { metrics } => write!(f, "watch {}", metrics.join(", ")),
            Self::Bake { duration } => write!(f, "bake {duration:#}"),
            Self::Promote => write!(f, "promote"),
            Self::CleanUp { .. } => write!(f, "cleanUp"),
        }
    }
}

fn counted(tasks: u32) -> String {
    if tasks == 1 { "1 task".to_owned() } else { format!("{tasks} tasks") }
}
