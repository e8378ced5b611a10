//! Lines in, lines out: each is judged or refused by itself, in its place.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate::analysis::sequential::counts::{Arm, CountFault};

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome, Problem};

/// What is wrong with one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// The field, as a path: `canary[3][1]`. Empty where the line as a whole is wrong.
    pub field: String,
    /// What is wrong.
    pub problem: String,
}

impl Wrong {
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl Wrong {
    /// The same, seen from outside.
    pub fn within(self, parent: &str) -> Self {
        let field = if self.field.is_empty() { parent.to_owned() } else { format!("{parent}.{}", self.field) };
        Self { field, problem: self.problem }
    }
}

/// What stands in the place of a verdict.
#[derive(Serialize)]
struct Refused<'a> {
    error: String,
    line: usize,
    field: Option<&'a str>,
}

/// Judges each line of a file by itself.
pub fn judge<In: DeserializeOwned, Out: Serialize>(
    file: &Path,
    context: &mut Context,
    judge: impl Fn(In) -> Result<Out, Wrong>,
) -> Outcome {
    let mut problems = Vec::new();
    for (index, line) in open(file)?.split(b'\n').enumerate() {
        let line = line?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match read(&line).and_then(&judge) {
            Ok(out) => context.console.json_line(&out)?,
            Err(Wrong { field, problem }) => {
                let line = index + 1;
                let place = if field.is_empty() { String::new() } else { format!("`{field}`: ") };
                let error = format!("line {line}: {place}{problem}");
                let field = Some(field.as_str()).filter(|field| !field.is_empty());
                context.console.json_line(&Refused { error: error.clone(), line, field })?;
                problems.push(Problem { what: error, hint: None });
            }
        }
    }
    if problems.is_empty() { Ok(Exit::Ok) } else { Err(Failure { exit: Exit::Usage, problems }) }
}

fn open(file: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if file == Path::new("-") {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).map_err(|error| {
        let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { Exit::Usage };
        Failure::new(
            exit,
            format!("cannot read `{}`: {error}", file.display()),
            "name a file, or `-` for standard input",
        )
    })?;
    Ok(Box::new(BufReader::new(opened)))
}

fn read<In: DeserializeOwned>(line: &[u8]) -> Result<In, Wrong> {
    let text = std::str::from_utf8(line)
        .map_err(|error| Wrong::new("", format!("no UTF-8 from byte {} on", error.valid_up_to())))?;
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        return Err(Wrong::new("", format!("no JSON: {error}")));
    }
    if !text.trim_start().starts_with('{') {
        return Err(Wrong::new("", "no JSON object"));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let problem = error.into_inner().to_string();
        // serde's place is that in the line; ours is the field.
        let problem = problem.split(" at line ").next().unwrap_or_default().to_owned();
        let path = if path == "." { String::new() } else { path };
        for (prefix, words) in [("missing field `", "it is missing"), ("duplicate field `", "it is there twice")] {
            if let Some(name) = problem.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('`')) {
                let parent = if path.is_empty() { path } else { path + "." };
                return Wrong::new(parent + name, words);
            }
        }
        // So serde_json tells a list that is longer than what it is read into.
        let problem = if problem == "trailing characters" { "too many elements".to_owned() } else { problem };
        Wrong::new(path, problem)
    })
}

/// Takes the counts of one side: `null` is a missing minute.
pub fn arms(field: &str, minutes: &[Option<(f64, f64)>]) -> Result<Vec<Option<Arm>>, Wrong> {
    let arm = |(index, minute): (usize, &Option<(f64, f64)>)| {
        let Some((requests, bad)) = *minute else { return Ok(None) };
        Arm::new(requests, bad).map(Some).map_err(|fault| {
            let place = match fault {
                CountFault::NoCount { of_bad } | CountFault::Negative { of_bad } => format!("[{}]", u8::from(of_bad)),
                CountFault::MoreBadThanRequests => String::new(),
            };
            Wrong::new(format!("{field}[{index}]{place}"), format!("{fault}: [{requests}, {bad}]"))
        })
    };
    minutes.iter().enumerate().map(arm).collect()
}

/// Refuses two sides of different length: nobody can say which minute is whose.
pub fn same_length(one: (&str, usize), other: (&str, usize)) -> Result<(), Wrong> {
    if one.1 == other.1 {
        return Ok(());
    }
    let problem = format!("{} minutes, and `{}` has {}: write null for a missing minute", other.1, one.0, one.1);
    Err(Wrong::new(other.0, problem))
}
