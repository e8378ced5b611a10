//! The journal: one entry per commit, chained by hash. `replay` reads its inputs, `verify` its chain.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ids::RolloutId;
use crate::machine::effect::Effect;
use crate::machine::event::Event;

/// What one step took in and gave out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Which rollout.
    pub rollout: RolloutId,
    /// 1, 2, 3 … without a gap; equal to the version that the commit made.
    pub sequence: u64,
    /// Hash of the entry before; of the service's previous rollout for the first one, or empty.
    pub previous: String,
    /// The time that was the machine's argument.
    pub now: Timestamp,
    /// The function that committed.
    pub by: String,
    /// What came in, in order; `None` for the entry that began the rollout.
    pub inputs: Vec<Event>,
    /// What the machine said of it, for people.
    pub outcome: String,
    /// What went out.
    pub effects: Vec<Effect>,
}

impl AuditEntry {
    /// Returns the hash that the next entry names: SHA-256 of this entry's JSON, in hex.
    ///
    /// # Panics
    /// Never: every type in an entry serializes.
    pub fn hash(&self) -> String {
        let json = serde_json::to_vec(self).expect("an audit entry serializes");
        Sha256::digest(&json).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Where a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokenChain {
    /// An entry is missing, or stands twice.
    #[error("entry {expected} is missing: entry {found} follows")]
    Gap {
        /// The sequence that should follow.
        expected: u64,
        /// The one that does.
        found: u64,
    },
    /// An entry was changed after it was written.
    #[error("entry {0} does not name the hash of the entry before it: one of the two was changed")]
    Hash(u64),
}

/// Checks a rollout's chain from its first entry on.
pub fn verify(entries: &[AuditEntry]) -> Result<(), BrokenChain> {
    let mut before: Option<&AuditEntry> = None;
    for entry in entries {
        let expected = before.map_or(1, |before| before.sequence + 1);
        if entry.sequence != expected {
            return Err(BrokenChain::Gap { expected, found: entry.sequence });
        }
        if before.is_some_and(|before| before.hash() != entry.previous) {
            return Err(BrokenChain::Hash(entry.sequence));
        }
        before = Some(entry);
    }
    Ok(())
}
