//! Reading a tree field by field: a mistake is noted, and the walk goes on.

use std::ops::RangeInclusive;

use jiff::SignedDuration;

use super::argo::{self, Scope};
use super::tree::{Entry, Node, Place, Value};
use crate::spec::{Mistake, SpecError, limits};

/// More mistakes than this are noise: the first ones are read first.
const MISTAKES_MAX: usize = 100;

/// What the walk has found out so far.
#[derive(Default)]
pub struct Walk {
    /// Mistakes, in the order of the walk.
    pub errors: Vec<SpecError>,
    /// Warnings, in the order of the walk.
    pub warnings: Vec<SpecError>,
}

/// A node with its name.
#[derive(Clone)]
pub struct At<'n> {
    /// `spec.metrics[0].count`.
    pub path: String,
    /// Where its name stands: its key, or the item itself.
    pub name: Place,
    /// The node.
    pub node: &'n Node,
}

/// The fields of one mapping.
pub struct Fields<'n> {
    path: String,
    place: Place,
    known: Vec<(&'static str, &'n Entry)>,
    unknown: bool,
}

/// A mistake before its place is known.
pub struct Wrong {
    kind: Mistake,
    problem: String,
    hint: String,
}

/// Names a mistake and the way out.
pub fn wrong(kind: Mistake, problem: impl Into<String>, hint: impl Into<String>) -> Wrong {
    Wrong { kind, problem: problem.into(), hint: hint.into() }
}

impl Walk {
    /// Notes a mistake at a node.
    pub fn note(&mut self, at: &At<'_>, wrong: Wrong) {
        self.note_at(at.node.place, &at.path, wrong);
    }

    /// Notes a mistake at a place.
    pub fn note_at(&mut self, place: Place, path: &str, wrong: Wrong) {
        if self.errors.len() < MISTAKES_MAX {
            self.errors.push(error(place, path, wrong));
        }
    }

    /// Notes what is allowed and probably not meant.
    pub fn warn(&mut self, at: &At<'_>, wrong: Wrong) {
        if self.warnings.len() < MISTAKES_MAX {
            self.warnings.push(error(at.node.place, &at.path, wrong));
        }
    }

