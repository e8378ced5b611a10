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

/// Events shown, where there is room for them.
const EVENTS_SHOWN: usize = 6;

/// Lines above the first event.
const EVENTS_HEADING: usize = 2;

/// Lines below the rest.
const FOOTER: usize = 2;

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
    let room = height.saturating_sub(FOOTER);
    let mut lines = report::lines(report, width);
    if lines.len() > room {
        lines = report::low_lines(report, width);
    }
    let for_events = room.saturating_sub(lines.len() + EVENTS_HEADING);
    let shown = recent.entries.len().min(EVENTS_SHOWN).min(for_events);
    if shown > 0 {
        lines.push(Line::new());
        lines.push(Line::new().tone("EVENTS", Tone::Faint));
        lines.extend(recent.entries.iter().skip(recent.entries.len() - shown).map(journal::event));
    }
    lines.truncate(room);
    let footer = match note {
        Some(note) => Line::new().tone(note, Tone::Attention),
        None if report.ended_at.is_none() => Line::new().tone("q leaves; the rollout goes on", Tone::Faint),
        None => Line::new(),
    };
    lines.extend([Line::new(), footer]);
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

#[cfg(test)]
mod tests {
    use tidegate::ids::{AlarmArn, RolloutId};
    use tidegate::machine::event::{AlarmChange, Event};
    use tidegate::machine::report::{StepProgress, StepReport};
    use tidegate::observation::AlarmState;

    use super::*;

    fn canned() -> Report {
        serde_json::from_str(include_str!("../../tests/cli/data/report.json")).unwrap()
    }

    fn recent() -> Recent {
        let change = AlarmChange {
            alarm: AlarmArn::new("arn:aws:cloudwatch:eu-west-1:012345678901:alarm:checkout-http-5xx"),
            state: AlarmState::Ok,
            at: canned().now,
        };
        let entry = |sequence, inputs: Vec<Event>, outcome: &str| AuditEntry {
            rollout: RolloutId::new("checkout-01KAN5Y3Q8T2V7W9X4Z6B0C1D2"),
            sequence,
            previous: String::new(),
            now: canned().now,
            by: "controller".into(),
            inputs,
            outcome: outcome.into(),
            effects: Vec::new(),
        };
        let mut recent = Recent::default();
        recent.extend([entry(1, Vec::new(), "started"), entry(2, vec![Event::Alarm(change)], "nothing changes")]);
        recent
    }

    fn drawn(report: &Report, width: usize, height: usize) -> String {
        let lines = frame(report, &recent(), None, width, height);
        assert!(lines.len() <= height);
        assert!(lines.iter().all(|line| line.width() <= width));
        lines.iter().map(|line| line.render(false) + "\n").collect()
    }

    #[test]
    fn the_view_at_80_columns() {
        insta::assert_snapshot!(drawn(&canned(), 80, 50));
    }

    #[test]
    fn the_view_at_120_columns() {
        insta::assert_snapshot!(drawn(&canned(), 120, 50));
    }

    #[test]
    fn the_view_of_a_rollout_that_goes_home() {
        let mut report = canned();
        report.phase = "Aborting".into();
        report.message = "alarm checkout-http-5xx is in ALARM".into();
        report.waiting_on = "weights to be read back at home".into();
        report.actual_weight = None;
        report.analysis.clear();
        insta::assert_snapshot!(drawn(&report, 80, 50));
    }

    #[test]
    fn the_view_on_the_lowest_usual_terminal() {
        let mut report = canned();
        for at in 10..18 {
            let step = StepReport { step: format!("setWeight {at}"), state: StepProgress::Ahead, entered_at: None };
            report.steps.insert(6, step);
        }
        insta::assert_snapshot!(drawn(&report, 80, 23));
    }

    #[test]
    fn a_screen_that_is_too_low_shows_the_top_and_the_way_out() {
        let drawn = drawn(&canned(), 60, 10);
        assert_eq!(drawn.lines().count(), 10);
        assert!(drawn.starts_with("checkout-") && drawn.ends_with("q leaves; the rollout goes on\n"), "{drawn}");
    }

    #[test]
    fn the_next_frame_begins_where_the_last_one_did() {
        let mut screen = Screen::default();
        let three = [Line::of("a"), Line::of("b"), Line::of("c")];
        assert_eq!(screen.redraw(&three, false), "a\u{1b}[K\r\nb\u{1b}[K\r\nc\u{1b}[K\r\n\u{1b}[J");
        assert_eq!(screen.redraw(&three[..1], false), "\u{1b}[3Fa\u{1b}[K\r\n\u{1b}[J");
        assert_eq!(screen.forget(), "\u{1b}[2J\u{1b}[1;1H");
        assert_eq!(screen.redraw(&three[..1], false), "a\u{1b}[K\r\n\u{1b}[J");
    }
}
