//! What the canary does to users that no alarm has to say.

use super::{drift, route, thin};
use crate::observation::{Observation, ServiceSeen};
use crate::rollout::{CanaryAsk, Rollout};
use crate::weight::Weight;

/// Says why the canary must not keep its users, where a look shows it: nothing is concluded from what is not known.
pub fn found(rollout: &Rollout, seen: &Observation) -> Option<String> {
    let of_targets = without_targets(rollout, seen).or_else(|| thin::too_long(rollout, seen));
    of_targets.or_else(|| seen.canary.known().and_then(|service| given_up(rollout, service)))
}

/// A share of traffic goes to nobody, and home could carry it.
fn without_targets(rollout: &Rollout, seen: &Observation) -> Option<String> {
    let (home, canary) = (seen.stable_health.known()?, seen.canary_health.known()?);
    let weight = drift::shares(rollout, seen.rules.known()?).ok()?.into_iter().max()?;
    let share = weight.max(route::largest(rollout, seen));
    (share > Weight::ZERO && canary.healthy == 0 && home.healthy > 0)
        .then(|| format!("it has {share} % of the traffic and no healthy target"))
}

/// The circuit breaker put the old revision back.
fn given_up(rollout: &Rollout, service: &ServiceSeen) -> Option<String> {
    let (wanted, before) = (&rollout.baseline.revision, &rollout.baseline.canary.revision);
    let deployed = matches!(rollout.asked_of_canary, CanaryAsk::Tasks { seen: true, .. });
    let back = service.task_definition == *before && before != wanted;
    let failed = service.deployments.iter().find(|deployment| {
        deployment.task_definition == *wanted && deployment.rollout_state.as_deref() == Some("FAILED")
    })?;
    (deployed && back).then(|| format!("ECS gave up its deployment {} and put {} back", failed.id, before.short()))
}
