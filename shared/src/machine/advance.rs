//! The cursor: how far the facts carry, and what is still to be done.

use jiff::SignedDuration;

use super::effect::{Effect, RuleWrite, Transition, Weighted, Write};
use super::gate::{self, Shut};
use super::{Now, announce, background, deadline, drift, freeze, home, look, patience, preview, route};
use crate::analysis::{self, CanaryDimensions, MeasureRequest, Verdict};
use crate::fault::{Fault, Obstacle};
use crate::ids::TargetGroupArn;
use crate::mistake::{Mistake, made};
use crate::observation::{Action, Read, RuleSeen};
use crate::plan::Step;
use crate::rollout::{AbortReason, CanaryAsk, InFlight, PauseReason, Phase, Rollout, StepState, Trouble};
use crate::weight::Weight;

/// In transport time: a performer has stopped by then. Longer than the controller's own time-out of 30 s.
const LEASE: SignedDuration = SignedDuration::from_secs(45);
/// In transport time: a measurement that is not back by then counts as an error of the provider, and is asked for
/// again.
pub const MEASURE_PATIENCE: SignedDuration = SignedDuration::from_secs(30);

/// In transport time: a write of which nobody knows may still be applied so much later.
pub const STRAGGLES: SignedDuration = SignedDuration::from_secs(10);
/// After the first write that failed; doubled for each one more in a row.
const BACKOFF_FIRST: SignedDuration = SignedDuration::from_secs(2);
/// Never longer than this between two tries.
const BACKOFF_LONGEST: SignedDuration = SignedDuration::from_secs(60);

/// Moves on as far as the facts carry.
pub fn advance(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) {
    give_up_the_lost_write(rollout, now);
    // A plan's step is passed at most once, so this ends.
    loop {
        if background::watch(rollout, now, effects) {
            continue;
        }
        match &rollout.phase {
            Phase::Healthy | Phase::Degraded { .. } => return,
            Phase::Aborting { .. } => return home::advance(rollout, now, effects),
            // A broken record goes nowhere but home.
            Phase::Paused { .. } | Phase::Progressing if rollout.assert_valid().is_err() => {
                return look::ask_if_older(rollout, look::WATCH, now, effects);
            }
            Phase::Paused { .. } if rollout.waits.gone.is_some() || rollout.waits.thin.is_some() => {
                return look::ask_if_older(rollout, look::POLL, now, effects);
            }
            Phase::Paused { reason: PauseReason::Step { until: Some(until) }, .. } if now.at >= *until => {
                rollout.phase = Phase::Progressing;
                next_step(rollout, now, effects);
            }
            Phase::Paused { reason: PauseReason::Limited { until, then }, .. } if now.at >= *until => {
                patience::over(rollout, *then, now, effects);
            }
            Phase::Paused { .. } if rollout.doubt.is_none() => {
                return look::ask_if_older(rollout, look::WATCH, now, effects);
            }
            Phase::Paused { .. } => return look::ask_if_older(rollout, look::LOOK_EVERY, now, effects),
            Phase::Progressing => {
                if rollout.in_flight.is_some() {
                    return;
                }
                if rollout.doubt.is_some() || rollout.waits.gone.is_some() {
                    return look::ask_if_older(rollout, look::LOOK_EVERY, now, effects);
                }
                match within_the_step(rollout, now, effects) {
                    Progress::Done if held_back(rollout) => {
                        return look::ask_if_older(rollout, look::POLL, now, effects);
                    }
                    Progress::Done => next_step(rollout, now, effects),
                    Progress::Waits => return,
                    Progress::Turned => {}
                }
            }
        }
    }
}

/// What became of the current step.
pub enum Progress {
    /// It is done.
    Done,
    /// It waits for something that comes from outside.
    Waits,
    /// The phase changed.
    Turned,
}

/// Whether the step that is done is not to be left yet: too few canary targets carry its share. More tasks are not
/// held back by that.
fn held_back(rollout: &Rollout) -> bool {
    let thin = rollout.waits.thin.is_some();
    match rollout.current() {
        Step::SetWeight { .. }
        | Step::HeaderRoute { .. }
        | Step::Pause { .. }
        | Step::Analysis { .. }
        | Step::Bake { .. } => thin,
        Step::Deploy { .. }
        | Step::Scale { .. }
        | Step::Preview { .. }
        | Step::RemoveRoutes
        | Step::Watch { .. }
        | Step::Promote
        | Step::CleanUp { .. } => false,
    }
}

