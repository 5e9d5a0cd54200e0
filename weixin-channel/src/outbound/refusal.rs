//! Why a send was refused.

use std::fmt;

/// Why a send was refused, as far as our own counting tells ([field note 2]).
///
/// [field note 2]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-2
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// As many sends as the user's last message allows have been made.
    QuotaExhausted,
    /// The user's last message is too long ago.
    WindowClosed,
    /// The bot has sent too much too fast.
    Throttled,
    /// The text is too long.
    TooLong,
    /// The server no longer shows what this bot sends ([field note 1]).
    ///
    /// [field note 1]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-1
    Suppressed,
    /// Nothing that we counted explains it.
    Unknown,
}

impl Refusal {
    /// As [`Error::code`](crate::Error::code).
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::QuotaExhausted => "quota-exhausted",
            Self::WindowClosed => "window-closed",
            Self::Throttled => "throttled",
            Self::TooLong => "too-long",
            Self::Suppressed => "suppressed",
            Self::Unknown => "rejected",
        }
    }

    /// True if the user's next message makes the same send possible.
    #[must_use]
    pub fn ends_with_next_message(self) -> bool {
        matches!(self, Self::QuotaExhausted | Self::WindowClosed | Self::Throttled)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::QuotaExhausted => {
                "as many messages as WeChat allows have followed the user's last one: wait until they write again"
            }
            Self::WindowClosed => {
                "the user's last message is more than a day old, and WeChat takes answers only: ask them to write"
            }
            Self::Throttled => "this bot sent too much too fast: send nothing for some minutes",
            Self::TooLong => "the text is longer than WeChat takes: send it in parts",
            Self::Suppressed => {
                "WeChat no longer shows what this bot sends: let its user write to it, or log in with another account"
            }
            Self::Unknown => "WeChat does not say why: wait for the user's next message and try again",
        })
    }
}
