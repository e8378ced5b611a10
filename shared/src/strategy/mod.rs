//! Strategies are compilers: a spec becomes an explicit list of steps before anything moves.

mod blue_green;
mod canary;
mod fast;

use crate::plan::Plan;
use crate::spec::{RolloutSpec, StrategySpec};
use crate::weight::Weight;

/// Returns every step of the rollout, all counts and weights absolute, for a stable side of `stable_tasks` tasks.
pub fn compile(spec: &RolloutSpec, stable_tasks: u32) -> Plan {
    match &spec.strategy {
        StrategySpec::Canary(canary) => canary::compile(canary, stable_tasks),
        StrategySpec::BlueGreen(blue_green) => blue_green::compile(blue_green, stable_tasks),
    }
}

/// Returns the steps by which a revision that was stable before comes back: no pause, no analysis.
pub fn compile_fast(spec: &RolloutSpec, stable_tasks: u32) -> Plan {
    fast::compile(spec, stable_tasks)
}

/// A weight that would fall on too few tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortfall {
    /// The canary's share of traffic.
    pub weight: Weight,
    /// The canary's tasks at that weight, by the spec's own `setCanaryScale`.
    pub has: u32,
    /// The tasks that carry such a share on the stable side.
    pub needs: u32,
}

/// Returns the weights of a spec that would fall on fewer tasks than their share of a stable side of `stable_tasks`.
pub fn shortfalls(spec: &RolloutSpec, stable_tasks: u32) -> Vec<Shortfall> {
    match &spec.strategy {
        StrategySpec::Canary(canary) => canary::shortfalls(canary, stable_tasks),
        // The one weight is everything, and everything has the stable side's full count.
        StrategySpec::BlueGreen(_) => Vec::new(),
    }
}
