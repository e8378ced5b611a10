//! The preview: rules of a test listener that show the canary before the switch. Production is untouched by them.

use super::advance::{self, Progress, weighted};
use super::effect::{Effect, Transition, Write};
use super::gate::{self, Shut};
use super::{Now, announce, drift, freeze, look};
use crate::fault::{Fault, Obstacle};
use crate::observation::{Observation, Read};
use crate::rollout::{PauseReason, Preview, Rollout, StepState};
use crate::weight::Weight;

/// The canary has all traffic of the preview, read back and settled.
pub fn show(rollout: &mut Rollout, needs: u32, now: Now, effects: &mut Vec<Effect>) -> Progress {
    if let StepState::Verified { at } = rollout.step {
        return if now.at >= at + gate::SETTLE { Progress::Done } else { Progress::Waits };
    }
    let Some(seen) = look::known(rollout) else { return advance::wait_for_a_look(rollout, now, effects) };
    let rules = match &seen.preview {
        Read::Is(rules) => rules.clone(),
        Read::Unknown(fault) => {
            let why = format!("the preview cannot be read: {fault}");
            return advance::wait_or_give_up(rollout, &why, now, effects);
        }
    };
    let as_of = seen.as_of;
    let shares = match drift::preview_shares(rollout, &rules) {
        Ok(shares) => shares,
        Err(what) => return advance::hold(rollout, PauseReason::Drift { what }, now, effects),
    };
    if shares.iter().all(|share| *share == Weight::FULL) {
        rollout.preview = Preview::AtCanary;
        rollout.step = StepState::Verified { at: as_of };
        let message = format!("{}: the preview shows {}", rollout.spec.name, rollout.baseline.revision.short());
        effects.push(announce(rollout, Transition::WeightVerified, message, now));
        return Progress::Waits;
    }
    if rollout.preview.is_at_stable() && freeze::holds(rollout, now, effects) {
        return Progress::Waits;
    }
    match gate::raise(rollout, needs, now) {
        Ok(_) => {
            let pair = (&rollout.baseline.stable.group, &rollout.baseline.canary.group);
            let rules = rules.iter().map(|rule| weighted(rule, pair, Weight::FULL)).collect();
            rollout.preview = Preview::Asked;
            advance::perform(rollout, Write::Preview { rules }, now, effects);
            Progress::Waits
        }
        Err(Shut::Unknown(_)) => advance::wait_for_a_look(rollout, now, effects),
        Err(Shut::NotYet(why)) => advance::wait_or_give_up(rollout, &why, now, effects),
    }
}

/// Whether the preview is where it was before the rollout, as far as a look shows. A preview whose rules are gone
/// shows nobody anything.
pub fn is_home(rollout: &Rollout, seen: &Observation) -> Option<bool> {
    if rollout.preview == Preview::AtStable {
        return Some(true);
    }
    match &seen.preview {
        Read::Is(rules) => {
            Some(drift::preview_shares(rollout, rules).is_ok_and(|all| all.iter().all(|share| *share == Weight::ZERO)))
        }
        Read::Unknown(Fault::Permanent { reason: Obstacle::NotFound, .. }) => Some(true),
        Read::Unknown(_) => None,
    }
}
