//! The operator's will, and what an operator is told.

use jiff::SignedDuration;

use super::again;
use super::discover::discover;
use super::start::wanted;
use super::{Driver, Given, World, refuse};
use crate::api::{Answer, Ask, CommandRequest, Order, Refusal, Told};
use crate::estate;
use crate::events::Message;
use crate::fault::Fault;
use crate::ids::RolloutId;
use crate::machine;
use crate::machine::event::{Command, Event};
use crate::ports::{Clock, MetricProvider, Queue, RolloutStore, TrafficRouter, WakeUps, Workload};
use crate::rollout::{Manner, StartRequest};
use crate::spec::{self, OnNewRevision};

/// The longest answers: a history's page, and a list.
const PAGE: u32 = 200;

/// Carries out one mutating verb, once per key: the command function's door.
pub async fn command<P: World>(driver: &Driver<'_, P>, request: &CommandRequest, by: &str) -> Result<Answer, Fault> {
    if let Some(known) = driver.ports.answer(&request.key).await? {
        return Ok(known);
    }
    match &request.order {
        Order::Start { spec, task_definition, track } => {
            if let Err(problems) = spec::read(spec) {
                return Ok(Answer::Refused { refusals: problems.iter().map(Refusal::from).collect() });
            }
            let start = StartRequest {
                key: request.key.clone(),
                spec: spec.clone(),
                task_definition: task_definition.clone(),
                by: by.to_owned(),
                asked_at: driver.ports.now().at,
                manner: Manner { track: *track, ..Manner::default() },
            };
            ask_to_start(driver.ports, start).await
        }
        Order::Retry { rollout, from_step } => again::retry(driver, &request.key, rollout, *from_step, by).await,
        Order::Undo { rollout, to_revision, track } => {
            again::undo(driver, &request.key, rollout, to_revision.clone(), *track, by).await
        }
        Order::Restart { rollout } => again::restart(driver, &request.key, rollout, by).await,
        Order::Verb { rollout, verb, expected_step } => {
            let command = Command { verb: *verb, expected_step: *expected_step, by: by.to_owned() };
            match driver.give(rollout, vec![Event::Command(command)], Some(&request.key)).await? {
                Given::Unknown => Ok(unknown(rollout)),
                Given::Repeated => Ok(driver.ports.answer(&request.key).await?.unwrap_or(Answer::Accepted)),
                Given::Taken(outcomes) => {
                    Ok(outcomes.first().map_or(Answer::Accepted, |outcome| super::answer(rollout, None, outcome)))
                }
            }
        }
    }
}

pub(super) async fn ask_to_start<P: WakeUps>(ports: &P, request: StartRequest) -> Result<Answer, Fault> {
    ports.send(Queue::Commands, &Message::Start(request), SignedDuration::ZERO).await?;
    Ok(Answer::Accepted)
}

pub(super) fn unknown(id: &RolloutId) -> Answer {
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
        Ask::Plan { spec, task_definition, track } => match wanted(spec, task_definition.as_deref()) {
            Err(refusals) => Ok(Told::Refused { refusals }),
            Ok(spec) => {
                let found = discover(ports, &spec).await?;
                let past = match estate::stable(&spec, &found) {
                    Some(stable) => again::past(ports, &spec, &stable.service, Vec::new()).await?,
                    None => Vec::new(),
                };
                let mut plan = estate::plan_report_on(&spec, &found, *track, &past);
                if let Some(active) = in_the_way(ports, &spec.name).await? {
                    plan.refusals = active;
                }
                Ok(Told::Plan { plan: Box::new(plan) })
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

/// What stands against a start beside the active rollout of that name: nothing, where the rollout would keep the
/// start. Half-moved weights and tasks are that rollout's, and no reason of their own.
async fn in_the_way<P: RolloutStore>(ports: &P, name: &str) -> Result<Option<Vec<Refusal>>, Fault> {
    let active = ports.list(false, PAGE).await?.into_iter().find(|listed| listed.name == name);
    let Some(listed) = active else { return Ok(None) };
    let Some(stored) = ports.load(&listed.rollout).await? else { return Ok(None) };
    let id = listed.rollout;
    Ok(Some(match stored.rollout.spec.others.on_new_revision {
        OnNewRevision::Queue | OnNewRevision::Supersede => Vec::new(),
        OnNewRevision::Reject => {
            let why = format!("the services already have an active rollout, {id}");
            vec![Refusal::new(why, format!("wait for it, or `abort {id}`; `onNewRevision: queue` would keep it"))]
        }
    }))
}
