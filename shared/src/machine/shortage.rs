//! No room for the canary's tasks: the platform's trouble, told apart from a bad release.

use super::Now;
use super::effect::{Effect, Transition};
use crate::observation::Observation;
use crate::plan::Step;
use crate::rollout::{Phase, Rollout, Shortage};

/// What ECS says of a task that it found no room for, in stopped reasons and in service events.
const WORDS: [&str; 6] = [
    "Capacity is unavailable at this time",
    "RESOURCE:",
    "unable to place a task",
    "No Container Instances were found",
    "Spot Task was interrupted",
    "spot capacity",
];
/// ECS's sentence is kept so far.
const KEPT: usize = 200;

/// Whether a sentence of ECS's speaks of capacity.
pub fn says(sentence: &str) -> bool {
    WORDS.iter().any(|word| sentence.contains(word))
}

/// Remembers that ECS found no room for a task of the canary.
pub fn note(rollout: &mut Rollout, what: &str, now: Now, effects: &mut Vec<Effect>) {
    if rollout.promoted_at.is_some() || matches!(rollout.phase, Phase::Aborting { .. }) {
        return;
    }
    let what: String = what.chars().take(KEPT).collect();
    match &mut rollout.waits.shortage {
        Some(shortage) => shortage.what = what,
        None => {
            let message = format!("{} waits for capacity: {what}", rollout.spec.name);
            rollout.waits.shortage = Some(Shortage { what, since: now.at });
            effects.push(super::announce(rollout, Transition::RolloutHeld, message, now));
        }
    }
}

/// Forgets it when all tasks that are wanted run.
pub fn look(rollout: &mut Rollout, seen: &Observation) {
    if seen.canary.known().is_some_and(|service| service.running >= service.desired) {
        rollout.waits.shortage = None;
    }
}

/// The shortage that the current step waits for.
pub fn holds(rollout: &Rollout) -> Option<&Shortage> {
    let shortage = rollout.waits.shortage.as_ref()?;
    match rollout.current() {
        Step::Deploy { .. } | Step::Scale { .. } => Some(shortage),
        Step::SetWeight { .. }
        | Step::Preview { .. }
        | Step::HeaderRoute { .. }
        | Step::RemoveRoutes
        | Step::Pause { .. }
        | Step::Analysis { .. }
        | Step::Watch { .. }
        | Step::Bake { .. }
        | Step::Promote
        | Step::CleanUp { .. } => None,
    }
}
