//! The blue/green compiler: everything stands before anything is switched, and the switch is one weight step.

use jiff::SignedDuration;

use crate::plan::{Plan, Step};
use crate::spec::{AutoPromotion, BlueGreenSpec};
use crate::weight::Weight;

/// Returns the steps of a blue/green rollout beside a stable side of `stable_tasks` tasks.
pub fn compile(spec: &BlueGreenSpec, stable_tasks: u32) -> Plan {
    let full = stable_tasks.max(1);
    let first = spec.preview_tasks.unwrap_or(full);
    let mut steps = vec![Step::Deploy { tasks: first }];
    if spec.preview.is_some() {
        steps.push(Step::Preview { needs: first });
    }
    steps.extend(analysis(&spec.pre_promotion));
    match spec.auto_promotion {
        AutoPromotion::AtOnce => {}
        AutoPromotion::After(duration) => steps.push(Step::Pause { duration: Some(duration), limit: None }),
        AutoPromotion::Never => steps.push(Step::Pause { duration: None, limit: None }),
    }
    if first < full {
        steps.push(Step::Scale { tasks: full });
    }
    steps.push(Step::SetWeight { canary: Weight::FULL, needs: full });
    steps.extend(analysis(&spec.post_promotion));
    // The old side's delay lies before the point of no return: for as long as it runs, it is the way home.
    steps.push(Step::Bake { duration: spec.scale_down_delay });
    steps.push(Step::Promote);
    steps.push(Step::CleanUp { delay: SignedDuration::ZERO });
    Plan { steps }
}

fn analysis(metrics: &[String]) -> Option<Step> {
    (!metrics.is_empty()).then(|| Step::Analysis { metrics: metrics.to_vec() })
}
