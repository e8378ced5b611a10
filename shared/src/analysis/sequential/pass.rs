//! The two processes that grow while the canary is good enough: not much worse than the baseline, or within a budget.

use super::counts::{Arm, Minute};
use super::dispersion::Dispersion;
use super::factor::ln_factors;
use crate::analysis::logspace::ln_sum;

/// Ratios that a good canary may have; each gets the same stake.
const RATIOS: [f64; 4] = [1.0, 0.7, 0.4, 0.1];

/// Rates that a good canary may have, as shares of the budget.
const SHARES: [f64; 4] = [0.5, 0.2, 0.05, 0.0];

/// Evidence against "at least `ratio` times as bad as the baseline".
#[derive(Debug, Clone)]
pub struct RelativeProcess {
    null: f64,
    alternatives: [f64; 4],
    wealth: [f64; 4],
}

impl RelativeProcess {
    /// Evidence against this ratio, with the ratios of a good canary as alternatives.
    pub fn against(ratio: f64) -> Self {
        Self { null: ratio, alternatives: RATIOS.map(|alternative| alternative.min(ratio)), wealth: [0.0; 4] }
    }

    /// Evidence against this ratio, with alternatives that follow it: the upper end of an interval.
    pub fn below(ratio: f64) -> Self {
        Self { null: ratio, alternatives: RATIOS.map(|alternative| alternative * ratio / 2.0), wealth: [0.0; 4] }
    }

    /// Takes one settled minute, and returns ln of the wealth.
    pub fn take(&mut self, minute: &Minute, dispersion: &Dispersion) -> f64 {
        if let Some(fall) = minute.fall(dispersion) {
            for (wealth, factor) in self.wealth.iter_mut().zip(ln_factors(&fall, self.null, &self.alternatives)) {
                *wealth += factor;
            }
        }
        self.ln_e()
    }

    /// ln of the wealth.
    pub fn ln_e(&self) -> f64 {
        mean(self.wealth)
    }
}

/// Evidence against "the canary's error rate is at least `budget`".
#[derive(Debug, Clone)]
pub struct AbsoluteProcess {
    budget: f64,
    wealth: [f64; 4],
}

impl AbsoluteProcess {
    /// Evidence against this rate, strictly between 0 and 1.
    pub fn against(budget: f64) -> Self {
        Self { budget, wealth: [0.0; 4] }
    }

    /// Takes one settled minute of the canary, and returns ln of the wealth.
    pub fn take(&mut self, canary: &Arm) -> f64 {
        let good = canary.requests - canary.bad;
        for (wealth, share) in self.wealth.iter_mut().zip(SHARES) {
            let ln_good = ((-share * self.budget).ln_1p() - (-self.budget).ln_1p()) * good;
            let ln_bad = if canary.bad > 0.0 { share.ln() * canary.bad } else { 0.0 };
            *wealth += ln_good + ln_bad;
        }
        self.ln_e()
    }

    /// ln of the wealth.
    pub fn ln_e(&self) -> f64 {
        mean(self.wealth)
    }
}

fn mean(wealth: [f64; 4]) -> f64 {
    ln_sum(wealth) - (wealth.len() as f64).ln()
}
