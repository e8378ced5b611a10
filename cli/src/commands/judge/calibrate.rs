//! `tidegate judge calibrate`: how noisy the split of errors is, from a history without a canary.

use serde::{Deserialize, Serialize};
use tidegate::analysis::calibration::{self, HISTORY_MIN};

use super::counts::together;
use super::lines::{self, Wrong};
use crate::commands::Context;
use crate::failure::Outcome;

/// Measure the noise of the split from a history without a canary, for the params of `counts`
///
/// In: {"a":[[requests,bad],…], "b":[[requests,bad],…]}: two halves of one service, by zone, a day or more.
/// Out: {"r_by_bin":[…],"A":…}.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: super::From,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    a: Vec<Option<(f64, f64)>>,
    b: Vec<Option<(f64, f64)>>,
}

#[derive(Serialize)]
struct Calibrated {
    r_by_bin: Vec<f64>,
    #[serde(rename = "A")]
    autocorrelation: f64,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    lines::judge(&args.from.file, context, |Asked { a, b }: Asked| {
        lines::same_length(("a", a.len()), ("b", b.len()))?;
        let minutes = together(&lines::arms("b", &b)?, &lines::arms("a", &a)?);
        let dispersion = calibration::calibrate(&minutes).ok_or_else(|| {
            Wrong::new("a", format!("fewer than {HISTORY_MIN} minutes with requests in both halves: no calibration"))
        })?;
        Ok(Calibrated { r_by_bin: dispersion.by_bin().collect(), autocorrelation: dispersion.autocorrelation() })
    })
}
