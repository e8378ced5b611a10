//! Scenarios: a rollout told line by line, run in process on virtual time.
//!
//! One instruction per line; `#` begins a comment. All mistakes of a script are found before anything runs.

mod run;

use std::str::FromStr;

use jiff::SignedDuration;
use tidegate::machine::event::Verb;

pub use run::{Failed, Ran, run};

/// A scenario, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    lines: Vec<(usize, Instruction)>,
}

/// What one line says.
#[derive(Debug, Clone, PartialEq)]
enum Instruction {
    /// `revision good`, `revision bad 0.3`: registers a revision of which this share of responses are 5xx.
    Revision { error_share: f64 },
    /// `start`: asks for a rollout of the newest revision.
    Start,
    /// `advance 6m`: lets time pass.
    Advance(SignedDuration),
    /// `settle`: lets time pass until the rollout has ended or waits for a person, two hours at most.
    Settle,
    /// `alarm NAME ALARM`: sets an alarm's state.
    Alarm { name: String, state: String },
    /// `promote`, `pause`, `resume`, `abort`.
    Verb(Verb),
    /// `kill after 12`: the controller's process dies after so many more calls.
    Kill { calls: u32 },
    /// `expect …`.
    Expect(Expectation),
}

/// What is to be true.
#[derive(Debug, Clone, PartialEq)]
enum Expectation {
    /// `expect phase Healthy`.
    Phase(String),
    /// `expect weight 20`: on every rule, in per cent.
    Weight(String),
    /// `expect step setWeight 50`.
    Step(String),
    /// `expect user-errors 0`.
    UserErrors(u64),
    /// `expect refused`: the last command was.
    Refused,
}

/// A line that says nothing that a script can say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: String,
    /// The way out.
    pub hint: String,
}

impl Script {
    /// Reads a script, and finds every mistake in it.
    pub fn read(text: &str) -> Result<Self, Vec<Mistake>> {
        let (mut lines, mut mistakes) = (Vec::new(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
            if words.is_empty() {
                continue;
            }
            match instruction(&words) {
                Ok(instruction) => lines.push((index + 1, instruction)),
                Err((problem, hint)) => mistakes.push(Mistake { line: index + 1, problem, hint: hint.to_owned() }),
            }
        }
        if lines.is_empty() && mistakes.is_empty() {
            let problem = "the script says nothing".to_owned();
            mistakes.push(Mistake { line: 1, problem, hint: INSTRUCTIONS.to_owned() });
        }
        if mistakes.is_empty() { Ok(Self { lines }) } else { Err(mistakes) }
    }
}

const INSTRUCTIONS: &str = "revision, start, advance, settle, alarm, promote, pause, resume, abort, kill, expect";

type Misread = (String, &'static str);

fn instruction(words: &[&str]) -> Result<Instruction, Misread> {
    match words {
        ["revision", "good"] => Ok(Instruction::Revision { error_share: 0.0 }),
        ["revision", "bad", share] => match number::<f64>(share) {
            Some(error_share) if error_share > 0.0 && error_share <= 1.0 => Ok(Instruction::Revision { error_share }),
            Some(_) | None => {
                Err((format!("`{share}` is no share"), "a share is above 0 and at most 1: `revision bad 0.3`"))
            }
        },
        ["start"] => Ok(Instruction::Start),
        ["settle"] => Ok(Instruction::Settle),
        ["advance", span] => number::<SignedDuration>(span)
            .filter(SignedDuration::is_positive)
            .map(Instruction::Advance)
            .ok_or_else(|| (format!("`{span}` is no span of time"), "for example `advance 6m` or `advance 90s`")),
        ["alarm", name, state @ ("ALARM" | "OK" | "INSUFFICIENT_DATA")] => {
            Ok(Instruction::Alarm { name: (*name).to_owned(), state: (*state).to_owned() })
        }
        ["promote"] => Ok(Instruction::Verb(Verb::Promote)),
        ["pause"] => Ok(Instruction::Verb(Verb::Pause)),
        ["resume"] => Ok(Instruction::Verb(Verb::Resume)),
        ["abort"] => Ok(Instruction::Verb(Verb::Abort)),
        ["kill", "after", calls] => number(calls)
            .map(|calls| Instruction::Kill { calls })
            .ok_or_else(|| (format!("`{calls}` is no number of calls"), "for example `kill after 12`")),
        ["expect", what @ ..] => expectation(what).map(Instruction::Expect),
        _ => Err((format!("`{}` is no instruction", words.join(" ")), INSTRUCTIONS)),
    }
}

fn expectation(words: &[&str]) -> Result<Expectation, Misread> {
    match words {
        ["phase", phase @ ("Progressing" | "Paused" | "Aborting" | "Healthy" | "Degraded")] => {
            Ok(Expectation::Phase((*phase).to_owned()))
        }
        ["weight", weight] => Ok(Expectation::Weight((*weight).to_owned())),
        ["step", step @ ..] if !step.is_empty() => Ok(Expectation::Step(step.join(" "))),
        ["user-errors", count] => number(count)
            .map(Expectation::UserErrors)
            .ok_or_else(|| (format!("`{count}` is no number"), "for example `expect user-errors 0`")),
        ["refused"] => Ok(Expectation::Refused),
        _ => Err((
            format!("`{}` cannot be expected", words.join(" ")),
            "phase Healthy, weight 20, step setWeight 50, user-errors 0, or refused",
        )),
    }
}

fn number<T: FromStr>(word: &str) -> Option<T> {
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_found_with_its_line() {
        let script = "revision good\nstrat\n# a comment\nadvance soon\nexpect phase Fine\nrevision bad 7\n";
        let mistakes = Script::read(script).unwrap_err();
        let lines: Vec<usize> = mistakes.iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [2, 4, 5, 6]);
        assert!(mistakes.iter().all(|mistake| !mistake.hint.is_empty()));
        assert!(Script::read("# nothing\n").is_err());
    }

    #[test]
    fn an_expectation_that_does_not_hold_names_its_line_and_what_was_found() {
        let script = Script::read("revision good\nstart\nadvance 2m\nexpect phase Healthy\n").unwrap();
        let failed = run(&script, 1, |_| {}).unwrap_err();
        assert_eq!(failed.line, 4);
        assert!(failed.found.contains("Progressing"), "{failed}");
    }

    #[test]
    fn nothing_can_be_expected_of_a_rollout_before_the_first_start() {
        let script = Script::read("revision good\nexpect weight 5\n").unwrap();
        assert_eq!(run(&script, 1, |_| {}).unwrap_err().line, 2);
    }
}
