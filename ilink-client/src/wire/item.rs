//! What a message is made of (docs/protocol.md §4).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use super::lenient::{Lenient, tolerant_struct};
use super::media::{CdnMedia, ImageItem, VideoItem, VoiceItem};
use super::open_enum::open_int_enum;
use super::tool::{ToolCallResultItem, ToolCallStartItem};
use super::{Extra, size};
use crate::id::MessageId;
use crate::printable::Printable;

open_int_enum! {
    /// Which of its fields an item uses.
    ItemType {
        /// Not said.
        None = 0,
        /// `text_item`
        Text = 1,
        /// `image_item`
        Image = 2,
        /// `voice_item`
        Voice = 3,
        /// `file_item`
        File = 4,
        /// `video_item`
        Video = 5,
        /// `tool_call_start_item`
        ToolCallStart = 11,
        /// `tool_call_result_item`
        ToolCallResult = 12,
    }
}

/// One item of a message.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MessageItem {
    /// Which of the fields below is used.
    #[serde(rename = "type")]
    #[serde_as(as = "Lenient")]
    pub item_type: Option<ItemType>,
    /// When it was made, in Unix milliseconds.
    #[serde_as(as = "Lenient")]
    pub create_time_ms: Option<i64>,
    /// When it was last changed, in Unix milliseconds.
    #[serde_as(as = "Lenient")]
    pub update_time_ms: Option<i64>,
    /// False while it is being written.
    #[serde_as(as = "Lenient")]
    pub is_completed: Option<bool>,
    /// The server's id of this item.
    #[serde_as(as = "Lenient")]
    pub msg_id: Option<MessageId>,
    /// The message that this one quotes.
    #[serde_as(as = "Lenient")]
    pub ref_msg: Option<Box<RefMessage>>,
    /// Type 1.
    #[serde_as(as = "Lenient")]
    pub text_item: Option<TextItem>,
    /// Type 2.
    #[serde_as(as = "Lenient")]
    pub image_item: Option<Box<ImageItem>>,
    /// Type 3.
    #[serde_as(as = "Lenient")]
    pub voice_item: Option<Box<VoiceItem>>,
    /// Type 4.
    #[serde_as(as = "Lenient")]
    pub file_item: Option<Box<FileItem>>,
    /// Type 5.
    #[serde_as(as = "Lenient")]
    pub video_item: Option<Box<VideoItem>>,
    /// Type 11.
    #[serde_as(as = "Lenient")]
    pub tool_call_start_item: Option<Box<ToolCallStartItem>>,
    /// Type 12.
    #[serde_as(as = "Lenient")]
    pub tool_call_result_item: Option<Box<ToolCallResultItem>>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

/// An item by its content: the type number and the field that belongs to it, together.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ItemKind<'a> {
    /// Text.
    Text(&'a TextItem),
    /// A picture.
    Image(&'a ImageItem),
    /// A voice message.
    Voice(&'a VoiceItem),
    /// A file.
    File(&'a FileItem),
    /// A video.
    Video(&'a VideoItem),
    /// An agent's tool starts.
    ToolCallStart(&'a ToolCallStartItem),
    /// An agent's tool has ended.
    ToolCallResult(&'a ToolCallResultItem),
    /// A type that this version does not know, or one whose field is missing.
    Unknown(Option<ItemType>),
}

impl MessageItem {
    /// An item with a text.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self {
            item_type: Some(ItemType::Text),
            text_item: Some(TextItem { text: Some(text.into()), ..TextItem::default() }),
            ..Self::default()
        }
    }

    /// What the item is. Where the type number is missing, the field that is there decides.
    #[must_use]
    pub fn kind(&self) -> ItemKind<'_> {
        let is =
            |wanted| matches!(self.item_type, None | Some(ItemType::None)) || self.item_type == Some(wanted);
        if let (Some(text), true) = (&self.text_item, is(ItemType::Text)) {
            ItemKind::Text(text)
        } else if let (Some(image), true) = (&self.image_item, is(ItemType::Image)) {
            ItemKind::Image(image)
        } else if let (Some(voice), true) = (&self.voice_item, is(ItemType::Voice)) {
            ItemKind::Voice(voice)
        } else if let (Some(file), true) = (&self.file_item, is(ItemType::File)) {
            ItemKind::File(file)
        } else if let (Some(video), true) = (&self.video_item, is(ItemType::Video)) {
            ItemKind::Video(video)
        } else if let (Some(start), true) = (&self.tool_call_start_item, is(ItemType::ToolCallStart)) {
            ItemKind::ToolCallStart(start)
        } else if let (Some(result), true) = (&self.tool_call_result_item, is(ItemType::ToolCallResult)) {
            ItemKind::ToolCallResult(result)
        } else {
            ItemKind::Unknown(self.item_type)
        }
    }

    /// The text of a text item, or the transcript that the server made of a voice message.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self.kind() {
            ItemKind::Text(item) => item.text.as_deref(),
            ItemKind::Voice(item) => item.text.as_deref(),
            _ => None,
        }
        .filter(|text| !text.is_empty())
    }
}

impl fmt::Debug for MessageItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageItem")
            .field("msg_id", &self.msg_id)
            .field("kind", &self.kind())
            .field("ref_msg", &self.ref_msg)
            .finish_non_exhaustive()
    }
}

