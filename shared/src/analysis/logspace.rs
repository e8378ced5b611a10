//! Logarithms of products and sums that a plain f64 would lose.

/// Below this, the series of Stirling's formula needs more terms than f64 is worth.
const STIRLING_FROM: f64 = 16.0;

/// Terms that are multiplied before a logarithm is taken: each is at most 1e16, so the product stays finite.
const FACTORS_AT_ONCE: usize = 16;

/// Returns ln(a (a+1) … (a+n-1)) = ln Γ(a+n) − ln Γ(a), for a > 0 and a whole n ≥ 0.
///
/// A difference of two ln Γ loses all digits where `a` is large; this does not.
pub fn ln_rising(a: f64, n: f64) -> f64 {
    if n < STIRLING_FROM {
        return ln_product(a, n);
    }
    if a < STIRLING_FROM {
        let steps = (STIRLING_FROM - a).ceil();
        return ln_product(a, steps) + by_stirling(a + steps, n - steps);
    }
    by_stirling(a, n)
}

/// Returns ln Γ(n/2) for a whole n ≥ 1.
pub fn ln_gamma_half(n: u32) -> f64 {
    let whole = f64::from(n / 2);
    if n.is_multiple_of(2) {
        return if n == 0 { f64::INFINITY } else { ln_rising(1.0, whole - 1.0) };
    }
    0.5 * std::f64::consts::PI.ln() + ln_rising(0.5, whole)
}

/// Returns ln(e^a + e^b).
pub fn ln_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// Returns ln of the sum of e^x over all x; of none it is ln 0.
pub fn ln_sum(all: impl IntoIterator<Item = f64>) -> f64 {
    all.into_iter().fold(f64::NEG_INFINITY, ln_add)
}

fn ln_product(a: f64, n: f64) -> f64 {
    let (mut sum, mut product, mut taken, mut term) = (0.0, 1.0, 0, 0.0);
    while term < n {
        product *= a + term;
        term += 1.0;
        taken += 1;
        if taken == FACTORS_AT_ONCE {
            sum += f64::ln(product);
            (product, taken) = (1.0, 0);
        }
    }
    if taken == 0 { sum } else { sum + f64::ln(product) }
}

fn by_stirling(a: f64, n: f64) -> f64 {
    n * ((a + n).ln() - 1.0) + (a - 0.5) * (n / a).ln_1p() + tail(a + n) - tail(a)
}

/// The series behind Stirling's formula.
fn tail(a: f64) -> f64 {
    let inverse = 1.0 / a;
    let square = inverse * inverse;
    inverse
        * (1.0 / 12.0 - square * (1.0 / 360.0 - square * (1.0 / 1260.0 - square * (1.0 / 1680.0 - square / 1188.0))))
}

#[cfg(test)]
mod tests {
    use statrs::function::gamma::ln_gamma;

    use super::*;

    #[test]
    fn a_rising_product_is_a_difference_of_ln_gamma() {
        for a in [1e-6, 0.11, 0.5, 1.0, 3.7, 15.9, 16.0, 120.3, 4e4] {
            for n in [0.0, 1.0, 2.0, 15.0, 16.0, 17.0, 40.0, 3000.0] {
                let (ours, theirs) = (ln_rising(a, n), ln_gamma(a + n) - ln_gamma(a));
                assert!((ours - theirs).abs() <= 1e-9 * (1.0 + theirs.abs()), "{a} {n}: {ours} {theirs}");
            }
        }
    }

    #[test]
    fn a_rising_product_keeps_its_digits_where_ln_gamma_has_lost_them() {
        // 1e7 (1e7 + 1) = 1e14 + 1e7.
        assert!((ln_rising(1e7, 2.0) - (1e14_f64 + 1e7).ln()).abs() < 1e-14);
        let (a, n) = (1e9, 20.0);
        let by_hand: f64 = (0..20).map(|i| (a + f64::from(i)).ln()).sum();
        assert!((ln_rising(a, n) - by_hand).abs() < 1e-11);
    }

    #[test]
    fn ln_gamma_of_halves() {
        for n in 1..400 {
            let theirs = ln_gamma(f64::from(n) / 2.0);
            assert!((ln_gamma_half(n) - theirs).abs() <= 1e-12 * (1.0 + theirs.abs()), "{n}");
        }
    }

    #[test]
    fn sums_of_nothing_and_of_very_small_things() {
        assert_eq!(ln_sum([]), f64::NEG_INFINITY);
        assert_eq!(ln_add(f64::NEG_INFINITY, -3.0), -3.0);
        assert!((ln_add(-1000.0, -1000.0) - (-1000.0 + 2f64.ln())).abs() < 1e-12);
    }
}
