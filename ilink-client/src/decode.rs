//! The one decoder for the answers of all endpoints (docs/field-notes.md#note-17).
//!
//! It ignores the content type, takes an empty body for `{}`, and fails on `ret` **or** `errcode` other than 0. If a body
//! is not JSON, the error names its first bytes.

use std::borrow::Cow;

use http::StatusCode;
use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::sanitize::sanitize;
use crate::wire::response::Envelope;

/// An answer whose text has been found to be a JSON object without a failure in it.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    text: Cow<'a, str>,
}

impl<'a> Answer<'a> {
    /// Looks at status and envelope.
    pub(crate) fn check(status: StatusCode, body: &'a [u8]) -> Result<Self, Error> {
        let text = clean(body);
        let envelope = read::<Envelope>(&text);
        if !status.is_success() {
            return Err(status_error(status, &text));
        }
        // serde reads a struct from a list too; an answer is an object.
        let envelope =
            envelope.ok().filter(|_| text.starts_with('{')).ok_or_else(|| body_error(status, &text))?;
        let fails = |code: Option<i64>| code.is_some_and(|code| code != 0);
        if fails(envelope.ret) || fails(envelope.errcode) {
            let error = Error::api(envelope.ret, envelope.errcode, envelope.errmsg);
            return Err(error.with_status(status.as_u16()));
        }
        Ok(Self { text })
    }

    /// Reads the content.
    pub(crate) fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, Error> {
        read(&self.text).map_err(|_| body_error(StatusCode::OK, &self.text))
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Without a byte-order mark, never empty, and UTF-8: bytes that are not are replaced, so that one broken
/// character costs a character and not the batch.
pub(crate) fn clean(body: &[u8]) -> Cow<'_, str> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    match std::str::from_utf8(body) {
        Ok("") => Cow::Borrowed("{}"),
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(body),
    }
}

/// Reads JSON strictly first. What fails is repaired and read again.
pub(crate) fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Result<T, serde_json::Error> {
    serde_json::from_str(text).or_else(|first| {
        let repaired = repair(text).ok_or(first)?;
        serde_json::from_str(&repaired)
    })
}

/// The same JSON, made well-formed where only a character or a number is not, and with each key once; `None` if it
/// cannot be saved, or holds more than is worth it.
pub(crate) fn repair(text: &str) -> Option<String> {
    if !holds_at_most(text, MAX_VALUES) {
        return None;
    }
    let value: serde_json::Value = serde_json::from_str(&sanitize(text)).ok()?;
    serde_json::to_string(&value).ok()
}

/// The most values (objects, lists, strings, numbers …) that an answer may hold: one can take a hundred times the memory
/// of its text, as `{"":0}` does in a list. About 20,000 texts, or 8,000 pictures.
pub(crate) const MAX_VALUES: usize = 400_000;

/// True if a JSON text holds no more than so many values. What stands between braces and commas is counted, whether it
/// is well-formed or not.
pub(crate) fn holds_at_most(text: &str, max: usize) -> bool {
    // The shortest values have a character and a comma.
    if text.len() <= max {
        return true;
    }
    let (mut values, mut quoted, mut escaped) = (0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' | b',' if !quoted => values += 1,
            _ => {}
        }
    }
    values <= max
}

fn status_error(status: StatusCode, text: &str) -> Error {
    let advice = match status.as_u16() {
        400 => {
            "the server does not understand the request: check its arguments (ids, text, cursor) and the base URL"
        }
        401 | 403 => "access refused: check the token and the base URL",
        404 => "not found: check the base URL",
        408 | 504 | 524 => "the gateway gave up waiting: try again",
        429 => "too many requests: slow down",
        500.. => "the server failed: try again later",
        _ => "unexpected: check the base URL",
    };
    let mut error = Error::new(ErrorKind::Status, format!("HTTP {}: {advice}", status.as_u16()));
    if let Ok(envelope) = read::<Envelope>(text) {
        error = error.with_envelope(envelope.ret, envelope.errcode, envelope.errmsg);
    }
    error.with_status(status.as_u16())
}

fn body_error(status: StatusCode, text: &str) -> Error {
    // Something that begins like JSON may hold a message or a token: its content is not shown.
    let detail = if text.starts_with(['{', '[', '"']) {
        format!(
            "the answer is broken JSON of {} bytes: it was cut or changed on its way; try again",
            text.len()
        )
    } else {
        let shown = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '.' };
        let start: String = text.chars().take(60).map(shown).collect();
        format!(
            "the answer is no JSON but {} bytes that begin with {start:?}: a proxy or a captive portal answers in the server's place; if this is a public network, open a web page and log in to it",
            text.len()
        )
    };
    Error::new(ErrorKind::Body, detail).with_status(status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::response::Sent;

    fn answer(body: &str) -> Result<Option<u64>, Error> {
        Ok(Answer::check(StatusCode::OK, body.as_bytes())?.read::<Sent>()?.message_id.map(|id| id.0))
    }

    #[test]
    fn successes() {
        for body in ["", " \n", "{}", "{\"ret\":0}", "{\"ret\":\"0\",\"errcode\":null}", "\u{feff}{}"] {
            assert_eq!(answer(body).unwrap(), None, "{body:?}");
        }
        assert_eq!(
            answer("{\"ret\":0,\"message_id\":\"7497484083968569736\"}").unwrap(),
            Some(7_497_484_083_968_569_736)
        );
        assert_eq!(answer("{\"ret\":0,\"ret\":0,\"message_id\":5}").unwrap(), Some(5));
    }

    #[test]
    fn failures_in_either_code() {
        for body in ["{\"ret\":-14}", "{\"errcode\":-14}", "{\"ret\":0,\"errcode\":\"-14\"}"] {
            assert!(answer(body).unwrap_err().is_stale_session(), "{body}");
        }
    }

    #[test]
    fn values_are_counted_outside_of_strings() {
        assert!(holds_at_most(r#"{"a":[1,2,{"b":",,,,[[[{{{\",,,"}]}"#, 5));
        assert!(!holds_at_most(r#"{"a":[1,2,{"b":0}],"c":[[],[]]}"#, 5));
        assert!(!holds_at_most("[[[[[[[[", 7) && holds_at_most("[[[[[[[[", 8));
    }

    #[test]
    fn a_body_that_is_no_json_is_described() {
        let error = |body| answer(body).unwrap_err().to_string();
        insta::assert_snapshot!(error("<html><title>Login</title>"), @r#"the answer is no JSON but 26 bytes that begin with "<html><title>Login</title>": a proxy or a captive portal answers in the server's place; if this is a public network, open a web page and log in to it"#);
        insta::assert_snapshot!(error("{\"ret\":0,\"text\":\"CANARY"), @"the answer is broken JSON of 23 bytes: it was cut or changed on its way; try again");
        insta::assert_snapshot!(error("[1]"), @"the answer is broken JSON of 3 bytes: it was cut or changed on its way; try again");
    }
}
