//! How noisy the split of errors is without any canary: the baseline's own history, split in two halves by zone.

use super::sequential::counts::Minute;
use super::sequential::dispersion::{CORRELATION_MAX, Dispersion, EDGES};

/// Fewer minutes of history are no calibration: a day.
pub const HISTORY_MIN: usize = 1440;

/// A bin with this many minutes speaks for itself.
const GOOD_BIN: usize = 20;

/// What is believed of a bin before its first minute, for a mean of one error beyond the first.
const PRIOR_CORRELATION: f64 = 0.03;

/// Minutes that the prior is worth.
const PRIOR_MINUTES: f64 = 20.0;

/// Lengths of the blocks that autocorrelation is looked for in, in minutes.
const BLOCKS: [usize; 2] = [10, 30];

/// Standard errors by which a block's variance must exceed that of independent minutes.
const AUTOCORRELATION_SIGNIFICANT: f64 = 2.5;

/// Measures the dispersion in a history: two halves of the baseline, as canary and baseline of each minute.
/// `None` where the history is shorter than [`HISTORY_MIN`] minutes with requests in both halves.
pub fn calibrate(history: &[Option<Minute>]) -> Option<Dispersion> {
    let halves: Vec<Half> = history.iter().flatten().filter_map(Half::of).collect();
    if halves.len() < HISTORY_MIN {
        return None;
    }
    let bins = EDGES.into_iter().zip(by_bin(&halves)).collect();
    Some(Dispersion::calibrated(bins, autocorrelation(&halves)))
}

/// One minute of history.
struct Half {
    errors: f64,
    /// Variance of one error's side.
    variance: f64,
    /// Errors of one half beyond its share.
    deviation: f64,
}

impl Half {
    fn of(minute: &Minute) -> Option<Self> {
        let Minute { canary: one, baseline: other } = minute;
        if one.requests <= 0.0 || other.requests <= 0.0 {
            return None;
        }
        let share = one.requests / (one.requests + other.requests);
        let errors = one.bad + other.bad;
        Some(Self { errors, variance: share * (1.0 - share), deviation: one.bad - errors * share })
    }

    /// An unbiased estimate of the minute's correlation.
    fn correlation(&self) -> f64 {
        (self.deviation.powi(2) / (self.errors * self.variance) - 1.0) / (self.errors - 1.0)
    }
}

/// The correlation of each bin, one standard error above its estimate, and not rising with the errors.
fn by_bin(halves: &[Half]) -> Vec<f64> {
    let mut minutes = [0_usize; EDGES.len()];
    let mut correlations: Vec<f64> = (0..EDGES.len())
        .map(|bin| {
            let until = EDGES.get(bin + 1).copied().unwrap_or(f64::INFINITY);
            let inside = halves.iter().filter(|half| half.errors >= EDGES[bin] && half.errors < until);
            let (mut errors, mut sum) = (0.0, 0.0);
            for half in inside {
                minutes[bin] += 1;
                errors += half.errors;
                sum += half.correlation();
            }
            cautious(minutes[bin] as f64, errors, sum, EDGES[bin])
        })
        .collect();
    let good = |bin: &usize| minutes[*bin] >= GOOD_BIN;
    if let Some(last) = (0..EDGES.len()).rev().find(good) {
        let value = correlations[last];
        correlations[last..].fill(value);
    }
    if let Some(first) = (0..EDGES.len()).find(good) {
        let value = correlations[first];
        correlations[..first].iter_mut().for_each(|own| *own = own.max(value));
    }
    let mut largest = 0.0_f64;
    for correlation in correlations.iter_mut().rev() {
        largest = largest.max(*correlation);
        *correlation = largest;
    }
    correlations
}