    /// Takes a mapping apart. Unknown and repeated fields are mistakes, the known ones can be asked for.
    pub fn fields<'n>(&mut self, at: &At<'n>, scope: Scope, names: &[&'static str]) -> Option<Fields<'n>> {
        let Value::Map(entries) = &at.node.value else {
            let example = names.first().map_or_else(|| "{}".to_owned(), |name| format!("{{{name}: …}}"));
            let problem = format!("{} is {}; it must be a mapping", named(&at.path), found(at.node));
            self.note(at, wrong(Mistake::WrongType, problem, format!("write it as `{example}`")));
            return None;
        };
        let mut fields = Fields { path: at.path.clone(), place: at.name, known: Vec::new(), unknown: false };
        for (index, entry) in entries.iter().enumerate() {
            let path = join(&at.path, &entry.key);
            if let Some(first) = entries[..index].iter().find(|earlier| earlier.key == entry.key) {
                let problem = format!("`{}` stands twice; first on line {}", shown(&entry.key), first.place.line);
                let hint = "keep one of the two";
                self.note_at(entry.place, &path, wrong(Mistake::DuplicateKey, problem, hint));
            } else if let Some(name) = names.iter().find(|name| **name == entry.key) {
                fields.known.push((name, entry));
            } else {
                fields.unknown = true;
                self.note_at(entry.place, &path, argo::unknown(scope, entry, names));
            }
        }
        Some(fields)
    }

    /// Takes a mapping apart that holds exactly one of several fields.
    pub fn one_of<'n>(&mut self, at: &At<'n>, scope: Scope, names: &[&'static str]) -> Option<(&'static str, At<'n>)> {
        let fields = self.fields(at, scope, names)?;
        match fields.known[..] {
            [(name, entry)] => Some((name, at.child(name, entry))),
            // The unknown field has been noted: it is what was meant.
            [] if fields.unknown => None,
            [] => {
                let problem = format!("{} is empty; it must hold one of {}", named(&at.path), listed(names));
                self.note_at(at.name, &at.path, wrong(Mistake::MissingField, problem, "write one of them"));
                None
            }
            [..] => {
                let all: Vec<String> = fields.known.iter().map(|(name, _)| format!("`{name}`")).collect();
                let problem = format!("{} holds {} at once; only one can be", named(&at.path), all.join(" and "));
                self.note_at(
                    at.name,
                    &at.path,
                    wrong(Mistake::Contradiction, problem, "keep one; several things are several entries"),
                );
                None
            }
        }
    }

    /// Reads a list.
    pub fn list<'n>(&mut self, at: &At<'n>, most: usize) -> Option<Vec<At<'n>>> {
        let Value::List(items) = &at.node.value else {
            let problem = format!("{} is {}; it must be a list", named(&at.path), found(at.node));
            self.note(at, wrong(Mistake::WrongType, problem, "write it as `[a, b]`, or with `- ` before each item"));
            return None;
        };
        if items.len() > most {
            let problem = format!("{} has {} items; at most {most} can be", named(&at.path), items.len());
            self.note(at, wrong(Mistake::OutOfRange, problem, "split the rollout, or leave some out"));
            return None;
        }
        let item =
            |(index, node): (usize, &'n Node)| At { path: format!("{}[{index}]", at.path), name: node.place, node };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// Reads a text.
    pub fn text(&mut self, at: &At<'_>) -> Option<String> {
        let problem = match &at.node.value {
            Value::Scalar { text, plain } if !plain || shape(text) == Shape::Text => {
                if text.is_empty() || text.chars().count() > limits::TEXT_MAX {
                    let problem = format!("{} must have 1 to {} characters", named(&at.path), limits::TEXT_MAX);
                    self.note(at, wrong(Mistake::OutOfRange, problem, "give the name as AWS shows it"));
                    return None;
                }
                if let Some(char) = text.chars().find(|char| is_hidden(*char) || char.is_control()) {
                    // Unless it is written as an escape, the line's own mistake has been noted.
                    let line = at.node.place.line;
                    if self.errors.iter().any(|error| error.line == line && error.kind == Mistake::Syntax) {
                        return None;
                    }
                    let problem = format!("{} holds the character U+{:04X}", named(&at.path), u32::from(char));
                    self.note(at, wrong(Mistake::Syntax, problem, "names have only characters that can be seen"));
                    return None;
                }
                return Some(text.clone());
            }
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => {
                format!("{} is {}; it must be a text", named(&at.path), found(at.node))
            }
        };
        let hint = match &at.node.value {
            Value::Scalar { text, .. } if shape(text) != Shape::Nothing => {
                format!("write \"{}\" in quotes", shown(text))
            }
            Value::Scalar { .. } | Value::List(_) | Value::Map(_) => "write one text".to_owned(),
        };
        self.note(at, wrong(Mistake::WrongType, problem, hint));
        None
    }

    /// Reads a text of a certain form.
    pub fn name(&mut self, at: &At<'_>, is_one: fn(&str) -> bool, form: &str, hint: &str) -> Option<String> {
        let text = self.text(at)?;
        if is_one(&text) {
            return Some(text);
        }
        let problem = format!("`{}` is not {form}", shown(&text));
        self.note(at, wrong(Mistake::OutOfRange, problem, hint));
        None
    }

    /// Reads a finite number.
    pub fn number(&mut self, at: &At<'_>, hint: &str) -> Option<f64> {
        if let Value::Scalar { text, plain: true } = &at.node.value
            && shape(text) == Shape::Number
        {
            if let Ok(number) = text.parse::<f64>()
                && number.is_finite()
            {
                return Some(number);
            }
            let problem = format!("`{}` is no number that can be compared with", shown(text));
            self.note(at, wrong(Mistake::OutOfRange, problem, hint));
            return None;
        }
        let problem = format!("{} is {}; it must be a number", named(&at.path), found(at.node));
        self.note(at, wrong(Mistake::WrongType, problem, hint));
        None
    }

    /// Reads a whole number.
    pub fn whole(&mut self, at: &At<'_>, range: RangeInclusive<u32>, hint: &str) -> Option<u32> {
        let number = self.number(at, hint)?;
        let (least, most) = (*range.start(), *range.end());
        if number.fract() != 0.0 {
            let problem = format!("{} is {number}; it must be a whole number", named(&at.path));
            self.note(at, wrong(Mistake::WrongType, problem, hint));
            return None;
        }
        if number < f64::from(least) || number > f64::from(most) {
            let problem = format!("{} is {number}; it must be {least} to {most}", named(&at.path));
            self.note(at, wrong(Mistake::OutOfRange, problem, hint));
            return None;
        }
        // In range and whole: its decimal form is that of a u32.
        format!("{number:.0}").parse().ok()
    }

    /// Reads a duration: `30s`, `5m`, `1h30m`, or seconds as a number.
    pub fn duration(
        &mut self,
        at: &At<'_>,
        range: &RangeInclusive<SignedDuration>,
        hint: &str,
    ) -> Option<SignedDuration> {
        let (least, most) = (range.start(), range.end());
        let Value::Scalar { text, plain } = &at.node.value else {
            let problem = format!("{} is {}; it must be a duration", named(&at.path), found(at.node));
            self.note(at, wrong(Mistake::WrongType, problem, DURATIONS));
            return None;
        };
        let Some(duration) = parse_duration(text, *plain) else {
            let nothing = *plain && matches!(shape(text), Shape::Nothing | Shape::Truth);
            let problem = if nothing {
                format!("{} is {}; it must be a duration", named(&at.path), found(at.node))
            } else {
                format!("`{}` is no duration", shown(text))
            };
            self.note(at, wrong(Mistake::WrongType, problem, DURATIONS));
            return None;
        };
        if !range.contains(&duration) {
            let sign = if duration.is_negative() { "-" } else { "" };
            let given = duration.abs();
            let problem = format!("{} is {sign}{given:#}; it must be {least:#} to {most:#}", named(&at.path));
            let hint = if duration.is_negative() { "time does not run backwards: drop the minus sign" } else { hint };
            self.note(at, wrong(Mistake::OutOfRange, problem, hint));
            return None;
        }
        if duration.subsec_nanos() != 0 {
            let problem = format!("{} is {duration:#}; it must be whole seconds", named(&at.path));
            self.note(at, wrong(Mistake::TooFine, problem, hint));
            return None;
        }
        Some(duration)
    }

    /// Reads `true` or `false`.
    pub fn truth(&mut self, at: &At<'_>) -> Option<bool> {
        if let Value::Scalar { text, plain: true } = &at.node.value
            && shape(text) == Shape::Truth
        {
            return Some(is_true(at.node));
        }
        let problem = format!("{} is {}; it must be `true` or `false`", named(&at.path), found(at.node));
        self.note(at, wrong(Mistake::WrongType, problem, "write `true` or `false`"));
        None
    }

    /// Reads one of a few words.
    pub fn word<T: Copy>(&mut self, at: &At<'_>, words: &[(&'static str, T)]) -> Option<T> {
        let text = self.text(at)?;
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let problem = format!("{} is `{}`; it must be {}", named(&at.path), shown(&text), listed(&words));
        let hint = match (nearest(&text, &words), &words[..]) {
            (Some(near), _) => did_you_mean(near),
            (None, [only]) => format!("write `{only}`"),
            (None, _) => "write one of them".to_owned(),
        };
        self.note(at, wrong(Mistake::OutOfRange, problem, hint));
        None
    }
}

