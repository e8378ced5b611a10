//! Frames of the live view: the report, below it the newest events, redrawn in place.

use std::collections::VecDeque;

use crossterm::Command;
use crossterm::cursor::MoveToPreviousLine;
use crossterm::terminal::{Clear, ClearType};
use tidegate::audit::AuditEntry;
use tidegate::machine::report::Report;

use super::line::{Line, Tone};
use super::{journal, report};

/// Events kept for the view. More than a screen is high is never shown.
const EVENTS_MAX: usize = 40;

/// Events that are worth cutting the report for, on a low screen.
const EVENTS_WANTED: usize = 6;

/// The newest journal entries, oldest first.
#[derive(Debug, Default)]
pub struct Recent {
    entries: VecDeque<AuditEntry>,
}

impl Recent {
    /// Adds entries in their order.
    pub fn extend(&mut self, entries: impl IntoIterator<Item = AuditEntry>) {
        self.entries.extend(entries);
        let surplus = self.entries.len().saturating_sub(EVENTS_MAX);
        self.entries.drain(..surplus);
    }
}

/// Returns one frame, at most `width` columns and `height` lines.
pub fn frame(report: &Report, recent: &Recent, note: Option<&str>, width: usize, height: usize) -> Vec<Line> {
    let mut lines = report::lines(report, width);
    let footer = note.map_or_else(
        || Line::new().tone("q leaves; the rollout goes on", Tone::Faint),
        |note| Line::new().tone(note, Tone::Attention),
    );
    let shown = recent.entries.len().min(EVENTS_WANTED);
    if shown > 0 {
        lines.push(Line::new());
        lines.push(Line::new().tone("EVENTS", Tone::Faint));
        lines.extend(recent.entries.iter().skip(recent.entries.len() - shown).map(journal::event));
    }
    lines.push(Line::new());
    lines.truncate(height.saturating_sub(1));
    lines.push(footer);
    lines.into_iter().map(|line| line.cut(width)).collect()
}

/// What is on the screen: how far up the next frame begins.
#[derive(Debug, Default)]
pub struct Screen {
    drawn: u16,
}

impl Screen {
    /// Returns the sequence that puts `lines` where the last frame stood.
    pub fn redraw(&mut self, lines: &[Line], colour: bool) -> String {
        let mut sequence = String::new();
        if self.drawn > 0 {
            put(MoveToPreviousLine(self.drawn), &mut sequence);
        }
        for line in lines {
            sequence.push_str(&line.render(colour));
            put(Clear(ClearType::UntilNewLine), &mut sequence);
            sequence.push_str("\r\n");
        }
        put(Clear(ClearType::FromCursorDown), &mut sequence);
        self.drawn = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        sequence
    }

    /// Returns the sequence that empties the screen: after a change of its size nobody knows where the frame stands.
    pub fn forget(&mut self) -> String {
        let mut sequence = String::new();
        put(Clear(ClearType::All), &mut sequence);
        put(crossterm::cursor::MoveTo(0, 0), &mut sequence);
        self.drawn = 0;
        sequence
    }
}

fn put(command: impl Command, sequence: &mut String) {
    command.write_ansi(sequence).expect("a string takes every sequence");
}
