//! Makes strings of others harmless for a terminal: names, reasons and messages come from APIs and files.

/// Stands where a character was taken out, so that a forged name does not look like a real one.
const REPLACEMENT: char = '\u{FFFD}';

/// Returns the text on one line without control characters and without characters that are invisible or change
/// the direction of writing.
pub fn line(text: &str) -> String {
    text.chars().map(|letter| if is_hostile(letter) { REPLACEMENT } else { letter }).collect()
}

/// As `line`, but line ends stay, and a tab becomes a space: for documents of several lines.
pub fn lines(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' => '\n',
            '\t' => ' ',
            letter if is_hostile(letter) => REPLACEMENT,
            letter => letter,
        })
        .collect()
}

/// Escapes hostile characters in JSON that serde has written: it escapes the first 32 control characters alone.
/// Outside of strings JSON has none of the others, so every one stands in a string and may be written `\uXXXX`.
pub fn json(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' || !is_hostile(letter) {
            clean.push(letter);
        } else {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                clean.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    clean
}

fn is_hostile(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            // Arabic letter mark, zero width and direction marks, line and paragraph separators, embeddings and
            // overrides, invisible operators, isolates, deprecated formatting, byte order mark, tags.
            '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_reversed_text_do_not_reach_the_terminal() {
        let cases = [
            ("web\u{1b}[2J:42", "web�[2J:42"),
            ("a\u{9b}31mb", "a�31mb"),
            ("safe\u{202e}gnp.exe", "safe�gnp.exe"),
            ("one\ntwo\r", "one�two�"),
            ("zero\u{200b}width", "zero�width"),
            ("Größe ✔ 注文", "Größe ✔ 注文"),
        ];
        for (hostile, clean) in cases {
            assert_eq!(line(hostile), clean);
        }
        assert_eq!(lines("a:\n\tb\u{1b}c"), "a:\n b�c");
    }

    #[test]
    fn json_stays_the_same_value_and_has_no_hostile_character() {
        let hostile = "a\u{9b}31m \u{202e}b\u{7f}\u{e0041} ✔";
        let written = json(&serde_json::to_string_pretty(&[hostile]).unwrap());
        assert!(written.chars().all(|letter| letter == '\n' || !is_hostile(letter)), "{written}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&written).unwrap(), [hostile]);
    }
}
