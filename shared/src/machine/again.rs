//! A rollout that begins where another one turned home.

use std::collections::BTreeSet;

use super::Now;
use crate::plan::{Plan, Step};
use crate::rollout::Rollout;

impl Rollout {
    /// Begins at the first step that is not passed over, instead of at the first one. Nothing of the rollout that
    /// went home is inherited but the place: no weight, no sample, no approval.
    #[must_use]
    pub fn passing_over(mut self, skipped: BTreeSet<usize>, now: Now) -> Self {
        while skipped.contains(&self.cursor) && self.cursor + 1 < self.plan.steps.len() {
            self.cursor += 1;
            self.entered.push(now.at);
        }
        self.wishes.skipped = skipped;
        self
    }
}

/// Returns the steps of `plan` that a retry passes over so as to go on at the step at which `home` turned; `None`
/// where the plan has no such step. What that step needs stays: the tasks, the last weight before it, the preview.
pub fn passed_by_a_retry(home: &Rollout, plan: &Plan) -> Option<BTreeSet<usize>> {
    // Steps that give tasks come and go with the stable side's count; all others are the spec's.
    let of_the_spec = |steps: &[Step]| steps.iter().filter(|step| !gives_tasks(step)).count();
    let place = of_the_spec(home.plan.steps.get(..home.cursor)?);
    let mut found = plan.steps.iter().enumerate().filter(|(_, step)| !gives_tasks(step)).skip(place);
    let (goal, step) = found.next()?;
    let mut needs_weight = !matches!(step, Step::SetWeight { .. });
    let mut needs_tasks = true;
    let mut skipped = BTreeSet::new();
    for (index, step) in plan.steps[..goal].iter().enumerate().rev() {
        let passes = match step {
            Step::Deploy { .. } | Step::Scale { .. } => !std::mem::take(&mut needs_tasks),
            Step::SetWeight { .. } => {
                let wanted = std::mem::take(&mut needs_weight);
                needs_tasks |= wanted;
                !wanted
            }
            Step::Preview { .. } | Step::HeaderRoute { .. } => {
                needs_tasks = true;
                false
            }
            Step::Pause { .. } | Step::Analysis { .. } => true,
            Step::RemoveRoutes | Step::Watch { .. } | Step::Bake { .. } | Step::Promote | Step::CleanUp { .. } => false,
        };
        if passes {
            skipped.insert(index);
        }
    }
    Some(skipped)
}

fn gives_tasks(step: &Step) -> bool {
    match step {
        Step::Deploy { .. } | Step::Scale { .. } => true,
        Step::SetWeight { .. }
        | Step::Preview { .. }
        | Step::HeaderRoute { .. }
        | Step::RemoveRoutes
        | Step::Pause { .. }
        | Step::Analysis { .. }
        | Step::Watch { .. }
        | Step::Bake { .. }
        | Step::Promote
        | Step::CleanUp { .. } => false,
    }
}
