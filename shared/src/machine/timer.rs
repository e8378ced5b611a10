//! When a rollout wakes up by itself, and the one chain of delayed messages that does it.

use jiff::{SignedDuration, Timestamp};

use super::effect::Effect;
use super::{Now, background, gate, look};
use crate::analysis;
use crate::mistake::{Mistake, made};
use crate::plan::Step;
use crate::rollout::{Homeward, InFlight, PauseReason, Phase, Rollout, StepState};

/// A delayed message waits this long at most; longer waits are chained.
const LONGEST_MESSAGE: SignedDuration = SignedDuration::from_secs(900);
/// A message that would come this much earlier than the live one replaces it.
const WORTH_IT: SignedDuration = SignedDuration::from_secs(1);

/// Returns when the rollout next does something by itself; `None` where it waits for a person, or is finished.
///
/// Every event may come at any other time: an extra wake-up changes nothing.
pub fn next_wake_up(rollout: &Rollout) -> Option<Timestamp> {
    if rollout.is_finished() {
        return None;
    }
    let watches = match &rollout.phase {
        Phase::Progressing | Phase::Paused { reason: PauseReason::Step { .. } | PauseReason::Limited { .. }, .. } => {
            true
        }
        Phase::Paused { reason: PauseReason::Person { .. } | PauseReason::Inconclusive { .. }, .. } => true,
        Phase::Paused { reason: PauseReason::Watched { .. } | PauseReason::Drift { .. }, .. }
        | Phase::Aborting { .. }
        | Phase::Healthy
        | Phase::Degraded { .. } => false,
    };
    let watched = if watches { background::next(rollout) } else { None };
    [of_the_steps(rollout), watched].into_iter().flatten().min()
}

/// When the steps or the way home next do something by themselves.
fn of_the_steps(rollout: &Rollout) -> Option<Timestamp> {
    if let Some(in_flight) = &rollout.in_flight {
        return Some(in_flight.expires_at);
    }
    let after_trouble = |at: Timestamp| rollout.trouble.as_ref().map_or(at, |trouble| at.max(trouble.retry_at));
    match &rollout.phase {
        Phase::Healthy | Phase::Degraded { .. } => None,
        Phase::Paused { .. } if rollout.waits.gone.is_some() || rollout.waits.thin.is_some() => Some(polled(rollout)),
        Phase::Paused { reason: PauseReason::Step { until }, .. } if rollout.doubt.is_none() => *until,
        Phase::Paused { reason: PauseReason::Limited { until, .. }, .. } if rollout.doubt.is_none() => Some(*until),
        Phase::Paused { reason: PauseReason::Limited { until, .. }, .. } => {
            Some((*until).min(look::next_look(rollout)))
        }
        Phase::Paused { reason: PauseReason::Step { until }, .. } => {
            let next = look::next_look(rollout);
            Some(until.map_or(next, |until| until.min(next)))
        }
        Phase::Paused { reason: PauseReason::Person { .. }, .. }
        | Phase::Paused { reason: PauseReason::Inconclusive { .. }, .. }
        | Phase::Paused { reason: PauseReason::Watched { .. }, .. }
        | Phase::Paused { reason: PauseReason::Drift { .. }, .. } => None,
        Phase::Aborting { home, overtaken, .. } => Some(after_trouble(homeward(rollout, home, overtaken.as_ref()))),
        Phase::Progressing if rollout.doubt.is_some() || rollout.waits.gone.is_some() => Some(look::next_look(rollout)),
        Phase::Progressing if rollout.waits.thin.is_some() => {
            Some(after_trouble(forward(rollout).max(look::next_look(rollout)).min(polled(rollout))))
        }
        Phase::Progressing => Some(after_trouble(forward(rollout))),
    }
}

fn homeward(rollout: &Rollout, home: &Homeward, overtaken: Option<&InFlight>) -> Timestamp {
    let polled = polled(rollout);
    match home {
        Homeward::Weights | Homeward::Held { .. } => polled,
        Homeward::Draining { home_at, kept } => {
            if kept.is_some() {
                return polled;
            }
            // A write that was overtaken may still come, and then it is undone at the next look.
            let alone_at = overtaken.map_or(*home_at, |write| write.expires_at);
            let drained_at = *home_at + gate::drain(&rollout.baseline.canary, super::home::delay(rollout));
            if polled < alone_at.max(*home_at + gate::SETTLE) { polled } else { polled.max(drained_at) }
        }
    }
}

fn forward(rollout: &Rollout) -> Timestamp {
    match &rollout.step {
        StepState::Working { .. } => match &rollout.waits.frozen {
            Some(frozen) => frozen.until,
            None => polled(rollout),
        },
        StepState::Verified { at } => *at + gate::SETTLE,
        StepState::Waiting { until } => match (until, rollout.current()) {
            (Some(until), Step::CleanUp { .. }) => (*until).max(polled(rollout)),
            (Some(until), _) => *until,
            (None, _) => polled(rollout),
        },
        StepState::Judging { run } => {
            let next = run
                .tallies
                .iter()
                .filter_map(|tally| Some((tally, rollout.spec.metric(&tally.metric)?)))
                .filter(|(tally, metric)| tally.successful < metric.count)
                .map(|(tally, metric)| analysis::ready_at(tally, metric))
                .min();
            next.unwrap_or(run.started_at).max(run.not_before)
        }
    }
}

/// The next look of somebody who waits for what sends no event.
fn polled(rollout: &Rollout) -> Timestamp {
    match look::known(rollout) {
        Some(seen) => (seen.as_of + look::POLL).max(look::next_look(rollout)),
        None => look::next_look(rollout),
    }
}

/// Arms the chain where none is live, where the live one was lost, or where it would come too late.
pub fn arm(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) {
    let Some(due) = next_wake_up(rollout) else { return };
    let at = due.clamp(now.at + WORTH_IT, now.at + LONGEST_MESSAGE);
    let live = rollout.timer.armed_until.filter(|armed| *armed > now.at);
    if live.is_some_and(|armed| armed <= at + WORTH_IT) && !made(Mistake::TimerChainDoubled) {
        return;
    }
    rollout.timer.generation += u64::from(!made(Mistake::TimerChainDoubled));
    rollout.timer.armed_until = Some(at);
    effects.push(Effect::WakeAt { at, generation: rollout.timer.generation });
}
