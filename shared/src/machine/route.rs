//! Header routes: a rule above each managed one, made harmless, read back, and only then pointed at the canary.
//!
//! A route is born as a copy of its managed rule's baseline, so a creation that nobody knows of sends nobody anywhere,
//! and the way home of an open route is a rule that the record knows: no look, no creation and no deletion is in it.

use super::advance::{self, Progress, weighted};
use super::effect::{Effect, RouteWrite, RuleWrite, Transition, Weighted, Write};
use super::gate::{self, Shut};
use super::{Now, announce, drift, freeze, look};
use crate::fault::{Fault, Obstacle};
use crate::observation::{Observation, Read, RouteAt, RouteSeen, RuleSeen};
use crate::rollout::{PauseReason, Rollout, StepState};
use crate::weight::Weight;

/// A header route as far as one look shows it, with where it was planned.
type Found<'r> = (&'r RouteAt, RouteSeen);

/// The route is there beside every managed rule, and forwards to the canary, read back and settled.
pub fn open(rollout: &mut Rollout, name: &str, needs: u32, now: Now, effects: &mut Vec<Effect>) -> Progress {
    if let StepState::Verified { at } = rollout.step {
        return if now.at >= at + gate::SETTLE { Progress::Done } else { Progress::Waits };
    }
    let Some(seen) = look::known(rollout) else { return advance::wait_for_a_look(rollout, now, effects) };
    let as_of = seen.as_of;
    let all = match &seen.routes {
        Read::Is(all) => all.clone(),
        Read::Unknown(fault) => {
            let why = format!("the header routes cannot be read: {fault}");
            return advance::wait_or_give_up(rollout, &why, now, effects);
        }
    };
    let planned = rollout.baseline.routes.clone();
    let ours: Vec<Found<'_>> = planned.iter().zip(all).filter(|(at, _)| at.name == name).collect();
    if let Some(what) = ours.iter().find_map(taken) {
        return advance::hold(rollout, PauseReason::Drift { what }, now, effects);
    }
    let missing: Vec<RouteWrite> =
        ours.iter().filter(|(_, seen)| *seen == RouteSeen::Absent).filter_map(|(at, _)| born(rollout, at)).collect();
    let there: Vec<(&RouteAt, &RuleSeen)> = ours.iter().filter_map(|(at, seen)| Some((*at, rule_of(seen)?))).collect();
    let shut: Vec<RuleSeen> = there.iter().map(|(_, rule)| (*rule).clone()).collect();
    let shut: Vec<RuleSeen> = shut.into_iter().filter(|rule| share(rollout, rule) != Ok(Weight::FULL)).collect();
    if missing.is_empty() && shut.is_empty() {
        remember(rollout, &there);
        note(&mut rollout.routes.verified, name);
        rollout.step = StepState::Verified { at: as_of };
        let message = format!("{}: the header route {name} leads to the canary", rollout.spec.name);
        effects.push(announce(rollout, Transition::WeightVerified, message, now));
        return Progress::Waits;
    }
    let begun = rollout.routes.asked.iter().any(|asked| asked == name);
    if !begun && freeze::holds(rollout, now, effects) {
        return Progress::Waits;
    }
    match gate::raise(rollout, needs, now) {
        // The way home is in the record before the first user is sent away.
        Ok(_) if missing.is_empty() => {
            remember(rollout, &there);
            let pair = (&rollout.baseline.stable.group, &rollout.baseline.canary.group);
            let rules = shut.iter().map(|rule| weighted(rule, pair, Weight::FULL)).collect();
            advance::perform(rollout, Write::OpenRoutes { rules }, now, effects);
            Progress::Waits
        }
        Ok(_) => {
            note(&mut rollout.routes.asked, name);
            advance::perform(rollout, Write::CreateRoutes { routes: missing }, now, effects);
            Progress::Waits
        }
        Err(Shut::Unknown(_)) => advance::wait_for_a_look(rollout, now, effects),
        Err(Shut::NotYet(why)) => advance::wait_or_give_up(rollout, &why, now, effects),
    }
}

/// What the way home needs of routes that are about to be opened.
fn remember(rollout: &mut Rollout, there: &[(&RouteAt, &RuleSeen)]) {
    for (at, rule) in there {
        if rollout.routes.open.iter().all(|open| open.rule != rule.rule)
            && let Some(RouteWrite { actions, .. }) = born(rollout, at)
        {
            rollout.routes.open.push(RuleSeen { actions, site: None, ..(*rule).clone() });
        }
    }
}

