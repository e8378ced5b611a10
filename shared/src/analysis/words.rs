//! How numbers stand in a verdict's sentence.

/// A share in percent, two significant digits: `1.9 %`, `0.10 %`, `0 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", significant(share * 100.0))
}

/// A ratio: `×19`, `×1.1`.
pub fn times(ratio: f64) -> String {
    format!("×{}", significant(ratio))
}

/// A ratio that somebody chose, as it was written: `×1.25`.
pub fn chosen(ratio: f64) -> String {
    format!("×{ratio}")
}

/// Odds from their logarithm: `250 : 1`.
pub fn odds(ln: f64) -> String {
    // Beyond a million nobody reads digits.
    let ln = ln.clamp(0.0, 15.0_f64);
    let odds = ln.exp();
    if odds >= 1e6 { "over 1000000 : 1".to_owned() } else { format!("{odds:.0} : 1") }
}

/// A number of things, with its digit after the point where it is small.
pub fn amount(amount: f64) -> String {
    if amount < 10.0 && amount.fract() != 0.0 { format!("{amount:.1}") } else { format!("{amount:.0}") }
}

/// Two significant digits, without those that are more than needed to say a large number.
fn significant(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if size >= 9.95 {
        format!("{value:.0}")
    } else if size >= 0.995 {
        format!("{value:.1}")
    } else if size >= 0.0995 {
        format!("{value:.2}")
    } else if size >= 0.00995 {
        format!("{value:.3}")
    } else {
        format!("{value:.1e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_may_be() {
        let of = [percent(0.019), percent(0.001), percent(0.0), percent(1.0), percent(0.00005), percent(0.000_001)];
        assert_eq!(of, ["1.9 %", "0.10 %", "0 %", "100 %", "5.0e-3 %", "1.0e-4 %"]);
        assert_eq!([times(19.2), times(1.1), times(0.5)], ["×19", "×1.1", "×0.50"]);
        assert_eq!([odds(5.521), odds(900.0), odds(-3.0)], ["250 : 1", "over 1000000 : 1", "1 : 1"]);
        assert_eq!([amount(6.0), amount(0.31), amount(297.4)], ["6", "0.3", "297"]);
    }
}
