//! The fast track: a revision that users know already comes back without pauses and analyses.

use jiff::SignedDuration;

use crate::plan::{Plan, Step};
use crate::spec::{RolloutSpec, StrategySpec};
use crate::weight::Weight;

/// Returns the steps of the fast track: full size, everything at once, and then as any rollout of the spec ends.
pub fn compile(spec: &RolloutSpec, stable_tasks: u32) -> Plan {
    let tasks = stable_tasks.max(1);
    let (bake, delay, shown) = match &spec.strategy {
        StrategySpec::Canary(canary) => (canary.bake, canary.scale_down_delay, false),
        // The old side's delay lies before the point of no return, and the preview goes with the traffic.
        StrategySpec::BlueGreen(blue_green) => {
            (blue_green.scale_down_delay, SignedDuration::ZERO, blue_green.preview.is_some())
        }
    };
    let mut steps = vec![Step::Deploy { tasks }];
    steps.extend(shown.then_some(Step::Preview { needs: tasks }));
    steps.push(Step::SetWeight { canary: Weight::FULL, needs: tasks });
    steps.extend([Step::Bake { duration: bake }, Step::Promote, Step::CleanUp { delay }]);
    Plan { steps }
}
