//! `tidegate init`: a spec, and the definition of the second service, from an existing one.

use serde::Serialize;
use tidegate::api::{Ask, Told};

use super::Context;
use crate::console::Output;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::names;

/// Print a spec, and the definition of the second service, for an existing service
///
/// Nothing is created: save the spec, and give the definition to `aws ecs create-service --cli-input-json`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The cluster's name or ARN
    #[arg(long)]
    cluster: String,
    /// The existing service
    #[arg(long)]
    service: String,
    /// Print one of the two documents alone
    #[arg(long, value_enum)]
    only: Option<Only>,
}

/// One of the two documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Only {
    /// The spec, as YAML
    Spec,
    /// The second service, as JSON
    Service,
}

/// Both documents.
#[derive(Serialize)]
struct Documents {
    spec: String,
    service: String,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let ask = Ask::Init { cluster: args.cluster.clone(), service: args.service.clone() };
    let documents = match context.link()?.ask(&ask)? {
        Told::Init { spec, service } => Documents { spec, service },
        other => return Err(names::unexpected("a spec", &format!("cannot read `{}`", args.service), other)),
    };
    match (context.console.output, args.only) {
        (Output::Json, _) => context.console.data(&documents, |_| Vec::new())?,
        (Output::Text, Some(Only::Spec)) => context.console.document(&documents.spec)?,
        (Output::Text, Some(Only::Service)) => context.console.document(&documents.service)?,
        (Output::Text, None) => {
            context.console.document(&documents.spec)?;
            context.console.document("---\n# The second service, for `aws ecs create-service --cli-input-json`:")?;
            context.console.document(&documents.service)?;
        }
    }
    Ok(Exit::Ok)
}
