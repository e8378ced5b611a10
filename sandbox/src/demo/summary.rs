//! The account at the end: steps, users, AWS calls, the way home, and whether the run shows what it is to show.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use tidegate::ids::RolloutId;

use super::KillCost;
use crate::Sandbox;
use crate::chronicle::Transition;
use crate::platform::transcript::{Caller, Entry, Moment, Outcome};
use crate::world::{Outcomes, UserErrors};

/// How a rollout is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Wanted {
    Promoted,
    Home,
}

/// The whole run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    pub rollouts: Vec<RolloutSummary>,
    /// By function (its binary) and operation: how many requests its own code made.
    pub calls: BTreeMap<String, BTreeMap<String, u64>>,
    /// *User errors caused by the controller*, by cause, and what revisions did to themselves.
    pub user_errors: UserErrors,
    pub user_errors_total: u64,
    pub kill: Option<KillCost>,
    /// Virtual seconds per wall second.
    pub rate: u32,
    /// Why the run is not to be trusted, if it is not.
    pub overloaded: Option<String>,
}

/// One rollout.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RolloutSummary {
    pub rollout: RolloutId,
    /// `family:revision`.
    pub stable: String,
    pub canary: String,
    pub wanted: Wanted,
    /// The phase that it ended in, or was in last.
    pub phase: String,
    /// Why it went home, if it did.
    pub reason: Option<String>,
    pub steps: Vec<StepSummary>,
    /// From the alarm to the last rule at home, if an alarm sent it home.
    pub alarm_to_home: Option<AlarmToHome>,
}

/// One step, or the way home.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepSummary {
    /// `setWeight 20`, or `way home`.
    pub step: String,
    pub virtual_time: SignedDuration,
    pub wall_time: Duration,
    /// The canary's share in per cent at the step's end.
    pub weight: String,
    pub stable: Seen,
    pub canary: Seen,
}

/// What users saw of one revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Seen {
    pub requests: u64,
    /// 5xx of the revision's own and of the load balancer on its behalf.
    pub errors: u64,
}

/// The way from an alarm to weights at home on every rule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AlarmToHome {
    pub alarm: Timestamp,
    pub home: Timestamp,
    pub virtual_time: SignedDuration,
    pub wall_time: Duration,
}

impl Summary {
    /// Draws up the account of these rollouts.
    pub fn of(sandbox: &Sandbox, rollouts: &[(RolloutId, Wanted)], kill: Option<KillCost>) -> Self {
        let transitions = sandbox.chronicle().transitions();
        let entries = sandbox.transcript().entries();
        let rate = sandbox.rate();
        let user_errors = sandbox.world().user_errors();
        let summary = |(id, wanted): &(RolloutId, Wanted)| {
            let of_it: Vec<&Transition> = transitions.iter().filter(|t| t.rollout == *id).collect();
            rollout(id, *wanted, &of_it, &entries, rate)
        };
        Self {
            rollouts: rollouts.iter().filter_map(summary).collect(),
            calls: calls(sandbox),
            user_errors,
            user_errors_total: user_errors.total(),
            kill,
            rate,
            overloaded: sandbox.overloaded(),
        }
    }

