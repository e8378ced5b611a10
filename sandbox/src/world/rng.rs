//! The one source of chance: xoshiro256** seeded by splitmix64, written here so that a seed means the same run for ever.

use std::time::Duration;

/// A pinned pseudo-random generator.
#[derive(Debug, Clone)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    pub fn new(seed: u64) -> Rng {
        let mut mixed = seed;
        let mut next = || {
            mixed = mixed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut z = mixed;
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        };
        Rng { state: [next(), next(), next(), next()] }
    }

    /// Returns an independent generator; what one concern draws never shifts what another sees.
    pub fn fork(&mut self) -> Rng {
        Rng::new(self.draw())
    }

    /// Returns the next 64 bits.
    pub fn draw(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Returns a number in [0, 1).
    pub fn unit(&mut self) -> f64 {
        (self.draw() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns a number in [0, bound); `bound` must not be 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Returns a duration in [from, to].
    pub fn between(&mut self, from: Duration, to: Duration) -> Duration {
        from + to.saturating_sub(from).mul_f64(self.unit())
    }

    /// Returns an exponentially distributed duration, cut at `cap`.
    pub fn exponential(&mut self, mean: Duration, cap: Duration) -> Duration {
        let draw = -(1.0 - self.unit()).ln();
        mean.mul_f64(draw.min(1e6)).min(cap)
    }

    /// Returns a draw of the standard normal distribution.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Returns a log-normal draw around `median`.
    pub fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.normal()).exp()
    }

    /// Returns how many events a Poisson process of this mean has.
    pub fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 64.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0) as u64;
        }
        let (limit, mut product, mut count) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            count += 1;
        }
        count
    }

    /// Returns how many of `n` independent tries succeed.
    pub fn binomial(&mut self, n: u64, probability: f64) -> u64 {
        if probability <= 0.0 || n == 0 {
            return 0;
        }
        if probability >= 1.0 {
            return n;
        }
        if n <= 64 {
            return (0..n).filter(|_| self.chance(probability)).count() as u64;
        }
        let mean = n as f64 * probability;
        if mean < 16.0 {
            return self.poisson(mean).min(n);
        }
        if n as f64 - mean < 16.0 {
            return n - self.poisson(n as f64 - mean).min(n);
        }
        let deviation = (mean * (1.0 - probability)).sqrt();
        (mean + deviation * self.normal()).round().clamp(0.0, n as f64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_means_the_same_numbers_for_ever() {
        let mut rng = Rng::new(42);
        assert_eq!([rng.draw(), rng.draw()], [1546998764402558742, 6990951692964543102]);
    }

    #[test]
    fn binomial_and_poisson_have_their_means() {
        let mut rng = Rng::new(7);
        for (n, p) in [(10u64, 0.3), (1000, 0.002), (1000, 0.4), (1000, 0.999)] {
            let sum: u64 = (0..4000).map(|_| rng.binomial(n, p)).sum();
            let (mean, want) = (sum as f64 / 4000.0, n as f64 * p);
            assert!((mean - want).abs() < 0.05 * want.max(1.0), "binomial({n},{p}): {mean}");
        }
        for want in [0.4, 12.0, 200.0] {
            let sum: u64 = (0..4000).map(|_| rng.poisson(want)).sum();
            assert!((sum as f64 / 4000.0 - want).abs() < 0.05 * want.max(1.0));
        }
    }
}
