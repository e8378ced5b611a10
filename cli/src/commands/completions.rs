//! `tidegate completions`: completion scripts for shells.

use clap::CommandFactory;
use clap_complete::Shell;
use serde::Serialize;

use super::Context;
use crate::console::Output;
use crate::exit::Exit;
use crate::failure::Outcome;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// A script and its shell.
#[derive(Serialize)]
struct Completions {
    shell: String,
    script: String,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::Cli::command(), "tidegate", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match context.console.output {
        Output::Json => context.console.data(&Completions { shell: args.shell.to_string(), script }, |_| Vec::new())?,
        Output::Text => context.console.verbatim(&script)?,
    }
    Ok(Exit::Ok)
}