    /// Everything by which the run fails; empty where it shows what it is to show.
    pub fn failures(&self) -> Vec<String> {
        // A World that did not keep up proves nothing, neither way.
        if let Some(why) = &self.overloaded {
            return vec![why.clone()];
        }
        let mut failures = Vec::new();
        for RolloutSummary { canary, wanted, phase, reason, .. } in &self.rollouts {
            let (expected, name) = match wanted {
                Wanted::Promoted => ("Healthy", "be promoted"),
                Wanted::Home => ("Degraded", "go home"),
            };
            if phase != expected {
                let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                failures.push(format!("{canary} was to {name}, and is {phase}{why}"));
            }
        }
        if self.user_errors_total > 0 {
            failures.push(format!(
                "the controller caused {} user errors: {}",
                self.user_errors_total,
                causes(&self.user_errors)
                    .iter()
                    .filter(|(_, n)| *n > 0)
                    .map(|(cause, n)| format!("{n} {cause}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            ));
        }
        failures
    }
}

/// The causes of user errors in words, each with its number.
pub fn causes(errors: &UserErrors) -> [(&'static str, u64); 5] {
    [
        ("503 of a group without targets", errors.empty_group_503),
        ("503 of a rule without weight", errors.no_weight_503),
        ("502 of a target that did not answer", errors.target_gone_502),
        ("cut when a task stopped", errors.cut_by_stop),
        ("sent to the canary after its abort", errors.canary_after_abort),
    ]
}

fn calls(sandbox: &Sandbox) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut calls: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for ((caller, operation), count) in sandbox.transcript().counts() {
        match caller {
            Caller::Function(id) => {
                let function = sandbox.platform().template.function(&id).map_or(id, |function| function.binary.clone());
                calls.entry(function).or_default().insert(operation, count);
            }
            Caller::PlatformFor(_) | Caller::Service(_) | Caller::Person(_) => {}
        }
    }
    calls
}

fn rollout(
    id: &RolloutId,
    wanted: Wanted,
    transitions: &[&Transition],
    entries: &[Entry],
    rate: u32,
) -> Option<RolloutSummary> {
    let (first, last) = (transitions.first()?, transitions.last()?);
    let (stable, canary) = (first.stable.clone(), first.canary.clone());
    let mut steps = Vec::new();
    let mut begin = 0;
    while let Some(end) = (begin..transitions.len()).find(|at| part(transitions[*at]) != part(transitions[begin])) {
        let (from, to) = (transitions[begin], transitions[end]);
        let seen = |revision: &str| before(&to.requests, revision).since(before(&from.requests, revision));
        steps.push(StepSummary {
            step: part(from).1.unwrap_or("way home").to_owned(),
            virtual_time: to.moment.at.duration_since(from.moment.at),
            wall_time: to.moment.wall.saturating_sub(from.moment.wall),
            weight: transitions[end - 1].weight.clone(),
            stable: seen(&stable),
            canary: seen(&canary),
        });
        begin = end;
    }
    let alarm_at = transitions.iter().find_map(|transition| transition.alarm_at);
    Some(RolloutSummary {
        rollout: id.clone(),
        stable,
        canary,
        wanted,
        phase: last.phase.to_owned(),
        reason: transitions.iter().find_map(|transition| transition.reason.clone()),
        steps,
        alarm_to_home: alarm_at.and_then(|alarm| alarm_to_home(alarm, entries, rate)),
    })
}

/// What a transition belongs to: a step of the plan, or the way home, or the end.
fn part(transition: &Transition) -> (usize, Option<&str>) {
    match transition.phase {
        "Aborting" => (usize::MAX - 1, None),
        "Degraded" | "Healthy" => (usize::MAX, None),
        _ => (transition.step, Some(&transition.what)),
    }
}

/// The revision is `family:revision`, the counts are kept by ARN.
fn before(requests: &BTreeMap<String, Outcomes>, revision: &str) -> Seen {
    let of_it = requests.iter().find(|(arn, _)| arn.rsplit('/').next() == Some(revision));
    of_it.map_or(Seen::default(), |(_, outcomes)| Seen {
        requests: outcomes.requests,
        errors: outcomes.answered_5xx + outcomes.load_balancer_502,
    })
}

impl Seen {
    fn since(self, earlier: Self) -> Self {
        Self { requests: self.requests - earlier.requests, errors: self.errors - earlier.errors }
    }
}

/// Home is where the last of all rules is, each by its first write after the alarm.
fn alarm_to_home(alarm: Timestamp, entries: &[Entry], rate: u32) -> Option<AlarmToHome> {
    let mut home: BTreeMap<&str, Moment> = BTreeMap::new();
    let is_write = |entry: &&Entry| {
        let name = entry.operation.as_str();
        matches!(name, "ModifyRule" | "ModifyListener") && entry.outcome == Outcome::Ok && entry.started.at >= alarm
    };
    for entry in entries.iter().filter(is_write) {
        if let Some(rule) = entry.calls.first().and_then(|call| call.resources.first()) {
            home.entry(rule).or_insert(entry.ended);
        }
    }
    let home = home.values().map(|moment| moment.at).max()?;
    let virtual_time = home.duration_since(alarm);
    let wall_time = virtual_time.unsigned_abs() / rate;
    Some(AlarmToHome { alarm, home, virtual_time, wall_time })
}
