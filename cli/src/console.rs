//! Standard output carries data, standard error the story; nothing else in this program writes to either.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::clean;
use crate::failure::Failure;
use crate::view::line::Line;

/// Columns where nobody says how wide it is: a pipe, a CI log.
const WIDTH_ELSEWHERE: usize = 120;

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    // For people.
    Text,
    // The structs of the API.
    Json,
}

/// Where a verb writes to.
pub struct Console {
    out: Box<dyn Write>,
    err: Box<dyn Write>,
    /// How data is written.
    pub output: Output,
    /// Whether standard output is a terminal that can be drawn on.
    pub live: bool,
    /// Columns of a line.
    pub width: usize,
    colour: bool,
}

impl Console {
    /// The process's own streams.
    pub fn of_process(output: Output, colour_wanted: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let width = if terminal { crossterm::terminal::size().ok() } else { None };
        Self {
            out: Box::new(io::stdout()),
            err: Box::new(io::stderr()),
            output,
            live: terminal && output == Output::Text,
            width: width.map_or(WIDTH_ELSEWHERE, |(columns, _)| usize::from(columns)),
            colour: terminal && colour_wanted,
        }
    }

    /// Writes one answer: as JSON, or as the lines that `text` makes of it.
    pub fn data<T: Serialize + ?Sized>(&mut self, value: &T, text: impl FnOnce(usize) -> Vec<Line>) -> io::Result<()> {
        match self.output {
            Output::Json => self.json(&serde_json::to_string_pretty(value).map_err(io::Error::other)?),
            Output::Text => {
                let lines = text(self.width);
                self.lines(&lines)
            }
        }
    }

    /// Writes one of a row of answers: JSON on one line, or text.
    pub fn next<T: Serialize + ?Sized>(&mut self, value: &T, text: impl FnOnce() -> Line) -> io::Result<()> {
        match self.output {
            Output::Json => self.json(&serde_json::to_string(value).map_err(io::Error::other)?),
            Output::Text => self.lines(&[text()]),
        }
    }

    /// Writes an answer that is JSON on one line, however data is written elsewhere.
    pub fn json_line<T: Serialize + ?Sized>(&mut self, value: &T) -> io::Result<()> {
        self.json(&serde_json::to_string(value).map_err(io::Error::other)?)
    }

    /// Writes a document that is meant for a file: YAML, a completion script.
    pub fn document(&mut self, text: &str) -> io::Result<()> {
        write!(self.out, "{}", clean::lines(text))?;
        if !text.ends_with('\n') {
            writeln!(self.out)?;
        }
        self.out.flush()
    }

    /// Writes lines as they are.
    pub fn lines(&mut self, lines: &[Line]) -> io::Result<()> {
        for line in lines {
            writeln!(self.out, "{}", line.render(self.colour))?;
        }
        self.out.flush()
    }

    /// Writes our own text as it is: a frame of the live view, which moves the cursor itself; a completion script.
    pub fn verbatim(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    /// Whether colours are wanted and possible.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Tells people what goes on.
    pub fn story(&mut self, sentence: &str) {
        let _ = writeln!(self.err, "{}", clean::line(sentence));
    }

    /// Tells people several lines of what goes on.
    pub fn story_lines(&mut self, text: &str) {
        text.lines().for_each(|line| self.story(line));
    }

    /// Tells people why it ended.
    pub fn failure(&mut self, failure: &Failure) {
        for problem in &failure.problems {
            self.story(&format!("error: {}", problem.what));
            if let Some(hint) = &problem.hint {
                self.story(&format!("hint: {hint}"));
            }
        }
    }

    fn json(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}", clean::json(text))?;
        self.out.flush()
    }
}

/// Whether the environment leaves colours on: `NO_COLOR` with any content, or a terminal that has none, turns them off.
pub fn colour_wanted(environment: impl Fn(&str) -> Option<String>) -> bool {
    let forbidden = environment("NO_COLOR").is_some_and(|content| !content.is_empty());
    let dumb = environment("TERM").is_some_and(|terminal| terminal == "dumb");
    !forbidden && !dumb
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_and_dumb_terminals_turn_colours_off() {
        let wanted = |name: &'static str, content: &'static str| {
            colour_wanted(|asked| (asked == name).then(|| content.to_owned()))
        };
        assert!(!wanted("NO_COLOR", "1"));
        assert!(wanted("NO_COLOR", ""), "an empty NO_COLOR counts as absent");
        assert!(!wanted("TERM", "dumb"));
        assert!(wanted("TERM", "xterm-256color"));
    }
}