impl<'n> At<'n> {
    /// The whole document.
    pub fn root(node: &'n Node) -> Self {
        Self { path: String::new(), name: node.place, node }
    }

    /// Its entry of that name, where it is a mapping that has one. Mistakes in it are somebody else's to note.
    pub fn entry(&self, key: &str) -> Option<At<'n>> {
        let Value::Map(entries) = &self.node.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| self.child(key, entry))
    }

    /// One of its entries.
    pub fn child(&self, key: &str, entry: &'n Entry) -> Self {
        Self { path: join(&self.path, key), name: entry.place, node: &entry.node }
    }
}

impl<'n> Fields<'n> {
    /// Returns a field that may be missing.
    pub fn get(&self, name: &str) -> Option<At<'n>> {
        let (name, entry) = self.known.iter().find(|(known, _)| *known == name)?;
        Some(At { path: join(&self.path, name), name: entry.place, node: &entry.node })
    }

    /// Returns a field, or notes that it is missing, with an example of it.
    pub fn required(&self, walk: &mut Walk, name: &str, example: &str) -> Option<At<'n>> {
        let field = self.get(name);
        if field.is_none() {
            let problem = format!("{} has no `{name}`", named(&self.path));
            walk.note_at(
                self.place,
                &join(&self.path, name),
                wrong(Mistake::MissingField, problem, format!("add `{example}`")),
            );
        }
        field
    }
}

const DURATIONS: &str = "write `30s`, `5m` or `1h30m`; a plain number is seconds";

