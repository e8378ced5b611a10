//! What others would have done with the same minutes. Each returns the minute (from 1) at which it aborts.

use tidegate::analysis::kayenta::{
    Bounds, CONFIDENCE, Config, Direction, EffectMeasure, Label, Method, NanStrategy, TOLERANCE, classify,
};
use tidegate::analysis::sequential::counts::Minute;

use crate::canary::Cell;

/// Kayenta is looked at from this minute on: of fewer points it knows nothing.
const KAYENTA_FROM: usize = 5;

/// One-sided 1 %.
const Z: f64 = 2.326_347_874;

fn rate(minute: &Minute) -> Option<f64> {
    (minute.canary.requests > 0.0).then(|| minute.canary.bad / minute.canary.requests)
}

/// A CloudWatch alarm on the canary's error rate: 2 of 3 minutes above the line.
pub fn alarm(minutes: &[Option<Minute>], line: f64) -> Option<usize> {
    let above: Vec<bool> =
        minutes.iter().map(|minute| minute.and_then(|m| rate(&m)).is_some_and(|r| r > line)).collect();
    (0..above.len())
        .find(|&at| above[at.saturating_sub(2)..=at].iter().filter(|above| **above).count() >= 2)
        .map(|at| at + 1)
}

/// A threshold on the success rate, looked at every minute: aborts at the n-th failure. Argo's documented analysis is 95 %
/// and the 4th, Flagger's 99 % and the 5th.
pub fn threshold(minutes: &[Option<Minute>], success: f64, failures: usize) -> Option<usize> {
    let failed = |minute: &Option<Minute>| minute.and_then(|m| rate(&m)).is_some_and(|rate| 1.0 - rate < success);
    let failed = minutes.iter().enumerate().filter(|(_, minute)| failed(minute));
    failed.map(|(at, _)| at + 1).nth(failures - 1)
}

/// Kayenta's judge on the error rate of each minute, looked at every minute.
pub fn kayenta(minutes: &[Option<Minute>]) -> Option<usize> {
    let config = Config {
        direction: Direction::Increase,
        nan_strategy: NanStrategy::Remove,
        outlier_factor: None,
        critical: false,
        must_have_data: false,
        measure: EffectMeasure::MeanRatio,
        allowed: Bounds { decrease: 1.0, increase: 1.0 },
        critical_effect: Bounds { decrease: 1.0, increase: 1.0 },
        confidence: CONFIDENCE,
        tolerance: TOLERANCE,
        method: Method::MannWhitney,
    };
    // In percent: its root finder's tolerance is absolute.
    let percent = |bad: f64, requests: f64| if requests > 0.0 { 100.0 * bad / requests } else { f64::NAN };
    let of = |side: fn(&Minute) -> (f64, f64)| -> Vec<f64> {
        let value = |minute: &Option<Minute>| {
            minute.as_ref().map_or(f64::NAN, |minute| {
                let (bad, requests) = side(minute);
                percent(bad, requests)
            })
        };
        minutes.iter().map(value).collect()
    };
    let control = of(|minute| (minute.baseline.bad, minute.baseline.requests));
    let experiment = of(|minute| (minute.canary.bad, minute.canary.requests));
    let high = |at: &usize| classify(&control[..*at], &experiment[..*at], &config).label == Label::High;
    (KAYENTA_FROM..=minutes.len()).find(high)
}

/// A two-proportion test on all counts so far, one-sided at 1 %, looked at every minute.
pub fn peeked_z(minutes: &[Option<Minute>]) -> Option<usize> {
    let (mut xc, mut nc, mut xb, mut nb) = (0.0, 0.0, 0.0, 0.0);
    let above = |minute: &Option<Minute>| {
        if let Some(minute) = minute {
            xc += minute.canary.bad;
            nc += minute.canary.requests;
            xb += minute.baseline.bad;
            nb += minute.baseline.requests;
        }
        let pooled: f64 = (xc + xb) / (nc + nb);
        let deviation = (pooled * (1.0 - pooled) * (1.0 / nc + 1.0 / nb)).sqrt();
        deviation > 0.0 && (xc / nc - xb / nb) / deviation > Z
    };
    minutes.iter().position(above).map(|at| at + 1)
}

/// Wald's test of the canary's rate, knowing both rates and that the fault is there from the start: nobody is sooner at
/// this level.
pub fn oracle(minutes: &[Option<Minute>], cell: &Cell, alpha: f64) -> Option<usize> {
    let (good, bad) = (cell.base, (cell.base * cell.ratio).min(1.0 - 1e-9));
    let (of_bad, of_good) = ((bad / good).ln(), ((1.0 - bad) / (1.0 - good)).ln());
    let mut evidence = 0.0;
    let crosses = |minute: &Option<Minute>| {
        if let Some(Minute { canary, .. }) = minute {
            evidence += canary.bad * of_bad + (canary.requests - canary.bad) * of_good;
        }
        evidence >= -alpha.ln()
    };
    minutes.iter().position(crosses).map(|at| at + 1)
}
