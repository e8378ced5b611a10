//! Where the sandbox finds the template and the functions' binaries, and what it runs on.

use std::ffi::OsString;
use std::path::PathBuf;

use sandbox::functions::{self, Bench, BuildError};
use sandbox::{Options, StartError};
use tokio::runtime::Runtime;

use crate::console::Console;
use crate::exit::Exit;
use crate::failure::Failure;

/// Flags of whatever starts the functions.
#[derive(Debug, clap::Args)]
pub struct Flags {
    /// The SAM template; the checkout's own where none is given
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// A folder with the functions' binaries; built by Cargo where none is given
    #[arg(long, value_name = "DIR")]
    functions: Option<PathBuf>,
}

impl Flags {
    /// Returns the options of a sandbox with the template's functions; builds them where that is to be done.
    pub fn options(&self, console: &mut Console) -> Result<Options, Failure> {
        let functions = match &self.functions {
            Some(folder) => folder.clone(),
            None => build(console)?,
        };
        let template = match &self.template {
            Some(template) => template.clone(),
            None => functions::checkout().map_err(|error| unbuilt(&error))?.join("template.yaml"),
        };
        Ok(Options::new(template, functions))
    }
}

fn build(console: &mut Console) -> Result<PathBuf, Failure> {
    let program = std::env::current_exe()?;
    let bench = Bench::of(&program).map_err(|error| unbuilt(&error))?;
    if bench.is_furnished() {
        console.story("checking that the function binaries are up to date…");
    } else {
        console.story(
            "building the function binaries: the first time that takes minutes, because it compiles the AWS SDK…",
        );
    }
    bench.build(crate::variable("CARGO").map(OsString::from)).map_err(|error| unbuilt(&error))
}

fn unbuilt(error: &BuildError) -> Failure {
    let hint = match error {
        BuildError::NoTarget { .. } | BuildError::NoCheckout { .. } => {
            "`--template FILE` and `--functions DIR` say where they are"
        }
        BuildError::NoCargo { .. } | BuildError::Failed { .. } => {
            "`cargo build --locked -p controller` in the checkout shows the same"
        }
    };
    Failure::new(Exit::Unexpected, error.to_string(), hint)
}

/// Turns the reasons why a sandbox does not start into what the process says.
pub fn not_started(error: &StartError) -> Failure {
    let hint = match error {
        StartError::Template { .. } => "`--template FILE` says where the template is",
        StartError::Load(_) => "the sandbox runs only what it can run as AWS would; see docs/sandbox.md",
        StartError::Port { .. } => "`--port 0` takes any free port",
        StartError::NoBinary { .. } => "leave `--functions` out, and Cargo builds them",
        StartError::Estate(_) | StartError::NotGranted { .. } => "please report it with the command that you gave",
    };
    Failure::new(Exit::Unexpected, error.to_string(), hint)
}

/// What the sandbox runs on, beside the verb's own thread.
pub fn runtime() -> Result<Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
