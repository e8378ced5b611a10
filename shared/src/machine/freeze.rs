//! Freeze windows: no forward mutation starts in one. Whatever leads home is never held, and what was begun is ended.

use super::effect::{Effect, Transition};
use super::{Now, advance, announce, look};
use crate::rollout::{Freeze, Rollout};

/// Holds what is about to begin while there is a freeze. The clock of the progress deadline stands still meanwhile.
pub fn holds(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> bool {
    let name = rollout.spec.name.clone();
    let Some(frozen) = rollout.spec.policies.frozen(now.at) else {
        if let Some(over) = rollout.waits.frozen.take() {
            advance::forgive_waiting(rollout, now);
            let message = format!("{name} goes on: the freeze is over ({})", over.reason);
            effects.push(announce(rollout, Transition::RolloutResumed, message, now));
        }
        return false;
    };
    if rollout.waits.frozen.is_none() {
        let message = format!("{name} is held by a freeze until {}: {}", frozen.until, frozen.reason);
        effects.push(announce(rollout, Transition::RolloutHeld, message, now));
    }
    rollout.waits.frozen = Some(Freeze { reason: frozen.reason, until: frozen.until });
    look::ask_if_older(rollout, look::WATCH, now, effects);
    true
}
