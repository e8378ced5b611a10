//! How much more the split of a minute's errors varies than coin tosses would, by the number of errors in the minute.

/// Lower edges of the bins of errors per minute; a minute with one error or none cannot be overdispersed.
pub const EDGES: [f64; 10] = [2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// The largest correlation that is reckoned with: beyond it a minute's errors all go to one side and tell nothing.
pub const CORRELATION_MAX: f64 = 0.9;

/// Without history the split is taken for this correlated: few retry storms or noisy minutes are worse.
const UNCALIBRATED: f64 = 0.5;

/// Intra-minute correlation of the split by bin, and how long a deviation lasts.
#[derive(Debug, Clone, PartialEq)]
pub struct Dispersion {
    bins: Vec<(f64, f64)>,
    autocorrelation: f64,
    calibrated: bool,
}

impl Dispersion {
    /// Measured: pairs of a bin's lower edge (rising) and its correlation, and the autocorrelation factor (1 is none).
    pub fn calibrated(bins: Vec<(f64, f64)>, autocorrelation: f64) -> Self {
        let bins = bins.into_iter().map(|(edge, r)| (edge, r.clamp(0.0, CORRELATION_MAX))).collect();
        Self { bins, autocorrelation: autocorrelation.max(1.0), calibrated: true }
    }

    /// Not measured: no history, or no second zone to split it by. Slow, and never enough for a pass.
    pub fn uncalibrated() -> Self {
        Self { bins: vec![(EDGES[0], UNCALIBRATED)], autocorrelation: 1.0, calibrated: false }
    }

    /// Whether it was measured.
    pub fn is_calibrated(&self) -> bool {
        self.calibrated
    }

    /// The correlation of each bin.
    pub fn by_bin(&self) -> impl Iterator<Item = f64> {
        self.bins.iter().map(|(_, r)| *r)
    }

    /// By how much the variance of half an hour's sum exceeds that of independent minutes; 1 is none.
    pub fn autocorrelation(&self) -> f64 {
        self.autocorrelation
    }

    /// The same with deviations that last: `factor` is that of the autocorrelation.
    pub fn lasting(mut self, factor: f64) -> Self {
        self.autocorrelation = factor.max(1.0);
        self
    }

    /// The same for fewer tasks than it was measured with: `factor` is (1/kC + 1/kB) / (1/ka + 1/kb).
    pub fn scaled(mut self, factor: f64) -> Self {
        for (_, r) in &mut self.bins {
            *r = (*r * factor.max(1.0)).clamp(0.0, CORRELATION_MAX);
        }
        self
    }

    /// Returns correlation and inflation of the variance for a minute with `errors` on both sides together.
    pub fn of_minute(&self, errors: f64) -> Spread {
        let bin = self.bins.iter().rev().find(|(edge, _)| errors >= *edge);
        let Some((_, r)) = bin.filter(|_| errors > 1.0) else { return Spread { correlation: 0.0, inflation: 1.0 } };
        let inflation = self.autocorrelation * (1.0 + (errors - 1.0) * r);
        Spread { correlation: ((inflation - 1.0) / (errors - 1.0)).clamp(0.0, CORRELATION_MAX), inflation }
    }
}

/// What overdispersion does to one minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Intra-minute correlation of the split.
    pub correlation: f64,
    /// Factor on the binomial variance.
    pub inflation: f64,
}
