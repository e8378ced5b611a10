//! Whether requests were split as the weights say: a test of the configured share, looked at every minute. Where it was
//! not — sticky sessions, targets that fail open — the sides cannot be compared.

use super::logspace::ln_rising;
use super::sequential::counts::Minute;

/// Odds at which the split is not what was configured.
pub const BROKEN_ODDS: f64 = 1000.0;

/// Requests of one client follow each other: so many count as one.
const REQUESTS_PER_DRAW: f64 = 10.0;

/// How firmly the configured share is believed to be near the truth where it is not the truth, in draws.
const CONCENTRATION: f64 = 100.0;

/// Returns ln of the odds against the configured shares, after each minute. A minute's share is the canary's, strictly
/// between 0 and 1; a minute without one, or without counts, says nothing. Each stretch of one share is tested by itself,
/// and the odds of stretches multiply.
pub fn ln_odds(minutes: &[Option<Minute>], shares: &[Option<f64>]) -> Vec<f64> {
    let mut stretch = Stretch { share: None, canary: 0.0, baseline: 0.0 };
    let mut done = 0.0;
    let share_of = |index: usize| shares.get(index).copied().flatten().filter(|share| *share > 0.0 && *share < 1.0);
    let odds = minutes.iter().enumerate().map(|(index, minute)| {
        if let (Some(minute), Some(share)) = (minute, share_of(index)) {
            if stretch.share != Some(share) {
                done += stretch.ln_odds();
                stretch = Stretch { share: Some(share), canary: 0.0, baseline: 0.0 };
            }
            stretch.canary += minute.canary.requests;
            stretch.baseline += minute.baseline.requests;
        }
        done + stretch.ln_odds()
    });
    odds.collect()
}

/// Requests while the share stayed the same.
struct Stretch {
    share: Option<f64>,
    canary: f64,
    baseline: f64,
}

impl Stretch {
    fn ln_odds(&self) -> f64 {
        let Some(share) = self.share else { return 0.0 };
        let draws = |requests: f64| (requests / REQUESTS_PER_DRAW).floor();
        let (canary, baseline) = (draws(self.canary), draws(self.baseline));
        let marginal = ln_rising(CONCENTRATION * share, canary) + ln_rising(CONCENTRATION * (1.0 - share), baseline)
            - ln_rising(CONCENTRATION, canary + baseline);
        marginal - canary * share.ln() - baseline * (-share).ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::sequential::counts::Arm;

    fn minute(canary: f64, baseline: f64) -> Option<Minute> {
        let arm = |requests| Arm { requests, bad: 0.0 };
        Some(Minute { canary: arm(canary), baseline: arm(baseline) })
    }

    fn last(minutes: &[Option<Minute>], shares: &[Option<f64>]) -> f64 {
        *ln_odds(minutes, shares).last().unwrap()
    }

    #[test]
    fn the_configured_split_is_believed_through_its_steps() {
        let minutes = [vec![minute(50.0, 950.0); 20], vec![minute(200.0, 800.0); 20]].concat();
        let shares = [vec![Some(0.05); 20], vec![Some(0.2); 20]].concat();
        assert!(last(&minutes, &shares) < 0.0);
    }

    #[test]
    fn a_split_that_is_not_the_configured_one_is_found() {
        let minutes = vec![minute(200.0, 800.0); 20];
        let odds = ln_odds(&minutes, &[Some(0.05); 20]);
        assert!(odds.iter().position(|ln| *ln >= BROKEN_ODDS.ln()).is_some_and(|at| at < 5), "{odds:?}");
    }

    #[test]
    fn nothing_is_said_of_no_share_and_no_counts() {
        assert_eq!(ln_odds(&[minute(10.0, 10.0), None], &[None, Some(0.5)]), [0.0, 0.0]);
        assert_eq!(ln_odds(&[minute(1000.0, 0.0)], &[Some(1.0)]), [0.0]);
        assert_eq!(ln_odds(&[minute(1000.0, 0.0)], &[]), [0.0]);
    }
}
