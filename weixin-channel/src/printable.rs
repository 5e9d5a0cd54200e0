//! Text from elsewhere, made fit for a terminal and for one line of a log.

use std::fmt::{self, Write as _};

/// Characters of an error or a log line.
const LINE: usize = 1_000;

/// Room for what says how long the text is.
const MARK: usize = 32;

/// Text of a server, a stranger or an agent, as it may be shown to a person: on one line, and no longer than 1,000
/// characters.
///
/// What steers a terminal, ends a line or turns the direction of writing is escaped as in Rust: `\u{1b}`, `\n`,
/// `\u{202e}`. What joins letters in Persian, or emoji, stays. To do it twice changes nothing.
///
/// ```
/// use weixin_channel::printable;
/// assert_eq!(printable("busy\r\n\u{1b}[2J").to_string(), r"busy\r\n\u{1b}[2J");
/// assert_eq!(printable(&"x".repeat(50_000)).at_most(40).to_string(), "xxxxxxxx… [50000 bytes]");
/// ```
#[must_use]
pub fn printable(text: &str) -> Printable<'_> {
    Printable { text, most: LINE }
}

/// See [`printable`]; shown by `Display`.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a> {
    text: &'a str,
    most: usize,
}

impl Printable<'_> {
    /// Shortened to so many characters instead; at least 32.
    #[must_use]
    pub fn at_most(self, characters: usize) -> Self {
        Self { most: characters.max(MARK), ..self }
    }
}

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut length = 0;
        let fits = self.text.chars().all(|c| {
            length += escaped_length(c);
            length <= self.most
        });
        let mut left = if fits { self.most } else { self.most - MARK };
        for c in self.text.chars() {
            let Some(rest) = left.checked_sub(escaped_length(c)) else { break };
            left = rest;
            if is_unsafe(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        if fits { Ok(()) } else { write!(f, "… [{} bytes]", self.text.len()) }
    }
}

fn escaped_length(c: char) -> usize {
    if is_unsafe(c) { c.escape_default().len() } else { 1 }
}

/// What a reader cannot see, and what does something to what a reader sees.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Ends of lines and paragraphs.
            '\u{2028}' | '\u{2029}'
            // Directions of writing.
            | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            // Of no width; not U+200C and U+200D, which Persian and emoji are written with.
            | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Tags: a text within the text.
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_something_to_a_terminal_or_a_log_is_escaped() {
        for (text, shown) in [
            ("\u{1b}[31mred\u{7}", r"\u{1b}[31mred\u{7}"),
            ("\u{1b}]8;;http://x\u{1b}\\link", r"\u{1b}]8;;http://x\u{1b}\link"),
            ("\u{9b}2J\u{85}\u{7f}\0", r"\u{9b}2J\u{85}\u{7f}\u{0}"),
            ("a\r\nERROR forged\tb", r"a\r\nERROR forged\tb"),
            ("a\u{2028}b\u{2029}c", r"a\u{2028}b\u{2029}c"),
            ("\u{202e}txt.exe\u{2066}", r"\u{202e}txt.exe\u{2066}"),
            ("\u{200b}\u{feff}\u{e0041}", r"\u{200b}\u{feff}\u{e0041}"),
            ("你好 می\u{200c}خواهم 👩\u{200d}🚀 C:\\a", "你好 می\u{200c}خواهم 👩\u{200d}🚀 C:\\a"),
        ] {
            assert_eq!(printable(text).to_string(), shown);
            assert_eq!(printable(shown).to_string(), shown, "twice");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_and_said() {
        for text in ["\u{1b}".repeat(20 << 20), "语".repeat(1_001), "\n".repeat(999)] {
            let once = printable(&text).to_string();
            assert!(once.chars().count() <= LINE, "{once}");
            assert!(once.ends_with(&format!("… [{} bytes]", text.len())), "{once}");
            assert_eq!(printable(&once).to_string(), once, "twice");
        }
        assert_eq!(printable(&"语".repeat(1_000)).to_string(), "语".repeat(1_000));
    }
}
