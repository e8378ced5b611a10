//! The council: decides, and does nothing. No clock, no randomness, no IO, no error type.
//!
//! Facts are folded in, then the cursor advances as far as they carry, and what is still missing becomes effects.
//! Effects are absolute and are emitted again until an observation proves them.
#![deny(clippy::wildcard_enum_match_arm)]

mod advance;
mod again;
mod background;
mod crash;
mod deadline;
mod drift;
pub mod effect;
pub mod event;
mod fold;
mod freeze;
mod full;
mod gate;
mod gone;
mod harm;
mod home;
mod look;
mod patience;
mod preview;
pub mod report;
mod route;
mod shortage;
mod successor;
#[cfg(test)]
mod tests;
mod thin;
mod timer;

use jiff::{SignedDuration, Timestamp};

pub use again::passed_by_a_retry;
pub use drift::share;
pub use report::report;
pub use timer::next_wake_up;

use crate::ids::RolloutId;
use crate::mistake::{Mistake, made};
use crate::plan::Plan;
use crate::rollout::{Baseline, CanaryAsk, Phase, Preview, Rollout, Routes, SCHEMA, StepState, Timer, Waits, Wishes};
use crate::spec::RolloutSpec;
use crate::weight::Weight;
use effect::{Announcement, Effect, Transition};
use event::Event;

/// What time it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// Domain time: pauses, metrics, health, bakes.
    pub at: Timestamp,
    /// Seconds of domain time per second of transport time: 1, except in a sandbox that runs faster.
    pub rate: u32,
}

impl Now {
    /// Returns how long a span of transport time (leases, time-outs, freshness) is in domain time.
    pub fn transport(self, span: SignedDuration) -> SignedDuration {
        span * i32::try_from(self.rate).unwrap_or(i32::MAX)
    }
}

/// What one step gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The record after it.
    pub rollout: Rollout,
    /// What is to be done, in order.
    pub effects: Vec<Effect>,
    /// What became of each event, in order.
    pub outcomes: Vec<Outcome>,
}

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken in.
    Applied(String),
    /// It says nothing new, or nothing about this rollout.
    NoOp(String),
    /// A command that is not to be carried out here and now.
    Refused(crate::fault::Refusal),
}

/// Takes events in, all of them before anything is decided, and decides once.
///
/// Total: no input makes it panic. The same arguments give the same answer.
pub fn step(mut rollout: Rollout, events: Vec<Event>, now: Now) -> Step {
    let mut effects = Vec::new();
    let mut outcomes = Vec::with_capacity(events.len());
    for event in events {
        let outcome = if let Event::Successor(said) = event {
            successor::fold(&mut rollout, *said, now, &mut effects)
        } else if rollout.is_finished() && !made(Mistake::TerminalNotFinal) {
            fold::after_the_end(&rollout, &event)
        } else {
            fold::fold(&mut rollout, event, now, &mut effects)
        };
        outcomes.push(outcome);
    }
    if !rollout.is_finished() {
        advance::advance(&mut rollout, now, &mut effects);
        timer::arm(&mut rollout, now, &mut effects);
    }
    Step { rollout, effects, outcomes }
}

impl Rollout {
    /// Makes the record of a rollout whose baseline has been checked; the first `step` moves it.
    pub fn begin(
        id: RolloutId,
        spec: RolloutSpec,
        plan: Plan,
        baseline: Baseline,
        started_by: String,
        now: Now,
    ) -> (Self, Vec<Effect>) {
        let message = format!("{} begins to move to {}", spec.name, baseline.revision.short());
        let rollout = Self {
            schema: SCHEMA,
            id,
            spec,
            plan,
            baseline,
            started_by,
            started_at: now.at,
            promoted_at: None,
            ended_at: None,
            phase: Phase::Progressing,
            cursor: 0,
            step: StepState::Working { since: now.at, progress_at: now.at, best: 0 },
            entered: vec![now.at],
            commanded: Weight::ZERO,
            verified: Weight::ZERO,
            verified_at: now.at,
            preview: Preview::default(),
            applied: Weight::ZERO,
            routes: Routes::default(),
            asked_of_canary: CanaryAsk::Nothing,
            generation: 0,
            answered: 0,
            in_flight: None,
            looking: None,
            seen: None,
            timer: Timer::default(),
            doubt: None,
            watching: None,
            waits: Waits::default(),
            wishes: Wishes::default(),
            trouble: None,
            tasks: std::collections::BTreeMap::new(),
        };
        let started = announce(&rollout, Transition::RolloutStarted, message, now);
        (rollout, vec![started])
    }

    /// Checks what must hold of every record that was ever committed; a record that breaks it is not acted on,
    /// except to go home.
    pub fn assert_valid(&self) -> Result<(), String> {
        let checks = [
            (!self.plan.steps.is_empty(), "its plan has no step"),
            (self.cursor < self.plan.steps.len(), "the cursor is behind the last step"),
            (self.entered.len() == self.cursor + 1, "not every step so far has the time when it began"),
            (self.answered <= self.generation, "an answer is newer than its question"),
            (!self.baseline.rules.is_empty(), "there is no rule to go home on"),
            (self.verified <= self.plan.highest_until(self.cursor), "the canary has more than the plan gives it"),
            (self.is_finished() == self.ended_at.is_some(), "its end has no time, or its time no end"),
        ];
        match checks.iter().find(|(holds, _)| !holds) {
            Some((_, broken)) => Err(format!("{}: {broken}", self.id)),
            None => Ok(()),
        }
    }
}

/// Makes the announcement of a transition.
fn announce(rollout: &Rollout, what: Transition, message: String, now: Now) -> Effect {
    Effect::Announce(Announcement { rollout: rollout.id.clone(), what, message, at: now.at })
}
