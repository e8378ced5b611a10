//! `tidegate verify`: whether a rollout's journal is whole and unchanged.

use serde::Serialize;
use tidegate::audit;
use tidegate::ids::RolloutId;

use super::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::view::line::Line;
use crate::{journal, names};

/// Check a rollout's journal: no entry missing, none changed
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A rollout's id, or the spec's name for the newest one
    #[arg(value_name = "ID|NAME")]
    rollout: String,
}

/// What was found.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified {
    rollout: RolloutId,
    /// How many entries the journal has.
    entries: usize,
    /// Hash of the last entry: keep it elsewhere to detect a journal that was cut short.
    head: String,
    /// Where the chain is broken.
    broken: Option<String>,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    let rollout = names::id_of_newest(&mut link, &args.rollout)?;
    let entries = journal::read(&mut link, &rollout, 1)?;
    let Some(last) = entries.last() else {
        return Err(Failure::not_found(&format!("journal of `{rollout}`")));
    };
    let broken = audit::verify(&entries).err().map(|broken| broken.to_string());
    let verified = Verified { rollout, entries: entries.len(), head: last.hash(), broken };
    context.console.data(&verified, |_| text(&verified))?;
    match verified.broken {
        None => Ok(Exit::Ok),
        Some(broken) => Err(Failure::new(
            Exit::BrokenJournal,
            format!("the journal of `{}` does not verify: {broken}", verified.rollout),
            "compare the table with its point-in-time recovery, and look in CloudTrail for who wrote to it",
        )),
    }
}

fn text(verified: &Verified) -> Vec<Line> {
    let Verified { rollout, entries, head, broken } = verified;
    match broken {
        None => vec![Line::of(format!("✔ {rollout}: {entries} entries, none missing, none changed; head {head}"))],
        Some(broken) => vec![Line::of(format!("✖ {rollout}: {entries} entries: {broken}"))],
    }
}
