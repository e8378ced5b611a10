//! `tidegate abort`: sends a rollout home.

use tidegate::machine::event::Verb;

use super::Context;
use crate::failure::Outcome;
use crate::orders::{self, Holding};

/// Send a rollout home: all traffic back to the stable side
///
/// Given an id, nothing is read first, and no step is checked: the way home waits for nothing.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    holding: Holding,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    orders::hold(Verb::Abort, &args.holding, &mut link, &mut context.console)
}
