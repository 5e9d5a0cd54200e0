//! Messages that can be quoted, and how many of them are kept.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ilink_client::MessageId;

/// How long and how much is kept; the defaults are the official plugin's ([protocol §7]).
///
/// [protocol §7]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#7-what-an-agent-gets
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteLimits {
    /// How long a message is kept: 30 days.
    pub retention: Duration,
    /// Messages per account: 10,000.
    pub max_messages: u32,
    /// How long media is kept: 7 days.
    pub media_retention: Duration,
    /// Bytes of media per account: 256 MiB.
    pub max_media_bytes: u64,
    /// Bytes of one file; a larger one is not kept: 25 MiB.
    pub max_single_media_bytes: u64,
    /// How far our clock, by which sent messages are stored, may be from the server's, by which they are quoted: 5 s.
    /// AstrBot, which looks quotes up by time as well, allows for 60 s.
    pub clock_tolerance: Duration,
}

impl Default for QuoteLimits {
    fn default() -> Self {
        let day = Duration::from_secs(24 * 60 * 60);
        Self {
            retention: 30 * day,
            max_messages: 10_000,
            media_retention: 7 * day,
            max_media_bytes: 256 << 20,
            max_single_media_bytes: 25 << 20,
            clock_tolerance: Duration::from_secs(5),
        }
    }
}

/// Who wrote a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The user.
    Inbound,
    /// The bot.
    Outbound,
}

/// A message that can be quoted.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The server's id.
    pub message_id: MessageId,
    /// Who wrote it.
    pub direction: Direction,
    /// What it says, as an agent reads it.
    pub body: String,
    /// Its media.
    pub media: Option<StoredMedia>,
    /// When it was written, in Unix milliseconds.
    pub created_at_ms: i64,
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl StoredMessage {
    /// Without the path of a file that is gone: it has expired.
    pub(crate) fn with_what_is_there(mut self) -> Self {
        if let Some(media) = &mut self.media {
            media.path = media.path.take().filter(|path| path.is_file());
        }
        self
    }
}

impl fmt::Debug for StoredMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredMessage")
            .field("message_id", &self.message_id)
            .field("direction", &self.direction)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("media", &self.media)
            .field("created_at_ms", &self.created_at_ms)
            .finish()
    }
}

/// Media of a message that can be quoted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredMedia {
    /// Where it is; `None` if it is no longer kept. To be recorded it may lie anywhere: what is not below
    /// [`Quotes::media_dir`](crate::backend::Quotes::media_dir) is linked there, or copied.
    pub path: Option<PathBuf>,
    /// Its MIME type.
    pub mime: Option<String>,
    /// Its name, as the sender gave it: never use it as a path ([field note 30]).
    ///
    /// [field note 30]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-30
    pub name: Option<String>,
    /// Its size in bytes. To be recorded, the file's own size counts.
    pub size: Option<u64>,
}
