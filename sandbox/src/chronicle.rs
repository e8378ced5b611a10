//! What became durable, and when: read off the table, never from the controller's own words.
//!
//! The World learns here of aborts, from which on a request to the canary is a user error, and a run keeps what it
//! needs for its story: each transition with both clocks, and what users saw up to then.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::Value;
use tidegate::ids::RolloutId;
use tidegate::rollout::{AbortReason, Homeward, Phase, Rollout};

use crate::world::{Outcomes, UserErrors, World};

/// Over HTTP the way home is written while the commit is under way, by calls that take wall time: so much of it is the
/// machine's and not the controller's. In process no call takes time.
pub const TRANSPORT: Duration = Duration::from_secs(1);

/// One moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Moment {
    /// Wall time since the start of the run.
    pub wall: Duration,
    /// Virtual time.
    pub at: Timestamp,
}

/// One transition of a rollout: a commit that changed its phase, its step, or the weight that was read back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Transition {
    pub rollout: RolloutId,
    /// When the commit was durable.
    pub moment: Moment,
    /// `Progressing`, `Paused`, `Aborting`, `Healthy`, `Degraded`.
    pub phase: &'static str,
    /// Index of the step, as the plan counts.
    pub step: usize,
    /// How many steps the plan has.
    pub steps: usize,
    /// The step in words: `setWeight 20`.
    pub what: String,
    /// The canary's share in per cent that was last read back from every rule.
    pub weight: String,
    /// Why it goes home, or went.
    pub reason: Option<String>,
    /// When the alarm that sends it home went off.
    pub alarm_at: Option<Timestamp>,
    /// `family:revision` of both sides.
    pub stable: String,
    pub canary: String,
    /// Requests by task definition ARN since the start of the run.
    pub requests: BTreeMap<String, Outcomes>,
    /// Since the start of the run.
    pub user_errors: UserErrors,
}

/// The transitions of a run, in the order of their commits.
#[derive(Debug, Default)]
pub struct Chronicle {
    transitions: Mutex<Vec<Transition>>,
}

impl Chronicle {
    /// All transitions so far.
    pub fn transitions(&self) -> Vec<Transition> {
        self.lock().clone()
    }

    /// The newest transition of the rollout that moved last.
    pub fn last(&self) -> Option<Transition> {
        self.lock().last().cloned()
    }

    /// Takes what a write made durable. `allowance` is how long a call may take in virtual time.
    pub fn written(&self, rollouts: &[Rollout], moment: Moment, allowance: SignedDuration, world: &mut World) {
        for rollout in rollouts {
            tell(world, rollout, moment.at + allowance);
            self.note(rollout, moment, world);
        }
    }

    fn note(&self, rollout: &Rollout, moment: Moment, world: &World) {
        let weight = rollout.verified.to_string();
        let phase = rollout.phase.name();
        let mut transitions = self.lock();
        let before = transitions.iter().rev().find(|transition| transition.rollout == rollout.id);
        if before.is_some_and(|b| b.phase == phase && b.step == rollout.cursor && b.weight == weight) {
            return;
        }
        let reason = match &rollout.phase {
            Phase::Aborting { reason, .. } | Phase::Degraded { reason } => Some(reason),
            Phase::Progressing | Phase::Paused { .. } | Phase::Healthy => None,
        };
        let alarm_at = match reason {
            Some(AbortReason::Alarm { name }) => world.alarm_since(name),
            Some(
                AbortReason::Analysis { .. }
                | AbortReason::Person { .. }
                | AbortReason::Superseded { .. }
                | AbortReason::Blocked { .. }
                | AbortReason::Unhealthy { .. }
                | AbortReason::Gone { .. }
                | AbortReason::PauseTimeout { .. }
                | AbortReason::CrashLoop { .. }
                | AbortReason::Capacity { .. }
                | AbortReason::ProgressDeadline { .. },
            )
            | None => None,
        };
        // Read once: by the end of the way home the alarm may be calm again.
        let alarm_at = alarm_at.or_else(|| before.and_then(|before| before.alarm_at));
        transitions.push(Transition {
            rollout: rollout.id.clone(),
            moment,
            phase,
            step: rollout.cursor,
            steps: rollout.plan.steps.len(),
            what: rollout.current().to_string(),
            weight,
            reason: reason.map(ToString::to_string),
            alarm_at,
            stable: rollout.baseline.stable.revision.short().to_owned(),
            canary: rollout.baseline.revision.short().to_owned(),
            requests: world.requests_by_revision().clone(),
            user_errors: world.user_errors(),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Transition>> {
        self.transitions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells the World whether the canary of this rollout may have users. `at` is when a durable abort counts.
pub fn tell(world: &mut World, rollout: &Rollout, at: Timestamp) {
    let canary = rollout.baseline.canary.group.as_str();
    match &rollout.phase {
        // Home is worse: the healthier side keeps the users on purpose.
        Phase::Aborting { home: Homeward::Held { .. }, .. } => world.abort_over(canary),
        Phase::Aborting { home: Homeward::Weights | Homeward::Draining { .. }, .. } | Phase::Degraded { .. } => {
            world.abort_durable(canary, at);
        }
        Phase::Progressing | Phase::Paused { .. } | Phase::Healthy => world.abort_over(canary),
    }
}

/// The rollouts that a DynamoDB request stores, if it succeeds: the records under `ROLLOUT#id`, `STATE`.
pub fn stored_by(action: &str, body: &[u8]) -> Vec<Rollout> {
    if action != "PutItem" && action != "TransactWriteItems" {
        return Vec::new();
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return Vec::new();
    };
    let single = body.get("Item").into_iter();
    let parts = body.get("TransactItems").and_then(Value::as_array);
    let many = parts.into_iter().flatten().filter_map(|part| part.pointer("/Put/Item"));
    let state = |item: &Value| {
        let is_state = item.pointer("/sk/S").and_then(Value::as_str) == Some("STATE");
        let text = item.pointer("/state/S").and_then(Value::as_str).filter(|_| is_state)?;
        match serde_json::from_str(text) {
            Ok(rollout) => Some(rollout),
            Err(error) => {
                tracing::warn!("a rollout's record in the table cannot be read: {error}");
                None
            }
        }
    };
    single.chain(many).filter_map(state).collect()
}
