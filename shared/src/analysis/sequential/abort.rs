//! The process that grows while the canary is worse: a mixture over how much worse, and over when it began.

use super::counts::Minute;
use super::dispersion::Dispersion;
use super::factor::{Fall, ln_factors};
use crate::analysis::logspace::ln_add;

/// What the process is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Against {
    /// The null: the canary's error rate is at most this many times the baseline's.
    pub ratio: f64,
    /// How much worse it may be, as multiples of `ratio`; each gets the same stake.
    pub alternatives: Vec<f64>,
    /// The stake that is kept for faults that begin later, spread over the planned minutes.
    pub restart: f64,
    /// Planned minutes.
    pub horizon: usize,
}

/// Wealth of a gambler who bets on "worse" and cannot win on average while the canary is not.
#[derive(Debug, Clone)]
pub struct AbortProcess {
    null: f64,
    alternatives: Vec<f64>,
    /// ln of the wealth on each alternative.
    wealth: Vec<f64>,
    /// The stake that is not placed yet.
    kept: f64,
    restart: f64,
    horizon: usize,
    minutes: usize,
}

impl AbortProcess {
    /// Begins with a wealth of 1, all of it in hand.
    pub fn new(against: &Against) -> Self {
        Self {
            null: against.ratio,
            alternatives: against.alternatives.iter().map(|multiple| multiple * against.ratio).collect(),
            wealth: vec![f64::NEG_INFINITY; against.alternatives.len()],
            kept: 1.0,
            restart: against.restart,
            horizon: against.horizon.max(1),
            minutes: 0,
        }
    }

    /// Takes one planned minute; one that is missing or has nothing to compare changes no wealth. Returns ln of it.
    pub fn take(&mut self, minute: Option<&Minute>, dispersion: &Dispersion) -> f64 {
        self.minutes += 1;
        let stake = self.stake();
        self.kept = (self.kept - stake).max(0.0);
        let each = (stake / self.alternatives.len() as f64).ln();
        let fall = minute.and_then(|minute| minute.fall(dispersion));
        match fall {
            None => self.wealth.iter_mut().for_each(|wealth| *wealth = ln_add(*wealth, each)),
            Some(fall) => {
                let factors = ln_factors(&fall, self.null, &self.alternatives);
                for (wealth, factor) in self.wealth.iter_mut().zip(factors) {
                    *wealth = ln_add(*wealth, each) + factor;
                }
            }
        }
        self.ln_e()
    }

    /// ln of the wealth: the odds against the null.
    pub fn ln_e(&self) -> f64 {
        self.wealth.iter().copied().fold(self.kept.ln(), ln_add)
    }

    /// What is placed in this minute.
    fn stake(&self) -> f64 {
        match self.minutes {
            1 => 1.0 - self.restart,
            later if later <= self.horizon => self.restart / (self.horizon - 1) as f64,
            _ => 0.0,
        }
    }
}

impl Minute {
    /// How the minute's errors fell; `None` where there is nothing to compare.
    pub(super) fn fall(&self, dispersion: &Dispersion) -> Option<Fall> {
        let both = self.canary.bad + self.baseline.bad;
        if both <= 0.0 || self.canary.requests <= 0.0 || self.baseline.requests <= 0.0 {
            return None;
        }
        let share = self.canary.requests / (self.canary.requests + self.baseline.requests);
        Some(Fall { canary: self.canary.bad, both, share, spread: dispersion.of_minute(both) })
    }
}