/// Text.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TextItem {
    /// The text itself.
    #[serde_as(as = "Lenient")]
    pub text: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for TextItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextItem").field("text", &size(self.text.as_ref())).finish_non_exhaustive()
    }
}

/// A file.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FileItem {
    /// Where its bytes are.
    #[serde_as(as = "Lenient")]
    pub media: Option<CdnMedia>,
    /// Its name, as the sender gave it: never use it as a path ([field note 30]).
    ///
    /// [field note 30]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-30
    #[serde_as(as = "Lenient")]
    pub file_name: Option<String>,
    /// Hex MD5 of the plaintext. Without it the phone shows 0 B ([field note 19]).
    ///
    /// [field note 19]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-19
    #[serde_as(as = "Lenient")]
    pub md5: Option<String>,
    /// Plaintext size in bytes, as decimal text: the wire has a string here.
    #[serde_as(as = "Lenient")]
    pub len: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl FileItem {
    /// [`len`](Self::len) as a number, where it is one.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.len.as_deref()?.trim().parse().ok()
    }
}

impl fmt::Debug for FileItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileItem")
            .field("media", &self.media)
            .field("file_name", &size(self.file_name.as_ref()))
            .field("len", &self.len.as_ref().map(Printable::new))
            .finish_non_exhaustive()
    }
}

/// The message that another one quotes.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefMessage {
    /// The quoted item itself, from older phones.
    #[serde_as(as = "Lenient")]
    pub message_item: Option<Box<MessageItem>>,
    /// What the phone shows above the answer.
    #[serde_as(as = "Lenient")]
    pub title: Option<String>,
    /// The quoted message's id; newer phones send only this.
    #[serde_as(as = "Lenient")]
    pub svr_id: Option<MessageId>,
    /// Which part of the text was selected.
    #[serde_as(as = "Lenient")]
    pub partial_text: Option<PartialText>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for RefMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefMessage")
            .field("svr_id", &self.svr_id)
            // Not what that one quotes in its turn: a hundred levels can be had for a few bytes.
            .field("message_item", &self.message_item.as_ref().map(|item| item.kind()))
            .field("title", &size(self.title.as_ref()))
            .field("partial_text", &self.partial_text)
            .finish_non_exhaustive()
    }
}

/// A selected part of a quoted text ([protocol §7] says how it is found again).
///
/// [protocol §7]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#7-what-an-agent-gets
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PartialText {
    /// How the part begins.
    #[serde_as(as = "Lenient")]
    pub start: Option<String>,
    /// How the part ends.
    #[serde_as(as = "Lenient")]
    pub end: Option<String>,
    /// Which occurrence of `start` is meant, from 0.
    #[serde(rename = "startindex")]
    #[serde_as(as = "Lenient")]
    pub start_index: Option<u64>,
    /// Which occurrence of `end` is meant, from 0.
    #[serde(rename = "endindex")]
    #[serde_as(as = "Lenient")]
    pub end_index: Option<u64>,
    /// Hex MD5 of the part.
    #[serde(rename = "quotemd5")]
    #[serde_as(as = "Lenient")]
    pub quote_md5: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for PartialText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartialText")
            .field("start", &size(self.start.as_ref()))
            .field("end", &size(self.end.as_ref()))
            .finish_non_exhaustive()
    }
}

tolerant_struct!(MessageItem, TextItem, FileItem, RefMessage, PartialText);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_without_a_type_is_what_its_field_says() {
        let item: MessageItem = serde_json::from_str(r#"{"text_item":{"text":"你好"}}"#).unwrap();
        assert_eq!(item.text(), Some("你好"));
    }

    #[test]
    fn an_unknown_type_survives_with_its_field() {
        let json = r#"{"type":77,"button_item_list":[{"id":1}]}"#;
        let item: MessageItem = serde_json::from_str(json).unwrap();
        assert_eq!(item.kind(), ItemKind::Unknown(Some(ItemType::Unknown(77))));
        assert_eq!(serde_json::to_string(&item).unwrap(), json);
    }

    #[test]
    fn debug_shows_no_text() {
        let json = r#"{"type":1,"text_item":{"text":"CANARY"},"ref_msg":{"title":"CANARY","message_item":{"type":4,
            "file_item":{"file_name":"CANARY","media":{"aes_key":"CANARY","full_url":"https://x/?CANARY"}}}}}"#;
        let item: MessageItem = serde_json::from_str(json).unwrap();
        assert!(!format!("{item:?} {item:#?}").contains("CANARY"), "{item:?}");
    }
}
