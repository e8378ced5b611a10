//! `tidegate history`: a rollout's journal, one line per entry.

use super::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::{journal, names, view};

/// Show a rollout's journal: what came in, what was decided, what went out
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A rollout's id, or the spec's name for the newest one
    #[arg(value_name = "ID|NAME")]
    rollout: String,
    /// The first entry to show
    #[arg(long, default_value_t = 1, value_name = "SEQUENCE")]
    from: u64,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    let id = names::id_of_newest(&mut link, &args.rollout)?;
    let entries = journal::read(&mut link, &id, args.from)?;
    context.console.data(&entries, |_| entries.iter().map(view::journal::entry).collect())?;
    Ok(Exit::Ok)
}
