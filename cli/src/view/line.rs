//! Lines of styled text that know their width, so that a narrow terminal cuts them and colours do not count.

use std::fmt::Display;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::clean;

/// What a piece of text says beside its words. Colour repeats what a word or a sign says already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Bad,
    Attention,
    Faint,
    Strong,
}

/// One line without its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    pieces: Vec<(String, Tone)>,
}

impl Line {
    /// Starts an empty line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a line with plain text.
    pub fn of(text: impl Display) -> Self {
        Self::new().plain(text)
    }

    /// Adds plain text.
    pub fn plain(self, text: impl Display) -> Self {
        self.tone(text, Tone::Plain)
    }

    /// Adds text in a tone. Hostile characters are replaced here, in the one place where text becomes a line.
    pub fn tone(mut self, text: impl Display, tone: Tone) -> Self {
        self.pieces.push((clean::line(&text.to_string()), tone));
        self
    }

    /// Adds spaces until the line is `column` wide; one space at least where it is wider already.
    pub fn up_to(self, column: usize) -> Self {
        let missing = column.saturating_sub(self.width()).max(1);
        self.plain(" ".repeat(missing))
    }

    /// Returns how many columns it takes.
    pub fn width(&self) -> usize {
        self.pieces.iter().map(|(text, _)| text.width()).sum()
    }

    /// Cuts it to `columns`, the last of them an ellipsis where something is cut.
    pub fn cut(mut self, columns: usize) -> Self {
        if self.width() <= columns {
            return self;
        }
        let mut left = columns.saturating_sub(1);
        for (text, _) in &mut self.pieces {
            *text = fitting(text, left).to_owned();
            left -= text.width();
        }
        self.plain("…")
    }

    /// Returns it as text, with escape sequences for colours only where `colour`.
    pub fn render(&self, colour: bool) -> String {
        let mut rendered = String::new();
        for (text, tone) in &self.pieces {
            if colour {
                rendered.push_str(&styled(text, *tone));
            } else {
                rendered.push_str(text);
            }
        }
        if colour { rendered } else { rendered.trim_end().to_owned() }
    }
}

/// Breaks a sentence after `columns` at spaces; a word that is longer stays whole.
pub fn wrapped(sentence: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in sentence.split(' ') {
        let last = lines.last_mut().expect("there is a line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.width() + 1 + word.width() <= columns {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Sets rows in columns; the widest cell of a column decides, and the last one is not filled up.
pub fn table(rows: &[Vec<(String, Tone)>]) -> Vec<Line> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|(text, _)| clean::line(text).width()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let (mut line, mut column) = (Line::new(), 0);
        for (at, (text, tone)) in row.iter().enumerate() {
            line = line.tone(text, *tone);
            column += widths[at] + 2;
            if at + 1 < row.len() {
                line = line.up_to(column);
            }
        }
        lines.push(line);
    }
    lines
}

/// Returns the text in at most `columns`, an ellipsis in its middle: both ends of a name tell more than one.
pub fn shortened(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let kept = columns.saturating_sub(1);
    let head = fitting(text, kept.div_ceil(2));
    let reversed: String = text.chars().rev().collect();
    let tail: String = fitting(&reversed, kept - kept.div_ceil(2)).chars().rev().collect();
    format!("{head}…{tail}")
}

fn fitting(text: &str, columns: usize) -> &str {
    let mut taken = 0;
    for (at, letter) in text.char_indices() {
        taken += letter.width().unwrap_or(0);
        if taken > columns {
            return &text[..at];
        }
    }
    text
}

fn styled(text: &str, tone: Tone) -> String {
    let code = match tone {
        Tone::Plain => return text.to_owned(),
        Tone::Good => 32,
        Tone::Bad => 31,
        Tone::Attention => 33,
        Tone::Faint => 90,
        Tone::Strong => 1,
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_by_columns_not_by_letters() {
        let line = Line::of("注文 order").tone(" Healthy", Tone::Good);
        assert_eq!(line.width(), 18);
        assert_eq!(line.clone().cut(18).render(false), "注文 order Healthy");
        assert_eq!(line.clone().cut(8).render(false), "注文 or…");
        assert_eq!(line.cut(3).render(false), "注…");
    }

    #[test]
    fn a_long_name_keeps_both_ends() {
        assert_eq!(shortened("checkout-blue", 13), "checkout-blue");
        assert_eq!(shortened("checkout-service-blue", 13), "checko…e-blue");
        assert_eq!(shortened("checkout", 1), "…");
    }

    #[test]
    fn colour_changes_no_letter() {
        let line = Line::of("phase ").tone("Degraded", Tone::Bad);
        assert_eq!(line.render(false), "phase Degraded");
        let coloured = line.render(true);
        assert!(coloured.contains("Degraded") && coloured.contains('\u{1b}'), "{coloured:?}");
    }

    #[test]
    fn sentences_break_at_spaces() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("arn:aws:very-long x", 5), ["arn:aws:very-long", "x"]);
        assert_eq!(wrapped("", 5), [""]);
    }
}
