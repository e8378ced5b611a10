//! The way home. It needs the record alone: no metric, approval, window, timer or fresh read stands in its way.

use jiff::SignedDuration;

use super::effect::{Effect, RuleWrite, Transition, Weighted, Write};
use super::gate::{self, Shut};
use super::{Now, advance, announce, gone, look, preview, route};
use crate::fault::{Fault, Obstacle};
use crate::mistake::{Mistake, made};
use crate::observation::{Health, Observation, Read, RuleSeen};
use crate::rollout::{AbortReason, CanaryAsk, Homeward, Phase, Preview, Rollout};
use crate::weight::Weight;

/// Turns the rollout home, and writes the baseline at once, even while another batch is in the air.
pub fn turn(rollout: &mut Rollout, reason: AbortReason, now: Now, effects: &mut Vec<Effect>) {
    let message = format!("{} goes home: {reason}", rollout.spec.name);
    let production = production_moved(rollout);
    let never_had_traffic = never_had_traffic(rollout);
    let nothing_to_write = nothing_to_write(rollout);
    let held = positively_worse(rollout.seen.as_ref());
    let home = match &held {
        Some(why) if !never_had_traffic => Homeward::Held { why: why.clone() },
        Some(_) | None => Homeward::Weights,
    };
    // Where nothing is written, what is in the air keeps the lever until it is answered.
    let overtaken = rollout.in_flight.clone().filter(|_| home == Homeward::Weights && !nothing_to_write);
    rollout.phase = Phase::Aborting { reason, since: now.at, home: home.clone(), overtaken };
    rollout.doubt = None;
    rollout.waits.forget_forward();
    rollout.trouble = None;
    effects.push(announce(rollout, Transition::RolloutAborting, message, now));
    match home {
        Homeward::Held { why } => {
            effects.push(announce(rollout, Transition::RollbackBlocked, format!("home is held: {why}"), now));
        }
        Homeward::Weights if nothing_to_write => {}
        Homeward::Weights if made(Mistake::HomeGatedByLook) && look::known(rollout).is_none() => {}
        Homeward::Weights | Homeward::Draining { .. } => {
            write_home(rollout, production, route::way_home(rollout), now, effects);
        }
    }
}

/// How long the canary keeps its tasks after an abort, beside the drain.
pub fn delay(rollout: &Rollout) -> SignedDuration {
    rollout.spec.strategy.abort_scale_down_delay()
}

/// Goes as far home as what is known carries.
pub fn advance(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) {
    if rollout.in_flight.is_some() {
        return;
    }
    let Phase::Aborting { reason, since, home, overtaken } = rollout.phase.clone() else { return };
    let Some(Arrived { seen, production, preview, astray }) = known(rollout) else {
        if gone::give_up(rollout, now, effects) {
            return;
        }
        // No read stands in the way: a write home that is not known to have worked is repeated without one.
        if rollout.trouble.is_some() && home == Homeward::Weights {
            write_home(rollout, production_moved(rollout), route::way_home(rollout), now, effects);
        }
        return look::ask(rollout, now, effects);
    };
    let held = positively_worse(Some(&seen));
    let arrived = production && preview && astray.is_empty();
    if !arrived && gone::give_up(rollout, now, effects) {
        return;
    }
    if !arrived {
        // The preview carries no users: nothing holds it.
        let held = held.filter(|_| !production || !astray.is_empty());
        let next = match (held, home) {
            (Some(why), Homeward::Held { .. }) => Homeward::Held { why },
            // It was home, and somebody moved it to the side that is well.
            (Some(why), Homeward::Draining { .. }) => {
                effects.push(announce(rollout, Transition::RollbackBlocked, format!("home is held: {why}"), now));
                Homeward::Held { why }
            }
            // Only what was positively seen before the first write holds it; a write that went out is finished.
            (Some(_), Homeward::Weights)
            | (None, Homeward::Weights | Homeward::Held { .. } | Homeward::Draining { .. }) => {
                write_home(rollout, !production, astray, now, effects);
                Homeward::Weights
            }
        };
        rollout.phase = Phase::Aborting { reason, since, home: next, overtaken };
        return look::ask_if_older(rollout, look::POLL, now, effects);
    }
    let (home_at, before) = match home {
        Homeward::Draining { home_at, kept } => (home_at, kept),
        Homeward::Weights | Homeward::Held { .. } => {
            rollout.commanded = Weight::ZERO;
            rollout.verified = Weight::ZERO;
            rollout.verified_at = seen.as_of;
            rollout.preview = Preview::AtStable;
            rollout.trouble = None;
            let message = format!("{}: all weights are home on every rule", rollout.spec.name);
            effects.push(announce(rollout, Transition::WeightsHome, message, now));
            (seen.as_of, None)
        }
    };
    let drained = now.at >= home_at + gate::drain(&rollout.baseline.canary, delay(rollout));
    let kept = worse(rollout, &seen, drained);
    if let Some(why) = kept.as_ref().filter(|_| before.is_none()) {
        let message = format!("home is worse, the canary keeps its tasks: {why}");
        effects.push(announce(rollout, Transition::RollbackBlocked, message, now));
    }
    // A write that was overtaken has certainly ended when its lease has.
    let overtaken = overtaken.filter(|write| now.at < write.expires_at);
    let alone = overtaken.is_none();
    let keeps = kept.is_some();
    let home = Homeward::Draining { home_at, kept };
    rollout.phase = Phase::Aborting { reason: reason.clone(), since, home, overtaken };
    if keeps {
        if !(drained && gone::give_up(rollout, now, effects)) {
            look::ask_if_older(rollout, look::POLL, now, effects);
        }
    } else if alone {
        match route::removal(rollout, &seen) {
            Ok(None) => take_the_canary_away(rollout, &seen, reason, now, effects),
            Ok(Some(write)) => advance::perform(rollout, write, now, effects),
            Err(_) => look::ask(rollout, now, effects),
        }
        if drained && rollout.in_flight.is_none() {
            gone::give_up(rollout, now, effects);
        }
    } else {
        look::ask_if_older(rollout, look::POLL, now, effects);
    }
}

