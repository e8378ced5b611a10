//! What is there at start: which side is stable, and every reason why a rollout may not begin.

pub mod calls;
mod init;
mod routes;
mod rules;
mod twins;
mod window;

use std::collections::BTreeMap;

pub use self::init::{Init, init};
use self::rules::Traffic;
use self::twins::Twin;
pub use self::window::is_fast;
use crate::api::{PlanReport, PlannedStep};
use crate::fault::Refusal;
use crate::ids::{AlarmArn, TaskDefinitionArn};
use crate::observation::{AlarmState, Estate, RouteAt, RulePlace};
use crate::plan::{Plan, Step};
use crate::rollout::{Baseline, Origin, Promotion, Side, Track};
use crate::spec::policy::OnFreeze;
use crate::spec::{RolloutSpec, WorkloadSpec};
use crate::strategy;

/// Reads roles and the way home out of what was found, or names every reason against a start. The revision is the
/// spec's: whoever starts with another one puts it into `spec.task_definition` first.
pub fn baseline(spec: &RolloutSpec, estate: &Estate) -> Result<Baseline, Vec<Refusal>> {
    baseline_for(spec, estate, &Origin::Start)
}

/// As `baseline`, for a rollout that is asked for with a reason of its own: a restart rolls out what stable runs, and
/// an undo does not wait until what it leads away from is well.
pub fn baseline_for(spec: &RolloutSpec, estate: &Estate, origin: &Origin) -> Result<Baseline, Vec<Refusal>> {
    let Inspection { refusals, roles, revision, routes, alarms, .. } = inspect(spec, estate, origin);
    let (preview, rules) = rules::apart(&estate.rules, spec.strategy.preview());
    match (roles, revision) {
        (Some((stable, canary)), Some(revision)) if refusals.is_empty() => {
            Ok(Baseline { stable, canary, revision, rules, preview, routes, alarms })
        }
        (Some(_) | None, Some(_) | None) => Err(refusals),
    }
}

/// Returns the stable side, where live weights tell which it is.
pub fn stable(spec: &RolloutSpec, estate: &Estate) -> Option<Side> {
    inspect(spec, estate, &Origin::Start).roles.map(|(stable, _)| stable)
}

/// Returns what a start would do, and why it would be refused. Nothing moves.
pub fn plan_report(spec: &RolloutSpec, estate: &Estate) -> PlanReport {
    plan_report_on(spec, estate, Track::ByWindow, &[])
}

/// As `plan_report`, on a track; `past` are the stable service's promotions, newest first.
pub fn plan_report_on(spec: &RolloutSpec, estate: &Estate, track: Track, past: &[Promotion]) -> PlanReport {
    let Inspection { mut refusals, roles, revision, rules, places, .. } = inspect(spec, estate, &Origin::Start);
    let (stable, canary, steps) = match &roles {
        Some((stable, canary)) => {
            let wanted = revision.as_ref().map(|revision| (&stable.revision, revision));
            let fast = wanted.map_or(Ok(false), |pair| window::is_fast(spec, pair, past, track, estate.as_of));
            let fast = fast.unwrap_or_else(|refusal| {
                refusals.push(refusal);
                false
            });
            let plan = plan_of(spec, stable.tasks, fast);
            let steps = planned(spec, plan, &places);
            (stable.service.name().to_owned(), canary.service.name().to_owned(), steps)
        }
        None => (UNKNOWN.to_owned(), UNKNOWN.to_owned(), Vec::new()),
    };
    let asked = || spec.task_definition.clone().unwrap_or_else(|| UNKNOWN.to_owned());
    let revision = revision.map_or_else(asked, |revision| revision.as_str().to_owned());
    PlanReport { stable, canary, revision, rules, steps, look: calls::look(spec, &places), refusals }
}

/// What a report says of a role or a revision that could not be read.
const UNKNOWN: &str = "unknown";

/// Everything that can be said of an estate, whether or not a rollout may begin there.
struct Inspection {
    refusals: Vec<Refusal>,
    /// Stable and canary, where live weights tell them apart.
    roles: Option<(Side, Side)>,
    revision: Option<TaskDefinitionArn>,
    rules: Vec<String>,
    /// Which call writes each of them.
    places: Vec<RulePlace>,
    routes: Vec<RouteAt>,
    alarms: BTreeMap<String, AlarmArn>,
}

fn inspect(spec: &RolloutSpec, estate: &Estate, origin: &Origin) -> Inspection {
    let WorkloadSpec::TwinServices { cluster, services } = &spec.workload;
    let mut refusals = Vec::new();
    let twins = twins::twins(cluster, services, estate, &mut refusals);
    let traffic = match &twins {
        [Some(one), Some(other)] => rules::traffic([one, other], &estate.rules, &mut refusals),
        [Some(_) | None, Some(_) | None] => Traffic::default(),
    };
    rules::previewed(&estate.rules, spec.strategy.preview(), &mut refusals);
    let roles = match (twins, traffic.stable) {
        ([Some(stable), Some(canary)], Some(0)) | ([Some(canary), Some(stable)], Some(_)) => Some((stable, canary)),
        ([Some(_) | None, Some(_) | None], Some(_) | None) => None,
    };
    let revision = revision(spec, estate, &mut refusals);
    let alarms = alarms(spec, estate, &mut refusals);
    freeze(spec, estate, &mut refusals);
    if let Some((stable, _)) = &roles {
        stable_side(spec, stable, revision.as_ref(), origin, &mut refusals);
    }
    let roles = roles.map(|(stable, canary)| (stable.side, canary.side));
    let (_, production) = rules::apart(&estate.rules, spec.strategy.preview());
    let routes = match &roles {
        Some((stable, _)) => {
            routes::planned(&spec.strategy.routes(), &production, &stable.load_balancer, &mut refusals)
        }
        None => Vec::new(),
    };
    let places = production.iter().map(|rule| rule.rule.place).collect();
    Inspection { refusals, roles, revision, rules: traffic.labels, places, routes, alarms }
}

