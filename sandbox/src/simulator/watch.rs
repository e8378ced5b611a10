//! The checkers: at every commit and at every pull of a lever.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use tidegate::analysis::Found;
use tidegate::audit::AuditEntry;
use tidegate::ids::{ServiceArn, TargetGroupArn, TaskDefinitionArn};
use tidegate::machine::effect::{Effect, Write};
use tidegate::machine::event::Event;
use tidegate::machine::{self, Now};
use tidegate::observation::{Action, AlarmState, RuleRef, RuleSeen};
use tidegate::plan::Step;
use tidegate::rollout::{Homeward, InFlight, PauseReason, Phase, Rollout, StepState, Wishes};
use tidegate::weight::Weight;

use super::checks::{Check, Ledger};
use super::dice::mix;
use super::story::in_a_word;
use crate::world::UserErrors;

/// A performer that was checked just before an abort became durable ends within this time: a write that comes later
/// is a breach.
const LOSERS_END: SignedDuration = SignedDuration::from_secs(45);
/// A weight is raised on a look of this age at most, and so much on top for the call that follows it.
const FRESH: SignedDuration = SignedDuration::from_secs(15 + 15);
/// How long nodes take to follow a rule, at least so much of it.
const SETTLES: SignedDuration = SignedDuration::from_secs(10);
/// What a clock may be wrong by, twice.
const SKEW: SignedDuration = SignedDuration::from_secs(11);
/// After the last deed of somebody else, what users see is put down to it for so long.
const BLAME: SignedDuration = SignedDuration::from_mins(20);
/// Somebody else's hand on the weights is found within this time, where nothing keeps it from being looked for.
const FOUND_WITHIN: SignedDuration = SignedDuration::from_mins(4);
/// Largest record, in bytes of JSON.
const RECORD_MAX: usize = 64 * 1024;

/// Everything that is known of a run, and what was found.
#[derive(Debug, Default)]
pub struct Watch {
    /// What was checked.
    pub ledger: Ledger,
    /// The record as it is durable.
    pub latest: Option<Rollout>,
    /// Whether steps are taken again, to compare.
    pub repeats_steps: bool,
    /// Commits so far.
    pub commits: u64,
    /// What happened, line by line, where somebody wants to read it.
    pub story: Option<Vec<String>>,
    /// A number that every commit went into.
    pub digest: u64,
    /// Calls of the ports so far.
    pub calls: u64,
    /// The version that is durable.
    sequence: u64,
    /// When the abort became durable.
    aborting_since: Option<Timestamp>,
    /// Delayed messages sent, by generation.
    pub armed: BTreeMap<u64, u32>,
    /// When somebody else last had a hand on what the rollout holds.
    pub deed_at: Option<Timestamp>,
    /// What somebody wrote on a rule, while it is there.
    edited: BTreeMap<RuleRef, (Vec<Action>, Timestamp)>,
    /// Pauses for drift.
    pub drifts: u32,
    /// The canary's share on each rule as it is, and since when it is nothing or everything.
    live: BTreeMap<RuleRef, Weight>,
    off_canary_since: Option<Timestamp>,
    off_stable_since: Option<Timestamp>,
    /// Answers about the health of a group: when, and how many were healthy.
    health: BTreeMap<TargetGroupArn, Vec<(Timestamp, u32)>>,
    /// Good measurements taken in by the current analysis.
    good: u64,
    tokens: BTreeSet<u64>,
    token_last: u64,
    /// What each invocation loaded last.
    loaded: BTreeMap<u64, Option<InFlight>>,
    /// User errors as last looked at, and what of them is put down to whom.
    errors: UserErrors,
    /// Those that nobody but the controller can have made.
    pub ours: UserErrors,
    /// Those after a deed of somebody else.
    pub theirs: UserErrors,
    /// Since when the live weights are not the controller's, while it is undisturbed.
    foreign_since: Option<Timestamp>,
    /// Whether the new revision's tasks stay healthy once they are.
    pub revision_stays: bool,
    /// Whether the mask has people in it, and what may keep a look from being taken.
    pub people: bool,
    pub blinded: bool,
}

