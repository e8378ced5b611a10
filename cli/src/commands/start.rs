//! `tidegate start`: begins a rollout, and with `--wait` sees it to its end.

use std::path::PathBuf;

use tidegate::api::{Answer, Order};

use super::Context;
use super::status::Timeout;
use crate::console::Output;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::orders::{self, KeyFlag, TrackFlags};
use crate::{files, follow};

/// Begin a rollout
///
/// Checks the spec, asks what a start would be refused for, sends it, and waits until the rollout has begun. Prints
/// the rollout's id.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The spec; `-` reads standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The revision, where it is not the spec's own
    #[arg(long, value_name = "FAMILY:REVISION")]
    task_definition: Option<String>,
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
    let spec = files::spec(&args.file, &mut context.console)?;
    let mut link = context.link()?;
    let cannot = super::plan::cannot(&args.file);
    // A repeated start is answered by its key; a plan would refuse it, because its own rollout is in the way.
    if args.key.key.is_none() {
        let plan = super::plan::ask(&mut link, &spec, args.task_definition.as_deref(), args.track.track(), &args.file)?;
        if !plan.refusals.is_empty() {
            return Err(Failure::refused(&cannot, &plan.refusals));
        }
    }
    let order = Order::Start { spec, task_definition: args.task_definition.clone(), track: args.track.track() };
    let answer = orders::carry_out(&mut link, &orders::request(&args.key, order))?;
    begun(&answer, args.wait, args.timeout, &cannot, &mut link, context)
}

/// Tells that a rollout began, and sees it to its end where that is wanted.
pub fn begun(
    answer: &Answer,
    wait: bool,
    timeout: Timeout,
    cannot: &str,
    link: &mut crate::link::Link,
    context: &mut Context,
) -> Outcome {
    let begun;
    let answer = match answer {
        Answer::Queued { behind, key } if wait => {
            context.console.story(&format!("queued: it begins when {behind} has ended"));
            begun = orders::begun_after(link, key, timeout.duration())?;
            &begun
        }
        Answer::Queued { .. }
        | Answer::Accepted
        | Answer::Started { .. }
        | Answer::Done { .. }
        | Answer::NoOp { .. }
        | Answer::Refused { .. } => answer,
    };
    let Answer::Started { rollout } = answer else {
        return orders::conclude(&mut context.console, answer, cannot);
    };
    if !wait {
        orders::conclude(&mut context.console, answer, cannot)?;
        context.console.story(&format!("started; `tidegate get {rollout} --watch` follows it"));
        return Ok(Exit::Ok);
    }
    // One JSON document per run: with `--wait` it is the last report.
    if context.console.output == Output::Text {
        orders::conclude(&mut context.console, answer, cannot)?;
    }
    follow::until_the_end(link, &mut context.console, rollout.clone(), timeout.duration())
}
