//! `tidegate pause`: holds a rollout where it is.

use tidegate::machine::event::Verb;

use super::Context;
use crate::failure::Outcome;
use crate::orders::{self, Holding};

/// Hold a rollout where it is; `resume` goes on
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    holding: Holding,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    orders::hold(Verb::Pause, &args.holding, &mut link, &mut context.console)
}
