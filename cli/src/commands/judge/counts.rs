//! `tidegate judge counts`: requests and bad events of both sides, minute by minute.

use serde::{Deserialize, Serialize};
use tidegate::analysis::sequential::counts::{Arm, Minute};
use tidegate::analysis::sequential::dispersion::{CORRELATION_MAX, Dispersion, EDGES};
use tidegate::analysis::sequential::{CountEvidence, CountQuestion};
use tidegate::analysis::verdict::{self, Cause, State};

use super::lines::{self, Wrong};
use crate::commands::Context;
use crate::failure::Outcome;

/// Judge counts: [requests, bad] of both sides in each minute
///
/// In: {"params"?, "baseline":[[requests,bad],…], "canary":[[requests,bad],…]}, `null` for a missing minute.
/// Out: {"ln_e":[…],"abort_minute","pass_minute","verdict","sentence"}; minutes are counted from 1.
/// docs/verdicts.md lists the params and their defaults.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: super::From,
    /// Adds the evidence: cause, both pass processes, the ratio and its bounds, sums
    #[arg(long)]
    full: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    params: Params,
    baseline: Vec<Option<(f64, f64)>>,
    canary: Vec<Option<(f64, f64)>>,
}

/// Every field may be absent; its default is that of [`CountQuestion`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    rho0: Option<f64>,
    rho_grid: Option<Vec<f64>>,
    restart: Option<f64>,
    horizon: Option<usize>,
    alpha: Option<f64>,
    sensitivity: Option<Sensitivity>,
    tol: Option<f64>,
    r_by_bin: Option<Vec<f64>>,
    bin_edges: Option<Vec<f64>>,
    #[serde(rename = "A")]
    autocorrelation: Option<f64>,
    rho1: Option<f64>,
    lmax: Option<f64>,
    beta: Option<f64>,
    soak_minutes: Option<usize>,
    soak_requests: Option<f64>,
    unsettled: usize,
}

#[derive(Serialize)]
struct Judged {
    ln_e: Vec<f64>,
    abort_minute: Option<usize>,
    pass_minute: Option<usize>,
    verdict: State,
    sentence: String,
    #[serde(flatten)]
    full: Option<Full>,
}

#[derive(Serialize)]
struct Full {
    cause: Option<Cause>,
    ln_e_relative: Vec<f64>,
    ln_e_absolute: Vec<f64>,
    held_minute: Option<usize>,
    ratio: Option<f64>,
    ratio_low: Option<f64>,
    ratio_high: Option<f64>,
    baseline: [f64; 2],
    canary: [f64; 2],
    usable_minutes: usize,
    missing_minutes: usize,
    calibrated: bool,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    lines::judge(&args.from.file, context, |asked: Asked| judge(asked, args.full))
}

fn judge(asked: Asked, full: bool) -> Result<Judged, Wrong> {
    let Asked { params, baseline, canary } = asked;
    lines::same_length(("baseline", baseline.len()), ("canary", canary.len()))?;
    let (baseline, canary) = (lines::arms("baseline", &baseline)?, lines::arms("canary", &canary)?);
    let minutes = together(&baseline, &canary);
    let unsettled = params.unsettled();
    let question = params.question(CountQuestion::default())?;
    let evidence = question.answer(&minutes, unsettled);
    let finding = verdict::of_counts(&question, &evidence);
    let sentence = verdict::sentence("errors", &question, &minutes, &evidence);
    let full = full.then(|| Full::of(&question, &minutes, &evidence, finding.cause));
    let CountEvidence { ln_e, abort_minute, pass_minute, .. } = evidence;
    Ok(Judged { ln_e, abort_minute, pass_minute, verdict: finding.state, sentence, full })
}

impl Full {
    fn of(
        question: &CountQuestion,
        minutes: &[Option<Minute>],
        evidence: &CountEvidence,
        cause: Option<Cause>,
    ) -> Self {
        let interval = question.interval(minutes);
        let sums = |arm: &Arm| [arm.requests, arm.bad];
        Self {
            cause,
            ln_e_relative: evidence.ln_e_relative.clone(),
            ln_e_absolute: evidence.ln_e_absolute.clone(),
            held_minute: evidence.held_minute,
            ratio: interval.ratio,
            ratio_low: interval.low,
            ratio_high: interval.high,
            baseline: sums(&evidence.total.baseline),
            canary: sums(&evidence.total.canary),
            usable_minutes: evidence.usable,
            missing_minutes: evidence.missing,
            calibrated: question.dispersion.is_calibrated(),
        }
    }
}

/// A minute that one side misses is missing: there is nothing to compare.
pub fn together(baseline: &[Option<Arm>], canary: &[Option<Arm>]) -> Vec<Option<Minute>> {
    let both = baseline.iter().zip(canary);
    both.map(|(baseline, canary)| Some(Minute { baseline: (*baseline)?, canary: (*canary)? })).collect()
}

impl Params {
    /// How many of the newest minutes may still change.
    pub fn unsettled(&self) -> usize {
        self.unsettled
    }

