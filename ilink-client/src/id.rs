//! Identifiers, each a type of its own, so that a bot id is never sent where a user id belongs.

use std::borrow::Borrow;
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::printable::Printable;

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident, $debug:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it stands on the wire.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text as it stands on the wire.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// True if there is nothing in it.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.0.is_empty()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let debug: fn(&str, &mut fmt::Formatter<'_>) -> fmt::Result = $debug;
                f.write_str(concat!(stringify!($name), "("))?;
                debug(&self.0, f)?;
                f.write_str(")")
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self(Arc::from(""))
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<&$name> for $name {
            fn from(id: &$name) -> Self {
                id.clone()
            }
        }
    };
}

macro_rules! display {
    ($($name:ident),*) => {$(
        /// For people, so [`Printable`]: use `as_str` for everything else.
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Printable::new(&*self.0).max_chars(MAX_SHOWN), f)
            }
        }
    )*};
}

/// Real ones have up to some 60 characters.
const MAX_SHOWN: usize = 128;

fn shown(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    fmt::Debug::fmt(&Printable::new(text).max_chars(MAX_SHOWN), f)
}

fn hidden(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{} bytes", text.len())
}

string_id! {
    /// A WeChat user as this bot sees them, `…@im.wechat`. Case-sensitive: send it exactly as it came, or
    /// the server answers `ret:-3` ([field note 10]).
    ///
    /// [field note 10]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-10
    UserId, shown
}
string_id! {
    /// A bot, `{12 hex}@im.bot`; a new one is made at every scan.
    BotId, shown
}
string_id! {
    /// The sender's own id of one message. A retry keeps it, so that the phone shows the message once
    /// ([field note 11]).
    ///
    /// [field note 11]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-11
    ClientId, shown
}
string_id! {
    /// One agent run: all messages of one turn carry the same.
    RunId, shown
}
string_id! {
    /// Ties a reply to the conversation: the one of the user's newest message is echoed in every message to
    /// them. It opens the conversation, so `Debug` hides it.
    ContextToken, hidden
}
string_id! {
    /// Where the update stream stands: opaque, about 104 bytes. Sending one acknowledges everything before
    /// it; the default is the empty one, for a first call.
    Cursor, hidden
}
string_id! {
    /// What `sendtyping` needs, from `getconfig`; good for about 24 h.
    TypingTicket, hidden
}
string_id! {
    /// The handle of a login code that is being polled. Whoever has it can take the login, so `Debug` hides it.
    QrHandle, hidden
}
display!(UserId, BotId, ClientId, RunId);

/// A 64-bit id that the server gave: `message_id`, `msg_id` or `svr_id`. It is beyond 2^53, so it never
/// passes through a double.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(pub u64);

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({})", self.0)
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for MessageId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl From<u64> for MessageId {
    fn from(id: u64) -> Self {
        Self(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_conversation_is_not_printed() {
        assert_eq!(format!("{:?}", ContextToken::new("AARzCANARY")), "ContextToken(10 bytes)");
        assert_eq!(format!("{:?}", UserId::new("o9@im.wechat")), "UserId(\"o9@im.wechat\")");
    }

    #[test]
    fn ids_beyond_a_double_survive() {
        let id: MessageId = serde_json::from_str("7441535359615655688").unwrap();
        assert_eq!(id.0, 7_441_535_359_615_655_688);
        assert_eq!(serde_json::to_string(&id).unwrap(), "7441535359615655688");
    }
}
