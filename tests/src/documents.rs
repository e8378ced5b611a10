//! What documents say that code can contradict: paths, links, names, tables.

use std::collections::BTreeSet;
use std::path::Path;

use crate::source::{Source, repository};

/// Folders of the repository that a document may name things in.
const FOLDERS: [&str; 12] = [
    "shared/",
    "functions/",
    "cli/",
    "sandbox/",
    "tests/",
    "bench/",
    "trials/",
    "docs/",
    "events/",
    "examples/",
    "scripts/",
    ".ci/",
];

/// Returns every Markdown document of the repository, by path.
///
/// # Panics
/// If one cannot be read.
pub fn documents() -> Vec<Source> {
    let mut documents = crate::source::files("docs", "md");
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = std::fs::read_to_string(repository().join(name)).expect("the document is there");
        documents.push(Source::new(name, &text));
    }
    documents
}

/// Returns the document of that path.
///
/// # Panics
/// If there is none.
pub fn document(path: &str) -> Source {
    documents().into_iter().find(|document| document.path == path).expect("the document is there")
}

/// Returns the lines outside fenced blocks, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then_some((index + 1, line))
    })
}

/// Returns the code spans of the prose, with the lines that they stand on.
pub fn spans(text: &str) -> Vec<(usize, &str)> {
    prose(text).flat_map(|(line, prose)| prose.split('`').skip(1).step_by(2).map(move |span| (line, span))).collect()
}

/// Returns the fenced blocks of a language.
pub fn blocks(text: &str, language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<(bool, String)> = None;
    for line in text.lines() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some((wanted, block))) => {
                if *wanted {
                    blocks.push(std::mem::take(block));
                }
                open = None;
            }
            (Some(of), None) => open = Some((of == language, String::new())),
            (None, Some((_, block))) => *block = format!("{block}{line}\n"),
            (None, None) => {}
        }
    }
    blocks
}

/// Returns the code spans in the first column of the table under a heading.
pub fn first_column<'t>(text: &'t str, heading: &str) -> Vec<&'t str> {
    let under = text.lines().skip_while(|line| line.trim_start_matches('#').trim() != heading).skip(1);
    let rows = under.skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let first = rows.filter_map(|row| row.split('|').nth(1));
    first.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

/// Returns each path in a code span that names nothing in the repository.
pub fn missing_paths(document: &Source) -> Vec<String> {
    let is_path = |span: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
        FOLDERS.iter().any(|folder| span.starts_with(folder)) && span.chars().all(plain)
    };
    let missing = spans(&document.text).into_iter().filter(|(_, span)| is_path(span));
    missing
        .filter(|(_, span)| !repository().join(span).exists())
        .map(|(line, span)| format!("{}:{line}: there is no `{span}`", document.path))
        .collect()
}

/// Returns each link to a file or heading of the repository that leads nowhere.
pub fn dead_links(document: &Source) -> Vec<String> {
    let folder = Path::new(&document.path).parent().unwrap_or(Path::new("")).to_owned();
    let mut dead = Vec::new();
    for (line, prose) in prose(&document.text) {
        for link in prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
            let file =
                if path.is_empty() { repository().join(&document.path) } else { repository().join(&folder).join(path) };
            let leads = match anchor {
                None => file.exists(),
                Some(anchor) => std::fs::read_to_string(&file)
                    .is_ok_and(|text| text.lines().filter(|line| line.starts_with('#')).any(|h| slug(h) == anchor)),
            };
            if !leads {
                dead.push(format!("{}:{line}: `{link}` leads nowhere", document.path));
            }
        }
    }
    dead
}

/// Returns a heading's anchor, as GitHub makes it.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-' || *c == '_');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Returns each `room::name` in a code span that no source declares beside or in that room.
pub fn unknown_names(document: &Source, sources: &[Source]) -> Vec<String> {
    let is_name = |span: &str| {
        let word = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        span.contains("::") && span.split("::").all(word) && !span.starts_with("AWS::")
    };
    let known = |span: &str| {
        let (of, name) = span.rsplit_once("::").expect("it has two parts");
        let of = of.rsplit("::").next().unwrap_or(of);
        let declared = |source: &&Source| source.text.lines().any(|line| declares(line, name));
        let belongs = |source: &Source| {
            source.path.split(['/', '.']).any(|part| part == of) || source.text.lines().any(|line| holds(line, of))
        };
        sources.iter().filter(declared).any(belongs)
    };
    let unknown = spans(&document.text).into_iter().filter(|(_, span)| is_name(span) && !known(span));
    unknown.map(|(line, span)| format!("{}:{line}: nothing declares `{span}`", document.path)).collect()
}

/// Whether a line declares an item or a variant of that name.
fn declares(line: &str, name: &str) -> bool {
    let line = line.trim_start();
    let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty());
    let items = ["fn", "struct", "enum", "trait", "mod", "type", "const"];
    let item = words.clone().zip(words.clone().skip(1)).any(|(kind, named)| items.contains(&kind) && named == name);
    let variant = name.starts_with(|first: char| first.is_ascii_uppercase())
        && words.next() == Some(name)
        && line.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with([',', ' ', '(', '{']));
    item || variant
}

/// Whether a line opens what an item of this name can be in: its type, its trait, or its implementation.
fn holds(line: &str, of: &str) -> bool {
    let opens = ["struct ", "enum ", "trait ", "impl", "pub mod ", "mod "].iter().any(|word| line.contains(word));
    opens && line.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == of)
}

/// Returns the names of the template's resources of a type, or of its parameters.
pub fn of_template<'t>(template: &'t str, wanted: Named<'_>) -> BTreeSet<&'t str> {
    let mut section = "";
    let mut name: &str = "";
    let mut found = BTreeSet::new();
    for line in template.lines() {
        let indent = line.len() - line.trim_start().len();
        let key = line.trim().trim_end_matches(':');
        if indent == 0 && line.ends_with(':') {
            section = key;
        } else if indent == 2 && line.ends_with(':') {
            name = key;
            if section == "Parameters" && wanted == Named::Parameters {
                found.insert(name);
            }
        } else if indent == 4 && section == "Resources" && wanted == Named::Resources(key.trim_start_matches("Type: "))
        {
            found.insert(name);
        }
    }
    found
}

/// What to name of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    /// Its parameters.
    Parameters,
    /// Its resources of a type.
    Resources(&'a str),
}

/// Returns each table whose last row says a sum that its last column does not have.
pub fn wrong_sums(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut sum = 0.0;
    for line in text.lines() {
        let Some(cell) = line.strip_suffix('|').and_then(|line| line.rsplit('|').next()) else {
            sum = 0.0;
            continue;
        };
        let Ok(value) = cell.trim().trim_matches('*').parse::<f64>() else { continue };
        if line.starts_with("| **sum**") {
            if (sum - value).abs() > 1e-9 {
                wrong.push(format!("the sum is {sum:.4}, not {value}: {line}"));
            }
        } else {
            sum += value;
        }
    }
    wrong
}
