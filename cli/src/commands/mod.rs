//! The verbs, one file each.

mod abort;
mod completions;
mod events;
mod get;
mod history;
mod init;
mod judge;
mod lint;
mod list;
mod pause;
mod plan;
mod promote;
mod restart;
mod resume;
mod retry;
mod sandbox;
mod skip;
mod start;
mod status;
mod undo;
mod verify;
mod version;

use clap::Subcommand;

use crate::console::Console;
use crate::failure::{Failure, Outcome};
use crate::link::{Flags, Link, Place};

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub enum Verb {
    Lint(lint::Args),
    Plan(plan::Args),
    Init(init::Args),
    Start(start::Args),
    Get(get::Args),
    Status(status::Args),
    List(list::Args),
    Promote(promote::Args),
    Pause(pause::Args),
    Resume(resume::Args),
    Abort(abort::Args),
    Retry(retry::Args),
    Undo(undo::Args),
    Restart(restart::Args),
    History(history::Args),
    Events(events::Args),
    Judge(judge::Args),
    Verify(verify::Args),
    Sandbox(sandbox::Args),
    Completions(completions::Args),
    Version(version::Args),
    #[command(hide = true)]
    Skip(skip::Args),
}

/// What every verb gets.
pub struct Context {
    /// Where it writes.
    pub console: Console,
    connection: Flags,
}

impl Context {
    /// Keeps what the command line says for all verbs.
    pub fn new(console: Console, connection: Flags) -> Self {
        Self { console, connection }
    }

    /// Returns the way to the controller, for verbs that need one.
    pub fn link(&self) -> Result<Link, Failure> {
        Ok(Link::to(Place::decide(&self.connection, crate::variable)?))
    }
}

/// Does what is asked for.
pub fn run(verb: &Verb, context: &mut Context) -> Outcome {
    match verb {
        Verb::Lint(args) => lint::run(args, context),
        Verb::Plan(args) => plan::run(args, context),
        Verb::Init(args) => init::run(args, context),
        Verb::Start(args) => start::run(args, context),
        Verb::Get(args) => get::run(args, context),
        Verb::Status(args) => status::run(args, context),
        Verb::List(args) => list::run(args, context),
        Verb::Promote(args) => promote::run(args, context),
        Verb::Pause(args) => pause::run(args, context),
        Verb::Resume(args) => resume::run(args, context),
        Verb::Abort(args) => abort::run(args, context),
        Verb::Retry(args) => retry::run(args, context),
        Verb::Undo(args) => undo::run(args, context),
        Verb::Restart(args) => restart::run(args, context),
        Verb::History(args) => history::run(args, context),
        Verb::Events(args) => events::run(args, context),
        Verb::Judge(args) => judge::run(args, context),
        Verb::Verify(args) => verify::run(args, context),
        Verb::Sandbox(args) => sandbox::run(args, context),
        Verb::Completions(args) => completions::run(args, context),
        Verb::Version(args) => version::run(args, context),
        Verb::Skip(args) => skip::run(args),
    }
}
