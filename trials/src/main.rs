//! Prints the tables of `docs/verdicts.md`. The argument is the number of canaries in each cell.

use trials::tables;

/// Enough for a tenth of a percent.
const CANARIES: usize = 2000;

fn main() {
    let canaries = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(CANARIES);
    println!("{canaries} canaries of 60 minutes in each cell, Kayenta a tenth of them.\n");
    println!("### False aborts, in percent: mean over cells (largest)\n\n{}", tables::false_aborts(canaries));
    println!("### Minutes to the abort, median (share found)\n\n{}", tables::delays(canaries / 2));
    println!("### A dead canary\n\n{}", tables::dead(canaries));
    println!("### Weight steps while both sides get worse: false aborts\n\n{}", tables::weight_steps(canaries / 2));
    println!("### Early passes\n\n{}", tables::early_passes(canaries / 2));
    println!("### Speed\n\nA verdict over 60 minutes and 10 metrics takes {:.2} ms.", tables::speed());
}
