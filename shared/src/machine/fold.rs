//! Facts in: each event is taken for what it is worth, before anything is decided.

use jiff::SignedDuration;

use super::effect::{Effect, Transition};
use super::event::{AlarmChange, Command, Event, TaskChange, Verb};
use super::{Now, Outcome, advance, announce, background, crash, drift, gone, harm, home, look, shortage, thin};
use crate::analysis::{self, Measured};
use crate::fault::{self, Fault, Refusal};
use crate::ids::ServiceArn;
use crate::mistake::{Mistake, made};
use crate::observation::{AlarmState, Observation};
use crate::plan::Step;
use crate::rollout::{AbortReason, Homeward, PauseReason, Phase, Rollout, StepState, TaskFact};
use crate::weight::Weight;

/// Tasks of the canary that are remembered: enough for the largest service's newest, few enough for the record.
const TASKS_MAX: usize = 32;
/// What somebody else did is believed when it is still seen so much later: a read may be this old.
pub const BELIEVED_AFTER: SignedDuration = SignedDuration::from_secs(10);
/// A share as it was before a write that was applied is a stale read, until it is still seen so much later.
const OLD_SHARE_BELIEVED_AFTER: SignedDuration = SignedDuration::from_secs(60);

/// Takes one event in.
pub fn fold(rollout: &mut Rollout, event: Event, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    match event {
        Event::Tick => {
            look::ask_if_older(rollout, look::WATCH, now, effects);
            Outcome::NoOp("a tick".to_owned())
        }
        Event::WakeUp { generation } => wake_up(rollout, generation),
        Event::Knock { what } => {
            look::ask(rollout, now, effects);
            Outcome::NoOp(format!("knocked: {what}"))
        }
        Event::Unplaced { service, reason } => unplaced(rollout, &service, &reason, now, effects),
        Event::Task(change) => task(rollout, change, now, effects),
        Event::Alarm(change) => alarm(rollout, &change, now, effects),
        Event::Observed(seen) => observed(rollout, *seen, now, effects),
        Event::Performed { token, outcome } => performed(rollout, token, outcome, now, effects),
        Event::Measured(measured) => took_measure(rollout, measured, now),
        Event::Command(command) => obey(rollout, &command, now, effects),
        Event::Successor(said) => super::successor::fold(rollout, *said, now, effects),
    }
}

/// What an event is worth after the end: nothing changes any more, and a command is told so.
pub fn after_the_end(rollout: &Rollout, event: &Event) -> Outcome {
    match event {
        Event::Command(command) => refuse(
            rollout,
            command.verb,
            &format!("it has ended ({})", rollout.phase.name()),
            "`start` begins another rollout; `retry` repeats one that went home",
        ),
        Event::Tick
        | Event::WakeUp { .. }
        | Event::Knock { .. }
        | Event::Unplaced { .. }
        | Event::Task(_)
        | Event::Alarm(_)
        | Event::Observed(_)
        | Event::Performed { .. }
        | Event::Successor(_)
        | Event::Measured(_) => Outcome::NoOp("the rollout has ended".to_owned()),
    }
}

fn wake_up(rollout: &mut Rollout, generation: u64) -> Outcome {
    if generation == rollout.timer.generation {
        rollout.timer.armed_until = None;
        Outcome::Applied("woken up".to_owned())
    } else {
        Outcome::NoOp("a timer of an older chain".to_owned())
    }
}

fn task(rollout: &mut Rollout, change: TaskChange, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    look::ask(rollout, now, effects);
    if change.service != rollout.baseline.canary.service {
        return Outcome::NoOp("a task of the stable side".to_owned());
    }
    if rollout.tasks.get(&change.task).is_some_and(|fact| fact.version >= change.version)
        && !made(Mistake::OldTaskEventTaken)
    {
        return Outcome::NoOp("an older version of the task".to_owned());
    }
    if let Some(outcome) = stopped(rollout, &change, now, effects) {
        return outcome;
    }
    if rollout.tasks.len() >= TASKS_MAX && !rollout.tasks.contains_key(&change.task) {
        let gone = rollout.tasks.iter().find(|(_, fact)| fact.last_status == "STOPPED").map(|(task, _)| task.clone());
        match gone {
            Some(task) => rollout.tasks.remove(&task),
            None => return Outcome::NoOp("more tasks than are remembered".to_owned()),
        };
    }
    let stopped_reason = change.stop_code.is_some().then_some(change.stopped_reason).flatten();
    let fact = TaskFact { version: change.version, last_status: change.last_status, stopped_reason };
    let message = format!("a task of the canary is {}", fact.last_status);
    rollout.tasks.insert(change.task, fact);
    Outcome::Applied(message)
}

