//! What must hold, each with a name, and how often what it speaks of came up: a check that never does proves nothing.

use jiff::Timestamp;

/// An invariant. The code is that of the list in `docs/reliability.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the sentence is in the table below, where it is data")]
pub enum Check {
    T1,
    T2,
    T3,
    T4,
    T5,
    T6,
    T7,
    T8,
    T10,
    T11,
    T12,
    C1,
    C2,
    C3,
    C4,
    C6,
    C7,
    C8,
    R1,
    R2,
    R4,
    R5,
    R6,
    R7,
    R8,
    S1,
    S2,
    S3,
    S4,
    S5,
    S6,
    S7,
    S8,
    S9,
    S10,
    S11,
    S13,
    S14,
    S15,
    L1,
    L2,
    L5,
    L6,
    L9,
    E1,
    E3,
    E4,
    A1,
    A3,
    A4,
    H2,
    H3,
    H5,
    H6,
    H7,
    H8,
    Users,
    Wait,
}

/// A check with its code and its sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which.
    pub check: Check,
    /// `T1`, `C3`, …
    pub code: &'static str,
    /// What holds.
    pub holds: &'static str,
}

const fn row(check: Check, code: &'static str, holds: &'static str) -> Row {
    Row { check, code, holds }
}

/// Every check, in the order of the enum.
pub const ROWS: [Row; Check::COUNT] = [
    row(
        Check::T1,
        "T1",
        "a write changes nothing in a rule but the two weights; the way home is the baseline verbatim",
    ),
    row(Check::T2, "T2", "a weight is raised on a look of the last 15 s that shows enough healthy targets"),
    row(Check::T3, "T3", "a rule that somebody edited is not overwritten on the way forward"),
    row(Check::T4, "T4", "while it progresses, the weight asked for never falls"),
    row(Check::T5, "T5", "no write gives the canary more than the plan does at its step"),
    row(Check::T6, "T6", "no step is left before its pause, its bake or its settling is over"),
    row(Check::T7, "T7", "a verdict uses windows from after the verified weight alone"),
    row(Check::T8, "T8", "a weight is verified when every rule has it"),
    row(Check::T10, "T10", "no write to a rule or a service that is not in the baseline"),
    row(Check::T11, "T11", "both groups stay on the rule"),
    row(Check::T12, "T12", "no write where the look shows that everything is as wanted"),
    row(Check::C1, "C1", "no side loses tasks while it has weight, or before its targets have drained"),
    row(Check::C2, "C2", "the stable side loses no task before the promotion"),
    row(Check::C3, "C3", "at a raise the canary really has the healthy targets that its share needs"),
    row(
        Check::C4,
        "C4",
        "the way home goes out with the commit that turns, unless the last look says that home is worse",
    ),
    row(Check::C6, "C6", "no service but the pair is touched, and neither gets a revision that is not its own"),
    row(Check::C7, "C7", "after the end there is no lock left"),
    row(Check::C8, "C8", "the canary never gets more tasks than the plan has"),
    row(Check::R1, "R1", "once calls succeed, an abort brings the weights home within two minutes"),
    row(Check::R2, "R2", "no abort is refused before the promotion"),
    row(Check::R4, "R4", "once an abort is durable nothing raises the canary, and nothing leads out of it but the end"),
    row(Check::R5, "R5", "after the end no write comes that changes a weight"),
    row(Check::R6, "R6", "a promotion is never taken back, and nothing after it goes home"),
    row(Check::R7, "R7", "a verb on what has ended changes nothing and says so"),
    row(Check::R8, "R8", "it is not called home while a rule still gives the canary weight"),
    row(Check::S1, "S1", "one active rollout for each service"),
    row(Check::S2, "S2", "versions grow by one"),
    row(Check::S3, "S3", "an older version of a task never replaces a newer one"),
    row(Check::S4, "S4", "what delivery does changes no outcome: the sound are promoted, the hopeless never"),
    row(Check::S5, "S5", "tokens of writes are never used again"),
    row(Check::S6, "S6", "a write that goes out was durable as an intent"),
    row(Check::S7, "S7", "a performer re-reads that its token stands just before it writes"),
    row(Check::S8, "S8", "the same step gives the same bytes"),
    row(Check::S9, "S9", "spec, plan and baseline stay as they were at start"),
    row(Check::S10, "S10", "the journal is one chain without a gap"),
    row(Check::S11, "S11", "a record stays below 64 KB"),
    row(Check::S13, "S13", "nothing is committed after the end"),
    row(Check::S14, "S14", "another revision inherits no weight and no step"),
    row(Check::S15, "S15", "a decision comes out again from its journal entry"),
    row(Check::L1, "L1", "it ends once faults end, or names the person that it waits for"),
    row(Check::L2, "L2", "one chain of delayed messages is live at most"),
    row(Check::L5, "L5", "calls are bounded"),
    row(Check::L6, "L6", "commits are bounded"),
    row(Check::L9, "L9", "after the end the next rollout can begin"),
    row(Check::E1, "E1", "what nobody can read fails alone"),
    row(Check::E3, "E3", "what we do not know changes nothing"),
    row(Check::E4, "E4", "what arrives again after the end changes nothing"),
    row(Check::A1, "A1", "no analysis is passed without enough good measurements"),
    row(Check::A3, "A3", "no rollout begins while its alarm is in ALARM"),
    row(Check::A4, "A4", "an ALARM that was taken in sends it home"),
    row(
        Check::H2,
        "H2",
        "somebody else's hand on the weights is seen within minutes, and none is seen where there was none",
    ),
    row(Check::H3, "H3", "no rollout begins while somebody else deploys"),
    row(Check::H5, "H5", "while it is paused nothing is written"),
    row(Check::H6, "H6", "what is about another service or account changes nothing"),
    row(Check::H7, "H7", "nothing secret gets into the record"),
    row(Check::H8, "H8", "a bus that is down changes nothing"),
    row(Check::Users, "users", "no user sees an error that the controller made"),
    row(Check::Wait, "wait", "what is not finished wakes up by itself or names a person, and says what it waits for"),
];

impl Check {
    /// How many there are.
    pub const COUNT: usize = Self::Wait as usize + 1;

    /// Returns its row.
    pub fn row(self) -> &'static Row {
        &ROWS[self as usize]
    }

    /// Reads a code.
    pub fn named(code: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.code == code).map(|row| row.check)
    }
}

/// One that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which.
    pub check: Check,
    /// When.
    pub at: Timestamp,
    /// What was seen.
    pub what: String,
}

impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}) at {}: {}", self.check.row().code, self.check.row().holds, self.at, self.what)
    }
}

/// What was checked in a run.
#[derive(Debug, Clone)]
pub struct Ledger {
    /// How often what a check speaks of came up.
    pub met: [u64; Check::COUNT],
    /// What does not hold, in the order in which it was found.
    pub breaches: Vec<Breach>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { met: [0; Check::COUNT], breaches: Vec::new() }
    }
}

impl Ledger {
    /// Counts that it came up, and notes it if it does not hold.
    pub fn check(&mut self, check: Check, at: Timestamp, holds: bool, what: impl FnOnce() -> String) {
        self.met[check as usize] += 1;
        if !holds {
            self.breaches.push(Breach { check, at, what: what() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_stands_in_its_own_row() {
        for (index, row) in ROWS.iter().enumerate() {
            assert_eq!(row.check as usize, index, "{}", row.code);
            assert_eq!(Check::named(row.code), Some(row.check));
        }
    }
}
