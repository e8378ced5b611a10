//! What is wrong in a spec: every mistake at its line and column, with the way out.

use serde::Serialize;

/// One mistake in a spec, or one warning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{line}:{column}: {path}: {problem}")]
pub struct SpecError {
    /// Where in the document: `spec.strategy.canary.steps[2].setWeight`.
    pub path: String,
    /// Line in the text, from 1.
    pub line: usize,
    /// Column in the line, in characters, from 1.
    pub column: usize,
    /// How many characters of the line are meant.
    pub width: usize,
    /// Which kind of mistake.
    pub kind: Mistake,
    /// What is wrong, in a sentence that names the thing.
    pub problem: String,
    /// The way out.
    pub hint: String,
}

/// Kinds of mistakes, for programs that read the JSON of `lint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Mistake {
    /// The text is no YAML, too large, too deep, or holds characters that cannot be seen.
    Syntax,
    /// A field stands twice.
    DuplicateKey,
    /// A field that is not in the format.
    UnknownField,
    /// A field that has to be there is not.
    MissingField,
    /// Text where a number is expected, and the like.
    WrongType,
    /// The right type, and a value that cannot be.
    OutOfRange,
    /// A value between those that AWS can keep: a weight of 0.05 %, a window of 90 s.
    TooFine,
    /// A word of Argo Rollouts that an ALB or ECS cannot carry out.
    NotSupported,
    /// A word of a later release.
    NotImplemented,
    /// A name that is defined nowhere, or twice, or never used.
    Reference,
    /// Each value is good; together they are not.
    Contradiction,
}
