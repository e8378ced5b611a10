//! `tidegate resume`: ends a person's pause, at the step that the caller saw.

use tidegate::machine::event::Verb;

use super::Context;
use crate::failure::Outcome;
use crate::orders::{self, Forward};

/// End a pause that a person made
///
/// Carried out only if the rollout is still at the step that was read just before, or at --step.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    forward: Forward,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    orders::forward(Verb::Resume, &args.forward, &mut link, &mut context.console)
}
