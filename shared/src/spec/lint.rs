//! The doors of the reader: `read` for those who need a spec, `lint` for those who want to know everything about it.

use std::fmt::Write;

use serde::Serialize;

use super::document::RolloutDocument;
use super::reader::{found, is_hidden};
use super::{RolloutSpec, SpecError};

/// Everything that can be said about a spec's text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lint {
    /// The text's name, for people.
    pub file: String,
    /// All mistakes, in the order of the text; with any, there is no spec.
    pub errors: Vec<SpecError>,
    /// What is allowed and probably not meant, in the order of the text.
    pub warnings: Vec<SpecError>,
    /// The spec, in JSON as the document with all its defaults.
    #[serde(serialize_with = "as_document")]
    pub spec: Option<RolloutSpec>,
}

/// Reads a spec from YAML or JSON, or names every mistake in it.
pub fn read(text: &str) -> Result<RolloutSpec, Vec<SpecError>> {
    let found = found(text);
    found.spec.ok_or(found.errors)
}

/// Reads a spec and says everything about it. `file` is the text's name, for people.
pub fn lint(file: &str, text: &str) -> Lint {
    let found = found(text);
    Lint { file: file.to_owned(), errors: found.errors, warnings: found.warnings, spec: found.spec }
}

/// Prints a spec as YAML, all defaults written out. `read` reads it back to the same spec.
pub fn print(spec: &RolloutSpec) -> String {
    RolloutDocument::from(spec).yaml()
}

impl Lint {
    /// Prints mistakes and warnings as a compiler does, place, line, caret, hint, and a line that counts them; then,
    /// without mistakes, the spec with all its defaults. `text` is what was read.
    pub fn text(&self, text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let errors = self.errors.iter().map(|error| ("error", error));
        let warnings = self.warnings.iter().map(|warning| ("warning", warning));
        let mut noted: Vec<_> = errors.chain(warnings).collect();
        noted.sort_by_key(|(_, noted)| (noted.line, noted.column));
        let mut out = String::new();
        for (severity, error) in noted {
            out += &excerpt(severity, &self.file, &lines, error);
            out.push('\n');
        }
        let summary = self.summary();
        match &self.spec {
            Some(spec) => out + "# " + &summary + &print(spec),
            None => out + &summary,
        }
    }

    fn summary(&self) -> String {
        let counted = |count: usize, what: &str| match count {
            0 => format!("no {what}s"),
            1 => format!("1 {what}"),
            _ => format!("{count} {what}s"),
        };
        let (errors, warnings) = (counted(self.errors.len(), "error"), counted(self.warnings.len(), "warning"));
        format!("{}: {errors}, {warnings}\n", self.file)
    }
}

/// So much of a line is shown, around the column that is meant.
const LINE_SHOWN: usize = 110;

fn excerpt(severity: &str, file: &str, lines: &[&str], error: &SpecError) -> String {
    let SpecError { path, line, column, width, problem, hint, kind: _ } = error;
    let margin = " ".repeat(line.to_string().len());
    let mut out = format!("{severity}: {problem}\n{margin}--> {file}:{line}:{column}\n");
    if let Some(source) = lines.get(line - 1) {
        let (source, column) = window(source, *column);
        let room = source.chars().count().saturating_sub(column - 1).max(1);
        let caret = format!("{}{}", " ".repeat(column - 1), "^".repeat((*width).clamp(1, room)));
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{margin} |\n{line} | {source}\n{margin} | {caret}");
    }
    if !path.is_empty() {
        let _ = writeln!(out, "{margin} = in: {path}");
    }
    let _ = writeln!(out, "{margin} = hint: {hint}");
    out
}

/// Returns the part of a line around a column, harmless to a terminal, and the column in it.
fn window(line: &str, column: usize) -> (String, usize) {
    let skipped = if column > LINE_SHOWN { column - LINE_SHOWN / 2 } else { 0 };
    let harmless = |char: char| if char.is_control() || is_hidden(char) { '\u{fffd}' } else { char };
    let shown: String = line.chars().skip(skipped).take(LINE_SHOWN).map(harmless).collect();
    (shown, column - skipped)
}

fn as_document<S: serde::Serializer>(spec: &Option<RolloutSpec>, serializer: S) -> Result<S::Ok, S::Error> {
    spec.as_ref().map(RolloutDocument::from).serialize(serializer)
}