/// Takes note of why a task of the canary stopped; says so where that sends the rollout home.
fn stopped(rollout: &mut Rollout, change: &TaskChange, now: Now, effects: &mut Vec<Effect>) -> Option<Outcome> {
    match crash::stop(change) {
        crash::Stop::Wanted => None,
        crash::Stop::NoRoom(what) => {
            shortage::note(rollout, &what, now, effects);
            None
        }
        crash::Stop::Crash(cause) => {
            let reason = crash::note(rollout, change, cause, now)?;
            match rollout.phase {
                Phase::Progressing | Phase::Paused { .. } => Some(go_home(rollout, reason, now, effects)),
                Phase::Aborting { .. } | Phase::Healthy | Phase::Degraded { .. } => None,
            }
        }
    }
}

fn unplaced(rollout: &mut Rollout, service: &ServiceArn, reason: &str, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    look::ask(rollout, now, effects);
    if *service != rollout.baseline.canary.service || matches!(rollout.phase, Phase::Aborting { .. }) {
        return Outcome::NoOp(format!("no place for a task of {}: {reason}", service.name()));
    }
    shortage::note(rollout, reason, now, effects);
    Outcome::Applied(format!("no place for a task of the canary: {reason}"))
}

fn alarm(rollout: &mut Rollout, change: &AlarmChange, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    let watched = rollout.baseline.alarms.iter().find(|(_, arn)| **arn == change.alarm);
    let Some(name) = watched.map(|(name, _)| name.clone()) else {
        return Outcome::NoOp("an alarm that this rollout does not watch".to_owned());
    };
    match change.state {
        // An OK never resumes what an ALARM stopped, and missing data is no news.
        AlarmState::Ok | AlarmState::InsufficientData => Outcome::NoOp(format!("{name} is not in ALARM")),
        AlarmState::Alarm if change.at < rollout.started_at => {
            Outcome::NoOp(format!("{name} went to ALARM before this rollout began"))
        }
        AlarmState::Alarm if made(Mistake::AlarmNotLatched) => {
            look::ask(rollout, now, effects);
            Outcome::NoOp(format!("{name} is looked at"))
        }
        AlarmState::Alarm => go_home(rollout, AbortReason::Alarm { name }, now, effects),
    }
}

fn go_home(rollout: &mut Rollout, reason: AbortReason, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    if rollout.promoted_at.is_some() {
        return Outcome::NoOp("promoted: only another rollout leads back".to_owned());
    }
    match rollout.phase {
        Phase::Aborting { home: Homeward::Weights, .. } => {
            // Whoever wrote home may be dead: told again, look at once instead of waiting for the lease. Writing
            // home twice harms nobody. A deployment that is in the air is waited for: it would outlive the rollout.
            if rollout.in_flight.is_some() && !home::nothing_to_write(rollout) {
                advance::lost(rollout, now);
            }
            Outcome::Applied("it is on its way home: looked for at once".to_owned())
        }
        Phase::Aborting { home: Homeward::Held { ref why }, .. } => {
            Outcome::NoOp(format!("home is held, {why}: bring its targets back, or move the weights by hand"))
        }
        Phase::Aborting { home: Homeward::Draining { .. }, .. } => Outcome::NoOp("the weights are home".to_owned()),
        Phase::Progressing | Phase::Paused { .. } | Phase::Healthy | Phase::Degraded { .. } => {
            let message = format!("goes home: {reason}");
            home::turn(rollout, reason, now, effects);
            Outcome::Applied(message)
        }
    }
}

