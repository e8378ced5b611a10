//! `tidegate get`: one rollout, once or as it moves.

use std::time::{Duration, Instant};

use crossterm::event::{self, Event, KeyCode, KeyModifiers};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode, size};
use tidegate::machine::report::Report;

use super::Context;
use crate::console::Console;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::follow::{Follow, Look, TICK};
use crate::link::Link;
use crate::view::live::{Recent, Screen, frame};
use crate::view::report::{lines, transition};
use crate::{journal, names};

/// Show a rollout: where it is, its services, steps and analysis
///
/// With --watch the view is redrawn in place until the rollout ends; q leaves it. Without a terminal, or with
/// `--output json`, each transition is one line.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// A rollout's id, or the spec's name for the unfinished one, or else the newest one
    #[arg(value_name = "ID|NAME")]
    rollout: String,
    /// Follow it until it ends
    #[arg(long, short)]
    watch: bool,
}

pub fn run(args: &Args, context: &mut Context) -> Outcome {
    let mut link = context.link()?;
    let console = &mut context.console;
    let report = names::newest(&mut link, &args.rollout)?;
    if !args.watch {
        console.data(&report, |width| lines(&report, width))?;
        return Ok(Exit::Ok);
    }
    if console.live {
        return watch_live(&mut link, console, report, || false);
    }
    watch_lines(&mut link, console, report)
}

/// One line per transition.
fn watch_lines(link: &mut Link, console: &mut Console, mut report: Report) -> Outcome {
    let mut follow = Follow::new(report.rollout.clone());
    loop {
        if follow.is_news(&report) {
            console.next(&report, || transition(&report))?;
        }
        if report.ended_at.is_some() {
            return Ok(Exit::Ok);
        }
        std::thread::sleep(TICK);
        match follow.look(link)? {
            Look::Seen(seen) => report = *seen,
            Look::Silent(why) => console.story(&format!("no answer, asking again: {why}")),
        }
    }
}

/// The view, redrawn in place until the rollout ends, a person leaves it, or there is `no_use` in going on.
pub fn watch_live(link: &mut Link, console: &mut Console, mut report: Report, no_use: impl Fn() -> bool) -> Outcome {
    let _raw = RawMode::enter()?;
    let mut follow = Follow::new(report.rollout.clone());
    let (mut screen, mut recent, mut note) = (Screen::default(), Recent::default(), None);
    let mut read_up_to = 0;
    loop {
        match journal::read(link, &report.rollout, read_up_to + 1) {
            Ok(entries) => {
                read_up_to = entries.last().map_or(read_up_to, |entry| entry.sequence);
                recent.extend(entries);
            }
            Err(failure) => note = note.or_else(|| first_problem(&failure)),
        }
        let next_look = Instant::now() + TICK;
        draw(console, &mut screen, &report, &recent, note.as_deref())?;
        if report.ended_at.is_some() || no_use() {
            return Ok(Exit::Ok);
        }
        loop {
            match wait_for_person(next_look)? {
                Person::Nothing => break,
                Person::Left => return Ok(Exit::Ok),
                Person::Interrupted => return Ok(Exit::Interrupted),
                Person::Resized => {
                    console.verbatim(&screen.forget())?;
                    draw(console, &mut screen, &report, &recent, note.as_deref())?;
                }
            }
        }
        note = match follow.look(link)? {
            Look::Seen(seen) => {
                report = *seen;
                None
            }
            Look::Silent(why) => Some(format!("no answer, asking again: {why}")),
        };
    }
}

fn draw(
    console: &mut Console,
    screen: &mut Screen,
    report: &Report,
    recent: &Recent,
    note: Option<&str>,
) -> Result<(), Failure> {
    let (width, height) = size()?;
    // The cursor stands below the frame, on a line of its own.
    let height = usize::from(height).saturating_sub(1);
    let lines = frame(report, recent, note, usize::from(width), height);
    let sequence = screen.redraw(&lines, console.colour());
    Ok(console.verbatim(&sequence)?)
}

fn first_problem(failure: &Failure) -> Option<String> {
    failure.problems.first().map(|problem| problem.what.clone())
}

/// What a person did before the next look was due.
enum Person {
    Nothing,
    Left,
    Interrupted,
    Resized,
}

fn wait_for_person(until: Instant) -> Result<Person, Failure> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left == Duration::ZERO || !event::poll(left)? {
            return Ok(Person::Nothing);
        }
        match event::read()? {
            Event::Resize(..) => return Ok(Person::Resized),
            Event::Key(key) if key.is_press() => match key.code {
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(Person::Interrupted),
                KeyCode::Char('q') | KeyCode::Esc => return Ok(Person::Left),
                _ => {}
            },
            _ => {}
        }
    }
}

/// Keys come one by one while it lives; the terminal is as it was afterwards, on every way out.
struct RawMode;

impl RawMode {
    fn enter() -> Result<Self, Failure> {
        enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = disable_raw_mode();
    }
}
