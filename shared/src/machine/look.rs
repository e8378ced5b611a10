//! Asking, and what counts as knowing.

use jiff::{SignedDuration, Timestamp};

use super::Now;
use super::effect::Effect;
use crate::mistake::{Mistake, made};
use crate::observation::Observation;
use crate::rollout::{Look, Phase, Rollout};

/// At most one look per rollout in this time, so that a storm of task events costs a bounded number of calls.
pub const LOOK_EVERY: SignedDuration = SignedDuration::from_secs(5);
/// On the way home a look may follow the last one sooner.
pub const LOOK_EVERY_HOMEWARD: SignedDuration = SignedDuration::from_secs(1);
/// In transport time: how long a look takes, its commit among others' included. Asking again sooner only makes
/// the one in the air worthless, and its commit lose a race.
const LOOK_TAKES: SignedDuration = SignedDuration::from_secs(2);
/// While something is awaited that sends no event, such as target health.
pub const POLL: SignedDuration = SignedDuration::from_secs(10);
/// While nothing is awaited: drift and alarms are looked for this often, at the next tick.
pub const WATCH: SignedDuration = SignedDuration::from_secs(30);

/// Returns the last look, if nothing that was written since makes it worthless.
pub fn known(rollout: &Rollout) -> Option<&Observation> {
    let seen = rollout.seen.as_ref()?;
    let newer = seen.generation > rollout.answered || made(Mistake::OldLookTrusted);
    (rollout.in_flight.is_none() && newer).then_some(seen)
}

/// Asks, unless it was asked a moment ago or a write is in the air (its answer asks).
pub fn ask(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) {
    if rollout.in_flight.is_some() || now.at < next_look(rollout) {
        return;
    }
    rollout.generation += 1;
    let lost_at = now.at + every(rollout).max(now.transport(LOOK_TAKES));
    rollout.looking = Some(Look { generation: rollout.generation, asked_at: now.at, lost_at });
    effects.push(Effect::Observe { generation: rollout.generation });
}

/// Asks if what is known is older than `age`, or nothing is known.
pub fn ask_if_older(rollout: &mut Rollout, age: SignedDuration, now: Now, effects: &mut Vec<Effect>) {
    let old = known(rollout).is_none_or(|seen| now.at >= seen.as_of + age);
    if old {
        ask(rollout, now, effects);
    }
}

/// Returns the earliest time of the next look.
pub fn next_look(rollout: &Rollout) -> Timestamp {
    // A look from before the last write was answered says nothing any more, and holds nobody up.
    let asked = rollout.looking.as_ref().filter(|look| look.generation > rollout.answered).map(|look| look.lost_at);
    let seen = known(rollout).map(|seen| seen.as_of + every(rollout));
    asked.max(seen).unwrap_or(rollout.started_at)
}

fn every(rollout: &Rollout) -> SignedDuration {
    match rollout.phase {
        Phase::Aborting { .. } => LOOK_EVERY_HOMEWARD,
        Phase::Progressing | Phase::Paused { .. } | Phase::Healthy | Phase::Degraded { .. } => LOOK_EVERY,
    }
}