fn observed(rollout: &mut Rollout, seen: Observation, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    // An alarm is latched whenever it is seen, whatever has been written since.
    let in_alarm = seen.alarms.known().and_then(|alarms| {
        let found = alarms.iter().find(|(_, state)| **state == AlarmState::Alarm);
        found.map(|(name, _)| name.clone())
    });
    let newer = rollout.seen.as_ref().is_none_or(|before| seen.generation > before.generation);
    let counts = rollout.in_flight.is_none() && seen.generation > rollout.answered && newer;
    let drift = counts.then(|| drift::found(rollout, &seen)).flatten();
    if counts {
        drift::note(rollout, &seen);
        gone::note(rollout, &seen);
        thin::note(rollout, &seen);
        shortage::look(rollout, &seen);
    }
    let harm = counts.then(|| harm::found(rollout, &seen)).flatten();
    let as_of = seen.as_of;
    if counts {
        rollout.looking = None;
        rollout.seen = Some(seen);
    }
    if let Some(name) = in_alarm
        && rollout.promoted_at.is_none()
        && !matches!(rollout.phase, Phase::Aborting { .. })
    {
        return go_home(rollout, AbortReason::Alarm { name }, now, effects);
    }
    if !counts {
        return Outcome::NoOp("a look from before the last write".to_owned());
    }
    if let Some(why) = harm
        && rollout.promoted_at.is_none()
        && !matches!(rollout.phase, Phase::Aborting { .. })
    {
        return go_home(rollout, AbortReason::Unhealthy { why }, now, effects);
    }
    if let Some(gone) = rollout.waits.gone.clone() {
        rollout.doubt = None;
        gone::turn(rollout, now, effects);
        return Outcome::Applied(format!("it is gone: {}", gone.what));
    }
    let undisturbed = match &rollout.phase {
        Phase::Progressing => true,
        Phase::Paused { reason, .. } => match reason {
            PauseReason::Step { .. } | PauseReason::Limited { .. } => true,
            PauseReason::Person { .. }
            | PauseReason::Inconclusive { .. }
            | PauseReason::Watched { .. }
            | PauseReason::Drift { .. } => false,
        },
        Phase::Aborting { .. } | Phase::Healthy | Phase::Degraded { .. } => false,
    };
    let Some(what) = drift.filter(|_| undisturbed) else {
        rollout.doubt = None;
        return Outcome::Applied("looked".to_owned());
    };
    let first = *rollout.doubt.get_or_insert(as_of);
    let believed_after = if drift::is_old_share(rollout) { OLD_SHARE_BELIEVED_AFTER } else { BELIEVED_AFTER };
    if as_of >= first + believed_after {
        rollout.doubt = None;
        let message = format!("somebody else was here: {what}");
        advance::hold(rollout, PauseReason::Drift { what }, now, effects);
        return Outcome::Applied(message);
    }
    Outcome::Applied(format!("looks again before it believes: {what}"))
}

fn performed(
    rollout: &mut Rollout,
    token: u64,
    outcome: fault::Outcome,
    now: Now,
    effects: &mut Vec<Effect>,
) -> Outcome {
    let Some(in_flight) = rollout.in_flight.clone().filter(|in_flight| in_flight.token == token) else {
        return overtaken(rollout, token, &outcome, now);
    };
    advance::answered(rollout);
    match outcome {
        fault::Outcome::Applied => {
            rollout.trouble = None;
            rollout.applied = rollout.applied.max(in_flight.canary.unwrap_or(Weight::ZERO));
            Outcome::Applied(format!("done: {}", in_flight.what))
        }
        fault::Outcome::Unknown { why } => {
            advance::note_trouble(rollout, why.clone(), now);
            Outcome::Applied(format!("unknown whether done: {}: {why}", in_flight.what))
        }
        fault::Outcome::NotApplied { fault: Fault::Permanent { reason, why } } => {
            let why = format!("{}: {reason}: {why}", in_flight.what);
            blocked(rollout, why.clone(), now, effects);
            Outcome::Applied(format!("refused: {why}"))
        }
        fault::Outcome::NotApplied { fault: fault @ (Fault::Transient { .. } | Fault::Conflict { .. }) } => {
            advance::note_trouble(rollout, fault.to_string(), now);
            Outcome::Applied(format!("not done: {}: {fault}", in_flight.what))
        }
    }
}

