//! What must hold, at every commit, at every pull of a lever, and at every end.

use super::Ending;
use super::world::{Live, Place};
use crate::machine::effect::Write;
use crate::plan::Step;
use crate::rollout::{Phase, Rollout};
use crate::weight::Weight;

/// A committed record never goes back on what it said.
pub fn committed(before: &Rollout, after: &Rollout) -> Result<(), String> {
    let homeward = |rollout: &Rollout| matches!(rollout.phase, Phase::Aborting { .. } | Phase::Degraded { .. });
    let checks = [
        (homeward(before) && !homeward(after), "it went home, and turned round"),
        (before.promoted_at.is_some() && homeward(after), "it was promoted, and went home"),
        (after.cursor > before.cursor + before.plan.steps.len(), "it skipped a step"),
        (homeward(after) && after.commanded > before.commanded, "the weight is raised on the way home"),
    ];
    checks.iter().find(|(broken, _)| *broken).map_or(Ok(()), |(_, what)| Err((*what).to_owned()))
}

/// A lever is pulled: nobody is sent where nobody answers, and nobody is taken away who is needed.
pub fn pulled(place: &Place, write: &Write) -> Result<(), String> {
    let Live { weight, canary_tasks, stable_tasks, edited, .. } = &place.live;
    match write {
        Write::SetWeights { canary, .. } => {
            let needs = place.stored.plan.steps.iter().find_map(|step| {
                let Step::SetWeight { canary: planned, needs } = step else { return None };
                (planned == canary).then_some(*needs)
            });
            let Some(needs) = needs else { return Err(format!("{canary} % is no weight of the plan")) };
            if canary_tasks < &needs {
                return Err(format!("{canary} % to {canary_tasks} tasks, which needs {needs}"));
            }
            Ok(())
        }
        Write::GoHome { .. } if *stable_tasks == 0 => Err("home has no tasks".to_owned()),
        Write::Scale { service, tasks, .. } => {
            let of_canary = *service == place.stored.baseline.canary.service;
            let share = if of_canary { weight.canary() } else { weight.stable() };
            if *tasks == 0 && share > 0 && !*edited {
                return Err(format!("{} loses its tasks with {share} ‰ of the traffic", service.name()));
            }
            Ok(())
        }
        Write::CreateRoutes { .. } | Write::OpenRoutes { .. } | Write::DeleteRoutes { .. } => Ok(()),
        Write::GoHome { .. } | Write::Deploy { .. } | Write::Preview { .. } => Ok(()),
    }
}

/// How it ended, if it may end so.
pub fn ended(place: &Place) -> Result<Ending, String> {
    let Live { weight, canary_tasks, stable_tasks, edited, .. } = &place.live;
    match &place.stored.phase {
        Phase::Healthy if *edited || (*weight, *stable_tasks) == (Weight::FULL, 0) => Ok(Ending::Healthy),
        Phase::Degraded { .. } if *edited || (*weight, *canary_tasks) == (Weight::ZERO, 0) => Ok(Ending::Degraded),
        Phase::Paused { .. } | Phase::Aborting { .. } if place.was_edited => Ok(Ending::WaitsForAPerson),
        // It wrote home, and died before that was durable, while another process promoted by what it had seen before.
        // Traffic is on the old side, which keeps its tasks, and a person decides.
        Phase::Paused { .. } if place.stored.promoted_at.is_some() && *weight == Weight::ZERO && *stable_tasks > 0 => {
            Ok(Ending::WaitsForAPerson)
        }
        Phase::Healthy
        | Phase::Degraded { .. }
        | Phase::Progressing
        | Phase::Paused { .. }
        | Phase::Aborting { .. } => Err(format!("it ends {} with {:?}", place.stored.phase.name(), place.live)),
    }
}
