//! `promote --full`: what it passes over, and what it never does.

use std::collections::BTreeSet;

use super::effect::{Effect, Transition};
use super::event::{Command, Verb};
use super::{Now, Outcome, advance, announce, background, fold};
use crate::plan::{Plan, Step};
use crate::rollout::{PauseReason, Phase, Rollout};
use crate::weight::Weight;

/// Passes over every pause, analysis and weight that is left. Full capacity, the gate and the bake stay, and so does
/// the way home.
pub fn promote(rollout: &mut Rollout, command: &Command, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    match &rollout.phase {
        Phase::Progressing => {}
        Phase::Paused { reason, .. } => match reason {
            PauseReason::Step { .. }
            | PauseReason::Limited { .. }
            | PauseReason::Person { .. }
            | PauseReason::Inconclusive { .. } => {}
            // Whoever promotes in full passes over what could not tell; the bake waits for what can.
            PauseReason::Watched { .. } => background::again(rollout, now),
            PauseReason::Drift { .. } => {
                let why = format!("it is paused: {reason}");
                return fold::refuse(rollout, command.verb, &why, "nobody passes over another hand on the lever");
            }
        },
        Phase::Aborting { .. } | Phase::Healthy | Phase::Degraded { .. } => {
            let why = format!("it is {}", rollout.phase.name());
            return fold::refuse(rollout, Verb::PromoteFull, &why, "wait for `Degraded`, then `retry` or `start`");
        }
    }
    let passed = passes_over(&rollout.plan, rollout.cursor);
    if passed.is_empty() {
        let why = format!("nothing is left to pass over at {}", rollout.current());
        let hint = "full capacity, the gate and the bake are never passed over; `get` shows what it waits for";
        return fold::refuse(rollout, command.verb, &why, hint);
    }
    let names: Vec<String> = passed.iter().map(|index| rollout.plan.steps[*index].to_string()).collect();
    let leaves = passed.contains(&rollout.cursor);
    rollout.wishes.skipped.extend(passed);
    if matches!(rollout.phase, Phase::Paused { .. }) {
        // What was seen before the pause carries nothing after it.
        if rollout.in_flight.is_none() {
            advance::answered(rollout);
        }
        advance::forgive_waiting(rollout, now);
        rollout.phase = Phase::Progressing;
        let message = format!("{} goes on: {} said `promote --full`", rollout.spec.name, command.by);
        effects.push(announce(rollout, Transition::RolloutResumed, message, now));
    }
    if leaves {
        advance::pass(rollout, now, effects);
    }
    Outcome::Applied(format!("promoted in full: passes over {}", names.join(", ")))
}

/// Returns the steps from `cursor` on that only stand between the canary and 100 %. What gives it its tasks stays
/// where the next step that stays needs them.
fn passes_over(plan: &Plan, cursor: usize) -> BTreeSet<usize> {
    let mut needs_tasks = false;
    let mut passed = BTreeSet::new();
    for (index, step) in plan.steps.iter().enumerate().skip(cursor).rev() {
        let passes = match step {
            Step::Pause { .. } | Step::Analysis { .. } | Step::HeaderRoute { .. } => true,
            Step::SetWeight { canary, .. } if *canary != Weight::FULL => true,
            // The preview goes with the traffic: both show one side when the rollout is over.
            Step::SetWeight { .. } | Step::Preview { .. } => {
                needs_tasks = true;
                false
            }
            Step::Deploy { .. } | Step::Scale { .. } => !std::mem::take(&mut needs_tasks),
            Step::RemoveRoutes | Step::Watch { .. } | Step::Bake { .. } | Step::Promote | Step::CleanUp { .. } => false,
        };
        if passes {
            passed.insert(index);
        }
    }
    passed
}