/// Ends the current pause by a person's `promote`, or passes an analysis that could not tell.
pub fn pass(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) {
    rollout.phase = Phase::Progressing;
    next_step(rollout, now, effects);
}

/// Begins the current step anew, as a person's `resume` does after an analysis that could not tell.
pub fn again(rollout: &mut Rollout, now: Now) {
    rollout.step = begin_step(rollout, now);
}

/// The progress deadline's clock starts again after what the canary could not help.
pub fn forgive_waiting(rollout: &mut Rollout, now: Now) {
    if let StepState::Working { progress_at, .. } = &mut rollout.step {
        *progress_at = now.at;
    }
}

fn next_step(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) {
    if rollout.cursor + 1 >= rollout.plan.steps.len() {
        let message = format!("{} runs {}", rollout.spec.name, rollout.baseline.revision.short());
        rollout.phase = Phase::Healthy;
        rollout.ended_at = Some(now.at);
        effects.push(announce(rollout, Transition::RolloutHealthy, message, now));
        return;
    }
    deadline::moved(rollout, now, effects);
    rollout.cursor += 1;
    rollout.entered.push(now.at);
    while rollout.wishes.skipped.contains(&rollout.cursor) && rollout.cursor + 1 < rollout.plan.steps.len() {
        rollout.cursor += 1;
        rollout.entered.push(now.at);
    }
    rollout.step = begin_step(rollout, now);
    let message = format!("{}: {}", rollout.spec.name, rollout.current());
    effects.push(announce(rollout, Transition::StepStarted, message, now));
}

fn begin_step(rollout: &mut Rollout, now: Now) -> StepState {
    let working = StepState::Working { since: now.at, progress_at: now.at, best: 0 };
    match rollout.current().clone() {
        Step::Deploy { .. }
        | Step::Scale { .. }
        | Step::Preview { .. }
        | Step::Watch { .. }
        | Step::HeaderRoute { .. }
        | Step::RemoveRoutes
        | Step::SetWeight { .. }
        | Step::Promote => working,
        Step::Pause { duration, .. } => StepState::Waiting { until: duration.map(|duration| now.at + duration) },
        Step::Bake { duration } => StepState::Waiting { until: Some(now.at + duration) },
        Step::CleanUp { delay } => {
            let drained_at = rollout.verified_at + gate::drain(&rollout.baseline.stable, SignedDuration::ZERO);
            StepState::Waiting { until: Some(drained_at.max(now.at + delay)) }
        }
        Step::Analysis { metrics } => {
            rollout.generation += 1;
            let run = analysis::begin(rollout.generation, &rollout.spec, &metrics, now.at);
            StepState::Judging { run }
        }
    }
}

