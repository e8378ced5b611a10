//! `tidegate sandbox serve`: a sandbox that stays, for the CLI, the AWS CLI and SDKs.

use sandbox::world::Estate;
use sandbox::{Options, Sandbox};
use serde::Serialize;

use super::super::Context;
use super::place;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::view::line::Line;

/// Run a sandbox until Ctrl-C
///
/// Prints the variables that point the CLI, the AWS CLI and SDKs to it, for `eval` in a shell.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The port on 127.0.0.1; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Virtual seconds per wall second that are asked for; a slow machine gets fewer
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=600))]
    rate: u32,
    /// The same seed draws the same traffic, task starts and delays
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Furnish it with an application of that name: cluster `production`, a load balancer, twin services, users, an
    /// alarm on each twin; can be given more than once
    #[arg(long, value_name = "NAME")]
    estate: Vec<String>,
    #[command(flatten)]
    place: place::Flags,
}

/// Where it is and what stands in it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Served {
    rate: u32,
    variables: Vec<(String, String)>,
    alarms: Vec<String>,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let options = args.place.options(&mut context.console)?;
    let estates = args.estate.iter().map(|name| Estate::of(name).alarms_on_both()).collect();
    let options = Options { port: args.port, rate: args.rate, seed: args.seed, estates, ..options };
    let runtime = place::runtime()?;
    runtime.block_on(serve(options, &mut context.console))
}

async fn serve(options: Options, console: &mut Console) -> Outcome {
    let sandbox = Sandbox::start(options).await.map_err(|error| place::not_started(&error))?;
    let told = served(&sandbox);
    console.data(&told, |_| {
        told.variables.iter().map(|(name, value)| Line::of(format!("export {name}={value}"))).collect()
    })?;
    for alarm in &told.alarms {
        console.story(&format!("alarm: {alarm}"));
    }
    console.story(&format!("{} virtual seconds per second; Ctrl-C ends it", told.rate));
    let interrupted = tokio::signal::ctrl_c().await;
    sandbox.shutdown().await;
    interrupted.map_err(Failure::from)?;
    Ok(Exit::Ok)
}

fn served(sandbox: &Sandbox) -> Served {
    let region = &sandbox.platform().template.account.region;
    let variables = [
        ("TIDEGATE_SANDBOX", sandbox.url()),
        ("AWS_ENDPOINT_URL", sandbox.url()),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", "AKIASANDBOXADMIN"),
        ("AWS_SECRET_ACCESS_KEY", "sandbox"),
    ];
    let alarms = sandbox.estates().iter().flat_map(sandbox::demo::alarms);
    Served {
        rate: sandbox.rate(),
        variables: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        alarms: alarms.map(str::to_owned).collect(),
    }
}