/// What the last look says of how much is at home.
struct Arrived {
    seen: Observation,
    production: bool,
    preview: bool,
    /// Header routes that still lead to the canary, and what leads them home.
    astray: Vec<RuleWrite>,
}

/// Returns the last look that counts and shows the rules.
fn known(rollout: &Rollout) -> Option<Arrived> {
    let seen = look::known(rollout)?;
    let rules = seen.rules.known()?;
    let production = gone::home_on_what_is_left(rollout, rules) || made(Mistake::HomeBelieved);
    let (preview, astray) = (preview::is_home(rollout, seen)?, route::astray(rollout, seen)?);
    Some(Arrived { seen: seen.clone(), production, preview, astray })
}

/// Whether the rules are as they were before the rollout: what is in the air on the way home is then not its own write.
pub fn nothing_to_write(rollout: &Rollout) -> bool {
    never_had_traffic(rollout) && rollout.preview.is_at_stable()
}

fn never_had_traffic(rollout: &Rollout) -> bool {
    !production_moved(rollout) && rollout.routes.open.is_empty()
}

fn production_moved(rollout: &Rollout) -> bool {
    rollout.commanded != Weight::ZERO || rollout.verified != Weight::ZERO
}

/// The revision that went home keeps no task, whatever the service had before: it is the one that runs there.
fn take_the_canary_away(
    rollout: &mut Rollout,
    seen: &Observation,
    reason: AbortReason,
    now: Now,
    effects: &mut Vec<Effect>,
) {
    let canary = rollout.baseline.canary.clone();
    let untouched = rollout.asked_of_canary == CanaryAsk::Nothing;
    let gone = match &seen.canary {
        Read::Is(service) => untouched || service.desired == 0,
        Read::Unknown(Fault::Permanent { reason: Obstacle::NotFound, .. }) => true,
        Read::Unknown(_) => return look::ask(rollout, now, effects),
    };
    if gone {
        let message = format!("{} is home: {reason}", rollout.spec.name);
        rollout.phase = Phase::Degraded { reason };
        rollout.ended_at = Some(now.at);
        effects.push(announce(rollout, Transition::RolloutDegraded, message, now));
        return;
    }
    // Where its target group is gone, no rule can name it, and none can be asked.
    let unless_weighted = match gone::without_canary(rollout) {
        None => Some(Weighted { group: canary.group.clone() }),
        Some(_) => None,
    };
    match gate::shrink(rollout, &canary, Weight::ZERO, delay(rollout), now) {
        Ok(_) => {
            let write = Write::Scale { service: canary.service, tasks: 0, unless_weighted };
            advance::perform(rollout, write, now, effects);
        }
        Err(Shut::Unknown(_)) => look::ask(rollout, now, effects),
        Err(Shut::NotYet(_)) => look::ask_if_older(rollout, look::POLL, now, effects),
    }
}

/// The recorded baseline, verbatim, whatever stands there. Production is left alone where it never moved.
fn write_home(rollout: &mut Rollout, production: bool, routes: Vec<RuleWrite>, now: Now, effects: &mut Vec<Effect>) {
    let production = rollout.baseline.rules.iter().filter(|_| production);
    let preview = rollout.baseline.preview.iter().filter(|_| !rollout.preview.is_at_stable());
    let verbatim =
        |rule: &RuleSeen| RuleWrite { rule: rule.rule.clone(), actions: rule.actions.clone(), only_if: None };
    let rules: Vec<RuleWrite> = production.chain(preview).map(verbatim).chain(routes).collect();
    if !rules.is_empty() {
        advance::perform(rollout, Write::GoHome { rules }, now, effects);
    }
}

/// Says why the canary keeps its tasks although the weights are home: neither side has a healthy target, or, once it
/// has drained, home has not what it had at start, and fewer than the canary has.
fn worse(rollout: &Rollout, seen: &Observation, drained: bool) -> Option<String> {
    let (home, canary) = (seen.stable_health.known()?.healthy, seen.canary_health.known()?.healthy);
    let (had, after_all) = (rollout.baseline.stable.tasks, drained && home < canary);
    match home {
        0 if canary == 0 => Some("neither side has a healthy target".to_owned()),
        0 => positively_worse(Some(seen)),
        home if after_all && home < had => {
            Some(format!("home has {home} of {had} healthy targets, the canary has {canary}"))
        }
        _ => None,
    }
}

/// Whether a look says, positively, that home has no healthy target and the canary has some.
fn positively_worse(seen: Option<&Observation>) -> Option<String> {
    let seen = seen?;
    let (home, canary): (&Health, &Health) = (seen.stable_health.known()?, seen.canary_health.known()?);
    (home.healthy == 0 && canary.healthy > 0)
        .then(|| format!("home has no healthy target, the canary has {}", canary.healthy))
}
