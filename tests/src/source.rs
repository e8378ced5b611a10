//! Rust sources as the tidy tests see them: without comments, literals and test modules.

use std::path::{Path, PathBuf};

/// One source file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path from the repository's root, with `/`.
    pub path: String,
    /// Its text as it stands.
    pub text: String,
}

/// Returns the root of the repository.
///
/// # Panics
/// Never: this package is a folder of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the repository").to_owned()
}

/// Returns every file with this extension under a folder of the repository, by path; build output is left out.
///
/// # Panics
/// If a file cannot be read.
pub fn files(folder: &str, extension: &str) -> Vec<Source> {
    let root = repository();
    let mut open = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.expect("a folder lists its files").path();
            if path.is_dir() {
                if path.file_name().is_some_and(|name| name != "target" && name != ".git") {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                let path =
                    path.strip_prefix(&root).expect("a path under the root").to_string_lossy().replace('\\', "/");
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Source {
    /// A source that exists only in a test.
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Whether the whole file is test code.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name == "tests.rs" || name == "test_support.rs" || self.path.contains("/tests/")
    }

    /// Returns the code: comments and literals are blanks, line ends stay, and so does everything but what follows
    /// `#[cfg(test)]` on a module with a body. A file of tests has none.
    pub fn code(&self) -> String {
        if self.is_test() {
            return String::new();
        }
        without_test_modules(&blanked(&self.text))
    }
}

/// Returns every path in the code with its line: `crate::fault::Fault`, `std::env::var`. Groups are taken apart:
/// `crate::{estate, spec::read}` gives two paths.
pub fn paths(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = code[at..].find(is_name_start).map(|offset| at + offset) {
        let line = 1 + code[..start].matches('\n').count();
        at = path(code, start, String::new(), line, &mut found);
    }
    found
}

/// Reads one path, or a group of paths, from `at` on; returns where it ends.
fn path(code: &str, at: usize, before: String, line: usize, found: &mut Vec<(usize, String)>) -> usize {
    let rest = &code[at..];
    if rest.starts_with('{') && !before.is_empty() {
        return group(code, at, &before, line, found);
    }
    let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
    if length == 0 {
        found.push((line, before));
        return at + rest.chars().next().map_or(0, char::len_utf8);
    }
    let whole = if before.is_empty() { rest[..length].to_owned() } else { format!("{before}::{}", &rest[..length]) };
    let end = at + length;
    match code[end..].strip_prefix("::") {
        Some(_) => path(code, end + 2, whole, line, found),
        None => {
            found.push((line, whole));
            end
        }
    }
}

fn group(code: &str, at: usize, before: &str, line: usize, found: &mut Vec<(usize, String)>) -> usize {
    let mut at = at + 1;
    while let Some(next) = code[at..].chars().next() {
        if next == '}' {
            return at + 1;
        }
        at = match code[at..].strip_prefix("as ") {
            Some(renamed) => code.len() - renamed.trim_start_matches(is_name).len(),
            None if is_name_start(next) => path(code, at, before.to_owned(), line, found),
            None => at + next.len_utf8(),
        };
    }
    at
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Puts blanks in place of comments, strings and characters.
fn blanked(text: &str) -> String {
    let bytes: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = match (bytes[at], bytes.get(at + 1)) {
            ('/', Some('/')) => line_end(&bytes, at),
            ('/', Some('*')) => block_end(&bytes, at),
            ('"', _) => string_end(&bytes, at),
            ('r', Some('"' | '#')) if !out.ends_with(is_name) => raw_end(&bytes, at),
            ('\'', _) => character_end(&bytes, at),
            _ => at,
        };
        if end == at {
            out.push(bytes[at]);
            at += 1;
        } else {
            out.extend(bytes[at..end].iter().map(|&c| if c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn line_end(text: &[char], at: usize) -> usize {
    text[at..].iter().position(|&c| c == '\n').map_or(text.len(), |offset| at + offset)
}

fn block_end(text: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < text.len() {
        match (text[at], text.get(at + 1)) {
            ('/', Some('*')) => (depth, at) = (depth + 1, at + 2),
            ('*', Some('/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at.min(text.len())
}

fn string_end(text: &[char], at: usize) -> usize {
    let mut at = at + 1;
    while at < text.len() && text[at] != '"' {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}

/// The end of `r"…"` or `r#"…"#`; a raw name such as `r#type` is no literal.
fn raw_end(text: &[char], at: usize) -> usize {
    let hashes = text[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + hashes;
    if text.get(open) != Some(&'"') {
        return at;
    }
    let closes =
        |from: usize| text[from] == '"' && text[from + 1..].iter().take_while(|&&c| c == '#').count() >= hashes;
    (open + 1..text.len()).find(|&from| closes(from)).map_or(text.len(), |from| from + 1 + hashes)
}

/// The end of `'c'` or `'\n'`; a lifetime is no literal.
fn character_end(text: &[char], at: usize) -> usize {
    if text.get(at + 1) == Some(&'\\') {
        return text[at + 3..].iter().position(|&c| c == '\'').map_or(text.len(), |offset| at + 4 + offset);
    }
    if text.get(at + 2) == Some(&'\'') { at + 3 } else { at }
}

/// Leaves out `#[cfg(test)] mod name { … }`; line ends stay.
fn without_test_modules(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(at) = rest.find(MARK) {
        let (before, marked) = rest.split_at(at);
        out.push_str(before);
        let item = marked[MARK.len()..].trim_start();
        let body = item.starts_with("mod ").then(|| item.find(['{', ';'])).flatten();
        let end = marked.len() - item.len() + body.map_or(0, |body| closing(item, body));
        out.extend(marked[..end].chars().filter(|&c| c == '\n'));
        rest = &marked[end..];
    }
    out + rest
}

/// Returns where the item ends whose body opens, or that ends, at `at`.
fn closing(code: &str, at: usize) -> usize {
    let mut depth = 0_usize;
    for (offset, c) in code[at..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + offset + 1;
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_literals_and_test_modules_are_no_code() {
        let text = r##"
            use crate::a; // use crate::b
            /* crate::c /* nested */ crate::d */
            const S: &str = "crate::e \" crate::f"; const R: &str = r#"crate::g " "#;
            fn f<'a>(x: &'a str) -> char { let _ = 'x'; let _ = '\''; let _ = '"'; crate::h::i() }
            #[cfg(test)]
            mod tests { use crate::j; fn g() { if true {} } }
            #[cfg(test)]
            mod more;
            fn r#type() { crate::k }
        "##;
        let crates: Vec<_> = paths(&Source::new("shared/src/x.rs", text).code())
            .into_iter()
            .filter(|(_, path)| path.starts_with("crate::"))
            .collect();
        let expected = [(2, "crate::a"), (5, "crate::h::i"), (10, "crate::k")];
        assert_eq!(crates, expected.map(|(line, path)| (line, path.to_owned())));
        assert_eq!(Source::new("shared/src/machine/tests.rs", "use crate::a;").code(), "");
    }

    #[test]
    fn groups_are_taken_apart() {
        let found = paths("use crate::{estate, spec::{self, read as r}, ports::*};");
        let names: Vec<_> = found.iter().map(|(_, path)| path.as_str()).collect();
        assert_eq!(names, ["use", "crate::estate", "crate::spec::self", "crate::spec::read", "crate::ports"]);
    }
}
