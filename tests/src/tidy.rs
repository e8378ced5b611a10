//! Taste that a machine can check: names, sizes, module sentences, and the reason of each dependency.

use crate::layers::dependencies;
use crate::source::Source;

/// Lines of a source file. Beyond it, a concept with a name of its own waits to be taken out.
const LINES_MAX: usize = 600;

/// Words that name nothing: what is it that is managed, handled, helped with?
const EMPTY_NAMES: [&str; 5] = ["manager", "handler", "helper", "util", "utils"];

/// What is not left behind in a commit, each as it stands in code.
const LEFT_BEHIND: [&str; 6] = ["todo!(", "unimplemented!(", "dbg!(", "#[ignore", "allow(dead_code)", "allow(unused"];

/// Returns what is untidy in a Rust source: place, what, and what to do.
pub fn untidy(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source.text.lines().count();
    if lines > LINES_MAX {
        found.push(format!("{}: {lines} lines, more than {LINES_MAX}: take out a concept with a name", source.path));
    }
    // A file of one line says it already.
    if lines > 1 && !source.text.starts_with("//! ") && !source.text.starts_with("#![") {
        found.push(format!("{}:1: no module sentence: begin with `//! `", source.path));
    }
    for (index, line) in source.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        if let Some(name) = empty_name(code) {
            found.push(format!("{}:{}: `{name}` names nothing: say what it is", source.path, index + 1));
        }
        if let Some(left) =
            LEFT_BEHIND.iter().find(|left| code.trim_start_matches("#!").contains(**left) && !code.contains('"'))
        {
            found.push(format!("{}:{}: `{left}` is left behind", source.path, index + 1));
        }
    }
    let file = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    if words(file).last().is_some_and(|word| EMPTY_NAMES.contains(&word.as_str())) {
        found.push(format!("{}: the file's name says nothing: say what is in it", source.path));
    }
    found
}

/// Returns the name of a type or module that this line declares, if it is an empty one.
fn empty_name(line: &str) -> Option<&str> {
    let mut tokens = line.split_whitespace().skip_while(|token| token.starts_with("pub"));
    let declares = ["struct", "enum", "trait", "type", "mod", "union"].contains(&tokens.next()?);
    let name = tokens.next().filter(|_| declares)?.split(|c: char| !c.is_alphanumeric() && c != '_').next()?;
    words(name).last().filter(|word| EMPTY_NAMES.contains(&word.as_str()))?;
    Some(name)
}

/// Takes a name apart: `EventHandler` and `event_handler` are both event, handler.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c == '_' || c == '-' || c.is_uppercase() {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            let word = words.last_mut().expect("it begins with a word");
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns the dependencies in the workspace's Cargo file that do not pay rent in a sentence above them. A family
/// (`tracing`, `tracing-subscriber`) that stands together shares one. The workspace's own members need none.
pub fn without_a_reason(cargo: &str) -> Vec<String> {
    let lines: Vec<&str> = cargo.lines().collect();
    let family = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
    let mut covered: Option<(usize, String)> = None;
    let mut found = Vec::new();
    for entry in dependencies(cargo, &["workspace.dependencies"]) {
        let above = entry.line.checked_sub(2).and_then(|index| lines.get(index)).copied().unwrap_or_default();
        let reason = above.starts_with("# ") && above.split_whitespace().count() > 3;
        let with_its_family = covered.as_ref() == Some(&(entry.line - 1, family(&entry.name)));
        if reason || with_its_family || entry.wanted.contains("path =") {
            covered = Some((entry.line, family(&entry.name)));
        } else {
            found.push(format!(
                "Cargo.toml:{}: `{}` has no sentence above it that says what for",
                entry.line, entry.name
            ));
        }
    }
    found
}

/// Returns the entries of a member's Cargo file that name a version of their own: versions stand in one place.
pub fn with_own_version(source: &Source) -> Vec<String> {
    dependencies(&source.text, &["dependencies", "dev-dependencies", "build-dependencies"])
        .into_iter()
        .filter(|entry| !entry.wanted.contains("workspace = true") && entry.wanted != "true")
        .map(|entry| {
            format!("{}:{}: `{}` names a version: let the workspace do it", source.path, entry.line, entry.name)
        })
        .collect()
}
