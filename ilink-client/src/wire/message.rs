//! `WeixinMessage`: what a poll brings and a send takes (docs/protocol.md §4).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use super::Extra;
use super::item::MessageItem;
use super::lenient::{Lenient, tolerant_struct};
use super::open_enum::open_int_enum;
use crate::id::{ClientId, ContextToken, MessageId, RunId, UserId};
use crate::printable::Few;

open_int_enum! {
    /// Who wrote a message.
    MessageType {
        /// Not said.
        None = 0,
        /// A WeChat user.
        User = 1,
        /// The bot.
        Bot = 2,
    }
}

open_int_enum! {
    /// How far a message is written. Only the first of several states sent under one `client_id` is shown
    /// ([real answers]), so send [`Finish`](Self::Finish).
    ///
    /// [real answers]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/real-answers.md#sends
    MessageState {
        /// Just made.
        New = 0,
        /// Still being written.
        Generating = 1,
        /// Complete.
        Finish = 2,
    }
}

/// One message, in either direction.
///
/// ```
/// use ilink_client::wire::{ItemKind, WeixinMessage};
///
/// let message: WeixinMessage = serde_json::from_str(
///     r#"{"from_user_id":"o9cq80@im.wechat","item_list":[{"type":1,"text_item":{"text":"你好"}}],"new_field":7}"#,
/// )?;
/// for item in message.items() {
///     match item.kind() {
///         ItemKind::Text(text) => assert_eq!(text.text.as_deref(), Some("你好")),
///         other => println!("{other:?}"),
///     }
/// }
/// assert_eq!(message.extra["new_field"], 7);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WeixinMessage {
    /// Running number within the account.
    #[serde_as(as = "Lenient")]
    pub seq: Option<u64>,
    /// The server's id.
    #[serde_as(as = "Lenient")]
    pub message_id: Option<MessageId>,
    /// The sender; `""` in what a bot sends.
    #[serde_as(as = "Lenient")]
    pub from_user_id: Option<UserId>,
    /// The receiver; the bot's id in what a bot receives.
    #[serde_as(as = "Lenient")]
    pub to_user_id: Option<UserId>,
    /// The sender's own id.
    #[serde_as(as = "Lenient")]
    pub client_id: Option<ClientId>,
    /// When it was written, in Unix milliseconds.
    #[serde_as(as = "Lenient")]
    pub create_time_ms: Option<i64>,
    /// When it was last changed, in Unix milliseconds.
    #[serde_as(as = "Lenient")]
    pub update_time_ms: Option<i64>,
    /// When it was deleted, in Unix milliseconds.
    #[serde_as(as = "Lenient")]
    pub delete_time_ms: Option<i64>,
    /// The conversation, as the server names it.
    #[serde_as(as = "Lenient")]
    pub session_id: Option<String>,
    /// The group. iLink is not known to deliver any ([field note 35]).
    ///
    /// [field note 35]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-35
    #[serde_as(as = "Lenient")]
    pub group_id: Option<String>,
    /// Who wrote it.
    #[serde_as(as = "Lenient")]
    pub message_type: Option<MessageType>,
    /// How far it is written.
    #[serde_as(as = "Lenient")]
    pub message_state: Option<MessageState>,
    /// The content, in order. A send takes exactly one item.
    #[serde_as(as = "Lenient")]
    pub item_list: Option<Vec<MessageItem>>,
    /// To be echoed in every answer to this user.
    #[serde_as(as = "Lenient")]
    pub context_token: Option<ContextToken>,
    /// The agent run that wrote it.
    #[serde_as(as = "Lenient")]
    pub run_id: Option<RunId>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}
tolerant_struct!(WeixinMessage);

impl WeixinMessage {
    /// The items, none if the field is missing.
    #[must_use]
    pub fn items(&self) -> &[MessageItem] {
        self.item_list.as_deref().unwrap_or_default()
    }

    /// The texts of all text items, joined by a line feed; a voice's transcript counts as text.
    /// `None` if no item has any.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        let mut texts = self.items().iter().filter_map(MessageItem::text).peekable();
        texts.peek()?;
        Some(texts.collect::<Vec<_>>().join("\n"))
    }
}

impl fmt::Debug for WeixinMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeixinMessage")
            .field("message_id", &self.message_id)
            .field("seq", &self.seq)
            .field("from_user_id", &self.from_user_id)
            .field("to_user_id", &self.to_user_id)
            .field("client_id", &self.client_id)
            .field("create_time_ms", &self.create_time_ms)
            .field("message_type", &self.message_type)
            .field("message_state", &self.message_state)
            .field("item_list", &Few(self.items()))
            .finish_non_exhaustive()
    }
}
