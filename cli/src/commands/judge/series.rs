//! `tidegate judge series`: a latency percentile or a gauge of both sides, minute by minute.

use serde::{Deserialize, Serialize};
use tidegate::analysis::series::{self, Pair, Scale, SeriesQuestion, Worse, requests_for};
use tidegate::analysis::verdict::State;

use super::counts::{Sensitivity, alpha, number};
use super::lines::{self, Wrong};
use super::number::Number;
use crate::commands::Context;
use crate::failure::Outcome;

/// Judge a latency percentile or a gauge: one number of both sides in each minute
///
/// In: {"kind":"percentile"|"gauge", "percentile"?, "params"?, "baseline":[…], "canary":[…], "canary_requests"?},
/// `null` or "NaN" for a missing minute. Out: as of `counts`; a series knows no early pass.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: super::From,
}

/// One series of both sides.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    kind: Kind,
    percentile: Option<f64>,
    #[serde(default)]
    params: Params,
    baseline: Vec<Option<Number>>,
    canary: Vec<Option<Number>>,
    canary_requests: Option<Vec<Option<f64>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Percentile,
    Gauge,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Params {
    tolerance: Option<f64>,
    #[serde(rename = "A")]
    autocorrelation: Option<f64>,
    alpha: Option<f64>,
    sensitivity: Option<Sensitivity>,
    direction: Option<Direction>,
    scale: Option<Comparison>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Increase,
    Decrease,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Comparison {
    Ratio,
    Difference,
}

#[derive(Serialize)]
struct Judged {
    ln_e: Vec<f64>,
    abort_minute: Option<usize>,
    pass_minute: Option<usize>,
    verdict: State,
    sentence: String,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    lines::judge(&args.from.file, context, |asked: Asked| {
        let what = asked.name();
        let (question, pairs) = asked.read(None)?;
        let evidence = question.answer(&pairs);
        let sentence = series::sentence(&what, &question, &evidence);
        let verdict = series::finding(&evidence).state;
        Ok(Judged { ln_e: evidence.ln_e, abort_minute: evidence.abort_minute, pass_minute: None, verdict, sentence })
    })
}

impl Asked {
    /// What people call it.
    pub fn name(&self) -> String {
        match (self.kind, self.percentile) {
            (Kind::Percentile, Some(percentile)) => format!("p{}", (percentile * 1e6).round() / 1e4),
            (Kind::Percentile, None) => "percentile".to_owned(),
            (Kind::Gauge, _) => "gauge".to_owned(),
        }
    }

    /// Checks each field; returns what is asked, of what. `usual` is the level where the params name none.
    pub fn read(self, usual: Option<f64>) -> Result<(SeriesQuestion, Vec<Option<Pair>>), Wrong> {
        let question = self.question(usual)?;
        lines::same_length(("baseline", self.baseline.len()), ("canary", self.canary.len()))?;
        let enough = self.enough()?;
        let known = |value: &Option<Number>| value.map(|number| number.0).filter(|value| !value.is_nan());
        let pair = |index: usize| {
            let (baseline, canary) = (known(&self.baseline[index])?, known(&self.canary[index])?);
            enough[index].then_some(Pair { baseline, canary })
        };
        let pairs = (0..self.baseline.len()).map(pair).collect();
        Ok((question, pairs))
    }

    fn question(&self, usual_alpha: Option<f64>) -> Result<SeriesQuestion, Wrong> {
        let usual = match self.kind {
            Kind::Percentile => SeriesQuestion::percentile(),
            Kind::Gauge => SeriesQuestion::gauge(),
        };
        let params = &self.params;
        let scale = match params.scale {
            Some(Comparison::Ratio) | None => Scale::Ratio,
            Some(Comparison::Difference) => Scale::Difference,
        };
        let margin = match (params.tolerance, scale) {
            (Some(margin), _) => margin,
            (None, Scale::Ratio) => usual.margin,
            (None, Scale::Difference) => {
                return Err(Wrong::new("params.tolerance", "a difference has a unit: say how much is allowed"));
            }
        };
        number("params.tolerance", margin, 0.0..=1e12)?;
        let autocorrelation = params.autocorrelation.unwrap_or(usual.autocorrelation);
        number("params.A", autocorrelation, 1.0..=1e6)?;
        let alpha = alpha("params.", params.alpha, params.sensitivity)?.or(usual_alpha).unwrap_or(usual.alpha);
        let worse = match params.direction {
            Some(Direction::Increase) | None => Worse::Higher,
            Some(Direction::Decrease) => Worse::Lower,
        };
        Ok(SeriesQuestion { worse, scale, margin, autocorrelation, alpha })
    }

    /// Which minutes have enough requests for their percentile.
    fn enough(&self) -> Result<Vec<bool>, Wrong> {
        let minutes = self.canary.len();
        match (self.kind, self.percentile, &self.canary_requests) {
            (Kind::Gauge, Some(_), _) => Err(Wrong::new("percentile", "a gauge has none")),
            (Kind::Gauge, None, Some(_)) => Err(Wrong::new("canary_requests", "a gauge needs none")),
            (Kind::Gauge, None, None) => Ok(vec![true; minutes]),
            (Kind::Percentile, None, _) => Err(Wrong::new("percentile", "it is missing: 0.99 for p99")),
            (Kind::Percentile, Some(_), None) => Err(Wrong::new(
                "canary_requests",
                "it is missing: a percentile of few requests is biased, and such minutes are left out",
            )),
            (Kind::Percentile, Some(percentile), Some(requests)) => {
                number("percentile", percentile, 0.01..=0.9999)?;
                lines::same_length(("canary", minutes), ("canary_requests", requests.len()))?;
                if let Some(index) = requests.iter().position(|count| count.is_some_and(|count| count < 0.0)) {
                    return Err(Wrong::new(format!("canary_requests[{index}]"), "requests below 0"));
                }
                let wanted = requests_for(percentile);
                Ok(requests.iter().map(|count| count.is_some_and(|count| count >= wanted - 1e-9)).collect())
            }
        }
    }
}