    /// Checks each field; what is absent is as in `usual`.
    pub fn question(self, usual: CountQuestion) -> Result<CountQuestion, Wrong> {
        let dispersion = self.dispersion()?;
        let alpha = alpha("params.", self.alpha, self.sensitivity)?.unwrap_or(usual.alpha);
        let question = CountQuestion {
            margin: self.rho0.unwrap_or(usual.margin),
            alternatives: self.rho_grid.unwrap_or(usual.alternatives),
            restart: self.restart.unwrap_or(usual.restart),
            horizon: self.horizon.unwrap_or(usual.horizon),
            alpha,
            tolerance: self.tol.unwrap_or(usual.tolerance),
            dispersion,
            pass_margin: self.rho1.unwrap_or(usual.pass_margin),
            budget: self.lmax.unwrap_or(usual.budget),
            beta: self.beta.unwrap_or(usual.beta),
            soak_minutes: self.soak_minutes.unwrap_or(usual.soak_minutes),
            soak_requests: self.soak_requests.unwrap_or(usual.soak_requests),
        };
        check(&question)?;
        Ok(question)
    }

    fn dispersion(&self) -> Result<Dispersion, Wrong> {
        let autocorrelation = self.autocorrelation.unwrap_or(1.0);
        number("params.A", autocorrelation, 1.0..=1e6)?;
        let Some(r_by_bin) = &self.r_by_bin else {
            if self.bin_edges.is_some() {
                return Err(Wrong::new("params.bin_edges", "edges of no bins: `r_by_bin` is missing"));
            }
            return Ok(Dispersion::uncalibrated().lasting(autocorrelation));
        };
        let edges = self.bin_edges.as_deref().unwrap_or(&EDGES);
        if r_by_bin.is_empty() || !(edges.len() == r_by_bin.len() || edges.len() == r_by_bin.len() + 1) {
            let problem = format!("{} bins, and `bin_edges` has {} edges", r_by_bin.len(), edges.len());
            return Err(Wrong::new("params.r_by_bin", problem));
        }
        for (index, r) in r_by_bin.iter().enumerate() {
            number(&format!("params.r_by_bin[{index}]"), *r, 0.0..=CORRELATION_MAX)?;
        }
        for (index, edge) in edges.iter().enumerate() {
            number(&format!("params.bin_edges[{index}]"), *edge, 1.0..=f64::MAX)?;
        }
        if let Some(index) = edges.windows(2).position(|two| two[0] >= two[1]) {
            return Err(Wrong::new(format!("params.bin_edges[{}]", index + 1), "edges do not rise"));
        }
        let bins = edges.iter().copied().zip(r_by_bin.iter().copied()).collect();
        Ok(Dispersion::calibrated(bins, autocorrelation))
    }
}

/// How soon it aborts, and how often falsely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sensitivity {
    Fast,
    Default,
    Strict,
}

impl Sensitivity {
    fn alpha(self) -> f64 {
        match self {
            Self::Fast => 1.0 / 20.0,
            Self::Default => 1.0 / 100.0,
            Self::Strict => 1.0 / 1000.0,
        }
    }
}

/// Takes the probability of a false abort, said in one of two ways, if it is.
pub fn alpha(parent: &str, alpha: Option<f64>, sensitivity: Option<Sensitivity>) -> Result<Option<f64>, Wrong> {
    let alpha = match (alpha, sensitivity) {
        (Some(_), Some(_)) => {
            return Err(Wrong::new(format!("{parent}sensitivity"), "`alpha` says it already: write one"));
        }
        (alpha, None) => alpha,
        (None, Some(sensitivity)) => Some(sensitivity.alpha()),
    };
    if let Some(alpha) = alpha {
        number(&format!("{parent}alpha"), alpha, 1e-12..=0.5)?;
    }
    Ok(alpha)
}

fn check(question: &CountQuestion) -> Result<(), Wrong> {
    number("params.rho0", question.margin, 1e-3..=1e3)?;
    if question.alternatives.is_empty() || question.alternatives.len() > ALTERNATIVES_MAX {
        return Err(Wrong::new("params.rho_grid", format!("not 1 to {ALTERNATIVES_MAX} numbers")));
    }
    for (index, multiple) in question.alternatives.iter().enumerate() {
        number(&format!("params.rho_grid[{index}]"), *multiple, 1.0..=1e6)?;
    }
    number("params.restart", question.restart, 0.0..=1.0)?;
    if question.horizon == 0 {
        return Err(Wrong::new("params.horizon", "0 minutes are no canary"));
    }
    number("params.tol", question.tolerance, 0.0..=1e6)?;
    number("params.rho1", question.pass_margin, 1e-3..=1e3)?;
    number("params.lmax", question.budget, 1e-12..=0.999_999)?;
    number("params.beta", question.beta, 1e-12..=0.5)?;
    number("params.soak_requests", question.soak_requests, 0.0..=1e15)
}

/// More alternatives dilute the stake, and tell nothing apart.
const ALTERNATIVES_MAX: usize = 64;

/// Refuses a number out of its range.
pub fn number(field: &str, value: f64, range: std::ops::RangeInclusive<f64>) -> Result<(), Wrong> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(Wrong::new(field, format!("{value} is not within {} and {}", range.start(), range.end())))
}
