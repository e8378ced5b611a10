//! A sequential one-sided t test: is the mean of a series above zero, whatever its variance?

use super::logspace::{ln_gamma_half, ln_sum};

/// Means that are bet on, in standard deviations; each gets the same stake.
pub const EFFECTS: [f64; 5] = [0.3, 0.6, 1.0, 2.0, 4.0];

/// How far from its peak the density is integrated, and in which steps. Of two or three values this is off by up to 1e-3,
/// because the density ends at 0 with a kink; of more it is exact.
const REACH: f64 = 9.0;
const STEP: f64 = 0.1;
const STEPS: i32 = 180;

/// The test on its way through a series. What is not finite, and one value alone, say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StudentProcess {
    count: u32,
    sum: f64,
    squares: f64,
}

impl StudentProcess {
    /// Takes one value, and returns ln of the odds against "the mean is at most 0".
    pub fn take(&mut self, value: Option<f64>) -> f64 {
        if let Some(value) = value.filter(|value| value.is_finite() && value.abs() <= VALUE_MAX) {
            self.count = self.count.saturating_add(1);
            self.sum += value;
            self.squares += value * value;
        }
        self.ln_e()
    }

    /// How many values it was told.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// ln of the odds against "the mean is at most 0".
    pub fn ln_e(&self) -> f64 {
        if self.count < 2 || self.squares <= 0.0 {
            return 0.0;
        }
        let z = self.sum / self.squares.sqrt();
        let n = f64::from(self.count);
        let of_effect = |effect: f64| ln_mean_exp_chi(self.count, effect * z) - n * effect * effect / 2.0;
        ln_sum(EFFECTS.map(of_effect)) - (EFFECTS.len() as f64).ln()
    }
}

/// Squares of larger values would overflow.
const VALUE_MAX: f64 = 1e150;

/// Returns ln E[exp(a V)] for V chi-distributed with n degrees of freedom, by the trapezoidal rule around the peak.
fn ln_mean_exp_chi(n: u32, a: f64) -> f64 {
    let degrees = f64::from(n) - 1.0;
    let peak = f64::midpoint(a, (a * a + 4.0 * degrees).sqrt());
    let ln_density = |v: f64| degrees * v.ln() - v * v / 2.0 + a * v;
    // The integrand falls to both sides, so what is summed is at most the peak's.
    let top = ln_density(peak);
    let points = (0..=STEPS).map(|step| peak - REACH + STEP * f64::from(step)).filter(|v| *v > 0.0);
    let sum: f64 = points.map(|v| (ln_density(v) - top).exp()).sum();
    let norm = (f64::from(n) / 2.0 - 1.0) * std::f64::consts::LN_2 + ln_gamma_half(n);
    top + (STEP * sum).ln() - norm
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_no_effect_the_density_integrates_to_one() {
        for (n, tolerance) in [(2, 1e-3), (3, 1e-3), (10, 1e-9), (100, 1e-9), (1440, 1e-9)] {
            assert!(ln_mean_exp_chi(n, 0.0).abs() < tolerance, "{n}: {}", ln_mean_exp_chi(n, 0.0));
        }
    }

    #[test]
    fn nothing_is_said_before_the_second_value_and_by_what_is_no_number() {
        let mut process = StudentProcess::default();
        for value in [None, Some(f64::NAN), Some(f64::INFINITY), Some(1e300), Some(5.0)] {
            assert_eq!(process.take(value), 0.0);
        }
        assert!(process.take(Some(5.0)) > 0.0);
        let mut zeros = StudentProcess::default();
        assert_eq!((zeros.take(Some(0.0)), zeros.take(Some(0.0))), (0.0, 0.0));
    }
}
