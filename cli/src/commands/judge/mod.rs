//! `tidegate judge`: the statistics behind verdicts, for data of one's own. One JSON object per line in, one out.

mod calibrate;
mod counts;
mod kayenta;
mod lines;
mod number;
mod replay;
mod series;

use std::path::PathBuf;

use clap::Subcommand;

use super::Context;
use crate::failure::Outcome;

/// Judge data of your own: one JSON object per line in, one per line out
///
/// Asks nobody and changes nothing. A line that cannot be judged gets `{"error": …, "line": …, "field": …}` in its place,
/// never a verdict; the lines after it are judged, and the exit code is 2.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Counts(counts::Args),
    Series(series::Args),
    Calibrate(calibrate::Args),
    Kayenta(kayenta::Args),
    KayentaScore(kayenta::ScoreArgs),
    Replay(replay::Args),
}

/// Where the lines come from.
#[derive(Debug, clap::Args)]
struct From {
    /// A file of JSON lines; `-` reads standard input
    #[arg(default_value = "-", value_name = "FILE")]
    file: PathBuf,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    match &args.what {
        What::Counts(args) => counts::run(args, context),
        What::Calibrate(args) => calibrate::run(args, context),
        What::Series(args) => series::run(args, context),
        What::Replay(args) => replay::run(args, context),
        What::Kayenta(args) => kayenta::run(args, context),
        What::KayentaScore(args) => kayenta::run_score(args, context),
    }
}