fn within_the_step(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> Progress {
    match rollout.current().clone() {
        Step::Deploy { tasks } | Step::Scale { tasks } => provide(rollout, tasks, now, effects),
        Step::SetWeight { canary, needs } => shift(rollout, canary, needs, now, effects),
        Step::Preview { needs } => preview::show(rollout, needs, now, effects),
        Step::HeaderRoute { name, needs } => route::open(rollout, &name, needs, now, effects),
        Step::RemoveRoutes => route::close(rollout, now, effects),
        Step::Pause { .. } => pause(rollout, now, effects),
        Step::Analysis { .. } => measure(rollout, now, effects),
        Step::Watch { metrics } => {
            background::begin(rollout, &metrics, now);
            Progress::Done
        }
        Step::Bake { .. } => bake(rollout, now, effects),
        Step::Promote => promote(rollout, now, effects),
        Step::CleanUp { delay } => clean_up(rollout, delay, now, effects),
    }
}

/// The canary service has the revision with so many tasks, and as many targets are healthy.
fn provide(rollout: &mut Rollout, tasks: u32, now: Now, effects: &mut Vec<Effect>) -> Progress {
    let Some(seen) = look::known(rollout) else { return wait_for_a_look(rollout, now, effects) };
    let (Read::Is(service), Read::Is(health)) = (&seen.canary, &seen.canary_health) else {
        return wait_or_give_up(rollout, "the canary cannot be read", now, effects);
    };
    let right_revision = service.task_definition == rollout.baseline.revision;
    let as_asked = right_revision && service.desired == tasks;
    let (running, healthy, settled) = (service.running, health.healthy, service.deployments.len() == 1);
    if !as_asked {
        let begun = matches!(rollout.asked_of_canary, CanaryAsk::Tasks { tasks: asked, .. } if asked == tasks);
        if !begun && freeze::holds(rollout, now, effects) {
            return Progress::Waits;
        }
        let service = rollout.baseline.canary.service.clone();
        let write = if right_revision {
            Write::Scale { service, tasks, unless_weighted: None }
        } else {
            Write::Deploy { service, revision: rollout.baseline.revision.clone(), tasks }
        };
        rollout.asked_of_canary = CanaryAsk::Tasks { tasks, seen: false };
        perform(rollout, write, now, effects);
        return wait_or_give_up(rollout, "the canary service is not as asked for", now, effects);
    }
    rollout.asked_of_canary = CanaryAsk::Tasks { tasks, seen: true };
    if settled && running >= tasks && (healthy >= tasks || made(Mistake::WeightBeforeHealth)) {
        return Progress::Done;
    }
    note_progress(rollout, running + healthy, now, effects);
    wait_or_give_up(rollout, &format!("{running} of {tasks} tasks run, {healthy} are healthy"), now, effects)
}

/// The canary has its share on every rule, read back and settled.
fn shift(rollout: &mut Rollout, canary: Weight, needs: u32, now: Now, effects: &mut Vec<Effect>) -> Progress {
    if let StepState::Verified { at } = rollout.step {
        return if now.at >= at + gate::SETTLE || made(Mistake::SettlingSkipped) {
            Progress::Done
        } else {
            Progress::Waits
        };
    }
    let Some(seen) = look::known(rollout) else { return wait_for_a_look(rollout, now, effects) };
    let rules = match &seen.rules {
        Read::Is(rules) => rules.clone(),
        Read::Unknown(fault) => {
            let why = format!("the rules cannot be read: {fault}");
            return wait_or_give_up(rollout, &why, now, effects);
        }
    };
    let as_of = seen.as_of;
    let shares = match drift::shares(rollout, &rules) {
        Ok(shares) => shares,
        Err(what) => return hold(rollout, PauseReason::Drift { what }, now, effects),
    };
    let partial = made(Mistake::PartialWriteTakenAsDone) && shares.contains(&canary);
    if partial || shares.iter().all(|share| *share == canary) {
        rollout.commanded = canary;
        rollout.verified = canary;
        rollout.verified_at = as_of;
        rollout.step = StepState::Verified { at: as_of };
        let message = format!("{}: the canary has {canary} % on every rule", rollout.spec.name);
        effects.push(announce(rollout, Transition::WeightVerified, message, now));
        background::from_here(rollout, as_of + gate::SETTLE);
        return Progress::Waits;
    }
    // A live share below what was read back before is drift, or an abort that lost its commit: never raised again.
    if let Some(share) = shares.iter().find(|share| **share < rollout.verified.max(rollout.applied)) {
        let before = rollout.verified.max(rollout.applied);
        let what = format!("the canary has {share} % on a rule, and {before} % had been written");
        return hold(rollout, PauseReason::Drift { what }, now, effects);
    }
    if rollout.commanded != canary && freeze::holds(rollout, now, effects) {
        return Progress::Waits;
    }
    match gate::raise(rollout, needs, now) {
        Ok(_) => {
            let pair = (&rollout.baseline.stable.group, &rollout.baseline.canary.group);
            let rules = rules.iter().map(|rule| weighted(rule, pair, canary)).collect();
            rollout.commanded = canary;
            perform(rollout, Write::SetWeights { canary, rules }, now, effects);
            Progress::Waits
        }
        Err(Shut::Unknown(_)) => wait_for_a_look(rollout, now, effects),
        Err(Shut::NotYet(why)) => wait_or_give_up(rollout, &why, now, effects),
    }
}

fn pause(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> Progress {
    let StepState::Waiting { until } = rollout.step else { return Progress::Done };
    if until.is_some_and(|until| now.at >= until) {
        return Progress::Done;
    }
    hold(rollout, patience::reason(rollout, until), now, effects)
}

fn measure(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> Progress {
    look::ask_if_older(rollout, look::WATCH, now, effects);
    let canary = CanaryDimensions {
        load_balancer: rollout.baseline.canary.load_balancer.clone(),
        target_group: rollout.baseline.canary.group.dimension().to_owned(),
    };
    let StepState::Judging { run } = &mut rollout.step else { return Progress::Done };
    if run.asked.is_some() && now.at >= run.not_before {
        analysis::lost(run, &rollout.spec, now.at);
    }
    match analysis::judge(run, &rollout.spec) {
        Verdict::Successful => return Progress::Done,
        Verdict::Failed { metric, why } => {
            home::turn(rollout, AbortReason::Analysis { metric, why }, now, effects);
            return Progress::Turned;
        }
        Verdict::Inconclusive { metric, why } => {
            return hold(rollout, PauseReason::Inconclusive { metric, why }, now, effects);
        }
        Verdict::Undecided => {}
    }
    if now.at < run.not_before {
        return Progress::Waits;
    }
    let queries = analysis::due(run, &rollout.spec, &canary, now.at);
    if !queries.is_empty() {
        rollout.generation += 1;
        run.asked = Some(rollout.generation);
        run.not_before = now.at + now.transport(MEASURE_PATIENCE);
        let request =
            MeasureRequest { rollout: rollout.id.clone(), run: run.run, generation: rollout.generation, queries };
        effects.push(Effect::Measure(request));
    }
    Progress::Waits
}

fn bake(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> Progress {
    look::ask_if_older(rollout, look::WATCH, now, effects);
    match rollout.step {
        StepState::Waiting { until: Some(until) } if now.at < until && !made(Mistake::BakeSkipped) => Progress::Waits,
        StepState::Waiting { .. } if !background::has_enough(rollout) => Progress::Waits,
        StepState::Waiting { .. }
        | StepState::Working { .. }
        | StepState::Verified { .. }
        | StepState::Judging { .. } => Progress::Done,
    }
}

/// The point of no return: everything is at the canary, read back by a fresh look, and it is healthy.
fn promote(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> Progress {
    if freeze::holds(rollout, now, effects) {
        return Progress::Waits;
    }
    let needs = rollout.plan.needs_at_full();
    let checked = gate::raise(rollout, needs, now).and_then(|seen| match &seen.rules {
        Read::Unknown(fault) => Err(Shut::Unknown(format!("the rules: {fault}"))),
        Read::Is(rules) => drift::shares(rollout, rules).map_err(Shut::NotYet),
    });
    match checked {
        Ok(shares) if shares.iter().all(|share| *share == Weight::FULL) => {
            rollout.promoted_at = Some(now.at);
            let message = format!("{}: {} is stable", rollout.spec.name, rollout.baseline.revision.short());
            effects.push(announce(rollout, Transition::RolloutPromoted, message, now));
            Progress::Done
        }
        Ok(_) => wait_or_give_up(rollout, "not all traffic is at the canary", now, effects),
        Err(Shut::Unknown(_)) => wait_for_a_look(rollout, now, effects),
        Err(Shut::NotYet(why)) => wait_or_give_up(rollout, &why, now, effects),
    }
}

/// The old side's tasks go, once its targets have drained.
fn clean_up(rollout: &mut Rollout, delay: SignedDuration, now: Now, effects: &mut Vec<Effect>) -> Progress {
    if let StepState::Waiting { until: Some(until) } = rollout.step
        && now.at < until
    {
        look::ask_if_older(rollout, look::WATCH, now, effects);
        return Progress::Waits;
    }
    let old = rollout.baseline.stable.clone();
    let Some(seen) = look::known(rollout) else { return wait_for_a_look(rollout, now, effects) };
    match &seen.stable {
        // Somebody removed the whole service: nothing is left to take away.
        Read::Unknown(Fault::Permanent { reason: Obstacle::NotFound, .. }) => return Progress::Done,
        Read::Unknown(_) => return wait_for_a_look(rollout, now, effects),
        Read::Is(service) if service.desired == 0 => return Progress::Done,
        Read::Is(_) => {}
    }
    match gate::shrink(rollout, &old, Weight::FULL, delay, now) {
        Ok(_) => {
            let unless_weighted = Some(Weighted { group: old.group });
            perform(rollout, Write::Scale { service: old.service, tasks: 0, unless_weighted }, now, effects);
        }
        Err(Shut::Unknown(_)) => look::ask(rollout, now, effects),
        Err(Shut::NotYet(_)) => look::ask_if_older(rollout, look::POLL, now, effects),
    }
    Progress::Waits
}

/// Puts the one batch into the air, unless one is there or it is too early after one that failed. The way home
/// takes the place of whatever is there.
pub fn perform(rollout: &mut Rollout, write: Write, now: Now, effects: &mut Vec<Effect>) {
    let (homeward, canary) = match write {
        Write::GoHome { .. } => (true, None),
        Write::SetWeights { canary, .. } => (false, Some(canary)),
        Write::Preview { .. }
        | Write::CreateRoutes { .. }
        | Write::OpenRoutes { .. }
        | Write::DeleteRoutes { .. }
        | Write::Deploy { .. }
        | Write::Scale { .. } => (false, None),
    };
    let too_early = rollout.trouble.as_ref().is_some_and(|trouble| now.at < trouble.retry_at);
    if too_early || (rollout.in_flight.is_some() && !homeward) {
        return;
    }
    // A write that failed may have been applied since it was last looked for.
    let looked_since = match (&rollout.trouble, look::known(rollout)) {
        (Some(trouble), Some(seen)) => seen.as_of >= trouble.retry_at,
        (Some(_), None) => false,
        (None, _) => true,
    };
    if !looked_since && !homeward {
        return look::ask(rollout, now, effects);
    }
    rollout.generation += 1;
    let token = rollout.generation;
    let expires_at = now.at + now.transport(LEASE);
    rollout.in_flight = Some(InFlight { token, what: write.to_string(), canary, expires_at });
    effects.push(Effect::Perform { token, write });
}

/// A write whose answer did not come in time may have been applied: only a newer look counts. That its performer
/// died says nothing of the revision, so the progress deadline's clock starts again.
fn give_up_the_lost_write(rollout: &mut Rollout, now: Now) {
    if rollout.in_flight.as_ref().is_some_and(|in_flight| now.at >= in_flight.expires_at) {
        lost(rollout, now);
        forgive_waiting(rollout, now);
    }
}

/// Nobody knows what became of the write in the air.
pub fn lost(rollout: &mut Rollout, now: Now) {
    answered(rollout);
    note_trouble(rollout, "no answer came".to_owned(), now);
}

/// Counts a write that is not known to have worked, and waits longer each time.
pub fn note_trouble(rollout: &mut Rollout, why: String, now: Now) {
    let failures = rollout.trouble.as_ref().map_or(0, |trouble| trouble.failures).saturating_add(1);
    let doubled = BACKOFF_FIRST * 2_i32.pow(failures.min(6) - 1);
    rollout.trouble = Some(Trouble { failures, why, retry_at: now.at + doubled.min(BACKOFF_LONGEST) });
}

/// The write in the air is answered: whatever was seen before says nothing any more.
pub fn answered(rollout: &mut Rollout) {
    rollout.in_flight = None;
    rollout.generation += 1;
    rollout.answered = rollout.generation;
}

/// Pauses for a reason; a pause stops the progress deadline's clock by restarting it on resume.
pub fn hold(rollout: &mut Rollout, reason: PauseReason, now: Now, effects: &mut Vec<Effect>) -> Progress {
    let message = format!("{} is paused: {reason}", rollout.spec.name);
    rollout.phase = Phase::Paused { reason, since: now.at };
    effects.push(announce(rollout, Transition::RolloutPaused, message, now));
    Progress::Turned
}

/// Asks for a look, and waits for it.
pub fn wait_for_a_look(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> Progress {
    look::ask(rollout, now, effects);
    wait_or_give_up(rollout, "it could not be seen", now, effects)
}

/// Waits on, with a look now and then, until the deadline without progress; then home.
pub fn wait_or_give_up(rollout: &mut Rollout, waiting_on: &str, now: Now, effects: &mut Vec<Effect>) -> Progress {
    if let Some(missed) = deadline::missed(rollout, waiting_on, now, effects) {
        return missed;
    }
    look::ask_if_older(rollout, look::POLL, now, effects);
    Progress::Waits
}

fn note_progress(rollout: &mut Rollout, count: u32, now: Now, effects: &mut Vec<Effect>) {
    // The best so far is never forgotten: tasks that come and go are no progress.
    if let StepState::Working { progress_at, best, .. } = &mut rollout.step
        && count > *best
    {
        *best = count;
        *progress_at = now.at;
        deadline::moved(rollout, now, effects);
    }
}

/// The rule's action list with nothing but the two weights changed.
pub fn weighted(rule: &RuleSeen, pair: (&TargetGroupArn, &TargetGroupArn), canary: Weight) -> RuleWrite {
    let (on_stable, on_canary) = canary.on_the_wire();
    let actions = rule.actions.iter().cloned().map(|action| match action {
        Action::Forward { order, groups, stickiness } => {
            let groups = groups
                .into_iter()
                .map(|(group, weight)| {
                    let weight = if group == *pair.0 {
                        u32::from(on_stable)
                    } else if group == *pair.1 {
                        u32::from(on_canary)
                    } else {
                        weight
                    };
                    (group, weight)
                })
                .collect();
            Action::Forward { order, groups, stickiness }
        }
        Action::Other { kind, body } => Action::Other { kind, body },
    });
    RuleWrite { rule: rule.rule.clone(), actions: actions.collect(), only_if: Some(rule.actions.clone()) }
}
