//! What somebody deleted: it is not made again, and the rollout ends in bounded time.

use jiff::SignedDuration;

use super::effect::{Effect, Transition};
use super::fold::BELIEVED_AFTER;
use super::{Now, announce, drift, home};
use crate::fault::{Fault, Obstacle};
use crate::observation::{Action, Observation, Read, RuleSeen, ServiceSeen};
use crate::rollout::{AbortReason, Gone, Phase, Rollout, Side};
use crate::weight::Weight;

/// So long the way home is tried although something of it is gone: enough for a person to put it back.
const TRIED_FOR: SignedDuration = SignedDuration::from_mins(5);

/// Remembers what a look that counts shows to be gone, and since when.
pub fn note(rollout: &mut Rollout, seen: &Observation) {
    let since = rollout.waits.gone.as_ref().map_or(seen.as_of, |gone| gone.since);
    rollout.waits.gone = found(rollout, seen).map(|what| Gone { what, since });
}

/// What is gone, where a second look, some time later, still showed it.
pub fn believed(rollout: &Rollout) -> Option<&Gone> {
    let (gone, seen) = (rollout.waits.gone.as_ref()?, rollout.seen.as_ref()?);
    (seen.as_of >= gone.since + BELIEVED_AFTER).then_some(gone)
}

/// Turns a rollout that lost something home, or ends it where it is past the point of no return.
pub fn turn(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) {
    let Some(what) = believed(rollout).map(|gone| gone.what.clone()) else { return };
    match rollout.phase {
        Phase::Aborting { .. } | Phase::Healthy | Phase::Degraded { .. } => {}
        Phase::Progressing | Phase::Paused { .. } if rollout.promoted_at.is_some() => {
            end(rollout, format!("{what}; it has been promoted, and the old tasks are kept"), now, effects);
        }
        Phase::Progressing | Phase::Paused { .. } => {
            home::turn(rollout, AbortReason::Gone { what }, now, effects);
        }
    }
}

/// Whether all that is left of the managed rules is at home. A rule that is gone counts once that is believed; one
/// that does not name the canary any more sends it nothing.
pub fn home_on_what_is_left(rollout: &Rollout, rules: &[RuleSeen]) -> bool {
    let all = rules.len() == rollout.baseline.rules.len() || believed(rollout).is_some();
    all && rules.iter().all(|rule| at_home(rollout, rule))
}

fn at_home(rollout: &Rollout, rule: &RuleSeen) -> bool {
    let (stable, canary) = (&rollout.baseline.stable.group, &rollout.baseline.canary.group);
    match drift::share(rule, stable, canary) {
        Ok(share) => share == Weight::ZERO,
        Err(_) => without_canary(rollout).is_some() && only_stable(rollout, rule),
    }
}

/// Says so where the canary's target group is known to be gone: no load balancer can send it anything.
pub fn without_canary(rollout: &Rollout) -> Option<&Gone> {
    let seen = rollout.seen.as_ref()?;
    is_gone(&seen.canary_health).then(|| believed(rollout)).flatten()
}

fn only_stable(rollout: &Rollout, rule: &RuleSeen) -> bool {
    let loaded = rule.actions.iter().flat_map(|action| match action {
        Action::Forward { groups, .. } => groups.as_slice(),
        Action::Other { .. } => &[],
    });
    let mut loaded = loaded.filter(|(_, weight)| *weight > 0).peekable();
    loaded.peek().is_some() && loaded.all(|(group, _)| *group == rollout.baseline.stable.group)
}

/// Ends a way home that cannot be walked to its end because something of it is gone, once it was tried for long
/// enough. What was left of it has been written; the canary keeps its tasks.
pub fn give_up(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> bool {
    let Phase::Aborting { reason, .. } = &rollout.phase else { return false };
    let Some(gone) = believed(rollout).filter(|gone| now.at >= gone.since + TRIED_FOR) else { return false };
    let what = match reason {
        AbortReason::Gone { .. } => format!("{}; the way home could not be walked to its end", gone.what),
        AbortReason::Alarm { .. }
        | AbortReason::Analysis { .. }
        | AbortReason::Person { .. }
        | AbortReason::Superseded { .. }
        | AbortReason::Blocked { .. }
        | AbortReason::Unhealthy { .. }
        | AbortReason::PauseTimeout { .. }
        | AbortReason::CrashLoop { .. }
        | AbortReason::Capacity { .. }
        | AbortReason::ProgressDeadline { .. } => {
            format!("{}; the way home ({reason}) could not be walked to its end", gone.what)
        }
    };
    let message = format!("{}: look at its weights and tasks yourself: {what}", rollout.spec.name);
    effects.push(announce(rollout, Transition::RollbackBlocked, message, now));
    end(rollout, what, now, effects);
    true
}

fn end(rollout: &mut Rollout, what: String, now: Now, effects: &mut Vec<Effect>) {
    let reason = AbortReason::Gone { what };
    let message = format!("{} has ended: {reason}", rollout.spec.name);
    rollout.phase = Phase::Degraded { reason };
    rollout.ended_at = Some(now.at);
    effects.push(announce(rollout, Transition::RolloutDegraded, message, now));
}

/// Names what is positively not there. After promotion the old side is nobody's concern any more.
fn found(rollout: &Rollout, seen: &Observation) -> Option<String> {
    let (stable, canary) = (&rollout.baseline.stable, &rollout.baseline.canary);
    let old = || service(stable, &seen.stable).or_else(|| is_gone(&seen.stable_health).then(|| group(stable)));
    let new = || service(canary, &seen.canary).or_else(|| is_gone(&seen.canary_health).then(|| group(canary)));
    let before = rollout.promoted_at.is_none();
    rule(rollout, seen).or_else(|| before.then(old).flatten()).or_else(new)
}

fn rule(rollout: &Rollout, seen: &Observation) -> Option<String> {
    let rules = seen.rules.known()?;
    let missing = rollout.baseline.rules.iter().find(|rule| rules.iter().all(|found| found.rule != rule.rule))?;
    Some(format!("the rule {}", missing.label))
}

fn service(side: &Side, read: &Read<ServiceSeen>) -> Option<String> {
    let deleted = match read {
        Read::Is(service) => matches!(service.status.as_str(), "DRAINING" | "INACTIVE"),
        Read::Unknown(_) => is_gone(read),
    };
    deleted.then(|| format!("the service {}", side.service.name()))
}

fn group(side: &Side) -> String {
    format!("the target group {}", side.group.name())
}

fn is_gone<T>(read: &Read<T>) -> bool {
    matches!(read, Read::Unknown(Fault::Permanent { reason: Obstacle::NotFound, .. }))
}
