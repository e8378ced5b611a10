//! The one generator: whether a fault happens at an opportunity, and how, is a function of the seed, the kind and the
//! number of the opportunity alone. Taking one fault away leaves every other one's dice as they were, which is what
//! makes a run that fails small.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::faults::{Fault, Mask};
use crate::world::Rng;

/// A fault that happened: the number of its opportunity among those of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strike {
    /// Which kind.
    pub fault: Fault,
    /// Which opportunity.
    pub at: u32,
}

/// The dice of one run.
#[derive(Debug)]
pub struct Dice {
    seed: u64,
    mask: Mask,
    /// Whether the storm is over.
    calm: bool,
    opportunities: [u32; Fault::COUNT],
    /// What happens, where a trace says it, instead of the mask.
    script: Option<BTreeSet<Strike>>,
    /// What happened, and when.
    pub struck: Vec<(Strike, Timestamp)>,
    /// Which invocation goes on next, and how long a call takes.
    pub order: Rng,
}

impl Dice {
    /// The dice of a seed under a mask; a script has the last word.
    pub fn new(seed: u64, mask: Mask, script: Option<BTreeSet<Strike>>) -> Self {
        let order = Rng::new(mix(seed, u64::MAX, 0));
        Self { seed, mask, calm: true, opportunities: [0; Fault::COUNT], script, struck: Vec::new(), order }
    }

    /// Begins or ends the storm.
    pub fn storm(&mut self, on: bool) {
        self.calm = !on;
    }

    /// What can go wrong now.
    pub fn mask(&self) -> &Mask {
        &self.mask
    }

    /// Takes the next opportunity of a fault: if it happens, the generator of how it does.
    pub fn strikes(&mut self, fault: Fault, now: Timestamp) -> Option<Rng> {
        if self.calm {
            return None;
        }
        let rate = self.mask.rate(fault);
        if rate <= 0.0 && self.script.is_none() {
            return None;
        }
        let count = &mut self.opportunities[fault as usize];
        let strike = Strike { fault, at: *count };
        *count += 1;
        let drawn = mix(self.seed, fault as u64, u64::from(strike.at));
        let happens = match &self.script {
            Some(script) => script.contains(&strike),
            None => ((drawn >> 11) as f64) < rate * (1_u64 << 53) as f64,
        };
        happens.then(|| {
            self.struck.push((strike, now));
            Rng::new(drawn)
        })
    }
}

/// A number that depends on all three.
pub fn mix(seed: u64, kind: u64, number: u64) -> u64 {
    let mut state =
        seed ^ kind.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ number.wrapping_mul(0xD1B5_4A32_D192_ED03);
    for _ in 0..2 {
        state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^= state >> 31;
    }
    state
}
