//! A simulator on the in-process door: seeded faults of every kind between any two calls, a storm and then calm, with
//! every invariant checked at every commit and at every pull of a lever, and an account of what users saw.
//!
//! One seed is one run, byte for byte. [`run`] runs one, [`campaign`] many; [`shrink`] makes one that fails small.

pub mod campaign;
pub mod checks;
mod crew;
mod dice;
pub mod faults;
mod mail;
#[cfg(feature = "mistakes")]
pub mod mistakes;
mod people;
mod play;
mod scene;
pub mod shrink;
mod stage;
mod story;
pub mod trace;
mod watch;

use std::collections::BTreeSet;

use jiff::Timestamp;

pub use checks::{Breach, Check};
pub use dice::Strike;
pub use faults::{Fault, Mask};
pub use scene::{Quality, SPECS};

/// What is to be run.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// The seed.
    pub seed: u64,
    /// What may go wrong; the seed draws it where it is not said.
    pub mask: Option<Mask>,
    /// What goes wrong, and nothing else, where a trace says it.
    pub strikes: Option<BTreeSet<Strike>>,
    /// Whether the story is kept.
    pub tells: bool,
}

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The seed.
    pub seed: u64,
    /// `Healthy` or `Degraded`.
    pub phase: String,
    /// What was rolled out, and where.
    pub scene: String,
    /// What could go wrong.
    pub mask: Mask,
    /// What did.
    pub struck: Vec<(Strike, Timestamp)>,
    /// How often each check came up.
    pub met: [u64; Check::COUNT],
    /// What did not hold.
    pub breaches: Vec<Breach>,
    /// What happened, where it was asked for.
    pub story: Vec<String>,
    /// Commits of the record.
    pub commits: u64,
    /// A number that every commit went into: two runs with the same one are the same run.
    pub digest: u64,
    /// How long it took in the World, in seconds.
    pub seconds: i64,
}

impl Finished {
    /// Tells the first breach with everything that is needed to see it again.
    pub fn told(&self) -> Option<String> {
        let first = self.breaches.first()?;
        Some(format!("seed {}: {first}\n  {}; it ended {}\n  {}", self.seed, self.scene, self.phase, self.mask))
    }
}

/// Runs a seed as it is drawn.
pub fn run(seed: u64) -> Finished {
    play::run(&Script { seed, ..Script::default() })
}

/// Runs a script.
pub fn run_script(script: &Script) -> Finished {
    play::run(script)
}
