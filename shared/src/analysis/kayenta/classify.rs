//! One metric: control and experiment in, a label out. The order of the questions is Kayenta's.

use super::mann_whitney::{NoVariance, Shift, ranks, shift};
use super::prepare::{mean, prepare};
use super::{Config, Direction, EffectMeasure, Label, Method, NanStrategy};
use crate::analysis::normal::quantile;

/// Kayenta tests two constants only after it has added noise of this relative size.
const NOISE: f64 = 1e-5;

/// What the judge says of one metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classified {
    /// The label.
    pub label: Label,
    /// Whether it fails the canary.
    pub critical: bool,
    /// The ratio of the means; NaN where one of them is 0, `None` where there was none to take.
    pub deviation: Option<f64>,
    /// The shift and its interval, where it was tested.
    pub shift: Option<Shift>,
    /// How often the canary's value is the larger one, where it was tested.
    pub cles: Option<f64>,
}

/// Judges one metric; NaN is a missing value.
pub fn classify(control: &[f64], experiment: &[f64], config: &Config) -> Classified {
    let prepared = |values| prepare(values, config.nan_strategy, config.outlier_factor);
    let (control, experiment) = (prepared(control), prepared(experiment));
    if control.is_empty() || experiment.is_empty() {
        return of_nothing(config);
    }
    match config.method {
        Method::MannWhitney => by_ranks(&control, &experiment, config),
        Method::MeanInequality => by_means(&control, &experiment, config.direction),
    }
}

fn untested(label: Label, critical: bool, deviation: f64) -> Classified {
    Classified { label, critical, deviation: Some(deviation), shift: None, cles: None }
}

fn of_nothing(config: &Config) -> Classified {
    let nothing = match config.method {
        Method::MannWhitney => 1.0,
        Method::MeanInequality => 0.0,
    };
    match (config.nan_strategy, config.must_have_data && !config.critical) {
        (NanStrategy::Replace, _) => untested(Label::Pass, false, 1.0),
        (NanStrategy::Remove, true) => untested(Label::NodataFailMetric, false, nothing),
        (NanStrategy::Remove, false) => untested(Label::Nodata, config.critical, nothing),
    }
}

fn by_ranks(control: &[f64], experiment: &[f64], config: &Config) -> Classified {
    if same_values(control, experiment) || constant(&[control, experiment].concat()) {
        return untested(Label::Pass, false, 1.0);
    }
    let both_constant = constant(control) && constant(experiment);
    let tested = if both_constant {
        shift(&with_noise(experiment), &with_noise(control), config.confidence)
    } else {
        shift(experiment, control, config.confidence)
    };
    let (means, cles) = ((mean(experiment), mean(control)), cles(experiment, control));
    let deviation = if means.0 == 0.0 || means.1 == 0.0 { f64::NAN } else { means.0 / means.1 };
    let shift = match tested {
        Ok(shift) => shift,
        Err(NoVariance) => {
            return Classified { label: Label::Error, critical: false, deviation: None, shift: None, cles: None };
        }
    };
    let effect = match config.measure {
        EffectMeasure::MeanRatio => deviation,
        EffectMeasure::Cles => cles,
    };
    let (label, critical) = label(shift, effect, config);
    Classified { label, critical, deviation: Some(deviation), shift: Some(shift), cles: Some(cles) }
}

fn label(shift: Shift, effect: f64, config: &Config) -> (Label, bool) {
    let bound = config.tolerance * shift.estimate.abs();
    let up = matches!(config.direction, Direction::Increase | Direction::Either);
    let down = matches!(config.direction, Direction::Decrease | Direction::Either);
    // An effect that cannot be taken stands in nobody's way.
    let unknown = effect.is_nan();
    if up && shift.low > bound && (unknown || effect >= config.allowed.increase) {
        (Label::High, config.critical && (unknown || effect >= config.critical_effect.increase))
    } else if down && shift.high < -bound && (unknown || effect <= config.allowed.decrease) {
        (Label::Low, config.critical && (unknown || effect <= config.critical_effect.decrease))
    } else {
        (Label::Pass, false)
    }
}

fn by_means(control: &[f64], experiment: &[f64], direction: Direction) -> Classified {
    let (of_control, of_experiment) = (mean(control), mean(experiment));
    let label = match direction {
        Direction::Increase | Direction::Either if of_experiment > of_control => Label::High,
        Direction::Decrease | Direction::Either if of_experiment < of_control => Label::Low,
        Direction::Increase | Direction::Decrease | Direction::Either => Label::Pass,
    };
    untested(label, false, of_experiment / of_control)
}

/// How often a value of `x` is larger than one of `y`, a tie being half of it.
fn cles(x: &[f64], y: &[f64]) -> f64 {
    let (m, n) = (x.len() as f64, y.len() as f64);
    (2.0 * ranks(x, y).0 - m * (m + 1.0)) / (2.0 * m * n)
}

fn same_values(one: &[f64], other: &[f64]) -> bool {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        values
    };
    sorted(one) == sorted(other)
}

fn constant(values: &[f64]) -> bool {
    values.windows(2).all(|two| two[0] == two[1])
}

/// Kayenta throws dice here; the quantiles of the same law give the same label, and the same one each time.
fn with_noise(values: &[f64]) -> Vec<f64> {
    let n = values.len() as f64;
    let noise = |index: usize| quantile((index as f64 + 0.5) / n);
    values.iter().enumerate().map(|(index, value)| value + NOISE * value.abs() * noise(index)).collect()
}