/// The answer to a write that the way home overtook: what was seen before it says nothing.
fn overtaken(rollout: &mut Rollout, token: u64, outcome: &fault::Outcome, now: Now) -> Outcome {
    let Phase::Aborting { overtaken, .. } = &mut rollout.phase else {
        return Outcome::NoOp("the answer to an older write".to_owned());
    };
    let Some(write) = overtaken.as_mut().filter(|write| write.token == token) else {
        return Outcome::NoOp("the answer to an older write".to_owned());
    };
    match outcome {
        fault::Outcome::Applied | fault::Outcome::NotApplied { .. } => *overtaken = None,
        fault::Outcome::Unknown { .. } => {
            write.expires_at = write.expires_at.min(now.at + now.transport(advance::STRAGGLES));
        }
    }
    if rollout.in_flight.is_none() {
        advance::answered(rollout);
    }
    Outcome::Applied("the write that the way home overtook has ended".to_owned())
}

/// A forward write that stays refused sends the rollout home. The way home itself is tried on, and a person called.
fn blocked(rollout: &mut Rollout, why: String, now: Now, effects: &mut Vec<Effect>) {
    advance::note_trouble(rollout, why.clone(), now);
    match rollout.phase {
        Phase::Aborting { .. } => effects.push(announce(rollout, Transition::RollbackBlocked, why, now)),
        Phase::Progressing | Phase::Paused { .. } if rollout.promoted_at.is_none() => {
            home::turn(rollout, AbortReason::Blocked { why }, now, effects);
        }
        Phase::Progressing | Phase::Paused { .. } | Phase::Healthy | Phase::Degraded { .. } => {}
    }
}

fn took_measure(rollout: &mut Rollout, measured: Measured, now: Now) -> Outcome {
    if background::take(rollout, &measured, now) {
        return Outcome::Applied("measured in the background".to_owned());
    }
    let spec = &rollout.spec;
    match &mut rollout.step {
        StepState::Judging { run } if run.run == measured.run && run.asked == Some(measured.generation) => {
            analysis::take(run, spec, measured.readings, now.at);
            Outcome::Applied("measured".to_owned())
        }
        StepState::Judging { .. }
        | StepState::Working { .. }
        | StepState::Verified { .. }
        | StepState::Waiting { .. } => Outcome::NoOp("the answer to an older question".to_owned()),
    }
}

fn obey(rollout: &mut Rollout, command: &Command, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    // Whoever wants it home wants it home from every step.
    if let Some(expected) = command.expected_step
        && expected != rollout.cursor
        && command.verb != Verb::Abort
    {
        // People count steps from 1.
        let (is, seen) = (rollout.cursor + 1, expected.saturating_add(1));
        let why = format!("it is at step {is} ({}), not at step {seen}", rollout.current());
        return refuse(rollout, command.verb, &why, "look again with `get`, then repeat the verb if it still fits");
    }
    if let Err(broken) = rollout.assert_valid()
        && command.verb != Verb::Abort
    {
        return refuse(rollout, command.verb, &broken, "nothing but `abort` is safe any more");
    }
    match command.verb {
        Verb::Abort => abort(rollout, command, now, effects),
        Verb::Pause => pause(rollout, command, now, effects),
        Verb::Resume => resume(rollout, now, effects),
        Verb::Promote => promote(rollout, now, effects),
        Verb::PromoteFull => super::full::promote(rollout, command, now, effects),
    }
}

fn abort(rollout: &mut Rollout, command: &Command, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    if rollout.promoted_at.is_some() {
        let hint = "the way back is a new rollout: `undo`";
        return refuse(rollout, Verb::Abort, "it has been promoted", hint);
    }
    go_home(rollout, AbortReason::Person { by: command.by.clone() }, now, effects)
}

fn pause(rollout: &mut Rollout, command: &Command, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    match &rollout.phase {
        Phase::Progressing | Phase::Paused { reason: PauseReason::Step { .. } | PauseReason::Limited { .. }, .. } => {
            advance::hold(rollout, PauseReason::Person { by: command.by.clone() }, now, effects);
            Outcome::Applied("paused".to_owned())
        }
        // Whoever else paused it may resume it: a second pause that seems to have worked would be lost with the first.
        Phase::Paused { reason, .. } => {
            let why = format!("it is paused already: {reason}");
            refuse(rollout, Verb::Pause, &why, "nothing moves until somebody ends that pause; then `pause` again")
        }
        Phase::Aborting { .. } | Phase::Healthy | Phase::Degraded { .. } => {
            refuse(rollout, Verb::Pause, "it is on its way home", "nothing holds up the way home")
        }
    }
}

