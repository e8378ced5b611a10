//! What the ratio of the error rates lies between: every ratio that the minutes have not shown to be wrong.

use super::abort::AbortProcess;
use super::counts::Minute;
use super::pass::RelativeProcess;
use super::{CountQuestion, add};

/// Ratios are looked for in this range; what lies outside is no bound.
const RATIOS: (f64, f64) = (1e-3, 1e4);

/// Halvings of the range: ends are within 0.4 %.
const HALVINGS: u32 = 12;

/// A ratio and its bounds. They hold at every minute at once, each with probability 1 − alpha.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The canary's error rate over the baseline's; `None` where the baseline has no error.
    pub ratio: Option<f64>,
    /// At least this; `None` is no lower bound.
    pub low: Option<f64>,
    /// At most this; `None` is no upper bound.
    pub high: Option<f64>,
}

pub(super) fn of(question: &CountQuestion, minutes: &[Option<Minute>]) -> Interval {
    let mut total = Minute::default();
    minutes.iter().flatten().for_each(|minute| add(&mut total, minute));
    let rate = |bad: f64, requests: f64| (requests > 0.0).then(|| bad / requests);
    let rates = rate(total.canary.bad, total.canary.requests).zip(rate(total.baseline.bad, total.baseline.requests));
    let ratio = rates.filter(|(_, baseline)| *baseline > 0.0).map(|(canary, baseline)| canary / baseline);

    let line = question.ln_abort();
    let too_low = |ratio: f64| {
        let mut process = AbortProcess::new(&question.against(ratio));
        minutes.iter().for_each(|minute| {
            process.take(minute.as_ref(), &question.dispersion);
        });
        process.ln_e() >= line
    };
    let too_high = |ratio: f64| {
        let mut process = RelativeProcess::below(ratio);
        minutes.iter().flatten().for_each(|minute| {
            process.take(minute, &question.dispersion);
        });
        process.ln_e() >= line
    };
    // The lower end is the largest ratio that is too low, the upper end the smallest that is too high.
    let low = too_low(RATIOS.0).then(|| border(|ratio| !too_low(ratio)));
    let high = too_high(RATIOS.1).then(|| border(too_high));
    Interval { ratio, low, high }
}

/// The ratio from which on `beyond` holds.
fn border(beyond: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (RATIOS.0.ln(), RATIOS.1.ln());
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if beyond(middle.exp()) { high = middle } else { low = middle }
    }
    f64::midpoint(low, high).exp()
}
