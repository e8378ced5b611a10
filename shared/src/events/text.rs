//! Texts of others, before anything else is done with them: bounded, and safe to print.

use std::fmt;

use serde::de::DeserializeOwned;

use super::ParseError;

/// Bytes of one body. SQS and Lambda's asynchronous invocation both stop at 1 MiB.
pub const BODY_MAX: usize = 1024 * 1024;

/// Levels of nesting in one body. The deepest known event, a task with its attachments, has seven.
pub const DEPTH_MAX: usize = 64;

/// Characters of one text that goes to a log, a terminal or the record: AWS's longest reasons fit.
pub const PRINTED_MAX: usize = 1024;

/// Returns a text that can be printed and stored: white space becomes a blank, control, bidirectional and
/// invisible formatting characters are left out, and what is longer than `PRINTED_MAX` ends in `…`.
pub fn printable(text: &str) -> String {
    let mut kept = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|&c| !hides(c));
    let mut printed: String = kept.by_ref().take(PRINTED_MAX).collect();
    if kept.next().is_some() {
        printed.pop();
        printed.push('…');
    }
    printed
}

/// Whether a character steers a terminal, turns the direction of its neighbours, or takes no room at all.
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// Refuses a body that is too large or nested too deeply to be an event, before anything reads it.
pub(super) fn bounded(body: &str) -> Result<(), ParseError> {
    if body.len() > BODY_MAX {
        return Err(ParseError::new(
            format!("the body has {} bytes, more than {BODY_MAX}", body.len()),
            "no event of AWS is that large: look at who sends to this queue",
        ));
    }
    bounded_depth(body)
}

/// Refuses what is nested too deeply to be an event.
pub(super) fn bounded_depth(text: &str) -> Result<(), ParseError> {
    if deeper_than(text, DEPTH_MAX) {
        return Err(ParseError::new(
            format!("the body is nested more than {DEPTH_MAX} levels deep"),
            "no event of AWS is nested like that: look at who sends to this queue",
        ));
    }
    Ok(())
}

/// Whether brackets outside of strings nest deeper than `limit`. Looks at bytes only: JSON's own are all ASCII.
fn deeper_than(body: &str, limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in body.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Reads `body` as `T`; `expected` names it in the error, as in "an EventBridge event".
pub(super) fn read<T: DeserializeOwned>(body: &str, expected: impl fmt::Display) -> Result<T, ParseError> {
    serde_json::from_str(body).map_err(|error| unreadable(&error, expected))
}

/// Tells what is wrong with a body, without repeating the body.
pub(super) fn unreadable(error: &serde_json::Error, expected: impl fmt::Display) -> ParseError {
    let words = printable(&error.to_string());
    match error.classify() {
        serde_json::error::Category::Data => {
            ParseError::new(format!("not {expected}: {words}"), "compare it with the recordings in `events/`")
        }
        serde_json::error::Category::Syntax | serde_json::error::Category::Eof | serde_json::error::Category::Io => {
            ParseError::new(format!("not JSON: {words}"), "bodies are JSON, as EventBridge writes them")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_or_hides_is_left_out() {
        let table = [
            ("Task failed ELB health checks", "Task failed ELB health checks"),
            ("\u{1b}[2Jgone\u{7}", "[2Jgone"),
            ("one\r\ntwo\tthree\u{2028}four", "one  two three four"),
            ("\u{202e}gnp.exe\u{2066}\u{200b}\u{feff}", "gnp.exe"),
            ("größer 20 °C 例", "größer 20 °C 例"),
        ];
        for (text, printed) in table {
            assert_eq!(printable(text), printed);
        }
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        let whole = "x".repeat(PRINTED_MAX);
        assert_eq!(printable(&whole), whole);
        let cut = printable(&"x".repeat(PRINTED_MAX + 1));
        assert_eq!((cut.chars().count(), cut.ends_with("x…")), (PRINTED_MAX, true));
    }

    #[test]
    fn depth_counts_brackets_outside_of_strings() {
        assert!(!deeper_than(r#"{"a":["[[[[","\"[[["]}"#, 2));
        assert!(deeper_than("[[[]]]", 2));
        assert!(!deeper_than("[][][]", 1));
        assert!(!deeper_than("]]]][", 1));
    }
}
