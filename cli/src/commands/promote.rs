//! `tidegate promote`: ends the current pause, or passes over what is left, at the step that the caller saw.

use tidegate::machine::event::Verb;

use super::Context;
use crate::failure::Outcome;
use crate::orders::{self, Forward};

/// End the current pause, and go on
///
/// Carried out only if the rollout is still at the step that was read just before, or at --step: a second or late
/// `promote` never skips a step. With --full, pauses, analyses and weights that are left are passed over; full
/// capacity, the safety gate, the bake and the way home stay.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Pass over every pause, analysis and weight that is left
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    forward: Forward,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    let verb = if args.full { Verb::PromoteFull } else { Verb::Promote };
    orders::forward(verb, &args.forward, &mut link, &mut context.console)
}
