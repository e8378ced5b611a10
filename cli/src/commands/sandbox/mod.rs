//! `tidegate sandbox`: the account that replaces an account, on this machine.

mod demo;
mod place;
mod run;
mod serve;
mod story;

use super::Context;
use crate::failure::Outcome;

/// Run everything on this machine, without an AWS account
///
/// The functions of template.yaml are real processes; ECS, load balancers, CloudWatch, EventBridge, SQS, DynamoDB and
/// Lambda are modelled around them, on a clock that runs faster.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Demo(demo::Args),
    Run(run::Args),
    Serve(serve::Args),
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    match &args.what {
        What::Demo(args) => demo::run(args, context),
        What::Run(args) => run::run(args, context),
        What::Serve(args) => serve::run(args, context),
    }
}
