//! Which rollout is meant: an id names one for ever, a spec's name the unfinished one.

use tidegate::api::{Ask, Listed, Told};
use tidegate::ids::RolloutId;
use tidegate::machine::report::Report;
use ulid::Ulid;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::link::Link;

/// Reads `name-01K…` as an id; anything else is a name.
pub fn as_id(text: &str) -> Option<RolloutId> {
    let (name, ulid) = text.rsplit_once('-')?;
    (!name.is_empty() && ulid.len() == ulid::ULID_LEN && Ulid::from_string(ulid).is_ok()).then(|| RolloutId::new(text))
}

/// Returns the rollout of that id, or the unfinished one of that name. By name, a finished one is never meant: what
/// comes next is a wait or an order, and yesterday's rollout would answer it.
pub fn unfinished(link: &mut Link, id_or_name: &str) -> Result<Report, Failure> {
    let report = newest(link, id_or_name)?;
    if report.ended_at.is_none() || as_id(id_or_name).is_some() {
        return Ok(report);
    }
    let Report { rollout, phase, .. } = report;
    Err(Failure::new(
        Exit::NotFound,
        format!("there is no unfinished rollout of `{id_or_name}`"),
        format!("the newest one is {phase}: `{rollout}`"),
    ))
}

/// Returns the rollout of that id, the unfinished one of that name, or else the newest finished one of that name.
pub fn newest(link: &mut Link, id_or_name: &str) -> Result<Report, Failure> {
    find(link, id_or_name)?.ok_or_else(|| Failure::not_found(&format!("rollout `{id_or_name}`")))
}

/// Returns the id without asking where the text is one: an abort waits for no read.
pub fn id_of_unfinished(link: &mut Link, id_or_name: &str) -> Result<RolloutId, Failure> {
    match as_id(id_or_name) {
        Some(id) => Ok(id),
        None => Ok(unfinished(link, id_or_name)?.rollout),
    }
}

/// Returns the id where the text is one, or else that of the newest rollout of that name, finished or not.
pub fn id_of_newest(link: &mut Link, id_or_name: &str) -> Result<RolloutId, Failure> {
    match as_id(id_or_name) {
        Some(id) => Ok(id),
        None => Ok(newest(link, id_or_name)?.rollout),
    }
}

/// Returns the finished or the unfinished rollouts, newest first.
pub fn list(link: &mut Link, finished: bool) -> Result<Vec<Listed>, Failure> {
    match link.ask(&Ask::List { finished })? {
        Told::Rollouts { rollouts } => Ok(rollouts),
        other => Err(unexpected("a list", "cannot list rollouts", other)),
    }
}

/// Returns the report of the rollout of that id, or of the newest one of that name, where there is one.
pub fn find(link: &mut Link, id_or_name: &str) -> Result<Option<Report>, Failure> {
    match link.ask(&Ask::Get { rollout: id_or_name.to_owned() })? {
        Told::Rollout { report } => Ok(Some(*report)),
        Told::NotFound { .. } => Ok(None),
        other => Err(unexpected("a rollout", &format!("cannot get `{id_or_name}`"), other)),
    }
}

/// What to say of an answer that is not the one to the question.
pub fn unexpected(asked: &str, cannot: &str, told: Told) -> Failure {
    let kind = match told {
        Told::NotFound { what } => return Failure::not_found(&what),
        Told::Refused { refusals } => return Failure::refused(cannot, &refusals),
        Told::Rollout { .. } => "rollout",
        Told::Rollouts { .. } => "rollouts",
        Told::Journal { .. } => "journal",
        Told::Answer { .. } => "answer",
        Told::Plan { .. } => "plan",
        Told::Init { .. } => "init",
    };
    Failure::misunderstood(asked, kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_name_and_a_ulid() {
        assert!(as_id("checkout-01KAN5Y3Q8T2V7W9X4Z6B0C1D2").is_some());
        for name in ["checkout", "checkout-blue", "-01KAN5Y3Q8T2V7W9X4Z6B0C1D2", "01KAN5Y3Q8T2V7W9X4Z6B0C1D2", "a-b-c"]
        {
            assert!(as_id(name).is_none(), "{name}");
        }
    }
}