fn parse_duration(text: &str, plain: bool) -> Option<SignedDuration> {
    // Seconds: `90`, `"90"`, and as JSON may write them, `90.0`. More than 10^15 are as far out of range.
    let digits = text.trim().strip_prefix('-').unwrap_or(text.trim());
    if (plain && shape(text) == Shape::Number) || (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())) {
        let seconds: f64 = text.trim().parse().ok().filter(|seconds: &f64| seconds.fract() == 0.0)?;
        return format!("{:.0}", seconds.clamp(-1e15, 1e15)).parse().ok().map(SignedDuration::from_secs);
    }
    text.parse().ok()
}

/// What YAML's core schema takes a plain scalar for.
#[derive(PartialEq)]
enum Shape {
    Nothing,
    Truth,
    Number,
    Text,
}

fn shape(text: &str) -> Shape {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Shape::Nothing,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return Shape::Truth,
        _ => {}
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let ends = |end: char| end.is_ascii_digit() || end == '.';
    let endless = matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN");
    let decimal = unsigned.starts_with(ends) && unsigned.ends_with(ends) && unsigned.parse::<f64>().is_ok();
    if endless || decimal { Shape::Number } else { Shape::Text }
}

/// Whether a node is the truth value `true`.
pub fn is_true(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "true" | "True" | "TRUE"))
}

/// Whether a node is the truth value `false`.
pub fn is_false(node: &Node) -> bool {
    matches!(&node.value, Value::Scalar { text, plain: true } if matches!(text.as_str(), "false" | "False" | "FALSE"))
}

fn found(node: &Node) -> String {
    match &node.value {
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
        Value::Scalar { text, plain: false } => format!("the text \"{}\"", shown(text)),
        Value::Scalar { text, plain: true } => match shape(text) {
            Shape::Nothing => "empty".to_owned(),
            Shape::Truth => format!("the truth value {}", shown(text)),
            Shape::Number => format!("the number {}", shown(text)),
            Shape::Text => format!("the text `{}`", shown(text)),
        },
    }
}

/// Returns a word that is near enough to be meant.
pub fn nearest<'a>(word: &str, words: &[&'a str]) -> Option<&'a str> {
    let near = |candidate: &&str| {
        let distance = strsim::osa_distance(&word.to_lowercase(), &candidate.to_lowercase());
        (distance <= candidate.chars().count().div_ceil(3)).then_some(distance)
    };
    if word.len() > limits::TEXT_MAX {
        return None;
    }
    words.iter().filter_map(|word| near(word).map(|distance| (distance, *word))).min().map(|(_, word)| word)
}

/// Asks whether a word was meant.
pub fn did_you_mean(word: &str) -> String {
    format!("did you mean `{word}`?")
}

/// Names words in a row: `a`, `b` or `c`.
pub fn listed(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [word] => format!("`{word}`"),
        [all @ .., last] => {
            let all: Vec<String> = all.iter().map(|word| format!("`{word}`")).collect();
            format!("{} or `{last}`", all.join(", "))
        }
    }
}

/// Shortens what stands in the text, and shows what cannot be seen.
pub fn shown(text: &str) -> String {
    const SHOWN_MAX: usize = 60;
    let mut shown: String = text.chars().take(SHOWN_MAX).flat_map(visible).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

fn visible(char: char) -> Vec<char> {
    if is_hidden(char) || char == '\n' || char == '\t' { char.escape_unicode().collect() } else { vec![char] }
}

/// Whether a character cannot be seen, or turns the order of those around it: control characters, bidirectional
/// marks, zero-width ones. What people review must be what is read.
pub fn is_hidden(char: char) -> bool {
    let control = char.is_control() && !matches!(char, '\n' | '\r' | '\t');
    let invisible = matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    control || invisible
}

/// Extends a path by a field.
pub fn join(path: &str, field: &str) -> String {
    if path.is_empty() { shown(field) } else { format!("{path}.{}", shown(field)) }
}

fn named(path: &str) -> String {
    let last = path.rsplit('.').next().filter(|last| !last.is_empty());
    last.map_or_else(|| "the document".to_owned(), |last| format!("`{last}`"))
}

fn error(place: Place, path: &str, Wrong { kind, problem, hint }: Wrong) -> SpecError {
    let Place { line, column, width } = place;
    SpecError { path: path.to_owned(), line, column, width, kind, problem, hint }
}
