//! Once more, and back: retry, undo and restart are new rollouts, made of what an earlier one left in its record.

use super::operator::{ask_to_start, unknown};
use super::{Driver, World, refuse};
use crate::api::{Answer, Refusal};
use crate::fault::Fault;
use crate::ids::RolloutId;
use crate::ports::{RolloutStore, Stored};
use crate::rollout::{Manner, Origin, Phase, Promotion, Rollout, StartRequest, Track};
use crate::spec::{self, RolloutSpec};

/// So many promotions are looked back at: as far as a window reaches.
const PAST: u32 = 50;

/// The same spec and revision again: the one that went home stays as it is.
pub(super) async fn retry<P: World>(
    driver: &Driver<'_, P>,
    key: &str,
    id: &RolloutId,
    from_step: bool,
    by: &str,
) -> Result<Answer, Fault> {
    let Some(Stored { rollout, .. }) = driver.ports.load(id).await? else { return Ok(unknown(id)) };
    match &rollout.phase {
        Phase::Degraded { .. } => {
            // The window may have closed meanwhile; it never opens for a rollout that took all its steps.
            let track = if rollout.wishes.fast { Track::ByWindow } else { Track::FullSteps };
            let manner = Manner { origin: Origin::Retry { of: id.clone(), from_step }, track, after: None };
            let revision = rollout.baseline.revision.as_str().to_owned();
            send(driver, key, &rollout, Some(revision), manner, by).await
        }
        Phase::Healthy => Ok(refuse(format!("cannot retry `{id}`: it was promoted"), "`start` rolls out a revision")),
        Phase::Progressing | Phase::Paused { .. } | Phase::Aborting { .. } => Ok(refuse(
            format!("cannot retry `{id}`: it is {}", rollout.phase.name()),
            "`abort` it, and wait until it is Degraded",
        )),
    }
}

/// Back to the revision before the last promotion, or to a named one.
pub(super) async fn undo<P: World>(
    driver: &Driver<'_, P>,
    key: &str,
    id: &RolloutId,
    to_revision: Option<String>,
    track: Track,
    by: &str,
) -> Result<Answer, Fault> {
    let Some(Stored { rollout, .. }) = driver.ports.load(id).await? else { return Ok(unknown(id)) };
    if rollout.promoted_at.is_none() && !rollout.is_finished() {
        let why = format!("cannot undo `{id}`: it is {} and has not been promoted", rollout.phase.name());
        return Ok(refuse(why, format!("`abort {id}` leads back to the stable revision")));
    }
    send(driver, key, &rollout, to_revision, Manner { origin: Origin::Undo { of: id.clone() }, track, after: None }, by)
        .await
}

/// The revision that stable runs, once more, with all steps.
pub(super) async fn restart<P: World>(
    driver: &Driver<'_, P>,
    key: &str,
    id: &RolloutId,
    by: &str,
) -> Result<Answer, Fault> {
    let Some(Stored { rollout, .. }) = driver.ports.load(id).await? else { return Ok(unknown(id)) };
    if !rollout.is_finished() {
        let why = format!("cannot restart after `{id}`: it is {}", rollout.phase.name());
        return Ok(refuse(why, "wait until it has ended: what it rolls out may become the stable revision"));
    }
    let manner = Manner { origin: Origin::Restart { of: id.clone() }, track: Track::FullSteps, after: None };
    send(driver, key, &rollout, None, manner, by).await
}

async fn send<P: World>(
    driver: &Driver<'_, P>,
    key: &str,
    like: &Rollout,
    task_definition: Option<String>,
    manner: Manner,
    by: &str,
) -> Result<Answer, Fault> {
    let mut spec = like.spec.clone();
    spec.task_definition = None;
    spec.alarms.extend(like.wishes.unwatched.iter().cloned());
    let start = StartRequest {
        key: key.to_owned(),
        spec: spec::print(&spec),
        task_definition,
        by: by.to_owned(),
        asked_at: driver.ports.now().at,
        manner,
    };
    ask_to_start(driver.ports, start).await
}

/// What a request refers to, read once, before anything is discovered.
pub(super) struct Before {
    /// The rollout that the request is about.
    pub(super) of: Option<Rollout>,
    /// The service's promotions, newest first.
    pub(super) past: Vec<Promotion>,
}

/// Reads what a request refers to, and puts the revision of an undo into its spec. Refuses what has been overtaken.
pub(super) async fn before<P: RolloutStore>(
    ports: &P,
    request: &StartRequest,
    spec: &mut RolloutSpec,
) -> Result<Result<Before, Refusal>, Fault> {
    let (Origin::Retry { of, .. } | Origin::Undo { of } | Origin::Restart { of }) = &request.manner.origin else {
        return Ok(Ok(Before { of: None, past: Vec::new() }));
    };
    let Some(Stored { rollout, .. }) = ports.load(of).await? else {
        return Ok(Err(Refusal::new(format!("there is no rollout `{of}`"), "`list --all` shows which there are")));
    };
    let past = ports.promotions(&rollout.baseline.stable.service, PAST).await?;
    let last = past.first();
    if let Some(newer) = last.filter(|last| last.rollout != *of && last.at > rollout.started_at) {
        let why = format!("`{of}` has been overtaken: `{}` was promoted since", newer.rollout);
        return Ok(Err(Refusal::new(why, "look again with `list --all`, then repeat the verb if it still fits")));
    }
    if let Origin::Undo { .. } = &request.manner.origin
        && spec.task_definition.is_none()
    {
        let Some(last) = last else {
            let why = format!("no rollout of `{}` was ever promoted: there is nothing to go back to", spec.name);
            return Ok(Err(Refusal::new(why, "name the revision: `--to-revision family:revision`")));
        };
        spec.task_definition = Some(last.before.as_str().to_owned());
    }
    Ok(Ok(Before { of: Some(rollout), past }))
}

/// Reads the service's promotions for the window, where there is one and they have not been read.
pub(super) async fn past<P: RolloutStore>(
    ports: &P,
    spec: &RolloutSpec,
    stable: &crate::ids::ServiceArn,
    read: Vec<Promotion>,
) -> Result<Vec<Promotion>, Fault> {
    if spec.others.rollback_window.is_none() || !read.is_empty() {
        return Ok(read);
    }
    ports.promotions(stable, PAST).await
}