/// One bin: its mean correlation drawn towards the prior, plus its standard error.
fn cautious(minutes: f64, errors: f64, sum: f64, edge: f64) -> f64 {
    let mean = if minutes > 0.0 { (errors / minutes - 1.0).max(1.0) } else { (edge - 1.0).max(1.0) };
    let worth = PRIOR_MINUTES / (1.0 + mean).sqrt();
    let prior = PRIOR_CORRELATION / (1.0 + mean / 10.0);
    let estimate = ((sum + worth * prior) / (minutes + worth)).max(0.0);
    let error = 2.0_f64.sqrt() * (1.0 + mean * estimate) / (mean * (minutes + worth).sqrt());
    (estimate + error).clamp(0.0, CORRELATION_MAX)
}

/// By how much whole blocks deviate more than their minutes do; 1 where that is not significant.
fn autocorrelation(halves: &[Half]) -> f64 {
    let deviations: Vec<f64> = halves.iter().map(|half| half.deviation).collect();
    autocorrelation_of(&deviations)
}

/// By how much whole blocks of these deviations from zero vary more than independent ones would, at least 1.
pub fn autocorrelation_of(deviations: &[f64]) -> f64 {
    BLOCKS.into_iter().map(|length| of_blocks(deviations, length)).fold(1.0, f64::max)
}

fn of_blocks(deviations: &[f64], length: usize) -> f64 {
    let blocks = deviations.chunks_exact(length);
    let count = blocks.len();
    let (mut of_blocks, mut of_minutes) = (0.0, 0.0);
    for block in blocks {
        of_blocks += block.iter().sum::<f64>().powi(2);
        of_minutes += block.iter().map(|deviation| deviation.powi(2)).sum::<f64>();
    }
    let factor = of_blocks / of_minutes;
    let significant = factor - 1.0 > AUTOCORRELATION_SIGNIFICANT * (2.0 / count as f64).sqrt();
    if of_minutes > 0.0 && significant { factor } else { 1.0 }
}

/// Returns the factor on the correlations when canary and baseline run other numbers of tasks than the two halves did.
pub fn of_tasks(canary: u32, baseline: u32, halves: (u32, u32)) -> f64 {
    let spread = |one: u32, other: u32| 1.0 / f64::from(one.max(1)) + 1.0 / f64::from(other.max(1));
    spread(canary, baseline) / spread(halves.0, halves.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::sequential::counts::Arm;

    fn history(minutes: usize, minute: impl Fn(usize) -> (f64, f64)) -> Vec<Option<Minute>> {
        let arm = |bad: f64| Arm { requests: 1000.0, bad };
        (0..minutes).map(&minute).map(|(one, other)| Some(Minute { canary: arm(one), baseline: arm(other) })).collect()
    }

    #[test]
    fn less_than_a_day_is_no_calibration() {
        assert_eq!(calibrate(&history(HISTORY_MIN - 1, |_| (5.0, 5.0))), None);
        assert_eq!(calibrate(&vec![None; 5000]), None);
    }

    #[test]
    fn errors_that_come_in_clumps_on_one_side_are_dispersed_and_those_that_take_turns_are_not() {
        let clumps = calibrate(&history(HISTORY_MIN, |t| if t % 2 == 0 { (10.0, 0.0) } else { (0.0, 10.0) })).unwrap();
        let turns = calibrate(&history(HISTORY_MIN, |_| (5.0, 5.0))).unwrap();
        let of_ten = |dispersion: &Dispersion| dispersion.of_minute(10.0).correlation;
        assert!(of_ten(&clumps) > 0.85, "{}", of_ten(&clumps));
        assert!(of_ten(&turns) < 0.01, "{}", of_ten(&turns));
        assert_eq!((clumps.autocorrelation(), turns.autocorrelation()), (1.0, 1.0));
    }

    #[test]
    fn a_side_that_stays_worse_for_half_an_hour_is_autocorrelated() {
        let long = calibrate(&history(HISTORY_MIN, |t| if t / 30 % 2 == 0 { (8.0, 2.0) } else { (2.0, 8.0) })).unwrap();
        assert!(
            (long.autocorrelation() - 30.0).abs() < 1e-9,
            "each block's square is 30 times the sum of its minutes'"
        );
    }

    #[test]
    fn fewer_tasks_are_noisier() {
        assert!((of_tasks(1, 10, (5, 5)) - 2.75).abs() < 1e-12);
    }
}
