//! The canary's share of traffic, in per mille: two shares always sum to the whole.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The whole, in per mille.
pub const WHOLE: u16 = 1000;

/// The canary's share of a rule's traffic, 0 to 1000 per mille; the rest is the stable side's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u16", into = "u16")]
pub struct Weight(u16);

/// A share above the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} per mille is more than the whole (1000)")]
pub struct OverTheWhole(pub u16);

impl Weight {
    /// No traffic at the canary.
    pub const ZERO: Self = Self(0);
    /// All traffic at the canary.
    pub const FULL: Self = Self(WHOLE);

    /// Takes a share in per mille.
    pub fn per_mille(share: u16) -> Result<Self, OverTheWhole> {
        if share > WHOLE { Err(OverTheWhole(share)) } else { Ok(Self(share)) }
    }

    /// Whether the canary has no traffic.
    pub fn is_zero(&self) -> bool {
        *self == Self::ZERO
    }

    /// Returns the canary's share in per mille.
    pub fn canary(self) -> u16 {
        self.0
    }

    /// Returns the stable side's share in per mille.
    pub fn stable(self) -> u16 {
        WHOLE - self.0
    }

    /// Returns what goes on the wire, (stable, canary): `w` and `1000 − w`, the ends as 1 and 0, because an
    /// ALB refuses a weight of 1000.
    pub fn on_the_wire(self) -> (u16, u16) {
        match self.0 {
            0 => (1, 0),
            WHOLE => (0, 1),
            w => (WHOLE - w, w),
        }
    }

    /// Returns the share that two forward weights make, rounded to the nearest per mille without ever
    /// rounding a real share to an end; `None` where both are 0, which an ALB answers with 503.
    pub fn from_the_wire(stable: u32, canary: u32) -> Option<Self> {
        let sum = u64::from(stable) + u64::from(canary);
        if sum == 0 {
            return None;
        }
        let whole = u64::from(WHOLE);
        let nearest = (u64::from(canary) * whole + sum / 2) / sum;
        let share = if canary == 0 {
            0
        } else if stable == 0 {
            whole
        } else {
            nearest.clamp(1, whole - 1)
        };
        u16::try_from(share).ok().map(Self)
    }

    /// Returns how many of `tasks` this share needs, rounded up; at least 1 where there is a share at all.
    pub fn of_tasks(self, tasks: u32) -> u32 {
        let needed = (u64::from(tasks) * u64::from(self.0)).div_ceil(u64::from(WHOLE));
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        if self.0 == 0 { 0 } else { needed.max(1) }
    }
}

impl TryFrom<u16> for Weight {
    type Error = OverTheWhole;

    fn try_from(share: u16) -> Result<Self, OverTheWhole> {
        Self::per_mille(share)
    }
}

impl From<Weight> for u16 {
    fn from(weight: Weight) -> u16 {
        weight.0
    }
}

/// Prints per cent: `5`, `0.1`, `100`.
impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, tenth) = (self.0 / 10, self.0 % 10);
        if tenth == 0 { write!(f, "{whole}") } else { write!(f, "{whole}.{tenth}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_share_survives_the_wire_and_both_sides_sum_to_the_whole() {
        for share in 0..=WHOLE {
            let weight = Weight::per_mille(share).unwrap();
            let (stable, canary) = weight.on_the_wire();
            assert!(stable <= 999 && canary <= 999, "an ALB takes at most 999, got {stable}/{canary}");
            assert_eq!(Weight::from_the_wire(stable.into(), canary.into()), Some(weight));
            assert_eq!(weight.canary() + weight.stable(), WHOLE);
        }
        assert!(Weight::per_mille(1001).is_err());
    }

    #[test]
    fn a_real_share_is_never_read_as_an_end() {
        assert_eq!(Weight::from_the_wire(999_999, 1), Some(Weight(1)));
        assert_eq!(Weight::from_the_wire(1, 999_999), Some(Weight(999)));
        assert_eq!(Weight::from_the_wire(0, 0), None);
    }

    #[test]
    fn tasks_are_rounded_up_and_a_share_needs_at_least_one() {
        let tasks = |share, of| Weight(share).of_tasks(of);
        assert_eq!((tasks(0, 4), tasks(1, 4), tasks(500, 5), tasks(1000, 4)), (0, 1, 3, 4));
        assert_eq!(tasks(50, 0), 1);
    }

    #[test]
    fn a_weight_prints_as_per_cent() {
        let printed = [1, 50, 125, 1000].map(|share| Weight(share).to_string());
        assert_eq!(printed, ["0.1", "5", "12.5", "100"]);
    }
}
