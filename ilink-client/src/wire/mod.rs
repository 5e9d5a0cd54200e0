//! The JSON of the wire: types only, tolerant in what they read, exact in what they write.
//!
//! Every field is optional, unknown fields are kept in `extra`, and unknown numbers survive a round trip
//! ([protocol §4]). `Debug` of these types shows kinds, ids and sizes, never text, keys or URLs.
//!
//! [protocol §4]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#4-messages

mod item;
pub(crate) mod lenient;
mod media;
mod message;
mod open_enum;
pub(crate) mod request;
pub(crate) mod response;
mod tool;

pub use item::{FileItem, ItemKind, ItemType, MessageItem, PartialText, RefMessage, TextItem};
pub use media::{CdnMedia, EncryptType, ImageItem, VideoItem, VoiceEncoding, VoiceItem};
pub use message::{MessageState, MessageType, WeixinMessage};
pub use request::MediaType;
pub use response::LoginStatus;
pub use tool::{ToolCallResultItem, ToolCallStartItem, ToolStatus};

/// Fields that this version has no name for, kept as they came.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// For `Debug`: how long a text is, not what it says.
pub(crate) fn size(text: Option<&String>) -> Option<String> {
    text.map(|text| format!("{} bytes", text.len()))
}
