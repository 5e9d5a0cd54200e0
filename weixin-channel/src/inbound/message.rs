//! A message as a handler is given it.

use std::path::PathBuf;

use ilink_client::wire::{ItemKind, MessageItem, WeixinMessage};
use ilink_client::{MessageId, Update, UserId};
use weixin_media::MediaRef;
use weixin_media::codec::MediaKind;
use weixin_media::mime::Mime;

use crate::quote::resolve::Quote;

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
    /// What an agent reads: all texts in order, a line each, with a label for every item that has none, and for media
    /// that could not be fetched.
    pub text: String,
    /// Its media, in order.
    pub attachments: Vec<InboundMedia>,
    /// What it quotes.
    pub quote: Option<Quote>,
    /// The whole message.
    pub message: WeixinMessage,
}

/// Media of a message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InboundMedia {
    /// Which of the message's items it is.
    pub item: usize,
    /// Where it is on the CDN: [`Channel::save_media`](crate::Channel::save_media) fetches it.
    pub media: MediaRef,
    /// Where it is on this machine, or why it is not; `None` if nobody has fetched it yet
    /// ([`MediaPolicy::Lazy`](crate::MediaPolicy::Lazy)).
    pub saved: Option<Result<SavedMedia, String>>,
}

/// Media on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SavedMedia {
    /// The file.
    pub path: PathBuf,
    /// What it is, by its first bytes.
    pub mime: Mime,
    /// A safe name for it: the sender's, or one by its kind.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
}

impl Inbound {
    /// The media of the message, in order: download them with [`Conversation::media`](crate::Conversation::media), once you
    /// have decided that the sender may send you any.
    #[must_use]
    pub fn media(&self) -> Vec<MediaRef> {
        self.attachments.iter().map(|attachment| attachment.media.clone()).collect()
    }

    /// Reads a message from the JSON in the journal; `None` if there is nothing for a handler in it.
    pub(crate) fn from_json(raw: &str) -> Option<Self> {
        let Update::Message(received) = Update::from_json(raw) else { return None };
        let message = received.message;
        Some(Self {
            message_id: message.message_id,
            from: message.from_user_id.clone()?,
            time_ms: message.create_time_ms,
            text: body(&message, &[]),
            attachments: attachments(&message),
            quote: None,
            message,
        })
    }

    /// Tells the text anew, once it is known which media cannot be had.
    pub(crate) fn retell(&mut self) {
        self.text = body(&self.message, &self.attachments);
    }
}

fn attachments(message: &WeixinMessage) -> Vec<InboundMedia> {
    let items = message.items().iter().enumerate();
    items
        .filter_map(|(item, content)| Some(InboundMedia { item, media: MediaRef::of(content)?, saved: None }))
        .collect()
}

/// All items as text, in order (field note 24).
fn body(message: &WeixinMessage, attachments: &[InboundMedia]) -> String {
    let line = |(n, item): (usize, &MessageItem)| {
        let failure = || attachments.iter().find(|attachment| attachment.item == n)?.failure();
        item.text().or_else(failure).unwrap_or_else(|| label(item)).to_owned()
    };
    message.items().iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

/// What stands for an item without text (protocol §7).
pub(crate) fn label(item: &MessageItem) -> &'static str {
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

impl InboundMedia {
    /// What stands for it in the text if it could not be fetched.
    fn failure(&self) -> Option<&'static str> {
        let failed = matches!(self.saved, Some(Err(_)));
        failed.then(|| match self.media.kind() {
            MediaKind::Image => "[图片: 下载失败]",
            MediaKind::Video => "[视频: 下载失败]",
            MediaKind::Voice => "[语音: 下载失败]",
            _ => "[文件: 下载失败]",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_24_all_items_in_order_all_text() {
        let json = r#"{"message_id":1,"from_user_id":"u@im.wechat","item_list":[
            {"type":2,"image_item":{}},{"type":1,"text_item":{"text":"看这个"}},
            {"type":3,"voice_item":{"text":"听到了"}},{"type":77},7]}"#;
        let inbound = Inbound::from_json(json).unwrap();
        assert_eq!(inbound.text, "[图片]\n看这个\n听到了\n[暂不支持的消息]\n[暂不支持的消息]");
    }
}
