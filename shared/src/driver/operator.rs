//! The operator's will, and what an operator is told.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::discover::discover;
use super::{Driver, Given, World, refuse};
use crate::api::{Answer, Ask, CommandRequest, Order, Refusal, Told};
use crate::audit::AuditEntry;
use crate::events::{Message, StartRequest};
use crate::fault::Fault;
use crate::ids::RolloutId;
use crate::machine;
use crate::machine::event::{Command, Event};
use crate::ports::{
    Clock, Commit, CommitRefused, MetricProvider, Queue, RolloutStore, Stored, TrafficRouter, WakeUps, Workload,
};
use crate::rollout::{Phase, Rollout};
use crate::spec::{self, RolloutSpec};
use crate::{estate, strategy};

/// A start that waited longer, in a dead-letter queue or behind an outage, is no longer what somebody wants.
const START_GOOD_FOR: SignedDuration = SignedDuration::from_hours(1);
/// The longest answers: a history's page, and a list.
const PAGE: u32 = 200;

/// Carries out one mutating verb, once per key: the command function's door.
pub async fn command<P: World>(driver: &Driver<'_, P>, request: &CommandRequest, by: &str) -> Result<Answer, Fault> {
    if let Some(known) = driver.ports.answer(&request.key).await? {
        return Ok(known);
    }
    match &request.order {
        Order::Start { spec, task_definition } => {
            if let Err(problems) = spec::read(spec) {
                return Ok(Answer::Refused { refusals: problems.iter().map(Refusal::from).collect() });
            }
            let start = StartRequest {
                key: request.key.clone(),
                spec: spec.clone(),
                task_definition: task_definition.clone(),
                by: by.to_owned(),
                asked_at: driver.ports.now().at,
            };
            ask_to_start(driver.ports, start).await
        }
        Order::Retry { rollout } => retry(driver, &request.key, rollout, by).await,
        Order::Verb { rollout, verb, expected_step } => {
            let command = Command { verb: *verb, expected_step: *expected_step, by: by.to_owned() };
            match driver.give(rollout, vec![Event::Command(command)], Some(&request.key)).await? {
                Given::Unknown => Ok(unknown(rollout)),
                Given::Repeated => Ok(driver.ports.answer(&request.key).await?.unwrap_or(Answer::Accepted)),
                Given::Taken(outcomes) => {
                    Ok(outcomes.first().map_or(Answer::Accepted, |outcome| super::answer(rollout, outcome)))
                }
            }
        }
    }
}

async fn ask_to_start<P: WakeUps>(ports: &P, request: StartRequest) -> Result<Answer, Fault> {
    ports.send(Queue::Commands, &Message::Start(request), SignedDuration::ZERO).await?;
    Ok(Answer::Accepted)
}

/// The same spec and revision again, as a new rollout: the one that went home stays as it is.
async fn retry<P: World>(driver: &Driver<'_, P>, key: &str, id: &RolloutId, by: &str) -> Result<Answer, Fault> {
    let Some(Stored { rollout, .. }) = driver.ports.load(id).await? else { return Ok(unknown(id)) };
    match &rollout.phase {
        Phase::Degraded { .. } => {
            let start = StartRequest {
                key: key.to_owned(),
                spec: spec::print(&rollout.spec),
                task_definition: Some(rollout.baseline.revision.as_str().to_owned()),
                by: by.to_owned(),
                asked_at: driver.ports.now().at,
            };
            ask_to_start(driver.ports, start).await
        }
        Phase::Healthy => Ok(refuse(format!("cannot retry `{id}`: it was promoted"), "`start` rolls out a revision")),
        Phase::Progressing | Phase::Paused { .. } | Phase::Aborting { .. } => Ok(refuse(
            format!("cannot retry `{id}`: it is {}", rollout.phase.name()),
            "`abort` it, and wait until it is Degraded",
        )),
    }
}

/// Begins a rollout, or says every reason why not. Once per key.
pub(super) async fn start<P: World>(driver: &Driver<'_, P>, request: &StartRequest) -> Result<Answer, Fault> {
    if let Some(known) = driver.ports.answer(&request.key).await? {
        return Ok(known);
    }
    let answer = match begin(driver, request).await? {
        Begun::Rollout(answer) => return Ok(answer),
        Begun::Refused(answer) => answer,
    };
    tracing::info!(key = request.key, ?answer, "A start was refused");
    driver.ports.record(&request.key, &answer).await?;
    Ok(answer)
}

enum Begun {
    Rollout(Answer),
    Refused(Answer),
}

