//! A run that once failed, as a file: its seed and what has to go wrong in it, and nothing else.

use std::collections::BTreeSet;
use std::fmt;

use super::checks::Check;
use super::dice::Strike;
use super::faults::{Fault, Mask};
use super::{Finished, Script};

/// What has to go wrong for a check not to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The seed.
    pub seed: u64,
    /// What did not hold.
    pub check: Check,
    /// The kinds that the seed had, with their rates.
    pub mask: Mask,
    /// What happens.
    pub strikes: BTreeSet<Strike>,
}

impl Trace {
    /// Returns the whole of a run that failed.
    pub fn of(finished: &Finished) -> Option<Self> {
        let strikes = finished.struck.iter().map(|(strike, _)| *strike).collect();
        let check = finished.breaches.first()?.check;
        Some(Self { seed: finished.seed, check, mask: finished.mask.clone(), strikes })
    }

    /// Returns the script that plays it again.
    pub fn script(&self) -> Script {
        Script { seed: self.seed, mask: Some(self.mask.clone()), strikes: Some(self.strikes.clone()), tells: false }
    }

    /// Reads a trace; the error says which line.
    ///
    /// # Errors
    /// A line that is none of `seed`, `check`, `rate` and `strike`, or a missing one.
    pub fn read(text: &str) -> Result<Self, String> {
        let (mut seed, mut check, mut mask, mut strikes) = (None, None, Mask::calm(), BTreeSet::new());
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let wrong = || format!("line {}: `{line}` is not understood", index + 1);
            match words.as_slice() {
                ["seed", number] => seed = number.parse().ok(),
                ["check", code] => check = Some(Check::named(code).ok_or_else(wrong)?),
                ["rate", kind, rate] => {
                    let (fault, rate) = (Fault::named(kind), rate.parse().ok());
                    mask = mask.with(fault.ok_or_else(wrong)?, rate.ok_or_else(wrong)?);
                }
                ["strike", kind, at] => {
                    let (fault, at) = (Fault::named(kind), at.parse().ok());
                    strikes.insert(Strike { fault: fault.ok_or_else(wrong)?, at: at.ok_or_else(wrong)? });
                }
                _ => return Err(wrong()),
            }
        }
        let seed = seed.ok_or("there is no line `seed`")?;
        Ok(Self { seed, check: check.ok_or("there is no line `check`")?, mask, strikes })
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}\ncheck {}", self.seed, self.check.row().code)?;
        for fault in self.mask.kinds() {
            writeln!(f, "rate {} {}", fault.kind().name, self.mask.rate(fault))?;
        }
        for strike in &self.strikes {
            writeln!(f, "strike {} {}", strike.fault.kind().name, strike.at)?;
        }
        Ok(())
    }
}
