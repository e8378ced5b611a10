//! What must hold at every commit and at every pull of a lever, whatever happens around.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use tidegate::machine::{self, Now};
use tidegate::observation::RuleSeen;
use tidegate::rollout::{Phase, Rollout};
use tidegate::weight::Weight;

/// A performer that was checked just before an abort became durable ends within this time: a write that comes later
/// is a breach.
const LOSERS_END: SignedDuration = SignedDuration::from_secs(45);

/// Everything that was found broken in a run, and what is needed to find it.
#[derive(Debug, Default)]
pub struct Watch {
    /// Breaches, in the order in which they were found.
    pub broken: Vec<String>,
    /// The record as it is durable.
    pub latest: Option<Rollout>,
    /// When the abort became durable.
    pub aborting_since: Option<Timestamp>,
    /// Delayed messages sent, by generation.
    pub armed: BTreeMap<u64, u32>,
    /// When a person last changed weights by hand.
    pub edited_at: Option<Timestamp>,
    /// Pauses for drift.
    pub drifts: u32,
}

impl Watch {
    /// Notes a breach.
    pub fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(what());
        }
    }

    /// Looks at a record that was just made durable.
    pub fn committed(&mut self, rollout: &Rollout, now: Timestamp) {
        let before = self.latest.replace(rollout.clone());
        let at = rollout.phase.name();
        self.check(rollout.assert_valid().is_ok(), || format!("{now}: {:?}", rollout.assert_valid()));
        let report = machine::report(rollout, Now { at: now, rate: 1 });
        self.check(rollout.is_finished() || !report.waiting_on.is_empty(), || format!("{now}: {at} waits for nothing"));
        let wakes = report.next_wake_up.is_some() || report.needs_person || rollout.is_finished();
        self.check(wakes, || format!("{now}: {at} neither wakes up nor names a person"));
        self.check(rollout.commanded <= rollout.plan.highest_until(rollout.cursor), || {
            format!("{now}: {} % was asked for at {}", rollout.commanded, rollout.current())
        });
        if matches!(rollout.phase, Phase::Aborting { .. }) {
            self.aborting_since.get_or_insert(now);
        }
        let Some(before) = before.filter(|before| before.id == rollout.id) else { return };
        self.check(!before.is_finished(), || format!("{now}: a commit after the end"));
        self.check(before.cursor <= rollout.cursor, || format!("{now}: the cursor went back"));
        self.check(before.promoted_at.is_none() || before.promoted_at == rollout.promoted_at, || {
            format!("{now}: the promotion was taken back")
        });
        let homeward = matches!(before.phase, Phase::Aborting { .. });
        let still = matches!(rollout.phase, Phase::Aborting { .. } | Phase::Degraded { .. });
        self.check(!homeward || still, || format!("{now}: {at} after Aborting"));
        let may_abort = rollout.promoted_at.is_none() || !still;
        self.check(may_abort, || format!("{now}: {at} after the promotion"));
        if before.phase.name() != at
            && matches!(&rollout.phase, Phase::Paused { reason, .. } if format!("{reason:?}").starts_with("Drift"))
        {
            self.drifts += 1;
        }
    }

    /// Looks at a weight that is about to be written on a rule.
    pub fn weighs(&mut self, canary: Weight, live: Weight, now: Timestamp) {
        let Some(rollout) = &self.latest else { return };
        let most = rollout.plan.highest_until(rollout.cursor);
        let step = rollout.current().to_string();
        let aborted = self.aborting_since.is_some_and(|since| now > since + LOSERS_END);
        let finished = rollout.is_finished();
        self.check(canary <= most, || format!("{now}: {canary} % is written at {step}, the plan gives {most} %"));
        self.check(canary <= live || !aborted, || format!("{now}: {canary} % is written after the abort"));
        self.check(canary == live || !finished, || format!("{now}: {canary} % is written after the end"));
    }

    /// Looks at a service that is about to lose tasks.
    pub fn shrinks(&mut self, service: &str, from: u32, to: u32, rules: &[RuleSeen], now: Timestamp) {
        let Some(rollout) = &self.latest else { return };
        let edited = self.edited_at.is_some_and(|at| now < at + SignedDuration::from_secs(30));
        if to >= from || edited {
            return;
        }
        let sides = [&rollout.baseline.stable, &rollout.baseline.canary];
        let Some(side) = sides.into_iter().find(|side| side.service.as_str() == service) else { return };
        let (stable, canary) = (&rollout.baseline.stable.group, &rollout.baseline.canary.group);
        let shares = rules.iter().filter_map(|rule| machine::share(rule, stable, canary).ok());
        let weighted = shares
            .into_iter()
            .any(|share| if side.group == *canary { share > Weight::ZERO } else { share < Weight::FULL });
        self.check(!weighted, || format!("{now}: {service} goes from {from} to {to} tasks while it has weight"));
    }

    /// Looks at a delayed message that is sent.
    pub fn arms(&mut self, generation: u64) {
        *self.armed.entry(generation).or_default() += 1;
    }
}
