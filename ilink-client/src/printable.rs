//! What others wrote, made fit for a terminal and a log.

use std::fmt::{self, Write as _};

/// How much is shown if nothing else is said, in characters.
const LIMIT: usize = 200;

/// Shows text of somebody else's without letting it do anything: whatever a reader would not see, or a terminal would
/// obey, stands there as an escape (`\u{1b}`), and what is long is cut, with the number of bytes that are left out. What lies
/// behind is not even looked at.
///
/// Control characters, line ends, characters without width and those that turn the direction of text are escaped, as
/// [`str::escape_debug`] does; letters of all scripts stay, with the joiners U+200C and U+200D that stand between them in
/// Persian and in emoji. All errors of this crate family, and the `Debug` of all its
/// types, show what the server sent through this. Use it for what the accessors give as it came, such as
/// [`Error::errmsg`](crate::Error::errmsg), before you print or log it.
///
/// `Display` shows the text alone, `Debug` puts it in quotes.
///
/// ```
/// use ilink_client::Printable;
///
/// let hostile = "ok\u{1b}]0;owned\u{7}\r\nINFO all is well";
/// assert_eq!(Printable::new(hostile).to_string(), r"ok\u{1b}]0;owned\u{7}\r\nINFO all is well");
/// assert_eq!(Printable::new("0123456789").max_chars(4).to_string(), "0123… (6 more bytes)");
/// ```
#[derive(Clone, Copy)]
#[must_use = "it is shown by its Display or Debug"]
pub struct Printable<T> {
    text: T,
    max_chars: usize,
}

impl<T: fmt::Display> Printable<T> {
    /// Shows at most 200 characters.
    pub fn new(text: T) -> Self {
        Self { text, max_chars: LIMIT }
    }

    /// Shows at most this many characters, those of escapes counted one by one.
    pub fn max_chars(mut self, max_chars: usize) -> Self {
        self.max_chars = max_chars;
        self
    }

    fn show(&self, out: &mut fmt::Formatter<'_>, quoted: bool) -> fmt::Result {
        let mut filter = Filter { out, left: self.max_chars, cut: 0, quoted, joins: false };
        match (write!(filter, "{}", self.text), filter.cut) {
            (written, 0) => written,
            (_, cut) => write!(out, "… ({cut} more bytes)"),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.show(f, false)
    }
}

impl<T: fmt::Display> fmt::Debug for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        self.show(f, true)?;
        f.write_char('"')
    }
}

/// Passes on what may be seen, up to a limit, and ends there: another's `Debug` may write 20 MiB, a character at a time.
struct Filter<'a, 'f> {
    out: &'a mut fmt::Formatter<'f>,
    left: usize,
    /// Bytes that were left out, of what was written in one piece.
    cut: usize,
    quoted: bool,
    /// The character before is one that a joiner may follow.
    joins: bool,
}

impl fmt::Write for Filter<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (at, char) in text.char_indices() {
            let is_joiner = self.joins && matches!(char, '\u{200c}' | '\u{200d}');
            self.joins = !char.is_ascii() && is_visible(char);
            let plain = is_joiner || is_visible(char) && !(self.quoted && matches!(char, '"' | '\\'));
            let width = if plain { 1 } else { char.escape_debug().count() };
            if width > self.left {
                (self.left, self.cut) = (0, text.len() - at);
                return Err(fmt::Error);
            }
            self.left -= width;
            if plain {
                self.out.write_char(char)?;
            } else {
                write!(self.out, "{}", char.escape_debug())?;
            }
        }
        Ok(())
    }
}

fn is_visible(char: char) -> bool {
    if char.is_ascii() {
        return !char.is_ascii_control();
    }
    // Behind a letter, where a combining mark belongs: vowels of many scripts are such.
    let mut pair = [b'a'; 5];
    let length = char.encode_utf8(&mut pair[1..]).len();
    str::from_utf8(&pair[..=length]).is_ok_and(|pair| pair.escape_debug().count() == 2)
}

/// For the `Debug` of lists that the server made: the first eight, and how many there are behind them.
pub(crate) struct Few<'a, T>(pub(crate) &'a [T]);

impl<T: fmt::Debug> fmt::Debug for Few<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, rest) = self.0.split_at(self.0.len().min(8));
        let mut list = f.debug_list();
        list.entries(first);
        if !rest.is_empty() {
            list.entry(&format_args!("… and {} more", rest.len()));
        }
        list.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let cases = [
            ("\u{1b}[2J", r"\u{1b}[2J"),
            ("\u{1b}]8;;http://evil.example\u{1b}\\", r"\u{1b}]8;;http://evil.example\u{1b}\"),
            ("a\u{9b}31mb\u{85}", r"a\u{9b}31mb\u{85}"),
            ("a\r\nb\tc\0\u{7f}", r"a\r\nb\tc\0\u{7f}"),
            ("a\u{2028}b\u{2029}", r"a\u{2028}b\u{2029}"),
            ("\u{202e}gpj.exe\u{2066}\u{61c}", r"\u{202e}gpj.exe\u{2066}\u{61c}"),
            ("a\u{200b}b\u{feff}\u{ad}\u{e0041}", r"a\u{200b}b\u{feff}\u{ad}\u{e0041}"),
        ];
        for (text, shown) in cases {
            assert_eq!(Printable::new(text).to_string(), shown);
        }
    }

    #[test]
    fn what_people_write_stays() {
        for text in [
            "群聊「你好」，再见",
            "می\u{200c}خواهم",
            "👩\u{200d}🚀",
            "naïve café",
            "สวัสดี",
            "नमस्ते",
            "مرحبا",
            "😀 👍🏽",
            r#"it's "quoted" \ too"#,
        ] {
            assert_eq!(Printable::new(text).to_string(), text);
        }
        assert_eq!(format!("{:?}", Printable::new(r#"a"b\"#)), r#""a\"b\\""#);
    }

    #[test]
    fn what_is_long_is_cut_at_an_exact_place() {
        let long = "\u{1b}".repeat(20 << 20);
        let shown = Printable::new(&long).max_chars(13).to_string();
        assert_eq!(shown, format!(r"\u{{1b}}\u{{1b}}… ({} more bytes)", (20 << 20) - 2));
        assert_eq!(Printable::new("字字字").max_chars(2).to_string(), "字字… (3 more bytes)");
        assert_eq!(Printable::new("ab").max_chars(2).to_string(), "ab");
        // In pieces, as a Display writes it.
        assert_eq!(
            Printable::new(format_args!("{}{}", "abc", "def")).max_chars(4).to_string(),
            "abcd… (2 more bytes)"
        );
        assert_eq!(format!("{:?}", Few(&[0; 10])), "[0, 0, 0, 0, 0, 0, 0, 0, … and 2 more]");
    }
}
