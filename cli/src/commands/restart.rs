//! `tidegate restart`: the revision that stable runs, once more, by a new rollout.

use tidegate::api::Order;

use super::Context;
use super::status::Timeout;
use crate::failure::Outcome;
use crate::names;
use crate::orders::{self, KeyFlag};

/// Roll out once more what stable runs: every task is new
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The newest rollout's id, or the spec's name for it
    #[arg(value_name = "ID|NAME")]
    rollout: String,
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
    let answer = orders::carry_out(&mut link, &orders::request(&args.key, Order::Restart { rollout }))?;
    let cannot = format!("cannot restart `{}`", args.rollout);
    super::start::begun(&answer, args.wait, args.timeout, &cannot, &mut link, context)
}
