//! Text that is nearly JSON, made JSON: one broken character must not cost a batch, which the server would then send for ever.

use std::fmt::Write as _;

/// Replaces what no JSON parser takes and a careless writer produces:
///
/// - half a surrogate pair, as of a text cut in the middle of an emoji: U+FFFD
/// - control characters in strings: escaped
/// - escapes that do not exist: their backslash is taken literally
/// - `NaN`, `Infinity`, `undefined` and numbers beyond a double: null
pub(crate) fn sanitize(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(quote) = rest.find('"') {
        outside(&rest[..quote], &mut out);
        let string = &rest[quote + 1..];
        let end = end_of_string(string);
        out.push('"');
        inside(&string[..end], &mut out);
        rest = &string[end..];
        if let Some(after) = rest.strip_prefix('"') {
            out.push('"');
            rest = after;
        }
    }
    outside(rest, &mut out);
    out
}

/// Where the closing quote is, or the end of the text.
fn end_of_string(string: &str) -> usize {
    let mut escaped = false;
    let closing = |c: char| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    };
    string.find(closing).unwrap_or(string.len())
}

fn inside(string: &str, out: &mut String) {
    let mut rest = string;
    while let Some(at) = rest.find(|c: char| c == '\\' || c < ' ') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let used = match (unit(rest), unit(rest.get(6..).unwrap_or_default())) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => {
                out.push_str(&rest[..12]);
                12
            }
            (Some(0xD800..=0xDFFF), _) => {
                out.push_str("\\ufffd");
                6
            }
            (Some(_), _) => {
                out.push_str(&rest[..6]);
                6
            }
            (None, _) => {
                let mut chars = rest.chars();
                match (chars.next(), chars.next()) {
                    (Some('\\'), Some(c @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't'))) => {
                        out.extend(['\\', c]);
                        2
                    }
                    (Some('\\'), _) => {
                        out.push_str("\\\\");
                        1
                    }
                    (Some(control), _) => {
                        // Writing into a string cannot fail.
                        let _ = write!(out, "\\u{:04x}", u32::from(control));
                        1
                    }
                    (None, _) => 0,
                }
            }
        };
        rest = &rest[used..];
    }
    out.push_str(rest);
}

/// The value of `\uXXXX` at the beginning of a text.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    // `from_str_radix` would take a sign.
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(digits, 16).ok())?
}

fn outside(text: &str, out: &mut String) {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '+' | '.');
    let mut rest = text;
    while let Some(begin) = rest.find(is_word) {
        out.push_str(&rest[..begin]);
        rest = &rest[begin..];
        let (word, after) = rest.split_at(rest.find(|c| !is_word(c)).unwrap_or(rest.len()));
        let number = word.parse::<f64>().is_ok_and(f64::is_finite);
        out.push_str(if number || matches!(word, "true" | "false") { word } else { "null" });
        rest = after;
    }
    out.push_str(rest);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_str(&sanitize(text))
            .unwrap_or_else(|error| panic!("{text}: {error}: {}", sanitize(text)))
    }

    #[test]
    fn half_surrogates_are_replaced_and_whole_ones_kept() {
        let cases = [
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\ude00b""#, "\u{fffd}b"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
            (r#""\\ud83d""#, r"\ud83d"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
            (r#""\ud83""#, r"\ud83"),
            (r#""\u+123""#, r"\u+123"),
        ];
        for (json, text) in cases {
            assert_eq!(read(json), text, "{json}");
        }
    }

    #[test]
    fn careless_strings() {
        assert_eq!(read("\"a\nb\tc\u{0}\""), "a\nb\tc\u{0}");
        assert_eq!(read(r#""C:\temp \x41 \' end""#), "C:\temp \\x41 \\' end");
        assert_eq!(read(r#"{"a\"b":"\\"}"#), json!({ "a\"b": "\\" }));
        assert_eq!(read("\"\\字\""), "\\字");
    }

    #[test]
    fn numbers_that_are_none() {
        let read =
            read(r#"{"a":NaN,"b":-Infinity,"c":1e999,"d":[undefined,-1.5e3,true,null],"e":"NaN 1e999"}"#);
        assert_eq!(
            read,
            json!({ "a": null, "b": null, "c": null, "d": [null, -1500.0, true, null], "e": "NaN 1e999" })
        );
    }

    #[test]
    fn good_json_stays_as_it_is() {
        // Miri is a hundred times slower; a few show what it can show.
        let most = if cfg!(miri) { 2 } else { usize::MAX };
        for (_, exchange) in ilink_fixtures::wire::all().take(most) {
            if serde_json::from_str::<Value>(exchange.answer()).is_ok() {
                assert_eq!(sanitize(exchange.answer()), exchange.answer());
            }
        }
    }
}
