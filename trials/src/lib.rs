//! How often verdicts are wrong and how late they are right: canaries made by dice, judged beside what others do.
//!
//! `cargo run --profile bench -p trials` prints the tables of `docs/verdicts.md`.

pub mod canary;
pub mod dice;
pub mod rivals;
pub mod study;
pub mod tables;
