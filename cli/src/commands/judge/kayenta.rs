//! `tidegate judge kayenta` and `kayenta-score`: what Kayenta's judge says, its defects included.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidegate::analysis::kayenta::{
    self, Bounds, CONFIDENCE, Config, Direction, EffectMeasure, Label, Method, NanStrategy, OUTLIER_FACTOR, Sentence,
    TOLERANCE, WeighedResult,
};

use super::counts::number;
use super::lines::{self, Wrong};
use super::number::{Number, plain};
use crate::commands::Context;
use crate::failure::Outcome;

/// Judge one metric as Kayenta's judge does (NetflixACAJudge-v1.0), its defects included
///
/// In: {"control":[…], "experiment":[…], …}, "NaN" for a missing value; what is absent takes Kayenta's default.
/// Out: {"classification","critical","deviation","ci_lower","ci_upper","estimate","cles"}.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    from: super::From,
}

/// Score a canary from its metrics' results as Kayenta's judge does
///
/// In: {"results":[{"name","groups":[…],"classification","critical","muted"}], "group_weights":{…}, "pass", "marginal"}.
/// Out: {"score","groups":[{"name","score","no_data"}],"classification","reason"}.
#[derive(Debug, clap::Args)]
pub struct ScoreArgs {
    #[command(flatten)]
    from: super::From,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    control: Vec<Number>,
    experiment: Vec<Number>,
    #[serde(default)]
    direction: Towards,
    #[serde(default)]
    nan_strategy: Nan,
    #[serde(default)]
    outliers: Outliers,
    outlier_factor: Option<f64>,
    #[serde(default)]
    critical: bool,
    #[serde(default)]
    must_have_data: bool,
    #[serde(default)]
    effect_size_measure: Measure,
    effect_size_thresholds: Option<(f64, f64)>,
    critical_thresholds: Option<(f64, f64)>,
    conf_level: Option<f64>,
    tolerance: Option<f64>,
    #[serde(default)]
    method: Test,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Towards {
    Increase,
    Decrease,
    #[default]
    Either,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Nan {
    #[default]
    Remove,
    Replace,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Outliers {
    #[default]
    Keep,
    Remove,
}

#[derive(Deserialize, Default)]
enum Measure {
    #[default]
    #[serde(rename = "meanRatio", alias = "mean_ratio")]
    MeanRatio,
    #[serde(rename = "cles")]
    Cles,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum Test {
    #[default]
    MannWhitney,
    MeanInequality,
}

#[derive(Serialize)]
struct Judged {
    classification: Label,
    critical: bool,
    deviation: Option<Number>,
    ci_lower: Option<f64>,
    ci_upper: Option<f64>,
    estimate: Option<f64>,
    cles: Option<f64>,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    lines::judge(&args.from.file, context, |asked: Asked| {
        let (control, experiment) = (plain(&asked.control), plain(&asked.experiment));
        let classified = kayenta::classify(&control, &experiment, &asked.config()?);
        Ok(Judged {
            classification: classified.label,
            critical: classified.critical,
            deviation: classified.deviation.map(Number),
            ci_lower: classified.shift.map(|shift| shift.low),
            ci_upper: classified.shift.map(|shift| shift.high),
            estimate: classified.shift.map(|shift| shift.estimate),
            cles: classified.cles,
        })
    })
}

impl Asked {
    fn config(&self) -> Result<Config, Wrong> {
        let measure = match self.effect_size_measure {
            Measure::MeanRatio => EffectMeasure::MeanRatio,
            Measure::Cles => EffectMeasure::Cles,
        };
        let none = measure.none();
        let bounds = |thresholds: Option<(f64, f64)>| {
            thresholds
                .map_or(Bounds { decrease: none, increase: none }, |(decrease, increase)| Bounds { decrease, increase })
        };
        let confidence = self.conf_level.unwrap_or(CONFIDENCE);
        number("conf_level", confidence, 1e-6..=1.0 - 1e-12)?;
        let outlier_factor = self.outlier_factor.unwrap_or(OUTLIER_FACTOR);
        number("outlier_factor", outlier_factor, 0.0..=f64::MAX)?;
        Ok(Config {
            direction: match self.direction {
                Towards::Increase => Direction::Increase,
                Towards::Decrease => Direction::Decrease,
                Towards::Either => Direction::Either,
            },
            nan_strategy: match self.nan_strategy {
                Nan::Remove => NanStrategy::Remove,
                Nan::Replace => NanStrategy::Replace,
            },
            outlier_factor: match self.outliers {
                Outliers::Keep => None,
                Outliers::Remove => Some(outlier_factor),
            },
            critical: self.critical,
            must_have_data: self.must_have_data,
            measure,
            allowed: bounds(self.effect_size_thresholds),
            critical_effect: bounds(self.critical_thresholds),
            confidence,
            tolerance: self.tolerance.unwrap_or(TOLERANCE),
            method: match self.method {
                Test::MannWhitney => Method::MannWhitney,
                Test::MeanInequality => Method::MeanInequality,
            },
        })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ToScore {
    results: Vec<Scorable>,
    #[serde(default)]
    group_weights: BTreeMap<String, f64>,
    #[serde(default = "pass")]
    pass: f64,
    #[serde(default = "marginal")]
    marginal: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scorable {
    name: String,
    #[serde(default)]
    groups: Vec<String>,
    classification: Label,
    #[serde(default)]
    critical: bool,
    #[serde(default)]
    muted: bool,
}

#[derive(Serialize)]
struct Scored {
    score: f64,
    groups: Vec<ScoredGroup>,
    classification: Sentence,
    reason: Option<String>,
}

#[derive(Serialize)]
struct ScoredGroup {
    name: String,
    score: f64,
    no_data: bool,
}

/// Kayenta has no default of its own; these are Spinnaker's.
fn pass() -> f64 {
    95.0
}

fn marginal() -> f64 {
    75.0
}

pub fn run_score(args: &ScoreArgs, context: &mut Context) -> Outcome {
    lines::judge(&args.from.file, context, |ToScore { results, group_weights, pass, marginal }: ToScore| {
        let results: Vec<WeighedResult> = results.into_iter().map(Scorable::weighed).collect();
        let scored = kayenta::score(&results, &group_weights, pass, marginal);
        let group =
            |group: kayenta::Group| ScoredGroup { name: group.name, score: group.score, no_data: group.no_data };
        Ok(Scored {
            score: scored.score,
            groups: scored.groups.into_iter().map(group).collect(),
            classification: scored.sentence,
            reason: scored.reason,
        })
    })
}

impl Scorable {
    fn weighed(self) -> WeighedResult {
        let Self { name, groups, classification, critical, muted } = self;
        WeighedResult { name, groups, label: classification, critical, muted }
    }
}
