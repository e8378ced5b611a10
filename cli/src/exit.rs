//! The one table of exit codes: what `--help` prints, what `docs/cli.md` lists, what the process returns.

use std::fmt::Write as _;
use std::process::ExitCode;

/// How a run of `tidegate` ends. The codes are a promise: none is ever given another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Ok,
    Unexpected,
    Usage,
    Refused,
    NotFound,
    Unreachable,
    BrokenJournal,
    WentHome,
    Paused,
    TimedOut,
    Interrupted,
}

impl Exit {
    /// Every row of the table, by code.
    pub const ALL: [Self; 11] = [
        Self::Ok,
        Self::Unexpected,
        Self::Usage,
        Self::Refused,
        Self::NotFound,
        Self::Unreachable,
        Self::BrokenJournal,
        Self::WentHome,
        Self::Paused,
        Self::TimedOut,
        Self::Interrupted,
    ];

    /// Returns what the process returns.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Unexpected => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::NotFound => 4,
            Self::Unreachable => 5,
            Self::BrokenJournal => 6,
            Self::WentHome => 10,
            Self::Paused => 11,
            Self::TimedOut => 12,
            Self::Interrupted => 130,
        }
    }

    /// Returns what the code means, in one line.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "done; with --wait: promoted (Healthy)",
            Self::Unexpected => "unexpected: an answer that cannot be read, a file that cannot be written",
            Self::Usage => "wrong usage, an input that is no event, or mistakes in a spec",
            Self::Refused => "refused, each reason with what to do",
            Self::NotFound => "no such rollout, service or file",
            Self::Unreachable => "no answer from the controller",
            Self::BrokenJournal => "verify: an entry of the journal is missing or was changed",
            Self::WentHome => "with --wait: the rollout went home (Degraded)",
            Self::Paused => "with --wait: the rollout waits for a person",
            Self::TimedOut => "the time to wait is over, and the rollout goes on",
            Self::Interrupted => "interrupted (Ctrl-C), and the rollout goes on",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Returns the table as `--help` prints it.
pub fn table() -> String {
    let mut table = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        let _ = writeln!(table, "  {:>3}  {}", exit.code(), exit.meaning());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_meaning_and_the_document_lists_exactly_these() {
        let mut codes = Exit::ALL.map(Exit::code).to_vec();
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len(), "codes are sorted and unique");
        let document = include_str!("../../docs/cli.md");
        let is_row =
            |line: &&str| line.starts_with("| `") && line[3..].starts_with(|first: char| first.is_ascii_digit());
        let listed: Vec<&str> = document.lines().filter(is_row).collect();
        let expected = Exit::ALL.map(|exit| format!("| `{}` | {} |", exit.code(), exit.meaning()));
        assert_eq!(listed, expected);
    }
}