fn resume(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    let reason = match &rollout.phase {
        Phase::Paused { reason, .. } => reason.clone(),
        Phase::Progressing | Phase::Aborting { .. } | Phase::Healthy | Phase::Degraded { .. } => {
            return refuse(rollout, Verb::Resume, "it is not paused", "`get` shows what it waits for");
        }
    };
    match reason {
        PauseReason::Step { .. } | PauseReason::Limited { .. } => {
            return refuse(
                rollout,
                Verb::Resume,
                "this is a pause of the plan, not a person's",
                "`promote` ends it and goes on with the next step",
            );
        }
        PauseReason::Inconclusive { .. } => advance::again(rollout, now),
        PauseReason::Watched { .. } => {
            background::again(rollout, now);
            advance::forgive_waiting(rollout, now);
        }
        // What was measured while somebody else had a hand on it says nothing about the plan's weight.
        PauseReason::Drift { .. } if matches!(rollout.step, StepState::Judging { .. }) => {
            advance::again(rollout, now);
        }
        PauseReason::Person { .. } | PauseReason::Drift { .. } => {
            advance::forgive_waiting(rollout, now);
        }
    }
    background::from_here(rollout, now.at);
    // What was seen before the pause carries nothing after it.
    if rollout.in_flight.is_none() {
        advance::answered(rollout);
    }
    rollout.phase = Phase::Progressing;
    let message = format!("{} goes on at {}", rollout.spec.name, rollout.current());
    effects.push(announce(rollout, Transition::RolloutResumed, message.clone(), now));
    Outcome::Applied(message)
}

fn promote(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    if made(Mistake::PromoteOutranksAbort) && matches!(rollout.phase, Phase::Aborting { .. }) {
        advance::pass(rollout, now, effects);
        return Outcome::Applied("passed the way home".to_owned());
    }
    match &rollout.phase {
        Phase::Paused {
            reason: PauseReason::Step { .. } | PauseReason::Limited { .. } | PauseReason::Inconclusive { .. },
            ..
        } => {
            let passed = rollout.current().to_string();
            // An analysis that could not tell was passed, and never successful.
            if let Step::Analysis { .. } = rollout.current() {
                rollout.wishes.skipped.insert(rollout.cursor);
            }
            advance::pass(rollout, now, effects);
            Outcome::Applied(format!("passed {passed}"))
        }
        Phase::Paused {
            reason: reason @ (PauseReason::Person { .. } | PauseReason::Watched { .. } | PauseReason::Drift { .. }),
            ..
        } => {
            let why = format!("it is paused: {reason}");
            refuse(rollout, Verb::Promote, &why, "`resume` lets it go on, `abort` sends it home")
        }
        Phase::Progressing => {
            let why = match rollout.current() {
                Step::Analysis { .. } => "an analysis is under way".to_owned(),
                Step::Deploy { .. }
                | Step::Scale { .. }
                | Step::Preview { .. }
                | Step::HeaderRoute { .. }
                | Step::RemoveRoutes
                | Step::SetWeight { .. }
                | Step::Pause { .. }
                | Step::Watch { .. }
                | Step::Bake { .. }
                | Step::Promote
                | Step::CleanUp { .. } => format!("nothing is paused: it is at {}", rollout.current()),
            };
            refuse(
                rollout,
                Verb::Promote,
                &why,
                "it goes on by itself; `promote` only ends a pause, `promote --full` passes over what is left",
            )
        }
        Phase::Aborting { .. } | Phase::Healthy | Phase::Degraded { .. } => {
            let why = format!("it is {}", rollout.phase.name());
            refuse(
                rollout,
                Verb::Promote,
                &why,
                "wait for `Degraded`, then `retry` the same revision or `start` another",
            )
        }
    }
}

/// Refuses a verb: why, and what to do.
pub fn refuse(rollout: &Rollout, verb: Verb, why: &str, hint: &str) -> Outcome {
    let why = format!("cannot {verb} `{}`: {why}", rollout.id);
    Outcome::Refused(Refusal::new(why, hint))
}
