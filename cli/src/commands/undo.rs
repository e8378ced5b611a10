//! `tidegate undo`: back to an earlier revision, by a new rollout.

use tidegate::api::Order;

use super::Context;
use super::status::Timeout;
use crate::failure::Outcome;
use crate::names;
use crate::orders::{self, KeyFlag, TrackFlags};

/// Go back to the revision before the last promotion
///
/// Inside the spec's `rollbackWindow` it goes fast: full size, all traffic, bake, and no pause or analysis. An alarm
/// that is in ALARM does not stand in its way, and is not watched. What has not been promoted is not undone: `abort` it.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The newest rollout's id, or the spec's name for it
    #[arg(value_name = "ID|NAME")]
    rollout: String,
    /// Another revision than the one before the last promotion
    #[arg(long, value_name = "FAMILY:REVISION")]
    to_revision: Option<String>,
    #[command(flatten)]
    track: TrackFlags,
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
    let order = Order::Undo { rollout, to_revision: args.to_revision.clone(), track: args.track.track() };
    let answer = orders::carry_out(&mut link, &orders::request(&args.key, order))?;
    let cannot = format!("cannot undo `{}`", args.rollout);
    super::start::begun(&answer, args.wait, args.timeout, &cannot, &mut link, context)
}
