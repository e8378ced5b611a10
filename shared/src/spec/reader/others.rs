//! Reading what a rollout does about others.

use super::argo::Scope;
use super::walk::{At, Fields, Walk, wrong};
use crate::spec::{Mistake, OnNewRevision, Others, RollbackWindow, limits};

/// Reads the fields of `spec` that say it.
pub fn others(walk: &mut Walk, fields: &Fields<'_>) -> Option<Others> {
    let rollback_window = match fields.get("rollbackWindow") {
        None => Some(None),
        Some(at) => window(walk, &at).map(Some),
    };
    let on_new_revision = fields.get("onNewRevision").map_or(Some(OnNewRevision::Reject), |at| {
        let words = [
            ("reject", OnNewRevision::Reject),
            ("queue", OnNewRevision::Queue),
            ("supersede", OnNewRevision::Supersede),
        ];
        walk.word(&at, &words)
    });
    Some(Others { rollback_window: rollback_window?, on_new_revision: on_new_revision? })
}

fn window(walk: &mut Walk, at: &At<'_>) -> Option<RollbackWindow> {
    let fields = walk.fields(at, Scope::Ours, &["revisions", "age"])?;
    let revisions =
        fields.get("revisions").map(|at| walk.whole(&at, limits::WINDOW_REVISIONS, "so many promotions back"));
    let age = fields.get("age").map(|at| {
        let hint = "so long after it stopped being stable, a revision may still come back fast";
        walk.duration(&at, &limits::WINDOW_AGE, hint)
    });
    if revisions.is_none() && age.is_none() {
        let hint = "write `revisions: 1`, `age: 2h`, or both; without a window every rollout takes all its steps";
        walk.note(at, wrong(Mistake::MissingField, "`rollbackWindow` has neither `revisions` nor `age`", hint));
        return None;
    }
    // A limit that could not be read has been noted.
    let (revisions, age) =
        (revisions.map_or(Some(None), |read| read.map(Some)), age.map_or(Some(None), |read| read.map(Some)));
    Some(RollbackWindow { revisions: revisions?, age: age? })
}
