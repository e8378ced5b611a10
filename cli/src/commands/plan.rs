//! `tidegate plan`: what a start would do, step by step, and why it would be refused.

use std::path::{Path, PathBuf};

use tidegate::api::{Ask, PlanReport, Told};
use tidegate::rollout::Track;

use super::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::link::Link;
use crate::orders::TrackFlags;
use crate::{files, names, view};

/// Show what a start would do; nothing moves
///
/// Lists which side is stable, every managed rule, and every step with the least time that it takes. What would be
/// refused is listed with what to do about it, and the exit code is 3.
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
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let spec = files::spec(&args.file, &mut context.console)?;
    let plan = ask(&mut context.link()?, &spec, args.task_definition.as_deref(), args.track.track(), &args.file)?;
    context.console.data(&plan, |width| view::plan::lines(&plan, width))?;
    if plan.refusals.is_empty() {
        return Ok(Exit::Ok);
    }
    Err(Failure::refused(&cannot(&args.file), &plan.refusals))
}

/// Asks what a start would do.
pub fn ask(
    link: &mut Link,
    spec: &str,
    task_definition: Option<&str>,
    track: Track,
    file: &Path,
) -> Result<PlanReport, Failure> {
    let ask = Ask::Plan { spec: spec.to_owned(), task_definition: task_definition.map(str::to_owned), track };
    match link.ask(&ask)? {
        Told::Plan { plan } => Ok(*plan),
        other => Err(names::unexpected("a plan", &cannot(file), other)),
    }
}

/// The beginning of a refusal.
pub fn cannot(file: &Path) -> String {
    format!("cannot start `{}`", file.display())
}
