//! From the wire to what a handler is given.

use ilink_client::wire::{ItemKind, MessageItem, MessageType, WeixinMessage};
use ilink_client::{BotId, ContextToken, MessageId, Update, UserId};
use weixin_media::MediaRef;

use crate::store::NewEntry;

/// A message from a user.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Inbound {
    /// The server's id of the message, if it gave one.
    pub message_id: Option<MessageId>,
    /// Who wrote it, spelled as on the wire.
    pub from: UserId,
    /// When it was written, in Unix milliseconds.
    pub time_ms: Option<i64>,
    /// What an agent reads: all texts in order, a line each, with a label for every item that has none.
    pub text: String,
    /// The whole message.
    pub message: WeixinMessage,
}

impl Inbound {
    /// The media of the message, in order: download them with [`Channel::media`](crate::Channel::media), once you
    /// have decided that the sender may send you any.
    #[must_use]
    pub fn media(&self) -> Vec<MediaRef> {
        self.message.items().iter().filter_map(MediaRef::of).collect()
    }

    /// Reads a message from the JSON in the journal; `None` if there is nothing for a handler in it.
    pub(crate) fn from_json(raw: &str) -> Option<Self> {
        let Update::Message(received) = Update::from_json(raw) else { return None };
        let message = received.message;
        Some(Self {
            message_id: message.message_id,
            from: message.from_user_id.clone()?,
            time_ms: message.create_time_ms,
            text: body(&message),
            message,
        })
    }
}

/// All items as text, in order (field note 24).
fn body(message: &WeixinMessage) -> String {
    message
        .items()
        .iter()
        .map(|item| item.text().unwrap_or_else(|| label(item)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// What stands for an item without text (protocol §7).
fn label(item: &MessageItem) -> &'static str {
    match item.kind() {
        ItemKind::Text(_) => "",
        ItemKind::Image(_) => "[图片]",
        ItemKind::Voice(_) => "[语音]",
        ItemKind::File(_) => "[文件]",
        ItemKind::Video(_) => "[视频]",
        ItemKind::ToolCallStart(_) | ItemKind::ToolCallResult(_) => "[工具]",
        _ => "[暂不支持的消息]",
    }
}

/// What goes into the journal for one element of a batch; `None` for the bot's own messages, which the server is
/// not known to send back.
pub(crate) fn journal_entry(update: &Update, bot: &BotId) -> Option<NewEntry> {
    let raw = update.raw().as_str();
    let Some(message) = update.message() else {
        let dead = Some("not a message".to_owned());
        return Some(NewEntry {
            key: key(None, raw),
            peer: UserId::default(),
            raw: raw.to_owned(),
            dead,
            context_token: None,
        });
    };
    let from = message.from_user_id.clone().unwrap_or_default();
    if message.message_type == Some(MessageType::Bot) || from.as_str() == bot.as_str() {
        return None;
    }
    Some(NewEntry {
        key: key(Some(message), raw),
        dead: from.is_empty().then(|| "it does not say who wrote it".to_owned()),
        peer: from,
        raw: raw.to_owned(),
        context_token: message.context_token.clone().filter(|token: &ContextToken| !token.is_empty()),
    })
}

/// What makes a message the same when it comes again: its id, else the sender's, else its number, else an item's
/// id, else what it says (field note 7).
fn key(message: Option<&WeixinMessage>, raw: &str) -> String {
    let by_id = message.and_then(|message| {
        let item_id = || message.items().iter().find_map(|item| item.msg_id);
        let from = message.from_user_id.as_ref().map(UserId::as_str).unwrap_or_default();
        if let Some(id) = message.message_id.filter(|id| id.0 != 0) {
            Some(format!("message:{id}"))
        } else if let Some(id) = message.client_id.as_ref().filter(|id| !id.is_empty()) {
            Some(format!("client:{from}:{id}"))
        } else if let Some(seq) = message.seq.filter(|&seq| seq != 0) {
            Some(format!("seq:{seq}"))
        } else {
            item_id().map(|id| format!("item:{id}"))
        }
    });
    by_id.unwrap_or_else(|| format!("raw:{raw}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(json: &str) -> Update {
        Update::from_json(json)
    }

    #[test]
    fn all_items_in_order_all_text() {
        let json = r#"{"message_id":1,"from_user_id":"u@im.wechat","item_list":[
            {"type":2,"image_item":{}},{"type":1,"text_item":{"text":"看这个"}},
            {"type":3,"voice_item":{"text":"听到了"}},{"type":77},7]}"#;
        let inbound = Inbound::from_json(json).unwrap();
        assert_eq!(inbound.text, "[图片]\n看这个\n听到了\n[暂不支持的消息]\n[暂不支持的消息]");
    }

    #[test]
    fn what_identifies_a_message() {
        let bot = BotId::from("b@im.bot");
        let key = |json: &str| journal_entry(&update(json), &bot).unwrap().key;
        assert_eq!(key(r#"{"message_id":"5","client_id":"c","from_user_id":"u"}"#), "message:5");
        assert_eq!(key(r#"{"client_id":"c","seq":3,"from_user_id":"u"}"#), "client:u:c");
        assert_eq!(key(r#"{"seq":3,"from_user_id":"u"}"#), "seq:3");
        assert_eq!(key(r#"{"from_user_id":"u","item_list":[{"msg_id":9}]}"#), "item:9");
        assert_eq!(key("7"), "raw:7");
    }

    #[test]
    fn nothing_vanishes() {
        let bot = BotId::from("b@im.bot");
        assert_eq!(journal_entry(&update("\"odd\""), &bot).unwrap().dead.unwrap(), "not a message");
        assert!(journal_entry(&update(r#"{"message_id":5}"#), &bot).unwrap().dead.is_some());
        assert!(journal_entry(&update(r#"{"message_id":5,"from_user_id":"b@im.bot"}"#), &bot).is_none());
    }
}
