//! The seeded dice: every number of a trial comes from here.

use std::f64::consts::TAU;

/// Dice with one seed.
pub struct Dice(fastrand::Rng);

impl Dice {
    /// The same seed throws the same.
    pub fn seeded(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// Between 0 and 1.
    pub fn uniform(&mut self) -> f64 {
        self.0.f64()
    }

    /// Between 0 and 1, neither.
    fn open(&mut self) -> f64 {
        loop {
            let value = self.0.f64();
            if value > 0.0 {
                return value;
            }
        }
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.open().ln()).sqrt() * (TAU * self.0.f64()).cos()
    }

    /// Log-normal with mean 1 and this coefficient of variation, from a standard normal.
    pub fn log_normal(normal: f64, variation: f64) -> f64 {
        let variance = (1.0 + variation * variation).ln();
        (variance.sqrt() * normal - variance / 2.0).exp()
    }

    /// Gamma with mean 1 and this coefficient of variation, by Marsaglia and Tsang.
    pub fn gamma(&mut self, variation: f64) -> f64 {
        let shape = 1.0 / (variation * variation);
        // A shape below 1 is one above, times a power of a uniform.
        let (d, boost) = if shape < 1.0 {
            (shape + 1.0 - 1.0 / 3.0, self.open().powf(1.0 / shape))
        } else {
            (shape - 1.0 / 3.0, 1.0)
        };
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.open().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v * boost / shape;
            }
        }
    }

    /// Poisson; above 200 the normal is near enough for numbers of requests.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 200.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let (mut count, mut waited) = (0.0, -self.open().ln());
        while waited < mean {
            count += 1.0;
            waited -= self.open().ln();
        }
        count
    }

    /// Binomial, exact: by the waits between successes.
    pub fn binomial(&mut self, n: f64, p: f64) -> f64 {
        if p >= 1.0 {
            return n;
        }
        if p > 0.5 {
            return n - self.binomial(n, 1.0 - p);
        }
        if p <= 0.0 {
            return 0.0;
        }
        let ln_fail = (-p).ln_1p();
        let (mut count, mut at) = (0.0, 0.0);
        loop {
            at += (self.open().ln() / ln_fail).floor() + 1.0;
            if at > n {
                return count;
            }
            count += 1.0;
        }
    }

    /// Geometric from 1 on, with this mean.
    pub fn geometric(&mut self, mean: f64) -> f64 {
        if mean <= 1.0 {
            return 1.0;
        }
        (self.open().ln() / (-1.0 / mean).ln_1p()).floor() + 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and coefficient of variation of many throws.
    fn moments(throw: impl Fn(&mut Dice) -> f64) -> (f64, f64) {
        let mut dice = Dice::seeded(7);
        let all: Vec<f64> = (0..20_000).map(|_| throw(&mut dice)).collect();
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        let variance = all.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / all.len() as f64;
        (mean, variance.sqrt() / mean)
    }

    #[test]
    fn the_dice_are_fair() {
        type Throw = fn(&mut Dice) -> f64;
        let table: [(Throw, f64, f64); 8] = [
            (|dice| dice.gamma(0.5), 1.0, 0.5),
            (|dice| dice.gamma(1.3), 1.0, 1.3),
            (|dice| Dice::log_normal(dice.normal(), 0.5), 1.0, 0.5),
            (|dice| dice.poisson(3.0), 3.0, 1.0 / 3f64.sqrt()),
            (|dice| dice.poisson(900.0), 900.0, 1.0 / 30.0),
            (|dice| dice.binomial(100.0, 0.05), 5.0, (4.75f64).sqrt() / 5.0),
            (|dice| dice.binomial(100.0, 0.9), 90.0, 3.0 / 90.0),
            (|dice| dice.geometric(3.0), 3.0, 6f64.sqrt() / 3.0),
        ];
        for (index, (throw, mean, variation)) in table.into_iter().enumerate() {
            let found = moments(throw);
            let off = ((found.0 / mean - 1.0).abs(), (found.1 / variation - 1.0).abs());
            assert!(off.0 < 0.03 && off.1 < 0.05, "{index}: {found:?}, not {mean} and {variation}");
        }
    }
}
