//! A start: everything is checked, then the record is made in one transaction, then it moves.

use jiff::SignedDuration;
use sha2::{Digest, Sha256};

use super::again::{self, Before};
use super::discover::discover;
use super::{Driver, Given, World};
use crate::api::{Answer, Refusal};
use crate::audit::AuditEntry;
use crate::fault::Fault;
use crate::ids::RolloutId;
use crate::machine::event::{Event, Successor};
use crate::machine::passed_by_a_retry;
use crate::observation::{AlarmState, Estate};
use crate::plan::Plan;
use crate::ports::{Commit, CommitRefused, Stored};
use crate::rollout::{Baseline, Origin, Rollout, StartRequest, Wishes};
use crate::spec::{self, RolloutSpec};
use crate::{estate, strategy};

/// A start that waited longer, in a dead-letter queue or behind an outage, is no longer what somebody wants.
const START_GOOD_FOR: SignedDuration = SignedDuration::from_hours(1);
/// After a rollout's end, ECS completes its own deployments within this.
const SETTLES_WITHIN: SignedDuration = SignedDuration::from_mins(15);

/// Begins a rollout, or says every reason why not. Once per key.
pub(super) async fn start<P: World>(driver: &Driver<'_, P>, request: &StartRequest) -> Result<Answer, Fault> {
    let answer = match driver.ports.answer(&request.key).await? {
        Some(known) => known,
        None => match begin(driver, request).await? {
            Begun::Rollout(answer) => answer,
            // What the rollout before it leaves behind, ECS's own deployment above all, settles in a while: the sweep
            // asks again.
            Begun::Refused(answer) if still_settling(driver, request).await? => return Ok(answer),
            Begun::Refused(answer) => {
                tracing::info!(key = request.key, ?answer, "A start was refused");
                driver.ports.record(&request.key, &answer).await?;
                answer
            }
        },
    };
    // The rollout whose end it waited for need not keep it any longer.
    if let Some(before) = &request.manner.after {
        let said = Successor::Answered { key: request.key.clone() };
        driver.give(before, vec![Event::Successor(Box::new(said))], None).await?;
    }
    Ok(answer)
}

/// Whether a start that waited for a rollout's end is refused so soon after it that it may only be too early.
async fn still_settling<P: World>(driver: &Driver<'_, P>, request: &StartRequest) -> Result<bool, Fault> {
    let Some(before) = &request.manner.after else { return Ok(false) };
    let before = driver.ports.load(before).await?;
    let ended_at = before.and_then(|before| before.rollout.ended_at);
    Ok(ended_at.is_some_and(|ended_at| driver.ports.now().at < ended_at + SETTLES_WITHIN))
}

/// Gives a start to the rollout that has the services: it decides by its own spec what becomes of it.
async fn hand_to<P: World>(
    driver: &Driver<'_, P>,
    active: &RolloutId,
    request: &StartRequest,
    revision: &str,
) -> Result<Answer, Fault> {
    let said = Successor::Asked { request: request.clone(), revision: revision.to_owned() };
    let given = driver.give(active, vec![Event::Successor(Box::new(said.clone()))], Some(&request.key)).await?;
    Ok(match given {
        Given::Taken(outcomes) => {
            let event = Event::Successor(Box::new(said));
            outcomes.first().map_or(Answer::Accepted, |outcome| super::answer(active, Some(&event), outcome))
        }
        Given::Repeated | Given::Unknown => driver.ports.answer(&request.key).await?.unwrap_or(Answer::Accepted),
    })
}

enum Begun {
    Rollout(Answer),
    Refused(Answer),
}

