//! A canary that has some healthy targets, and fewer than its share of traffic needs.

use jiff::SignedDuration;

use super::drift;
use crate::observation::Observation;
use crate::rollout::{Rollout, Thin};
use crate::weight::Weight;

/// So long a task that died may be replaced; then the canary's share is too much for it.
const REPLACED_WITHIN: SignedDuration = SignedDuration::from_mins(3);

/// Remembers whether a look that counts shows too few healthy canary targets, and since when. Nothing is concluded
/// from what is not known.
pub fn note(rollout: &mut Rollout, seen: &Observation) {
    match found(rollout, seen) {
        Some((healthy, needs)) => {
            let since = rollout.waits.thin.map_or(seen.as_of, |thin| thin.since);
            rollout.waits.thin = Some(Thin { healthy, needs, since });
        }
        None if seen.canary_health.known().is_some() => rollout.waits.thin = None,
        None => {}
    }
}

/// Says why the canary must not keep its users: it had too few targets for too long.
pub fn too_long(rollout: &Rollout, seen: &Observation) -> Option<String> {
    let thin = rollout.waits.thin.filter(|thin| seen.as_of >= thin.since + REPLACED_WITHIN)?;
    let Thin { healthy, needs, since } = thin;
    Some(format!("{healthy} of the {needs} healthy targets that its share needs, since {since}"))
}

/// Healthy targets and how many are needed, where the first is too few and home could take the traffic.
fn found(rollout: &Rollout, seen: &Observation) -> Option<(u32, u32)> {
    if rollout.promoted_at.is_some() {
        return None;
    }
    let (home, canary) = (seen.stable_health.known()?, seen.canary_health.known()?);
    let share = drift::shares(rollout, seen.rules.known()?).ok()?.into_iter().max()?;
    let needs = rollout.plan.needs_of(share, rollout.cursor)?;
    let thin = share > Weight::ZERO && canary.healthy > 0 && canary.healthy < needs && home.healthy > 0;
    thin.then_some((canary.healthy, needs))
}
