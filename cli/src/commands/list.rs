//! `tidegate list`: rollouts, newest first.

use super::Context;
use crate::console::Output;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::{names, view};

/// List rollouts, newest first
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Finished ones, too
    #[arg(long)]
    all: bool,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    let mut rollouts = names::list(&mut link, false)?;
    if args.all {
        rollouts.extend(names::list(&mut link, true)?);
        // One that ends between the two questions is in both answers; the second one knows more.
        rollouts.reverse();
        let mut seen = std::collections::HashSet::new();
        rollouts.retain(|listed| seen.insert(listed.rollout.clone()));
        rollouts.sort_by_key(|listed| std::cmp::Reverse(listed.started_at));
    }
    context.console.data(&rollouts, |width| view::list::lines(&rollouts, width))?;
    if rollouts.is_empty() && context.console.output == Output::Text {
        context.console.story(if args.all {
            "no rollout yet"
        } else {
            "no unfinished rollout; `--all` lists finished ones, too"
        });
    }
    Ok(Exit::Ok)
}
