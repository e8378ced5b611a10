//! The Mann-Whitney test's confidence interval of the shift, as R's `wilcox.test(exact = FALSE, correct = TRUE,
//! conf.int = TRUE)` takes it: a root of a step function, so that the iterates decide what is returned.

use crate::analysis::normal::quantile;

/// How near a root is looked for; absolute, whatever the size of the values.
const ROOT_TOLERANCE: f64 = 1e-4;

/// Iterations of the root finder.
const ITERATIONS: u32 = 1001;

/// How far the canary is shifted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// The estimate, Hodges and Lehmann's.
    pub estimate: f64,
}

/// The test has no variance: all values are tied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoVariance;

/// Returns how far `x` is shifted against `y`; neither is empty.
pub fn shift(x: &[f64], y: &[f64], confidence: f64) -> Result<Shift, NoVariance> {
    let z = quantile((1.0 - confidence) / 2.0);
    let (from, to) = (least(x) - largest(y), largest(x) - least(y));
    let end = |z: f64| {
        let at_from = statistic(x, y, from, z)?;
        if at_from <= 0.0 {
            return Ok(from);
        }
        let at_to = statistic(x, y, to, z)?;
        if at_to >= 0.0 {
            return Ok(to);
        }
        root((from, at_from), (to, at_to), |shift| statistic(x, y, shift, z))
    };
    let (low, high) = (end(-z)?, end(z)?);
    let ends = ((from, statistic(x, y, from, 0.0)?), (to, statistic(x, y, to, 0.0)?));
    let estimate = root(ends.0, ends.1, |shift| statistic(x, y, shift, 0.0))?;
    Ok(Shift { low, high, estimate })
}

/// Sum of the ranks of `x` among `x` and `y`, ties sharing theirs, and the sum of t³ − t over the ties.
pub fn ranks(x: &[f64], y: &[f64]) -> (f64, f64) {
    let mut all: Vec<(f64, bool)> =
        x.iter().map(|&value| (value, true)).chain(y.iter().map(|&value| (value, false))).collect();
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut sum, mut ties, mut begin) = (0.0, 0.0, 0);
    while begin < all.len() {
        // 0 and -0 are tied, too.
        let tied = all[begin..].iter().take_while(|(value, _)| *value == all[begin].0).count().max(1);
        let rank = (2 * begin + tied + 1) as f64 / 2.0;
        sum += rank * all[begin..begin + tied].iter().filter(|(_, of_x)| *of_x).count() as f64;
        let t = tied as f64;
        ties += t * t * t - t;
        begin += tied;
    }
    (sum, ties)
}

/// The standardised statistic of `x` moved back by `shift`, less `z`.
fn statistic(x: &[f64], y: &[f64], shift: f64, z: f64) -> Result<f64, NoVariance> {
    let moved: Vec<f64> = x.iter().map(|value| value - shift).collect();
    let (m, n) = (x.len() as f64, y.len() as f64);
    let (sum, ties) = ranks(&moved, y);
    let deviation = sum - m * (m + 1.0) / 2.0 - m * n / 2.0;
    let correction = if deviation == 0.0 { 0.0 } else { 0.5 * deviation.signum() };
    let variance = (m * n / 12.0) * ((m + n + 1.0) - ties / ((m + n) * (m + n - 1.0)));
    if variance == 0.0 || variance.is_nan() {
        return Err(NoVariance);
    }
    Ok((deviation - correction) / variance.sqrt() - z)
}

/// Brent's root finder, step for step that of R and netlib ("zeroin").
fn root(
    (mut a, mut fa): (f64, f64),
    (mut b, mut fb): (f64, f64),
    f: impl Fn(f64) -> Result<f64, NoVariance>,
) -> Result<f64, NoVariance> {
    if fa == 0.0 {
        return Ok(a);
    }
    if fb == 0.0 {
        return Ok(b);
    }
    let (mut c, mut fc) = (a, fa);
    for _ in 0..ITERATIONS {
        let previous = b - a;
        if fc.abs() < fb.abs() {
            (a, b, c) = (b, c, b);
            (fa, fb, fc) = (fb, fc, fb);
        }
        let tolerance = 2.0 * f64::EPSILON * b.abs() + ROOT_TOLERANCE / 2.0;
        let mut step = (c - b) / 2.0;
        if step.abs() <= tolerance || fb == 0.0 {
            return Ok(b);
        }
        if previous.abs() >= tolerance && fa.abs() > fb.abs() {
            step = interpolated((a, fa), (b, fb), (c, fc), previous, tolerance).unwrap_or(step);
        }
        if step.abs() < tolerance {
            step = if step > 0.0 { tolerance } else { -tolerance };
        }
        (a, fa) = (b, fb);
        b += step;
        fb = f(b)?;
        if (fb > 0.0 && fc > 0.0) || (fb < 0.0 && fc < 0.0) {
            (c, fc) = (a, fa);
        }
    }
    Ok(b)
}

/// A step by the secant or the inverse parabola, if it stays well inside.
fn interpolated(
    (a, fa): (f64, f64),
    (b, fb): (f64, f64),
    (c, fc): (f64, f64),
    previous: f64,
    tolerance: f64,
) -> Option<f64> {
    let cb = c - b;
    let (mut p, mut q);
    if a == c {
        let ratio = fb / fa;
        p = cb * ratio;
        q = 1.0 - ratio;
    } else {
        let (of_ac, of_bc, of_ba) = (fa / fc, fb / fc, fb / fa);
        p = of_ba * (cb * of_ac * (of_ac - of_bc) - (b - a) * (of_bc - 1.0));
        q = (of_ac - 1.0) * (of_bc - 1.0) * (of_ba - 1.0);
    }
    if p > 0.0 {
        q = -q;
    } else {
        p = -p;
    }
    let inside = p < 0.75 * cb * q - (tolerance * q).abs() / 2.0 && p < (previous * q / 2.0).abs();
    inside.then(|| p / q)
}

fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uneven numbers without ties.
    fn series(count: u32, step: f64, from: f64) -> Vec<f64> {
        (0..count).map(|i| from + (f64::from(i) * step).fract() * 10.0).collect()
    }

    #[test]
    fn each_end_and_the_estimate_is_where_the_statistic_changes_its_sign() {
        for (x, y) in [
            (series(15, 0.618, 3.0), series(12, 0.414, 1.0)),
            (series(40, 0.732, 0.0), series(30, 0.236, 0.5)),
            (series(6, 0.449, 100.0), series(50, 0.302, 1.0)),
        ] {
            let z = quantile(0.01);
            let found = shift(&x, &y, 0.98).unwrap();
            for (at, z) in [(found.low, -z), (found.high, z), (found.estimate, 0.0)] {
                let (before, after) = (statistic(&x, &y, at - 1e-4, z), statistic(&x, &y, at + 1e-4, z));
                assert!(before.unwrap() >= 0.0 && after.unwrap() <= 0.0, "{found:?}");
            }
        }
    }

    #[test]
    fn one_against_one_has_no_variance() {
        assert_eq!(shift(&[2.0], &[1.0], 0.98), Err(NoVariance));
    }

    #[test]
    fn tied_values_share_their_ranks() {
        assert_eq!(ranks(&[1.0, 2.0], &[2.0, 3.0]), (1.0 + 2.5, 6.0));
        assert_eq!(ranks(&[0.0], &[-0.0]), (1.5, 6.0));
    }
}
