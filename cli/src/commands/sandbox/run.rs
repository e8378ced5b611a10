//! `tidegate sandbox run`: a scenario, line by line, on virtual time.

use std::path::PathBuf;

use sandbox::script::{Mistake, Script};
use serde::Serialize;

use super::super::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome, Problem};
use crate::files;
use crate::view::line::Line;

/// Run a scenario in process: hours in milliseconds, the same every time
///
/// One instruction per line: revision good | revision bad SHARE, start, advance 6m, settle, alarm NAME STATE, promote,
/// pause, resume, abort, kill after CALLS, expect phase | weight | step | user-errors | refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The scenario
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,
    /// The same seed draws the same traffic, task starts and delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    expectations: usize,
    virtual_seconds: i64,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let text = files::text(&args.script)?;
    let script = Script::read(&text).map_err(|mistakes| wrong(&args.script.display().to_string(), &mistakes))?;
    let mut story = Vec::new();
    let ran = sandbox::script::run(&script, args.seed, |heard| story.push(format!("{} {}", heard.at, heard.message)));
    story.iter().for_each(|line| context.console.story(line));
    match ran {
        Ok(ran) => {
            let told = Told { expectations: ran.held, virtual_seconds: ran.took.as_secs() };
            let (held, minutes) = (told.expectations, told.virtual_seconds / 60);
            context
                .console
                .data(&told, |_| vec![Line::of(format!("{held} expectations held in {minutes} virtual minutes"))])?;
            Ok(Exit::Ok)
        }
        Err(failed) => Err(Failure::new(
            Exit::Unexpected,
            format!("{}: {failed}", args.script.display()),
            "the lines above tell what happened before",
        )),
    }
}

fn wrong(file: &str, mistakes: &[Mistake]) -> Failure {
    let problem = |mistake: &Mistake| Problem { what: format!("{file}: {mistake}"), hint: Some(mistake.hint.clone()) };
    Failure { exit: Exit::Usage, problems: mistakes.iter().map(problem).collect() }
}
