//! What one minute is worth: a likelihood ratio of how its errors fell on the two sides, made safe against
//! overdispersion from both directions.

use super::dispersion::Spread;
use crate::analysis::logspace::ln_rising;

/// Below this correlation the beta-binomial is the binomial.
const BINOMIAL_BELOW: f64 = 1e-7;

/// How a minute's errors fell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fall {
    /// Errors of the canary.
    pub canary: f64,
    /// Errors of both sides.
    pub both: f64,
    /// The canary's share of the requests, strictly between 0 and 1.
    pub share: f64,
    /// How the split varies.
    pub spread: Spread,
}

/// Returns ln of the factor of each alternative ratio against the ratio `null`.
///
/// The beta-binomial ratio alone is invalid when the correlation is over-estimated, the tempered binomial alone when it is
/// under-estimated; the smaller of both has an expectation of at most 1 for every true correlation up to the given one,
/// and does not decrease with the canary's errors. `tests/tests/judge/certificate.rs` sums it out.
pub fn ln_factors<'a>(fall: &'a Fall, null: f64, alternatives: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    let Fall { canary, both, share, spread } = *fall;
    let stable = both - canary;
    let rest = 1.0 - share;
    let whole = share * null + rest;
    let s = (spread.correlation > BINOMIAL_BELOW).then(|| (1.0 - spread.correlation) / spread.correlation);
    let rising = move |ratio: f64, s: f64| {
        let (p, not_p) = (share * ratio / (share * ratio + rest), rest / (share * ratio + rest));
        ln_rising(p * s, canary) + ln_rising(not_p * s, stable)
    };
    let of_null = s.map(|s| rising(null, s));
    alternatives.iter().map(move |&ratio| {
        let ln_stable = (whole / (share * ratio + rest)).ln();
        let binomial = canary * ((ratio / null).ln() + ln_stable) + stable * ln_stable;
        let tempered = binomial / spread.inflation;
        match (s, of_null) {
            (Some(s), Some(of_null)) => tempered.min(rising(ratio, s) - of_null),
            (None, _) | (_, None) => tempered.min(binomial),
        }
    })
}
