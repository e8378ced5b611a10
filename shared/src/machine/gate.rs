//! The one gate on every path that raises the canary's weight or removes capacity. Unknown blocks.

use jiff::SignedDuration;

use super::{Now, drift, gone, look};
use crate::mistake::{Mistake, made};
use crate::observation::{Observation, Read};
use crate::rollout::{Rollout, Side};
use crate::weight::Weight;

/// In transport time: older health does not carry a raise.
const FRESH: SignedDuration = SignedDuration::from_secs(15);
/// A load balancer's nodes follow a changed rule within this time; the API shows it at once.
pub const SETTLE: SignedDuration = SignedDuration::from_secs(15);

/// Why the gate is shut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shut {
    /// Nothing is known, or not freshly: look.
    Unknown(String),
    /// It is known, and it is not enough.
    NotYet(String),
}

/// Opens for a raise when enough canary targets are healthy, by a look that is fresh.
pub fn raise(rollout: &Rollout, needs: u32, now: Now) -> Result<&Observation, Shut> {
    let seen = fresh(rollout, now)?;
    match &seen.canary_health {
        Read::Unknown(fault) => Err(Shut::Unknown(format!("the canary's health: {fault}"))),
        Read::Is(health) if health.healthy < needs && !made(Mistake::WeightBeforeHealth) => {
            Err(Shut::NotYet(format!("{} of {needs} canary targets are healthy", health.healthy)))
        }
        Read::Is(_) => Ok(seen),
    }
}

/// Opens for taking a side's tasks away when the other side carries everything on every rule, has for as long as
/// this side's targets drain, and is healthy.
pub fn shrink<'a>(
    rollout: &'a Rollout,
    leaving: &Side,
    carrying: Weight,
    delay: SignedDuration,
    now: Now,
) -> Result<&'a Observation, Shut> {
    let seen = fresh(rollout, now)?;
    let rules = match &seen.rules {
        Read::Is(rules) => rules,
        Read::Unknown(fault) => return Err(Shut::Unknown(format!("the rules: {fault}"))),
    };
    if carrying.is_zero() {
        if !gone::home_on_what_is_left(rollout, rules) {
            return Err(Shut::NotYet("not all weights are home".to_owned()));
        }
    } else {
        let shares = drift::shares(rollout, rules).map_err(Shut::NotYet)?;
        if let Some(share) = shares.iter().find(|share| **share != carrying && !made(Mistake::ScaleInUnderWeight)) {
            return Err(Shut::NotYet(format!("the canary has {share} % on a rule, not {carrying} %")));
        }
    }
    let health = if carrying == Weight::FULL { &seen.canary_health } else { &seen.stable_health };
    match health {
        Read::Unknown(fault) => return Err(Shut::Unknown(format!("the health of the side that stays: {fault}"))),
        Read::Is(health) if health.healthy == 0 => {
            return Err(Shut::NotYet("the side that stays has no healthy target".to_owned()));
        }
        Read::Is(_) => {}
    }
    let drained_at = rollout.verified_at + drain(leaving, delay);
    if now.at < drained_at && !made(Mistake::ScaleInBeforeDrain) {
        return Err(Shut::NotYet(format!("{} drains", leaving.service.name())));
    }
    Ok(seen)
}

/// How long a side that lost its weight keeps its tasks.
pub fn drain(leaving: &Side, delay: SignedDuration) -> SignedDuration {
    SETTLE + leaving.deregistration_delay.max(delay)
}

fn fresh(rollout: &Rollout, now: Now) -> Result<&Observation, Shut> {
    let seen = look::known(rollout).ok_or_else(|| Shut::Unknown("a look".to_owned()))?;
    if now.at > seen.as_of + now.transport(FRESH) {
        return Err(Shut::Unknown("a fresh look".to_owned()));
    }
    Ok(seen)
}