async fn begin<P: World>(driver: &Driver<'_, P>, request: &StartRequest) -> Result<Begun, Fault> {
    let ports = driver.ports;
    let refused = |refusals| Ok(Begun::Refused(Answer::Refused { refusals }));
    let age = ports.now().at.duration_since(request.asked_at);
    if age > START_GOOD_FOR {
        let age = SignedDuration::from_mins(age.as_mins());
        let why = format!("it was asked for {age:#} ago, and a start is good for {START_GOOD_FOR:#}");
        return refused(vec![Refusal::new(why, "ask again, with a new key, if it is still wanted")]);
    }
    let spec = match wanted(&request.spec, request.task_definition.as_deref()) {
        Ok(spec) => spec,
        Err(refusals) => return refused(refusals),
    };
    let estate = match discover(ports, &spec).await {
        Ok(estate) => estate,
        Err(Fault::Permanent { reason, why }) => {
            let hint = "the controller's role, or the names in the spec, have to be put right";
            return refused(vec![Refusal::new(format!("{reason}: {why}"), hint)]);
        }
        Err(fault @ (Fault::Transient { .. } | Fault::Conflict { .. })) => return Err(fault),
    };
    let baseline = match estate::baseline(&spec, &estate) {
        Ok(baseline) => baseline,
        Err(refusals) => return refused(refusals),
    };
    let plan = strategy::compile(&spec, baseline.stable.tasks);
    let now = ports.now();
    let id = rollout_id(&spec.name, &request.key, now.at);
    let (rollout, effects) = Rollout::begin(id.clone(), spec, plan, baseline, request.by.clone(), now);
    let entry = AuditEntry {
        rollout: id.clone(),
        sequence: 1,
        previous: String::new(),
        now: now.at,
        by: driver.by.to_owned(),
        inputs: vec![],
        outcome: "begun".to_owned(),
        effects: effects.clone(),
    };
    let answer = Answer::Started { rollout: id.clone() };
    let commit = Commit { rollout: &rollout, entry: &entry, inbox: Some((&request.key, &answer)) };
    match ports.begin(commit).await {
        Ok(()) => {}
        Err(CommitRefused::Busy { service, active }) => {
            let why = format!("{} already has an active rollout, {active}", service.name());
            return refused(vec![Refusal::new(why, format!("wait for it, or `abort {active}`"))]);
        }
        Err(CommitRefused::Repeated | CommitRefused::Stale) => {
            return Ok(Begun::Rollout(ports.answer(&request.key).await?.unwrap_or(Answer::Accepted)));
        }
        Err(CommitRefused::Fault(fault)) => return Err(fault),
    }
    let stored = Stored { rollout, version: 1, head: String::new() };
    if let Some(fault) = driver.perform(&stored, effects).await.unsent {
        return Err(fault);
    }
    driver.give(&id, vec![Event::Tick], None).await?;
    Ok(Begun::Rollout(answer))
}

/// Reads a spec, with the revision that was asked for in it.
fn wanted(text: &str, task_definition: Option<&str>) -> Result<RolloutSpec, Vec<Refusal>> {
    let mut spec = spec::read(text).map_err(|problems| problems.iter().map(Refusal::from).collect::<Vec<_>>())?;
    if let Some(name) = task_definition {
        spec.task_definition = Some(name.to_owned());
    }
    Ok(spec)
}

/// The same key at the same time gives the same id: a start that is delivered twice begins one rollout.
fn rollout_id(name: &str, key: &str, now: jiff::Timestamp) -> RolloutId {
    let digest = Sha256::digest(key.as_bytes());
    let random = digest.iter().take(10).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
    let millis = u64::try_from(now.as_millisecond()).unwrap_or(0);
    RolloutId::new(format!("{name}-{}", ulid::Ulid::from_parts(millis, random)))
}

fn unknown(id: &RolloutId) -> Answer {
    refuse(format!("there is no rollout `{id}`"), "`list --all` shows which there are")
}

/// Answers a question: the query function's door. Nothing moves.
pub async fn ask<P>(ports: &P, ask: &Ask) -> Result<Told, Fault>
where
    P: Workload + TrafficRouter + MetricProvider + RolloutStore + Clock + Sync,
{
    match ask {
        Ask::Get { rollout } => get(ports, rollout).await,
        Ask::List { finished } => Ok(Told::Rollouts { rollouts: ports.list(*finished, PAGE).await? }),
        Ask::History { rollout, from } => Ok(Told::Journal { entries: ports.journal(rollout, *from, PAGE).await? }),
        Ask::Answer { key } => Ok(Told::Answer { answer: ports.answer(key).await? }),
        Ask::Plan { spec, task_definition } => match wanted(spec, task_definition.as_deref()) {
            Err(refusals) => Ok(Told::Refused { refusals }),
            Ok(spec) => {
                let estate = discover(ports, &spec).await?;
                Ok(Told::Plan { plan: Box::new(estate::plan_report(&spec, &estate)) })
            }
        },
        Ask::Init { cluster, service } => init(ports, cluster, service).await,
    }
}

async fn get<P: RolloutStore + Clock>(ports: &P, wanted: &str) -> Result<Told, Fault> {
    let mut found = ports.load(&RolloutId::new(wanted)).await?;
    if found.is_none() {
        let mut named = ports.list(false, PAGE).await?;
        named.extend(ports.list(true, PAGE).await?);
        if let Some(listed) = named.iter().find(|listed| listed.name == wanted) {
            found = ports.load(&listed.rollout).await?;
        }
    }
    Ok(match found {
        Some(stored) => Told::Rollout { report: Box::new(machine::report(&stored.rollout, ports.now())) },
        None => Told::NotFound { what: format!("rollout `{wanted}`") },
    })
}

async fn init<P: Workload + TrafficRouter>(ports: &P, cluster: &str, service: &str) -> Result<Told, Fault> {
    let found = ports.services(cluster, &[service]).await?.into_iter().next().flatten();
    let blueprint = ports.blueprint(cluster, service).await?;
    let (Some(seen), Some(blueprint)) = (found, blueprint) else {
        return Ok(Told::NotFound { what: format!("service `{service}` in cluster `{cluster}`") });
    };
    let groups: Vec<_> = seen.target_groups.iter().collect();
    let rules = if groups.is_empty() { Vec::new() } else { ports.rules_naming(&groups).await? };
    Ok(match estate::init(&seen, &blueprint, &rules) {
        Ok(init) => Told::Init { spec: init.spec, service: init.service },
        Err(refusals) => Told::Refused { refusals },
    })
}
