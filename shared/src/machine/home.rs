//! The way home. It needs the record alone: no metric, approval, window, timer or fresh read stands in its way.

use jiff::SignedDuration;

use super::effect::{Effect, RuleWrite, Transition, Weighted, Write};
use super::gate::{self, Shut};
use super::{Now, advance, announce, drift, look};
use crate::observation::{Health, Observation, Read};
use crate::rollout::{AbortReason, Homeward, Phase, Rollout};
use crate::spec::StrategySpec;
use crate::weight::Weight;

/// Turns the rollout home, and writes the baseline at once, even while another batch is in the air.
pub fn turn(rollout: &mut Rollout, reason: AbortReason, now: Now, effects: &mut Vec<Effect>) {
    let message = format!("{} goes home: {reason}", rollout.spec.name);
    let never_had_traffic = rollout.commanded == Weight::ZERO && rollout.verified == Weight::ZERO;
    let held = positively_worse(rollout.seen.as_ref());
    let home = match &held {
        Some(why) if !never_had_traffic => Homeward::Held { why: why.clone() },
        Some(_) | None => Homeward::Weights,
    };
    rollout.phase = Phase::Aborting { reason, since: now.at, home: home.clone() };
    rollout.trouble = None;
    effects.push(announce(rollout, Transition::RolloutAborting, message, now));
    match home {
        Homeward::Held { why } => {
            effects.push(announce(rollout, Transition::RollbackBlocked, format!("home is held: {why}"), now));
        }
        Homeward::Weights if never_had_traffic => {}
        Homeward::Weights | Homeward::Draining { .. } => write_home(rollout, now, effects),
    }
}

/// How long the canary keeps its tasks after an abort, beside the drain.
pub fn delay(rollout: &Rollout) -> SignedDuration {
    match &rollout.spec.strategy {
        StrategySpec::Canary(canary) => canary.abort_scale_down_delay,
    }
}

/// Goes as far home as what is known carries.
pub fn advance(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) {
    let Phase::Aborting { reason, since, home } = rollout.phase.clone() else { return };
    if rollout.in_flight.is_some() {
        return;
    }
    let Some(seen) = look::known(rollout).cloned() else {
        return look::ask(rollout, now, effects);
    };
    let at_home = match &seen.rules {
        Read::Unknown(_) => return look::ask(rollout, now, effects),
        Read::Is(rules) => {
            drift::shares(rollout, rules).is_ok_and(|all| all.iter().all(|share| *share == Weight::ZERO))
        }
    };
    let held = positively_worse(Some(&seen));
    if !at_home {
        let next = match (held, &home) {
            // Only what was positively seen before the first write holds it; a write that went out is finished.
            (Some(why), Homeward::Held { .. }) => Homeward::Held { why },
            (Some(_) | None, _) => {
                write_home(rollout, now, effects);
                Homeward::Weights
            }
        };
        rollout.phase = Phase::Aborting { reason, since, home: next };
        return look::ask_if_older(rollout, look::POLL, now, effects);
    }
    let home_at = match home {
        Homeward::Draining { home_at } => home_at,
        Homeward::Weights | Homeward::Held { .. } => {
            rollout.commanded = Weight::ZERO;
            rollout.verified = Weight::ZERO;
            rollout.verified_at = seen.as_of;
            let message = format!("{}: all weights are home on every rule", rollout.spec.name);
            effects.push(announce(rollout, Transition::WeightsHome, message, now));
            if let Some(why) = held {
                let message = format!("home is worse, the canary keeps its tasks: {why}");
                effects.push(announce(rollout, Transition::RollbackBlocked, message, now));
            }
            seen.as_of
        }
    };
    rollout.phase = Phase::Aborting { reason: reason.clone(), since, home: Homeward::Draining { home_at } };
    take_the_canary_away(rollout, &seen, reason, now, effects);
}

fn take_the_canary_away(
    rollout: &mut Rollout,
    seen: &Observation,
    reason: AbortReason,
    now: Now,
    effects: &mut Vec<Effect>,
) {
    let canary = rollout.baseline.canary.clone();
    match &seen.canary {
        Read::Unknown(_) => look::ask(rollout, now, effects),
        Read::Is(service) if service.desired <= canary.tasks => {
            let message = format!("{} is home: {reason}", rollout.spec.name);
            rollout.phase = Phase::Degraded { reason };
            rollout.ended_at = Some(now.at);
            effects.push(announce(rollout, Transition::RolloutDegraded, message, now));
        }
        Read::Is(_) => match gate::shrink(rollout, &canary, Weight::ZERO, delay(rollout), now) {
            Ok(_) => {
                let rules = rollout.baseline.rules.iter().map(|rule| rule.rule.clone()).collect();
                let unless_weighted = Some(Weighted { group: canary.group, rules });
                let write = Write::Scale { service: canary.service, tasks: canary.tasks, unless_weighted };
                advance::perform(rollout, write, now, effects);
            }
            Err(Shut::Unknown(_)) => look::ask(rollout, now, effects),
            Err(Shut::NotYet(_)) => look::ask_if_older(rollout, look::POLL, now, effects),
        },
    }
}

/// The recorded baseline, verbatim, whatever stands there.
fn write_home(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) {
    let rules = rollout.baseline.rules.iter();
    let rules =
        rules.map(|rule| RuleWrite { rule: rule.rule.clone(), actions: rule.actions.clone(), only_if: None }).collect();
    advance::perform(rollout, Write::GoHome { rules }, now, effects);
}

/// Whether a look says, positively, that home has no healthy target and the canary has some.
fn positively_worse(seen: Option<&Observation>) -> Option<String> {
    let seen = seen?;
    let (home, canary): (&Health, &Health) = (seen.stable_health.known()?, seen.canary_health.known()?);
    (home.healthy == 0 && canary.healthy > 0)
        .then(|| format!("home has no healthy target, the canary has {}", canary.healthy))
}