fn revision(spec: &RolloutSpec, estate: &Estate, refusals: &mut Vec<Refusal>) -> Option<TaskDefinitionArn> {
    let Some(name) = &spec.task_definition else {
        let hint = "name one: `start --task-definition family:revision`, or `spec.taskDefinition`";
        refusals.push(Refusal::new("no revision to roll out is named", hint));
        return None;
    };
    let Some(seen) = &estate.revision else {
        let hint = "register it, or check family, revision and region";
        refusals.push(Refusal::new(format!("ECS knows no task definition `{name}`"), hint));
        return None;
    };
    if !seen.active {
        let hint = "register it again as a new revision: an INACTIVE one cannot be deployed";
        refusals.push(Refusal::new(format!("the task definition `{}` is INACTIVE", seen.arn.short()), hint));
    }
    Some(seen.arn.clone())
}

fn alarms(spec: &RolloutSpec, estate: &Estate, refusals: &mut Vec<Refusal>) -> BTreeMap<String, AlarmArn> {
    let mut alarms = BTreeMap::new();
    for name in &spec.alarms {
        match estate.alarms.get(name) {
            None => {
                let hint = "create it, or take it out of `spec.alarms`; check the region";
                refusals.push(Refusal::new(format!("CloudWatch knows no alarm `{name}`"), hint));
            }
            Some((_, AlarmState::Alarm)) => {
                let hint =
                    "wait until it is OK: an alarm that is in ALARM already sends no event when things get worse";
                refusals.push(Refusal::new(format!("the alarm `{name}` is in ALARM already"), hint));
            }
            Some((arn, AlarmState::Ok | AlarmState::InsufficientData)) => {
                alarms.insert(name.clone(), arn.clone());
            }
        }
    }
    alarms
}

/// A start in a freeze waits, unless the spec has it refused.
fn freeze(spec: &RolloutSpec, estate: &Estate, refusals: &mut Vec<Refusal>) {
    if let (OnFreeze::Refuse, Some(frozen)) = (spec.policies.on_freeze, spec.policies.frozen(estate.as_of)) {
        let why = format!("there is a freeze until {}: {}", frozen.until, frozen.reason);
        let hint = "start after it; with `onFreeze: wait` a rollout begins, and waits";
        refusals.push(Refusal::new(why, hint));
    }
}

/// The stable side is what everybody goes home to: it has to be well before anything moves.
fn stable_side(
    spec: &RolloutSpec,
    stable: &Twin<'_>,
    revision: Option<&TaskDefinitionArn>,
    origin: &Origin,
    refusals: &mut Vec<Refusal>,
) {
    let (name, side, seen) = (stable.name, &stable.side, stable.seen);
    let (again, away) = match origin {
        Origin::Start | Origin::Retry { .. } => (false, false),
        Origin::Restart { .. } => (true, false),
        Origin::Undo { .. } => (false, true),
    };
    if Some(&side.revision) == revision && !again {
        let why = format!("the stable service `{name}` runs `{}` already", side.revision.short());
        refusals.push(Refusal::new(why, "nothing is to be done; to roll out again, register a new revision"));
    }
    if side.tasks == 0 {
        let why = format!("the stable service `{name}` has a desired count of 0: there is nothing to measure against");
        refusals.push(Refusal::new(why, "give it its tasks first, or deploy with ECS"));
        return;
    }
    if (seen.running != seen.desired || seen.pending != 0) && !away {
        let why = format!(
            "the stable service `{name}` is not at its desired count: {} desired, {} running, {} pending",
            seen.desired, seen.running, seen.pending
        );
        refusals.push(Refusal::new(why, "wait until it is steady, or look into its events"));
    }
    if stable.health.healthy < side.tasks && !away {
        let why = format!(
            "the stable service `{name}` has {} healthy targets of {} tasks",
            stable.health.healthy, side.tasks
        );
        refusals.push(Refusal::new(why, "wait until all are healthy: they are the way home"));
    }
    for short in strategy::shortfalls(spec, side.tasks) {
        let (weight, needs) = (short.weight, short.needs);
        let why = format!(
            "`setWeight: {weight}` needs {needs} of {} tasks, and `setCanaryScale` holds the canary at {}",
            side.tasks, short.has
        );
        let hint = format!(
            "before it, write `setCanaryScale: {{replicas: {needs}}}` or `setCanaryScale: {{matchTrafficWeight: true}}`"
        );
        refusals.push(Refusal::new(why, hint));
    }
}

fn plan_of(spec: &RolloutSpec, stable_tasks: u32, fast: bool) -> Plan {
    if fast { strategy::compile_fast(spec, stable_tasks) } else { strategy::compile(spec, stable_tasks) }
}

fn planned(spec: &RolloutSpec, plan: Plan, places: &[RulePlace]) -> Vec<PlannedStep> {
    let mut tasks = 0;
    let mut planned = Vec::new();
    for step in plan.steps {
        if let Step::Deploy { tasks: wanted } | Step::Scale { tasks: wanted } = &step {
            tasks = *wanted;
        }
        let least = step.least(spec).as_secs();
        let least_seconds = u64::try_from(least).unwrap_or(0);
        let calls = calls::least(&step, spec, places);
        planned.push(PlannedStep { step: step.to_string(), tasks, least_seconds, calls });
    }
    planned
}
