//! Values that must never be printed.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A bot token or another secret. `Debug` shows its length only and there is no `Display`.
///
/// It serialises as the plain text, because credentials have to be stored somewhere; keep such files at
/// mode 0600 ([field note 29]).
///
/// ```
/// let token = ilink_client::Secret::new("b0f5860fdecb@im.bot:0123");
/// assert_eq!(format!("{token:?}"), "Secret(24 bytes)");
/// assert_eq!(token.expose(), "b0f5860fdecb@im.bot:0123");
/// ```
///
/// [field note 29]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-29
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes the plain text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// The plain text. The name is loud on purpose: what calls it must not log the result.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// True if there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}
