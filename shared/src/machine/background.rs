//! An analysis beside the steps, from where the plan begins it until the bake ends. Its end without data is no
//! success.

use jiff::Timestamp;

use super::advance::{self, MEASURE_PATIENCE};
use super::effect::Effect;
use super::{Now, home};
use crate::analysis::{self, AnalysisRun, CanaryDimensions, MeasureRequest, Measured, Verdict};
use crate::rollout::{AbortReason, PauseReason, Phase, Rollout};

/// Begins it, or begins it anew.
pub fn begin(rollout: &mut Rollout, metrics: &[String], now: Now) {
    rollout.generation += 1;
    rollout.watching = Some(analysis::endless(rollout.generation, &rollout.spec, metrics, now.at));
}

/// Begins it anew after a person's `resume`: what could not tell is not counted again.
pub fn again(rollout: &mut Rollout, now: Now) {
    if let Some(run) = rollout.watching.take() {
        let metrics: Vec<String> = run.tallies.into_iter().map(|tally| tally.metric).collect();
        begin(rollout, &metrics, now);
    }
}

/// No window spans two weights, or a time in which somebody else had a hand on them.
pub fn from_here(rollout: &mut Rollout, at: Timestamp) {
    if let Some(run) = &mut rollout.watching {
        analysis::not_before(run, at);
    }
}

/// Judges what was measured, and asks for what is due. Returns whether the phase changed.
pub fn watch(rollout: &mut Rollout, now: Now, effects: &mut Vec<Effect>) -> bool {
    let (measures, pauses) = match &rollout.phase {
        Phase::Progressing => (true, true),
        Phase::Paused { reason, .. } => match reason {
            PauseReason::Step { .. } | PauseReason::Limited { .. } => (true, true),
            // A person's pause is theirs to end; what fails sends home all the same.
            PauseReason::Person { .. } | PauseReason::Inconclusive { .. } => (true, false),
            PauseReason::Drift { .. } | PauseReason::Watched { .. } => (false, false),
        },
        Phase::Aborting { .. } | Phase::Healthy | Phase::Degraded { .. } => (false, false),
    };
    if rollout.promoted_at.is_some() {
        rollout.watching = None;
    }
    // Without traffic nothing is measured, and absence says nothing: a retry may pass over the first weights.
    if !measures || rollout.verified.is_zero() {
        return false;
    }
    let Some(mut run) = rollout.watching.take() else { return false };
    if run.asked.is_some() && now.at >= run.not_before {
        analysis::lost(&mut run, &rollout.spec, now.at);
    }
    let verdict = analysis::judge(&run, &rollout.spec);
    let turned = match verdict {
        Verdict::Failed { metric, why } => {
            home::turn(rollout, AbortReason::Analysis { metric, why }, now, effects);
            true
        }
        Verdict::Inconclusive { metric, why } if pauses => {
            advance::hold(rollout, PauseReason::Watched { metric, why }, now, effects);
            true
        }
        Verdict::Inconclusive { .. } => false,
        Verdict::Successful | Verdict::Undecided => {
            ask(rollout, &mut run, now, effects);
            false
        }
    };
    rollout.watching = Some(run);
    turned
}

/// Takes an answer that is about it; says whether it was.
pub fn take(rollout: &mut Rollout, measured: &Measured, now: Now) -> bool {
    let spec = &rollout.spec;
    match &mut rollout.watching {
        Some(run) if run.run == measured.run && run.asked == Some(measured.generation) => {
            analysis::take(run, spec, measured.readings.clone(), now.at);
            true
        }
        Some(_) | None => false,
    }
}

/// Whether each of its metrics has as many good measurements as it needs, which the bake waits for.
pub fn has_enough(rollout: &Rollout) -> bool {
    rollout.watching.as_ref().is_none_or(|run| analysis::judge(run, &rollout.spec) == Verdict::Successful)
}

/// When it next has something to ask.
pub fn next(rollout: &Rollout) -> Option<Timestamp> {
    let run = rollout.watching.as_ref().filter(|_| !rollout.verified.is_zero())?;
    let known = run.tallies.iter().filter_map(|tally| Some((tally, rollout.spec.metric(&tally.metric)?)));
    let ready = known.map(|(tally, metric)| analysis::ready_at(tally, metric)).min()?;
    Some(ready.max(run.not_before))
}

fn ask(rollout: &mut Rollout, run: &mut AnalysisRun, now: Now, effects: &mut Vec<Effect>) {
    if now.at < run.not_before {
        return;
    }
    let canary = CanaryDimensions {
        load_balancer: rollout.baseline.canary.load_balancer.clone(),
        target_group: rollout.baseline.canary.group.dimension().to_owned(),
    };
    let queries = analysis::due(run, &rollout.spec, &canary, now.at);
    if queries.is_empty() {
        return;
    }
    rollout.generation += 1;
    run.asked = Some(rollout.generation);
    run.not_before = now.at + now.transport(MEASURE_PATIENCE);
    let (rollout, generation) = (rollout.id.clone(), rollout.generation);
    effects.push(Effect::Measure(MeasureRequest { rollout, run: run.run, generation, queries }));
}
