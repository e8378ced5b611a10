//! What the functions weigh: each binary as it is, and zipped as Lambda stores it.

use std::path::Path;

use sandbox::functions::PACKAGES;

/// A function's binary is to weigh at most this, in MB.
pub const GOAL_MB: f64 = 8.0;

/// Prints a row for each function.
pub fn print(functions: &Path) -> std::io::Result<()> {
    println!("| function | binary, MB |\n|---|---|");
    let mut heaviest: f64 = 0.0;
    for package in PACKAGES {
        let megabytes = std::fs::metadata(functions.join(package))?.len() as f64 / 1e6;
        heaviest = heaviest.max(megabytes);
        println!("| `{package}` | {megabytes:.2} |");
    }
    let verdict = if heaviest <= GOAL_MB { "met" } else { "missed" };
    println!("\nGoal: at most {GOAL_MB} MB each: {verdict}.");
    Ok(())
}
