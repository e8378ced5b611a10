//! Latency by counts: how many requests were slower than three thresholds of the baseline's own day.

use super::logspace::ln_sum;
use super::sequential::CountQuestion;
use super::sequential::counts::Minute;

/// Thresholds below this measure the network, in milliseconds.
const FLOOR_MS: f64 = 5.0;

/// A canary may have this many times as many slow requests.
const MARGIN: f64 = 1.25;

/// Minutes after the targets were registered that are not judged: caches are cold.
const COLD_MINUTES: usize = 2;

/// Returns the three thresholds, in milliseconds, from the baseline's percentiles of its last day: its p90, its p99, and
/// twice that. They stay as they are for the whole canary.
pub fn thresholds(p90: f64, p99: f64) -> [f64; 3] {
    [p90, p99, 2.0 * p99].map(|threshold| threshold.max(FLOOR_MS))
}

/// The question for slow requests: wider than that for errors.
pub fn question(of_errors: &CountQuestion) -> CountQuestion {
    CountQuestion { margin: MARGIN, ..of_errors.clone() }
}

/// Leaves out the first minutes.
pub fn warm(minutes: &[Option<Minute>]) -> Vec<Option<Minute>> {
    let cold = minutes.len().min(COLD_MINUTES);
    [vec![None; cold], minutes[cold..].to_vec()].concat()
}

/// Returns ln of the odds of all thresholds together: their mean. They depend on each other, and a mean may.
pub fn together(ln_e: &[&[f64]]) -> Vec<f64> {
    let minutes = ln_e.iter().map(|one| one.len()).min().unwrap_or(0);
    let count = (ln_e.len() as f64).ln();
    (0..minutes).map(|minute| ln_sum(ln_e.iter().map(|one| one[minute])) - count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_have_a_floor() {
        assert_eq!(thresholds(80.0, 250.0), [80.0, 250.0, 500.0]);
        assert_eq!(thresholds(1.0, 3.0), [5.0, 5.0, 6.0]);
    }

    #[test]
    fn the_odds_of_three_thresholds_are_their_mean() {
        let ln = |odds: f64| vec![odds.ln()];
        let mean = together(&[&ln(1.0), &ln(10.0), &ln(100.0)]);
        assert!((mean[0].exp() - 37.0).abs() < 1e-9);
        assert!(together(&[]).is_empty());
    }

    #[test]
    fn the_first_two_minutes_are_left_out() {
        let minutes = vec![Some(Minute::default()); 3];
        assert_eq!(warm(&minutes), [None, None, Some(Minute::default())]);
        assert_eq!(warm(&minutes[..1]), [None]);
    }
}
