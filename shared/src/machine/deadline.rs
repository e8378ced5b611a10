//! The progress deadline: how long a step may take without anything getting better, and what then.

use super::advance::Progress;
use super::effect::{Effect, Transition};
use super::{Now, announce, home, shortage};
use crate::mistake::{Mistake, made};
use crate::rollout::{AbortReason, Rollout, StepState, Stuck};

/// Whether a step that waits has missed the deadline, and what became of it: home, or stuck and trying on.
pub fn missed(rollout: &mut Rollout, waiting_on: &str, now: Now, effects: &mut Vec<Effect>) -> Option<Progress> {
    let StepState::Working { progress_at, .. } = rollout.step else { return None };
    // A freeze stops the clock; after promotion there is no way home.
    let stopped = rollout.waits.frozen.is_some() || rollout.promoted_at.is_some();
    if stopped || made(Mistake::DeadlineForgotten) || now.at < progress_at + rollout.spec.progress_deadline {
        return None;
    }
    let step = rollout.current().to_string();
    if rollout.spec.policies.deadline_aborts {
        let reason = match shortage::holds(rollout) {
            Some(shortage) => AbortReason::Capacity { what: shortage.what.clone() },
            None => AbortReason::ProgressDeadline { step, waiting_on: waiting_on.to_owned() },
        };
        home::turn(rollout, reason, now, effects);
        return Some(Progress::Turned);
    }
    if rollout.waits.stuck.is_none() {
        let message = format!("{} is stuck at {step}, and tries on: {waiting_on}", rollout.spec.name);
        effects.push(announce(rollout, Transition::RolloutStuck, message, now));
        rollout.waits.stuck = Some(Stuck { waiting_on: waiting_on.to_owned(), since: now.at });
    }
    None
}

/// Something got better, or the step is left: whoever was stuck is not any more.
pub fn moved(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) {
    if rollout.waits.stuck.take().is_some() {
        let message = format!("{} moves again at {}", rollout.spec.name, rollout.current());
        effects.push(announce(rollout, Transition::RolloutResumed, message, now));
    }
}
