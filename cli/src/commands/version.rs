//! `tidegate version`: what this program is, to compare with the controller's log.

use serde::Serialize;

use super::Context;
use crate::exit::Exit;
use crate::failure::Outcome;
use crate::view::line::Line;

/// Print the version
#[derive(Debug, clap::Args)]
pub struct Args {}

/// What this program is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    version: &'static str,
    /// The schema of rollout records that it knows.
    schema: u32,
    /// Whether it can sign requests to Function URLs.
    signing: bool,
}

pub fn run(_args: &Args, context: &mut Context) -> Outcome {
    let version = Version {
        version: env!("CARGO_PKG_VERSION"),
        schema: tidegate::rollout::SCHEMA,
        signing: cfg!(feature = "aws"),
    };
    context.console.data(&version, |_| {
        let signing = if version.signing { "with" } else { "without" };
        vec![Line::of(format!(
            "tidegate {} (record schema {}, {signing} AWS signing)",
            version.version, version.schema
        ))]
    })?;
    Ok(Exit::Ok)
}
