//! `tidegate events`: what a recorded event is, whom it wakes, or why it is ignored.

use std::path::PathBuf;

use serde::Serialize;
use tidegate::events::{Explanation, ParseError, Wakes, explain};

use super::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome, Problem};
use crate::files;
use crate::view::line::{Line, Tone};

/// Explain recorded events: what each is, whom it wakes, or why it is ignored
///
/// Takes events as EventBridge sends them, and in any wrapping: an SQS batch, an SNS notification, the answer of
/// `aws sqs receive-message`, a list, one per line. Exit code 0 whether an event wakes anyone or is ignored; 2 where
/// something is no event at all.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Recordings; `-` reads standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// One file.
#[derive(Serialize)]
struct Recording {
    file: String,
    found: Vec<Found>,
}

/// One thing in it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum Found {
    Event(Explanation),
    NoEvent(ParseError),
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut recordings = Vec::new();
    for path in &args.files {
        let text = files::text(path)?;
        let found = explain(&text).into_iter().map(|found| found.map_or_else(Found::NoEvent, Found::Event)).collect();
        recordings.push(Recording { file: path.display().to_string(), found });
    }
    context.console.data(&recordings, |_| recordings.iter().flat_map(lines).collect())?;
    let problems: Vec<Problem> = recordings.iter().flat_map(problems).collect();
    if problems.is_empty() { Ok(Exit::Ok) } else { Err(Failure { exit: Exit::Usage, problems }) }
}

fn lines(recording: &Recording) -> Vec<Line> {
    let mut lines = Vec::new();
    for found in &recording.found {
        let place = Line::new().tone(format!("{}: ", recording.file), Tone::Faint);
        match found {
            Found::Event(event) => {
                let within =
                    if event.within.is_empty() { String::new() } else { format!("{}: ", event.within.join(" › ")) };
                lines.push(place.plain(within).tone(&event.kind, Tone::Strong).plain(format!(": {}", event.what)));
                let tone = match event.wakes {
                    Wakes::Nobody { .. } => Tone::Faint,
                    Wakes::Rollout { .. }
                    | Wakes::Service { .. }
                    | Wakes::Alarm { .. }
                    | Wakes::NewRollout
                    | Wakes::Measurement { .. } => Tone::Good,
                };
                lines.push(Line::of("  ").tone(&event.wakes, tone));
            }
            Found::NoEvent(error) => lines.push(place.tone(format!("no event: {}", error.what), Tone::Bad)),
        }
    }
    lines
}

fn problems(recording: &Recording) -> Vec<Problem> {
    let errors = recording.found.iter().filter_map(|found| match found {
        Found::NoEvent(error) => Some(error),
        Found::Event(_) => None,
    });
    errors
        .map(|error| Problem { what: format!("`{}`: {}", recording.file, error.what), hint: Some(error.hint.clone()) })
        .collect()
}
