//! `tidegate skip` is not a verb, and says what is.

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// There is no `skip`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(value_name = "ANYTHING", num_args = 0.., trailing_var_arg = true, allow_hyphen_values = true)]
    anything: Vec<String>,
}

pub fn run(args: &Args) -> Outcome {
    let which = args.anything.first().map_or("ID", String::as_str);
    Err(Failure::new(
        Exit::Usage,
        "`skip` is no verb: a step that is skipped by name is skipped twice by two people",
        format!(
            "`tidegate promote {which}` ends the pause that you see, or passes an analysis that could not tell; \
             `promote {which} --full` passes over everything up to 100 %, and keeps gate and bake"
        ),
    ))
}
