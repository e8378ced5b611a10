//! The certificate of a single minute: whatever the true correlation of its split, up to the one reckoned with, a minute
//! is worth at most 1 on average while the canary is no worse. Summed out exactly, cell by cell.

use tidegate::analysis::logspace::ln_rising;
use tidegate::analysis::sequential::dispersion::Spread;
use tidegate::analysis::sequential::factor::{Fall, ln_factors};

const NULL: f64 = 1.1;
const ALTERNATIVES: [f64; 8] = [1.5, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0, 100.0];
const ERRORS: [u32; 12] = [1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000, 3000];
const SHARES: [f64; 10] = [0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95];
const CORRELATIONS: [f64; 10] = [0.0, 1e-6, 1e-4, 0.001, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9];
const FRACTIONS: [f64; 6] = [0.0, 0.01, 0.1, 0.5, 0.9, 1.0];

/// ln of the probabilities that 0, 1, … of the errors fall on the canary, by the recurrence of the beta-binomial.
fn ln_probabilities(errors: u32, p: f64, correlation: f64) -> Vec<f64> {
    let n = f64::from(errors);
    // By s the binomial is the limit of no correlation.
    let s = if correlation > 0.0 { (1.0 - correlation) / correlation } else { 0.0 };
    let start = if s > 0.0 { ln_rising((1.0 - p) * s, n) - ln_rising(s, n) } else { n * (-p).ln_1p() };
    let mut all = vec![start];
    for x in (0..errors).map(f64::from) {
        let odds = if s > 0.0 { (p * s + x) / ((1.0 - p) * s + n - x - 1.0) } else { p / (1.0 - p) };
        let last = *all.last().unwrap();
        all.push(last + ((n - x) / (x + 1.0) * odds).ln());
    }
    all
}

/// Sums out the cells of one number of errors; returns how many.
fn certify(errors: u32) -> usize {
    let alternatives = ALTERNATIVES.map(|multiple| multiple * NULL);
    let mut cells = 0;
    for share in SHARES {
        let p = share * NULL / (share * NULL + 1.0 - share);
        for correlation in CORRELATIONS {
            let spread = Spread { correlation, inflation: 1.0 + f64::from(errors - 1) * correlation };
            let factors: Vec<Vec<f64>> = (0..=errors)
                .map(|canary| {
                    let fall = Fall { canary: f64::from(canary), both: f64::from(errors), share, spread };
                    ln_factors(&fall, NULL, &alternatives).collect()
                })
                .collect();
            let rises = factors.windows(2).all(|two| two[0].iter().zip(&two[1]).all(|(a, b)| a <= &(b + 1e-9)));
            assert!(rises, "m={errors} w={share} r={correlation}: more errors of the canary are worth less");
            for fraction in FRACTIONS {
                let probabilities = ln_probabilities(errors, p, correlation * fraction);
                for alternative in 0..alternatives.len() {
                    let worth = probabilities.iter().zip(&factors).map(|(ln_p, ln_l)| (ln_p + ln_l[alternative]).exp());
                    let expectation: f64 = worth.sum();
                    let cell = (errors, share, correlation, fraction, ALTERNATIVES[alternative]);
                    assert!(expectation <= 1.0 + 1e-9, "m, w, r, r'/r, g = {cell:?}: {expectation}");
                    cells += 1;
                }
            }
        }
    }
    cells
}

#[test]
fn a_minute_is_worth_at_most_one_on_average_in_57600_cells() {
    let (most, rest) = ERRORS.split_at(ERRORS.len() - 1);
    let cells = std::thread::scope(|scope| {
        let most = scope.spawn(|| most.iter().map(|&errors| certify(errors)).sum::<usize>());
        rest.iter().map(|&errors| certify(errors)).sum::<usize>() + most.join().unwrap()
    });
    assert_eq!(cells, 57_600);
}
