//! `tidegate promote`: ends the current pause, at the step that the caller saw.

use tidegate::machine::event::Verb;

use super::Context;
use crate::failure::Outcome;
use crate::orders::{self, Forward};

/// End the current pause, and go on
///
/// Carried out only if the rollout is still at the step that was read just before, or at --step: a second or late
/// `promote` never skips a step.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    forward: Forward,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    orders::forward(Verb::Promote, &args.forward, &mut link, &mut context.console)
}
