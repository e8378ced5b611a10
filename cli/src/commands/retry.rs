//! `tidegate retry`: begins again what went home.

use tidegate::api::Order;

use super::Context;
use super::status::Timeout;
use crate::failure::Outcome;
use crate::names;
use crate::orders::{self, KeyFlag};

/// Begin again what went home: the same spec and revision, as a new rollout
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The id of the rollout that went home, or the spec's name for the newest one
    #[arg(value_name = "ID|NAME")]
    rollout: String,
    /// From the step at which it turned: pauses, analyses and lower weights before that are passed over
    #[arg(long)]
    from_step: bool,
    /// See it to its end: the exit code says how it ended
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    timeout: Timeout,
    #[command(flatten)]
    key: KeyFlag,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    let rollout = names::id_of_newest(&mut link, &args.rollout)?;
    let order = Order::Retry { rollout, from_step: args.from_step };
    let answer = orders::carry_out(&mut link, &orders::request(&args.key, order))?;
    let cannot = format!("cannot retry `{}`", args.rollout);
    super::start::begun(&answer, args.wait, args.timeout, &cannot, &mut link, context)
}
