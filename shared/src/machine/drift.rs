//! What somebody else did to the things that a rollout moves.

use super::route;
use crate::ids::TargetGroupArn;
use crate::mistake::{Mistake, made};
use crate::observation::{Action, Observation, RuleSeen, ServiceSeen};
use crate::rollout::{CanaryAsk, Preview, Rollout, Side};
use crate::weight::Weight;

/// Reads the canary's share out of a rule: exactly one forward action, with both groups and no third one.
pub fn share(rule: &RuleSeen, stable: &TargetGroupArn, canary: &TargetGroupArn) -> Result<Weight, String> {
    let mut forwards = rule.actions.iter().filter_map(|action| match action {
        Action::Forward { groups, .. } => Some(groups),
        Action::Other { .. } => None,
    });
    let (Some(groups), None) = (forwards.next(), forwards.next()) else {
        return Err(format!("{} has no single forward action", rule.label));
    };
    if let Some((other, _)) = groups.iter().find(|(group, weight)| group != stable && group != canary && *weight > 0) {
        return Err(format!("{} sends traffic to a third group, {}", rule.label, other.name()));
    }
    let weight_of = |wanted: &TargetGroupArn| groups.iter().find(|(group, _)| group == wanted).map(|(_, w)| *w);
    let (Some(on_stable), Some(on_canary)) = (weight_of(stable), weight_of(canary)) else {
        return Err(format!("{} does not name both target groups any more", rule.label));
    };
    Weight::from_the_wire(on_stable, on_canary).ok_or_else(|| format!("{} has no weight on either group", rule.label))
}

/// Returns the canary's share on each managed rule.
pub fn shares(rollout: &Rollout, rules: &[RuleSeen]) -> Result<Vec<Weight>, String> {
    let (stable, canary) = (&rollout.baseline.stable.group, &rollout.baseline.canary.group);
    let seen: Vec<Weight> = rules.iter().map(|rule| share(rule, stable, canary)).collect::<Result<_, _>>()?;
    if seen.len() == rollout.baseline.rules.len() {
        Ok(seen)
    } else {
        Err(format!("{} of {} managed rules were found", seen.len(), rollout.baseline.rules.len()))
    }
}

/// Returns the canary's share on each rule of the preview that was seen.
pub fn preview_shares(rollout: &Rollout, rules: &[RuleSeen]) -> Result<Vec<Weight>, String> {
    let (stable, canary) = (&rollout.baseline.stable.group, &rollout.baseline.canary.group);
    rules.iter().map(|rule| share(rule, stable, canary)).collect()
}

/// Says what differs from what we wrote or adopted; `None` where nothing does, or where it could not be read.
pub fn found(rollout: &Rollout, seen: &Observation) -> Option<String> {
    if made(Mistake::DriftIgnored) {
        return None;
    }
    let rules = seen.rules.known().and_then(|rules| of_rules(rollout, rules));
    let stable = || seen.stable.known().and_then(|service| of_stable(rollout, service));
    let canary = || seen.canary.known().and_then(|service| of_canary(rollout, service));
    let alarms = || {
        let alarms = seen.alarms.known()?;
        let gone = rollout.spec.alarms.iter().find(|name| !alarms.contains_key(*name))?;
        Some(format!("alarm {gone} does not exist any more"))
    };
    let preview = || seen.preview.known().and_then(|rules| of_preview(rollout, rules));
    let routes = || route::drifted(rollout, seen);
    rules.or_else(preview).or_else(routes).or_else(stable).or_else(canary).or_else(alarms)
}

/// Whether the last look shows nothing stranger than a share from before a write that was applied: a stale read, or
/// an abort that lost its commit.
pub fn is_old_share(rollout: &Rollout) -> bool {
    let rules = rollout.seen.as_ref().and_then(|seen| seen.rules.known());
    let shares = rules.and_then(|rules| shares(rollout, rules).ok());
    let old = |all: &[Weight]| all.iter().any(|share| *share != rollout.commanded);
    let ours = |all: &[Weight]| all.iter().all(|share| [rollout.verified, rollout.commanded].contains(share));
    shares.is_some_and(|all| old(&all) && ours(&all))
}

/// After the promotion somebody gave the old side users again: it drains from the first look without them.
pub fn note(rollout: &mut Rollout, seen: &Observation) {
    let has_users = |seen: &Observation| {
        let rules = seen.rules.known()?;
        shares(rollout, rules).ok().map(|all| all.iter().any(|share| *share < Weight::FULL))
    };
    let had = rollout.seen.as_ref().and_then(has_users) == Some(true);
    if rollout.promoted_at.is_some() && (had || has_users(seen) == Some(true)) {
        rollout.verified_at = seen.as_of;
    }
}

/// Weights may be as they were last read back, or as they were last asked for; nothing between is ours. Once the
/// last write is known to have been applied, they may only be as it made them.
fn of_rules(rollout: &Rollout, rules: &[RuleSeen]) -> Option<String> {
    let answered = rollout.applied >= rollout.commanded;
    let ours = |share: Weight| share == rollout.commanded || (!answered && share == rollout.verified);
    match shares(rollout, rules) {
        Err(what) => Some(what),
        Ok(shares) => shares.iter().zip(rules).find(|(share, _)| !ours(**share)).map(|(share, rule)| {
            format!("{} gives the canary {share} %, and {} % was written", rule.label, rollout.commanded)
        }),
    }
}

/// The preview shows one side or the other, and the canary only once it was asked to, from then on until the end.
fn of_preview(rollout: &Rollout, rules: &[RuleSeen]) -> Option<String> {
    let ours = |share: Weight| match rollout.preview {
        Preview::AtStable => share == Weight::ZERO,
        Preview::Asked => share == Weight::ZERO || share == Weight::FULL,
        Preview::AtCanary => share == Weight::FULL,
    };
    match preview_shares(rollout, rules) {
        Err(what) => Some(what),
        Ok(shares) => {
            let odd = shares.iter().zip(rules).find(|(share, _)| !ours(**share));
            odd.map(|(share, rule)| format!("the preview {} shows the canary to {share} %", rule.label))
        }
    }
}

fn of_stable(rollout: &Rollout, service: &ServiceSeen) -> Option<String> {
    let Side { revision, tasks, .. } = &rollout.baseline.stable;
    if service.task_definition != *revision {
        return Some(format!("{} was given {}", service.arn.name(), service.task_definition.short()));
    }
    if service.deployments.len() > 1 {
        return Some(format!("somebody deploys {}", service.arn.name()));
    }
    // After promotion the old side's tasks are ours to remove.
    (rollout.promoted_at.is_none() && service.desired != *tasks)
        .then(|| format!("{} was scaled from {tasks} to {} tasks", service.arn.name(), service.desired))
}

fn of_canary(rollout: &Rollout, service: &ServiceSeen) -> Option<String> {
    match rollout.asked_of_canary {
        CanaryAsk::Nothing | CanaryAsk::Tasks { seen: false, .. } => None,
        CanaryAsk::Tasks { tasks, seen: true } => {
            if service.task_definition != rollout.baseline.revision {
                Some(format!("{} was given {}", service.arn.name(), service.task_definition.short()))
            } else if service.desired != tasks {
                Some(format!("{} was scaled from {tasks} to {} tasks", service.arn.name(), service.desired))
            } else {
                None
            }
        }
    }
}