async fn begin<P: World>(driver: &Driver<'_, P>, request: &StartRequest) -> Result<Begun, Fault> {
    let ports = driver.ports;
    let refused = |refusals| Ok(Begun::Refused(Answer::Refused { refusals }));
    let age = ports.now().at.duration_since(request.asked_at);
    if age > START_GOOD_FOR && request.manner.after.is_none() {
        let age = SignedDuration::from_mins(age.as_mins());
        let why = format!("it was asked for {age:#} ago, and a start is good for {START_GOOD_FOR:#}");
        return refused(vec![Refusal::new(why, "ask again, with a new key, if it is still wanted")]);
    }
    let mut spec = match wanted(&request.spec, request.task_definition.as_deref()) {
        Ok(spec) => spec,
        Err(refusals) => return refused(refusals),
    };
    let before = match again::before(ports, request, &mut spec).await? {
        Ok(before) => before,
        Err(refusal) => return refused(vec![refusal]),
    };
    let Found { estate: found, unwatched } = match found(ports, request, &mut spec).await? {
        Ok(found) => found,
        Err(refusal) => return refused(vec![refusal]),
    };
    let services: Vec<_> = found.services.iter().flatten().map(|service| &service.arn).collect();
    let wanted = found.revision.as_ref().map(|revision| revision.arn.as_str().to_owned());
    let active = ports.by_services(&services).await?.into_values().next();
    if let (Some(active), Some(revision)) = (active, &wanted) {
        return Ok(Begun::Rollout(hand_to(driver, &active, request, revision).await?));
    }
    let baseline = match estate::baseline_for(&spec, &found, &request.manner.origin) {
        Ok(baseline) => baseline,
        Err(refusals) => return refused(refusals),
    };
    if let Err(refusal) = still_fits(request, &before, &baseline) {
        return refused(vec![refusal]);
    }
    let now = ports.now();
    let past = again::past(ports, &spec, &baseline.stable.service, before.past).await?;
    let fast = match estate::is_fast(
        &spec,
        (&baseline.stable.revision, &baseline.revision),
        &past,
        request.manner.track,
        now.at,
    ) {
        Ok(fast) => fast,
        Err(refusal) => return refused(vec![refusal]),
    };
    let tasks = baseline.stable.tasks;
    let plan = if fast { strategy::compile_fast(&spec, tasks) } else { strategy::compile(&spec, tasks) };
    let skipped = match (&request.manner.origin, &before.of) {
        (Origin::Retry { from_step: true, .. }, Some(home)) => match going_on(home, &plan, fast) {
            Ok(skipped) => skipped,
            Err(refusal) => return refused(vec![refusal]),
        },
        (Origin::Start | Origin::Retry { .. } | Origin::Undo { .. } | Origin::Restart { .. }, _) => Default::default(),
    };
    let id = rollout_id(&spec.name, &request.key, now.at);
    let (mut rollout, effects) = Rollout::begin(id.clone(), spec, plan, baseline, request.by.clone(), now);
    rollout.wishes = Wishes { origin: request.manner.origin.clone(), fast, unwatched, ..Wishes::default() };
    let rollout = rollout.passing_over(skipped, now);
    let entry = AuditEntry {
        rollout: id.clone(),
        sequence: 1,
        previous: String::new(),
        now: now.at,
        by: driver.by.to_owned(),
        inputs: vec![],
        outcome: format!("begun: {} said {}", request.by, rollout.wishes.why()),
        effects: effects.clone(),
    };
    let answer = Answer::Started { rollout: id.clone() };
    let commit = Commit { rollout: &rollout, entry: &entry, inbox: Some((&request.key, &answer)), ends: false };
    match ports.begin(commit).await {
        Ok(()) => {}
        Err(CommitRefused::Busy { active, .. }) => {
            let revision = rollout.baseline.revision.as_str();
            return Ok(Begun::Rollout(hand_to(driver, &active, request, revision).await?));
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

/// What is there.
struct Found {
    estate: Estate,
    /// Alarms that are not watched.
    unwatched: Vec<String>,
}

/// Discovers what is there, and what a restart or an undo needs to know of it.
async fn found<P: World>(
    ports: &P,
    request: &StartRequest,
    spec: &mut RolloutSpec,
) -> Result<Result<Found, Refusal>, Fault> {
    let mut unwatched = Vec::new();
    let mut found = match discover(ports, spec).await {
        Ok(found) => found,
        Err(Fault::Permanent { reason, why }) => {
            let hint = "the controller's role, or the names in the spec, have to be put right";
            return Ok(Err(Refusal::new(format!("{reason}: {why}"), hint)));
        }
        Err(fault @ (Fault::Transient { .. } | Fault::Conflict { .. })) => return Err(fault),
    };
    match &request.manner.origin {
        Origin::Start | Origin::Retry { .. } => {}
        // What rings is why somebody wants to go back: it does not stand in the way, and is not watched.
        Origin::Undo { .. } => {
            let rings = |name: &String| matches!(found.alarms.get(name), Some((_, AlarmState::Alarm)));
            (unwatched, spec.alarms) = std::mem::take(&mut spec.alarms).into_iter().partition(rings);
        }
        Origin::Restart { .. } => {
            if let Some(stable) = estate::stable(spec, &found).map(|stable| stable.revision) {
                found.revision = ports.revision(stable.as_str()).await?;
                spec.task_definition = Some(stable.as_str().to_owned());
            }
        }
    }
    Ok(Ok(Found { estate: found, unwatched }))
}

/// Refuses what was asked for with another stable side in mind.
fn still_fits(request: &StartRequest, before: &Before, baseline: &Baseline) -> Result<(), Refusal> {
    let stable = &baseline.stable.revision;
    match (&request.manner.origin, &before.of) {
        (Origin::Retry { of, .. }, Some(home)) if home.baseline.stable.revision != *stable => {
            let why = format!(
                "`{of}` went home to `{}`, and stable runs `{}`",
                home.baseline.stable.revision.short(),
                stable.short()
            );
            Err(Refusal::new(why, "`start` the revision, if it is wanted beside this one, too"))
        }
        (Origin::Undo { .. }, _) if request.task_definition.is_none() => match before.past.first() {
            Some(last) if last.revision != *stable => {
                let why = format!("stable runs `{}`, which no rollout promoted", stable.short());
                Err(Refusal::new(why, "name the revision: `--to-revision family:revision`"))
            }
            Some(_) | None => Ok(()),
        },
        (Origin::Restart { .. }, _) if baseline.canary.tasks > 0 && baseline.canary.revision == *stable => {
            let service = baseline.canary.service.name();
            let why = format!("`{service}` has {} old tasks of `{}`", baseline.canary.tasks, stable.short());
            Err(Refusal::new(why, format!("give `{service}` a desired count of 0 first: they would not be restarted")))
        }
        (Origin::Start | Origin::Retry { .. } | Origin::Undo { .. } | Origin::Restart { .. }, _) => Ok(()),
    }
}

/// Returns what a retry from the failed step passes over.
fn going_on(home: &Rollout, plan: &Plan, fast: bool) -> Result<std::collections::BTreeSet<usize>, Refusal> {
    let skipped = passed_by_a_retry(home, plan).filter(|_| home.wishes.fast == fast);
    skipped.ok_or_else(|| {
        let why = format!("`{}` turned at {}, and this plan has no such step", home.id, home.current());
        Refusal::new(why, "`retry` without `--from-step` takes all steps")
    })
}

/// Reads a spec, with the revision that was asked for in it.
pub(super) fn wanted(text: &str, task_definition: Option<&str>) -> Result<RolloutSpec, Vec<Refusal>> {
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