/// Every header route is gone: at 100 % they say nothing any more.
pub fn close(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> Progress {
    rollout.routes.verified.clear();
    let Some(seen) = look::known(rollout).cloned() else { return advance::wait_for_a_look(rollout, now, effects) };
    match left(rollout, &seen) {
        None => advance::wait_for_a_look(rollout, now, effects),
        Some(left) if left.is_empty() => {
            rollout.routes = crate::rollout::Routes::default();
            Progress::Done
        }
        Some(routes) => {
            advance::perform(rollout, Write::DeleteRoutes { routes, unless_weighted: None }, now, effects);
            advance::wait_or_give_up(rollout, "the header routes to go", now, effects)
        }
    }
}

/// What takes the header routes away once nobody is on them; `None` where none is left, or none was made.
pub fn removal(rollout: &Rollout, seen: &Observation) -> Result<Option<Write>, Shut> {
    if rollout.routes.asked.is_empty() {
        return Ok(None);
    }
    let routes = left(rollout, seen).ok_or_else(|| Shut::Unknown("the header routes".to_owned()))?;
    let unless_weighted = Some(Weighted { group: rollout.baseline.canary.group.clone() });
    Ok((!routes.is_empty()).then_some(Write::DeleteRoutes { routes, unless_weighted }))
}

/// The open routes as they were before they were opened: known without a look.
pub fn way_home(rollout: &Rollout) -> Vec<RuleWrite> {
    let verbatim =
        |rule: &RuleSeen| RuleWrite { rule: rule.rule.clone(), actions: rule.actions.clone(), only_if: None };
    rollout.routes.open.iter().map(verbatim).collect()
}

/// What leads the routes home that a look shows open; `None` where it does not show them.
pub fn astray(rollout: &Rollout, seen: &Observation) -> Option<Vec<RuleWrite>> {
    if rollout.routes.asked.is_empty() {
        return Some(Vec::new());
    }
    let all = as_far_as_known(seen)?;
    let open = rollout.baseline.routes.iter().zip(all).filter_map(|(at, seen)| Some((at, rule_of(seen)?)));
    let open = open.filter(|(_, rule)| share(rollout, rule) != Ok(Weight::ZERO));
    let home = open.filter_map(|(at, rule)| {
        Some(RuleWrite { rule: rule.rule.clone(), actions: born(rollout, at)?.actions, only_if: None })
    });
    Some(home.collect())
}

/// The largest share of a header route's users that is at the canary.
pub fn largest(rollout: &Rollout, seen: &Observation) -> Weight {
    let all = seen.routes.known().into_iter().flatten();
    all.filter_map(rule_of).filter_map(|rule| share(rollout, rule).ok()).max().unwrap_or(Weight::ZERO)
}

/// Says what somebody else did to a header route of ours: a route that is lost sends its users to the stable side.
pub fn drifted(rollout: &Rollout, seen: &Observation) -> Option<String> {
    let all = rollout.baseline.routes.iter().zip(seen.routes.known()?);
    let mut asked = all.filter(|(at, _)| rollout.routes.asked.contains(&at.name));
    asked.find_map(|(at, seen)| {
        let stands = rollout.routes.verified.contains(&at.name);
        match seen {
            RouteSeen::Absent => stands.then(|| format!("the header route {} is gone from {}", at.name, at.label)),
            RouteSeen::Taken { .. } => taken(&(at, seen.clone())),
            RouteSeen::Ours(rule) => match share(rollout, rule) {
                Err(what) => Some(what),
                Ok(Weight::FULL) => None,
                Ok(share) if stands || share != Weight::ZERO => {
                    Some(format!("the header route {} gives the canary {share} % on {}", at.name, at.label))
                }
                Ok(_) => None,
            },
        }
    })
}

fn left(rollout: &Rollout, seen: &Observation) -> Option<Vec<RouteAt>> {
    let all = rollout.baseline.routes.iter().zip(as_far_as_known(seen)?);
    Some(all.filter(|(_, seen)| rule_of(seen).is_some()).map(|(at, _)| at.clone()).collect())
}

/// What stands in the routes' places; a listener that is gone has no rules.
fn as_far_as_known(seen: &Observation) -> Option<&[RouteSeen]> {
    match &seen.routes {
        Read::Is(all) => Some(all),
        Read::Unknown(Fault::Permanent { reason: Obstacle::NotFound, .. }) => Some(&[]),
        Read::Unknown(_) => None,
    }
}

/// A route begins as its managed rule was before the rollout.
fn born(rollout: &Rollout, at: &RouteAt) -> Option<RouteWrite> {
    let beside = rollout.baseline.rules.iter().find(|rule| rule.rule == at.beside)?;
    Some(RouteWrite { at: at.clone(), actions: beside.actions.clone() })
}

fn rule_of(seen: &RouteSeen) -> Option<&RuleSeen> {
    match seen {
        RouteSeen::Ours(rule) => Some(rule),
        RouteSeen::Absent | RouteSeen::Taken { .. } => None,
    }
}

fn taken((at, seen): &Found<'_>) -> Option<String> {
    match seen {
        RouteSeen::Taken { by } => Some(format!("the priority {} that was free for {} has {by}", at.priority, at.name)),
        RouteSeen::Absent | RouteSeen::Ours(_) => None,
    }
}

fn share(rollout: &Rollout, rule: &RuleSeen) -> Result<Weight, String> {
    drift::share(rule, &rollout.baseline.stable.group, &rollout.baseline.canary.group)
}

fn note(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_owned());
    }
}
