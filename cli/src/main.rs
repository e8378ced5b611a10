//! The `tidegate` command: reads what people ask for, asks the controller, prints what it says.

mod clean;
mod commands;
mod console;
mod exit;
mod failure;
mod files;
mod follow;
mod journal;
mod link;
mod names;
mod orders;
mod view;

use std::process::ExitCode;

use clap::Parser;

use commands::{Context, Verb};
use console::{Console, Output, colour_wanted};

/// Progressive delivery for Amazon ECS
///
/// Rolls one service out from one revision to the next: step by step, judged by its metrics, and home again by
/// itself where they are bad.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = exit::table(), max_term_width = 100)]
struct Cli {
    /// How data is written to standard output; json is the structs of the API
    #[arg(long, short, global = true, value_enum, default_value_t = Output::Text)]
    output: Output,
    #[command(flatten)]
    connection: link::Flags,
    #[command(subcommand)]
    verb: Verb,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let console = Console::of_process(cli.output, colour_wanted(variable));
    let mut context = Context::new(console, cli.connection);
    match commands::run(&cli.verb, &mut context) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            context.console.failure(&failure);
            failure.exit.into()
        }
    }
}

/// The one place that reads the environment.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
