//! What becomes of the Markdown in a reply ([field note 26]).
//!
//! [field note 26]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-26

mod filter;
mod plain;

use std::borrow::Cow;
use std::str::FromStr;

pub use filter::Filter;

/// How Markdown is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// As it is: phones render headings, tables and code ([field note 26]).
    ///
    /// [field note 26]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-26
    #[default]
    Native,
    /// Reduced as the official plugin reduces it ([protocol §7]).
    ///
    /// [protocol §7]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#7-what-an-agent-gets
    Filtered,
    /// None: readable text, for phones or readers that show the signs.
    Plain,
}

impl Mode {
    /// Its name in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Filtered => "filtered",
            Self::Plain => "plain",
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Native, Self::Filtered, Self::Plain]
            .into_iter()
            .find(|mode| mode.as_str() == name)
            .ok_or_else(|| format!("{name:?} is no Markdown mode: use native, filtered or plain"))
    }
}

/// A whole text in a mode.
///
/// ```
/// use weixin_channel::markdown::{Mode, render};
/// let text = "##### 标题\n*重点* and *emphasis*, [docs](https://example.com)";
/// assert_eq!(render(text, Mode::Native), text);
/// assert_eq!(render(text, Mode::Filtered), "标题\n重点 and *emphasis*, [docs](https://example.com)");
/// assert_eq!(render(text, Mode::Plain), "标题\n\n重点 and emphasis, docs (https://example.com)");
/// ```
#[must_use]
pub fn render(text: &str, mode: Mode) -> Cow<'_, str> {
    match mode {
        Mode::Native => Cow::Borrowed(text),
        // Nothing else is ever taken away.
        Mode::Filtered if !text.contains(['*', '_', '!', '#']) => Cow::Borrowed(text),
        Mode::Filtered => {
            let mut filter = Filter::default();
            let mut out = filter.push(text);
            out.push_str(&filter.finish());
            Cow::Owned(out)
        }
        Mode::Plain => Cow::Owned(plain::plain(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_names() {
        for mode in [Mode::Native, Mode::Filtered, Mode::Plain] {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        assert_eq!(Mode::default(), Mode::Native);
        assert!("strip".parse::<Mode>().unwrap_err().contains("native, filtered or plain"));
    }

    #[test]
    fn texts_without_signs_are_not_copied() {
        assert!(matches!(render("`a`\n> b | c", Mode::Filtered), Cow::Borrowed(_)));
    }
}