impl Watch {
    fn check(&mut self, check: Check, now: Timestamp, holds: bool, what: impl FnOnce() -> String) {
        self.ledger.check(check, now, holds, what);
    }

    /// Adds a line to the story.
    pub fn tell(&mut self, now: Timestamp, what: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{now:.1} {}", what()));
        }
    }

    /// Another rollout begins where one has ended.
    pub fn anew(&mut self) {
        self.latest = None;
        self.aborting_since = None;
        self.tokens.clear();
        self.token_last = 0;
        self.armed.clear();
        self.good = 0;
    }

    /// Looks at the record of a rollout that has just begun.
    pub fn begun(&mut self, rollout: &Rollout, rules: &[RuleSeen], now: Timestamp) {
        let other = self.latest.as_ref().is_some_and(|other| !other.is_finished() && other.id != rollout.id);
        self.check(Check::S1, now, !other, || format!("{} begins while another one is active", rollout.id));
        let new = rollout.commanded == Weight::ZERO && rollout.cursor == 0;
        self.check(Check::S14, now, new, || format!("{} begins at step {}", rollout.id, rollout.cursor));
        self.anew();
        self.see_rules(rollout, rules, now);
        self.sequence = 1;
        self.commits += 1;
        self.latest = Some(rollout.clone());
    }

    /// Looks at a record that was just made durable, and at the entry beside it.
    pub fn committed(&mut self, rollout: &Rollout, entry: &AuditEntry, now: Timestamp) {
        self.commits += 1;
        let at = rollout.generation ^ (rollout.cursor as u64) << 32 ^ now.as_nanosecond() as u64;
        self.digest = mix(self.digest, at, entry.sequence);
        self.tell(now, || {
            let effects: Vec<String> = entry.effects.iter().map(in_a_word).collect();
            format!(
                "{} {} {} [{}] → {}",
                entry.sequence,
                rollout.phase.name(),
                rollout.current(),
                entry.outcome,
                effects.join(", ")
            )
        });
        let Some(before) = self.latest.replace(rollout.clone()) else { return };
        if before.id != rollout.id {
            return;
        }
        self.of_the_store(&before, rollout, entry, now);
        self.of_what_came_in(&before, rollout, entry, now);
        self.of_the_steps(&before, rollout, entry, now);
        self.of_the_way_home(&before, rollout, entry, now);
        self.of_what_goes_out(rollout, entry, now);
        if self.repeats_steps {
            self.again(&before, rollout, entry, now);
        }
    }

    fn of_the_store(&mut self, before: &Rollout, after: &Rollout, entry: &AuditEntry, now: Timestamp) {
        let next = self.sequence + 1;
        self.check(Check::S2, now, entry.sequence == next, || format!("{} follows {}", entry.sequence, next - 1));
        self.sequence = entry.sequence;
        self.check(Check::S13, now, !before.is_finished(), || format!("a commit after {}", before.phase.name()));
        let pinned = before.plan == after.plan && before.baseline == after.baseline && before.spec == after.spec;
        self.check(Check::S9, now, pinned, || "spec, plan or baseline changed".to_owned());
        let valid = after.assert_valid();
        self.check(Check::Wait, now, valid.is_ok(), || format!("{valid:?}"));
        let report = machine::report(after, Now { at: now, rate: 1 });
        let named = after.is_finished() || !report.waiting_on.is_empty();
        let wakes = report.next_wake_up.is_some() || report.needs_person || after.is_finished();
        self.check(Check::Wait, now, named && wakes, || {
            format!(
                "{} waits for {:?}, and wakes up at {:?}",
                after.phase.name(),
                report.waiting_on,
                report.next_wake_up
            )
        });
        if self.commits.is_multiple_of(16) {
            let size = serde_json::to_string(after).map_or(0, |text| text.len());
            self.check(Check::S11, now, size < RECORD_MAX, || format!("the record has {size} bytes"));
        }
    }

    fn of_the_steps(&mut self, before: &Rollout, after: &Rollout, entry: &AuditEntry, now: Timestamp) {
        self.check(Check::S13, now, before.cursor <= after.cursor, || "the cursor went back".to_owned());
        let forward = |phase: &Phase| matches!(phase, Phase::Progressing | Phase::Paused { .. });
        if forward(&before.phase) && forward(&after.phase) {
            let (was, is) = (before.commanded, after.commanded);
            self.check(Check::T4, now, is >= was, || format!("{was} % was asked for, and then {is} %"));
        }
        let most = after.plan.highest_until(after.cursor);
        self.check(Check::T5, now, after.commanded <= most, || format!("{} % is asked for", after.commanded));
        let newly = |state: &StepState| matches!(state, StepState::Verified { .. });
        if newly(&after.step) && (!newly(&before.step) || before.cursor != after.cursor) {
            let all = self.live.values().all(|share| *share == after.verified);
            let live: Vec<String> = self.live.values().map(ToString::to_string).collect();
            let others = self.deeds_within(SignedDuration::from_secs(60), now);
            self.check(Check::T8, now, all || others, || {
                format!("{} % is verified, live are {live:?}", after.verified)
            });
        }
        let wished = after.wishes != Wishes::default() || before.wishes != Wishes::default();
        let told = wished || entry.inputs.iter().any(|input| matches!(input, Event::Command(_)));
        for index in before.cursor..after.cursor {
            self.left(before, after, index, told, now);
        }
        self.good = if before.cursor == after.cursor { self.good } else { 0 };
        if let (Phase::Paused { .. }, Phase::Paused { .. }) = (&before.phase, &after.phase) {
            let wrote = entry.effects.iter().any(|effect| matches!(effect, Effect::Perform { .. }));
            self.check(Check::H5, now, !wrote, || "something is written while it is paused".to_owned());
        }
        if before.phase.name() != after.phase.name()
            && let Phase::Paused { reason: PauseReason::Drift { what }, .. } = &after.phase
        {
            self.drifts += 1;
            let what = what.clone();
            let somebody = self.people || self.deed_at.is_some();
            self.check(Check::H2, now, somebody, || format!("nobody was there, and yet: {what}"));
        }
    }

    /// A step was left.
    fn left(&mut self, before: &Rollout, after: &Rollout, index: usize, told: bool, now: Timestamp) {
        let Some(step) = after.plan.steps.get(index) else { return };
        let Some(entered) = after.entered.get(index).copied() else { return };
        let for_long = |least: SignedDuration| now + SKEW >= entered + least;
        if let Step::Pause { duration: Some(duration), .. } = step
            && !told
        {
            self.check(Check::T6, now, for_long(*duration), || format!("{step} was left after {entered}"));
        }
        if let Step::Bake { duration } = step {
            self.check(Check::T6, now, for_long(*duration), || format!("{step} was left, entered at {entered}"));
        }
        if let Step::SetWeight { .. } = step
            && !told
        {
            let settled = index == before.cursor
                && matches!(before.step, StepState::Verified { at } if now + SKEW >= at + SETTLES);
            self.check(Check::T6, now, settled, || format!("{step} was left in {:?}", before.step));
        }
        if let Step::Analysis { metrics } = step
            && !told
            && let StepState::Judging { run } = &before.step
        {
            let wanted: u32 = metrics.iter().filter_map(|name| after.spec.metric(name)).map(|m| m.count).sum();
            let (good, from) = (self.good, run.started_at);
            self.check(Check::A1, now, good >= u64::from(wanted), || {
                format!("{step} of {from} was passed with {good} of {wanted} measurements")
            });
        }
    }

    fn of_the_way_home(&mut self, before: &Rollout, after: &Rollout, entry: &AuditEntry, now: Timestamp) {
        let homeward = |phase: &Phase| matches!(phase, Phase::Aborting { .. });
        let ended = matches!(after.phase, Phase::Degraded { .. });
        if homeward(&after.phase) && !homeward(&before.phase) {
            self.aborting_since.get_or_insert(now);
            let goes = entry.effects.iter().any(|e| matches!(e, Effect::Perform { write: Write::GoHome { .. }, .. }));
            let held = matches!(after.phase, Phase::Aborting { home: Homeward::Held { .. }, .. });
            let never = before.commanded == Weight::ZERO && before.verified == Weight::ZERO;
            let shown_worse = before.seen.as_ref().or(after.seen.as_ref()).is_some_and(|seen| {
                let home = seen.stable_health.known().map(|health| health.healthy);
                home == Some(0) && seen.canary_health.known().is_some_and(|health| health.healthy > 0)
            });
            let rightly = if held { shown_worse } else { goes || never };
            self.check(Check::C4, now, rightly, || format!("it turned home, {:?}, and wrote nothing", after.phase));
        }
        if homeward(&before.phase) {
            let still = homeward(&after.phase) || ended;
            self.check(Check::R4, now, still, || format!("{} after Aborting", after.phase.name()));
        }
        if before.promoted_at.is_some() {
            let kept = before.promoted_at == after.promoted_at && !homeward(&after.phase) && !ended;
            self.check(Check::R6, now, kept, || format!("{} after the promotion", after.phase.name()));
        }
        if ended && !matches!(after.phase, Phase::Degraded { reason: tidegate::rollout::AbortReason::Gone { .. } }) {
            let home = self.live.values().all(|share| *share == Weight::ZERO);
            let others = self.deeds_within(BLAME, now);
            let live: Vec<String> = self.live.values().map(ToString::to_string).collect();
            self.check(Check::R8, now, home || others, || format!("it is called home, and live are {live:?}"));
        }
    }

    fn of_what_came_in(&mut self, before: &Rollout, after: &Rollout, entry: &AuditEntry, now: Timestamp) {
        for input in &entry.inputs {
            match input {
                Event::Task(change) => {
                    let ours = after.services().contains(&&change.service);
                    self.check(Check::H6, now, ours, || format!("a task of {} came in", change.service));
                    if let Some(known) = before.tasks.get(&change.task) {
                        let is = after.tasks.get(&change.task).map_or(u64::MAX, |fact| fact.version);
                        let was = known.version;
                        self.check(Check::S3, now, is >= was, || format!("version {is} took the place of {was}"));
                    }
                }
                Event::Alarm(change) if change.state == AlarmState::Alarm && change.at >= after.started_at => {
                    let watched = after.baseline.alarms.values().any(|arn| *arn == change.alarm);
                    if watched {
                        self.rings(after, now);
                    }
                }
                Event::Observed(seen) => {
                    let rings = seen.alarms.known().is_some_and(|all| all.values().any(|s| *s == AlarmState::Alarm));
                    if rings {
                        self.rings(after, now);
                    }
                }
                Event::Measured(measured) => {
                    let is_good = |found: &Found| matches!(found, Found::Value { value, .. } if value.is_finite());
                    let good = measured.readings.iter().filter(|reading| is_good(&reading.found)).count();
                    self.good += good as u64;
                }
                _ => {}
            }
        }
    }

    fn rings(&mut self, after: &Rollout, now: Timestamp) {
        let home = matches!(after.phase, Phase::Aborting { .. } | Phase::Degraded { .. });
        let promoted = after.promoted_at.is_some();
        self.check(Check::A4, now, home || promoted, || format!("an ALARM came in, and it is {}", after.phase.name()));
    }

    fn of_what_goes_out(&mut self, after: &Rollout, entry: &AuditEntry, now: Timestamp) {
        for effect in &entry.effects {
            match effect {
                Effect::Perform { token, write } => {
                    let (token, last) = (*token, self.token_last);
                    self.check(Check::S5, now, token > last, || format!("token {token} after {last}"));
                    self.token_last = last.max(token);
                    self.tokens.insert(token);
                    if let Write::SetWeights { canary, .. } = write {
                        self.raises(after, *canary, now);
                    }
                }
                Effect::Measure(request) => {
                    let oldest = request.queries.iter().map(|query| query.from).min();
                    let clean = oldest.is_none_or(|from| from >= after.verified_at);
                    self.check(Check::T7, now, clean, || {
                        format!("a window from {oldest:?}, the weight was verified at {}", after.verified_at)
                    });
                }
                _ => {}
            }
        }
    }

    fn raises(&mut self, after: &Rollout, canary: Weight, now: Timestamp) {
        let pair = (&after.baseline.stable.group, &after.baseline.canary.group);
        if let Some(rules) = after.seen.as_ref().and_then(|seen| seen.rules.known()) {
            let there = rules.iter().all(|rule| machine::share(rule, pair.0, pair.1) == Ok(canary));
            self.check(Check::T12, now, !there, || format!("{canary} % is there, and is written again"));
        }
        let needs = after.plan.needs_of(canary, after.cursor).unwrap_or(1);
        let answers = self.health.get(pair.1).map(Vec::as_slice).unwrap_or_default();
        let shown = answers.iter().any(|(at, healthy)| *healthy >= needs && now <= *at + FRESH);
        let newest = answers.last().copied();
        self.check(Check::T2, now, shown, || {
            format!("{canary} % needs {needs} healthy targets, the last answer was {newest:?}")
        });
    }

    /// The step that was committed, taken again.
    fn again(&mut self, before: &Rollout, after: &Rollout, entry: &AuditEntry, now: Timestamp) {
        let at = Now { at: entry.now, rate: 1 };
        let once = machine::step(before.clone(), entry.inputs.clone(), at);
        let twice = machine::step(before.clone(), entry.inputs.clone(), at);
        self.check(Check::S8, now, once == twice, || "the same step gave something else".to_owned());
        let same = once.rollout == *after && once.effects == entry.effects;
        self.check(Check::S15, now, same, || format!("entry {} gives something else", entry.sequence));
    }

    /// An invocation has loaded the record.
    pub fn loads(&mut self, invocation: u64, in_flight: Option<InFlight>) {
        self.loaded.insert(invocation, in_flight);
    }

    /// A target group's health was answered.
    pub fn answers_health(&mut self, group: &TargetGroupArn, healthy: u32, now: Timestamp) {
        let answers = self.health.entry(group.clone()).or_default();
        answers.push((now, healthy));
        if answers.len() > 32 {
            answers.drain(..16);
        }
    }

    /// Takes in how the rules are.
    pub fn see_rules(&mut self, rollout: &Rollout, rules: &[RuleSeen], now: Timestamp) {
        let (stable, canary) = (&rollout.baseline.stable.group, &rollout.baseline.canary.group);
        for rule in rules {
            if let Ok(share) = machine::share(rule, stable, canary) {
                self.live.insert(rule.rule.clone(), share);
            }
            let is_theirs = self.edited.get(&rule.rule).is_some_and(|(actions, _)| *actions == rule.actions);
            if !is_theirs {
                self.edited.remove(&rule.rule);
            }
        }
        let off_canary = self.live.values().all(|share| *share == Weight::ZERO);
        let off_stable = self.live.values().all(|share| *share == Weight::FULL);
        self.off_canary_since = off_canary.then(|| self.off_canary_since.unwrap_or(now));
        self.off_stable_since = off_stable.then(|| self.off_stable_since.unwrap_or(now));
    }

    /// Whether no rule gives the canary anything.
    pub fn is_home(&self) -> bool {
        self.live.values().all(|share| *share == Weight::ZERO)
    }

    /// Everything was put right.
    pub fn forgets_edits(&mut self) {
        self.edited.clear();
    }

    /// Somebody wrote on a rule.
    pub fn edits(&mut self, rule: RuleRef, actions: Vec<Action>, now: Timestamp) {
        self.edited.insert(rule, (actions, now));
    }

    /// Somebody else had a hand on what the rollout holds.
    pub fn deed(&mut self, now: Timestamp) {
        self.deed_at = Some(now);
    }

    fn deeds_within(&self, span: SignedDuration, now: Timestamp) -> bool {
        self.deed_at.is_some_and(|at| now <= at + span) || !self.edited.is_empty()
    }

    /// Looks at a rule's actions that are about to be written.
    pub fn writes_rule(
        &mut self,
        invocation: Option<u64>,
        rule: &RuleRef,
        actions: &[Action],
        healthy: u32,
        now: Timestamp,
    ) {
        let Some(rollout) = self.latest.clone() else { return };
        let recorded = rollout.baseline.rules.iter().find(|seen| seen.rule == *rule).cloned();
        let is_preview = rollout.baseline.preview.iter().any(|seen| seen.rule == *rule);
        self.check(Check::T10, now, recorded.is_some() || is_preview, || format!("{} is not managed", rule.arn));
        let Some(recorded) = recorded else { return };
        let groups = |actions: &[Action]| -> BTreeSet<TargetGroupArn> {
            let of = |action: &Action| match action {
                Action::Forward { groups, .. } => groups.iter().map(|(group, _)| group.clone()).collect(),
                Action::Other { .. } => Vec::new(),
            };
            actions.iter().flat_map(of).collect()
        };
        let (stable, canary) = (&rollout.baseline.stable.group, &rollout.baseline.canary.group);
        let both = groups(actions).contains(stable) && groups(actions).contains(canary);
        self.check(Check::T11, now, both, || format!("{} loses a group: {actions:?}", rule.arn));
        let home = *actions == recorded.actions;
        let but_weights = |actions: &[Action]| -> Vec<Action> { actions.iter().map(without_weights).collect() };
        let same = but_weights(actions) == but_weights(&recorded.actions);
        self.check(Check::T1, now, home || same || !self.edited.is_empty() || self.people, || {
            format!("{} gets {actions:?}, it had {:?}", rule.arn, recorded.actions)
        });
        let written = RuleSeen { actions: actions.to_vec(), ..recorded.clone() };
        let Ok(share) = machine::share(&written, stable, canary) else { return };
        let live = self.live.get(rule).copied().unwrap_or(Weight::ZERO);
        let most = rollout.plan.highest_until(rollout.cursor);
        self.check(Check::T5, now, share <= most, || format!("{share} % is written, the plan gives {most} %"));
        if self.aborting_since.is_some_and(|since| now > since + LOSERS_END) {
            self.check(Check::R4, now, share <= live, || format!("{share} % is written after the abort"));
        }
        if rollout.is_finished() {
            self.check(Check::R5, now, share == live, || format!("{share} % is written after the end"));
        }
        if let Some((_, at)) = self.edited.get(rule).filter(|_| !home) {
            let at = *at;
            // An edit that comes to what was there is no edit.
            let just_now = now <= at + LOSERS_END || live == rollout.verified;
            self.check(Check::T3, now, just_now, || format!("somebody's edit of {at} is overwritten"));
        }
        if share > live && self.revision_stays && !self.deeds_within(BLAME, now) {
            let needs = rollout.plan.needs_of(share, rollout.cursor).unwrap_or(1);
            self.check(Check::C3, now, healthy >= needs, || format!("{share} % goes to {healthy} of {needs} targets"));
        }
        if !home {
            self.holds_the_lever(invocation, "weights", now);
        }
    }

    /// Looks at a service that is about to be written.
    pub fn writes_service(
        &mut self,
        invocation: Option<u64>,
        service: &ServiceArn,
        revision: Option<&TaskDefinitionArn>,
        from: u32,
        to: u32,
        now: Timestamp,
    ) {
        let Some(rollout) = self.latest.clone() else { return };
        let (stable, canary) = (&rollout.baseline.stable, &rollout.baseline.canary);
        let of_pair = *service == stable.service || *service == canary.service;
        let right = revision.is_none_or(|revision| {
            *service == canary.service && *revision == rollout.baseline.revision || *revision == stable.revision
        });
        self.check(Check::C6, now, of_pair && right, || format!("{service} gets {revision:?}"));
        if *service == canary.service {
            let most = most_tasks(&rollout);
            self.check(Check::C8, now, to <= most, || format!("the canary gets {to} tasks, the plan has {most}"));
        }
        if to < from && *service == stable.service {
            let promoted = rollout.promoted_at.is_some();
            self.check(Check::C2, now, promoted, || format!("{} goes from {from} to {to} tasks", service.name()));
        }
        if to < from && !self.deeds_within(SignedDuration::from_secs(60), now) {
            let (side, since) = if *service == stable.service {
                (stable, self.off_stable_since)
            } else {
                (canary, self.off_canary_since)
            };
            let drained = since.is_some_and(|since| now + SKEW >= since + side.deregistration_delay);
            let fewer_is_planned = to > 0 && *service == canary.service;
            if !fewer_is_planned {
                self.check(Check::C1, now, drained, || {
                    format!("{} goes from {from} to {to} tasks, without weight since {since:?}", service.name())
                });
            }
        }
        self.holds_the_lever(invocation, if revision.is_some() { "deploy" } else { "scale" }, now);
    }

    /// A performer re-reads its token before it writes; a late write has been checked when it was sent.
    fn holds_the_lever(&mut self, invocation: Option<u64>, what: &str, now: Timestamp) {
        let Some(invocation) = invocation else { return };
        let loaded = self.loaded.get(&invocation).cloned().flatten();
        let token = loaded.as_ref().map(|in_flight| in_flight.token);
        let intended = token.is_some_and(|token| self.tokens.contains(&token));
        self.check(Check::S6, now, intended, || format!("{what}: no durable intent behind it, {loaded:?}"));
        let its_own = loaded.as_ref().is_some_and(|in_flight| in_flight.what.starts_with(what));
        self.check(Check::S7, now, its_own, || format!("{what} is written by an invocation that last read {loaded:?}"));
    }

    /// Looks at a delayed message that is sent.
    pub fn arms(&mut self, generation: u64) {
        *self.armed.entry(generation).or_default() += 1;
    }

    /// Looks at what users see, and puts what is new of it down to somebody.
    pub fn looks_at_users(&mut self, errors: UserErrors, now: Timestamp) {
        let new = errors.since(&self.errors);
        self.errors = errors;
        if new != UserErrors::default() {
            self.tell(now, || format!("users: {new:?}"));
        }
        let Some(rollout) = &self.latest else { return };
        let ours = [rollout.verified, rollout.commanded, Weight::ZERO];
        let foreign = self.live.values().any(|share| !ours.contains(share));
        let undisturbed =
            matches!(rollout.phase, Phase::Progressing | Phase::Paused { reason: PauseReason::Step { .. }, .. });
        if foreign && undisturbed && !self.blinded && !self.edited.is_empty() {
            let since = *self.foreign_since.get_or_insert(now);
            self.check(Check::H2, now, now <= since + FOUND_WITHIN, || format!("unseen since {since}"));
        } else {
            self.foreign_since = None;
        }
        if foreign {
            self.deed_at = self.deed_at.max(Some(now));
        }
        if self.deeds_within(BLAME, now) {
            self.theirs.add(&new);
        } else {
            self.ours.add(&new);
        }
    }
}

/// The most tasks that a plan ever gives the canary.
fn most_tasks(rollout: &Rollout) -> u32 {
    let tasks = rollout.plan.steps.iter().filter_map(|step| match step {
        Step::Deploy { tasks } | Step::Scale { tasks } => Some(*tasks),
        _ => None,
    });
    tasks.max().unwrap_or(0).max(rollout.baseline.stable.tasks)
}

fn without_weights(action: &Action) -> Action {
    match action {
        Action::Forward { order, groups, stickiness } => Action::Forward {
            order: *order,
            groups: groups.iter().map(|(group, _)| (group.clone(), 0)).collect(),
            stickiness: stickiness.clone(),
        },
        Action::Other { .. } => action.clone(),
    }
}
