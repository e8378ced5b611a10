//! The doors of the reader: `read` for those who need a spec, `lint` for those who want to know everything about it.

use serde::Serialize;

use super::{Mistake, RolloutSpec, SpecError};

/// Everything that can be said about a spec's text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lint {
    /// The text's name, for people.
    pub file: String,
    /// All mistakes, in the order of the text; with any, there is no spec.
    pub errors: Vec<SpecError>,
    /// What is allowed and probably not meant.
    pub warnings: Vec<SpecError>,
    /// The spec.
    #[serde(skip)]
    pub spec: Option<RolloutSpec>,
}

/// Reads a spec from YAML or JSON, or names every mistake in it.
pub fn read(text: &str) -> Result<RolloutSpec, Vec<SpecError>> {
    let lint = lint("", text);
    lint.spec.ok_or(lint.errors)
}

/// Reads a spec and says everything about it.
pub fn lint(file: &str, _text: &str) -> Lint {
    let error = SpecError {
        path: String::new(),
        line: 1,
        column: 1,
        width: 1,
        kind: Mistake::NotImplemented,
        problem: "reading specs is not implemented".to_owned(),
        hint: "wait for the next commit".to_owned(),
    };
    Lint { file: file.to_owned(), errors: vec![error], warnings: Vec::new(), spec: None }
}

/// Prints a spec as YAML, all defaults written out. `read` reads it back to the same spec.
pub fn print(spec: &RolloutSpec) -> String {
    format!("# {}: printing specs is not implemented\n", spec.name)
}

impl Lint {
    /// Prints mistakes and warnings as a compiler does: place, line, caret, hint; then, without mistakes, the spec
    /// with its defaults.
    pub fn text(&self, _text: &str) -> String {
        self.errors.iter().chain(&self.warnings).map(|error| format!("{}:{error}\n", self.file)).collect()
    }
}
