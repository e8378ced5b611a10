//! A start that is asked for while another rollout has the services: refused, kept until this one ends, or put in its
//! place. It inherits nothing: it begins as any start does, once this rollout has ended.

use super::effect::Effect;
use super::event::Successor;
use super::{Now, Outcome, home};
use crate::fault::Refusal;
use crate::rollout::{AbortReason, Phase, Rollout, StartRequest};
use crate::spec::OnNewRevision;

/// Takes in what is said of a successor, before and after the end.
pub fn fold(rollout: &mut Rollout, successor: Successor, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    match successor {
        Successor::Asked { request, revision } => match why_not(rollout, &request, &revision) {
            Some(refusal) => Outcome::Refused(refusal),
            None => keep(rollout, request, &revision, now, effects),
        },
        Successor::Answered { key } => {
            let answered = rollout.wishes.next.as_ref().is_some_and(|next| next.key == key);
            if answered {
                rollout.wishes.next = None;
                Outcome::Applied("the start that waited for its end has its answer".to_owned())
            } else {
                Outcome::NoOp("the answer of a start that does not wait here".to_owned())
            }
        }
    }
}

fn why_not(rollout: &Rollout, request: &StartRequest, revision: &str) -> Option<Refusal> {
    let id = &rollout.id;
    if rollout.is_finished() {
        return Some(Refusal::new(format!("`{id}` has just ended"), "ask again: the services are free"));
    }
    if rollout.baseline.revision.as_str() == revision {
        let why = format!("`{id}` rolls out `{}` already", rollout.baseline.revision.short());
        return Some(Refusal::new(why, "wait for it; after a way home, `retry` repeats it"));
    }
    if rollout.spec.others.on_new_revision == OnNewRevision::Reject {
        let why = format!("the services already have an active rollout, {id}");
        return Some(Refusal::new(why, format!("wait for it, or `abort {id}`; `onNewRevision: queue` would keep it")));
    }
    let later = rollout.wishes.next.as_ref().is_some_and(|next| next.asked_at > request.asked_at);
    if later || request.asked_at < rollout.started_at {
        return Some(Refusal::new(format!("a later start was asked for: see `{id}`"), "only the latest one is kept"));
    }
    None
}

fn keep(rollout: &mut Rollout, request: StartRequest, revision: &str, now: Now, effects: &mut Vec<Effect>) -> Outcome {
    let by = request.by.clone();
    let id = rollout.id.clone();
    let replaced = rollout.wishes.next.replace(request.after(&id));
    let replaced = replaced.map(|old| format!(", in place of the one that {} asked for", old.by)).unwrap_or_default();
    let homeward = match (rollout.spec.others.on_new_revision, &rollout.phase) {
        (OnNewRevision::Supersede, Phase::Progressing | Phase::Paused { .. }) => rollout.promoted_at.is_none(),
        (OnNewRevision::Reject | OnNewRevision::Queue | OnNewRevision::Supersede, _) => false,
    };
    if homeward {
        let revision = revision.rsplit('/').next().unwrap_or(revision).to_owned();
        home::turn(rollout, AbortReason::Superseded { by, revision }, now, effects);
        return Outcome::Applied(format!("goes home, and gives way to the start{replaced}"));
    }
    Outcome::Applied(format!("keeps the start until it ends{replaced}"))
}
