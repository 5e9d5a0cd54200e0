//! From a quote as the wire has it to one that an agent can read.

use ilink_client::wire::{CdnMedia, ItemKind, MessageItem, RefMessage, WeixinMessage};
use ilink_client::{MessageId, UserId};
use weixin_media::MediaRef;

use super::partial::partial;
use super::types::{StoredMedia, StoredMessage};
use crate::account::AccountId;
use crate::backend::Quotes;

/// What an agent reads of a quoted message that is not known here ([protocol §7]).
///
/// [protocol §7]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#7-what-an-agent-gets
pub const NOT_CACHED: &str = "[引用消息内容未缓存]";

/// A quoted message, as an agent is given it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Quote {
    /// The quoted message's id, where the phone or the store knows it.
    pub message_id: Option<MessageId>,
    /// What an agent reads: title and body joined by ` | `, or a placeholder.
    pub body: String,
    /// The part of the body that was selected, where only a part was quoted.
    pub selected: Option<String>,
    /// The quoted media, where it can still be had.
    pub media: Option<QuoteMedia>,
}

impl Quote {
    /// True if only a part of the message was quoted, and that part was found.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.selected.is_some()
    }
}

/// Where quoted media is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum QuoteMedia {
    /// On the CDN: the quote came with it.
    Wire(MediaRef),
    /// In a file of the quote store.
    Stored(StoredMedia),
}

/// The first quote of a message.
#[must_use]
pub fn reference(message: &WeixinMessage) -> Option<&RefMessage> {
    message.items().iter().find_map(|item| item.ref_msg.as_deref())
}

/// Resolves a quote: what it brings itself, else the stored message by its id, else by its time, else a placeholder.
///
/// A backend that fails is logged and counts as one that does not know the message: a quote never keeps a message
/// from its handler. `now_ms` is in Unix milliseconds.
pub async fn resolve(
    quoted: &RefMessage,
    store: &dyn Quotes,
    account: &AccountId,
    conversation: &UserId,
    now_ms: i64,
) -> Quote {
    let item = quoted.message_item.as_deref();
    let message_id = quoted.svr_id.or(item.and_then(|item| item.msg_id)).filter(|id| id.0 != 0);
    let title = quoted.title.as_deref().map(str::trim).filter(|title| !title.is_empty());
    let media = item.filter(|item| is_on_cdn(item)).and_then(MediaRef::of).map(QuoteMedia::Wire);
    let text = item.and_then(MessageItem::text);
    if text.is_none()
        && media.is_none()
        && let Some(found) = look_up(store, account, conversation, message_id, item, now_ms).await
    {
        return of_stored(found, quoted);
    }
    let said = text.or_else(|| item.and_then(label));
    let body: Vec<&str> = title.into_iter().chain(said).collect();
    Quote {
        message_id,
        body: if body.is_empty() { NOT_CACHED.to_owned() } else { body.join(" | ") },
        selected: text.and_then(|text| select(text, quoted)),
        media,
    }
}

async fn look_up(
    store: &dyn Quotes,
    account: &AccountId,
    conversation: &UserId,
    id: Option<MessageId>,
    item: Option<&MessageItem>,
    now_ms: i64,
) -> Option<StoredMessage> {
    let find = async {
        if let Some(id) = id
            && let Some(found) = store.quote_by_id(account, conversation, id, now_ms).await?
        {
            return Ok(Some(found));
        }
        let Some(time) = item.and_then(|item| item.create_time_ms) else { return Ok(None) };
        let mut near = store.quotes_near(account, conversation, time, now_ms).await?;
        let place = match item.and_then(label) {
            None => (!near.is_empty()).then_some(0),
            // Another kind of media may be the same, sent as a file; a text is not.
            Some(label) => near
                .iter()
                .position(|message| is_of_kind(message, label))
                .or_else(|| near.iter().position(|message| message.media.is_some())),
        };
        Ok(place.map(|place| near.swap_remove(place)))
    };
    find.await.unwrap_or_else(|error: crate::error::Error| {
        tracing::warn!(%account, %error, "a quoted message could not be looked up");
        None
    })
}

fn of_stored(found: StoredMessage, quoted: &RefMessage) -> Quote {
    let selected = select(&found.body, quoted);
    let mut body = found.body;
    let mut media = None;
    if let Some(stored) = found.media {
        if stored.path.is_some() {
            if body.is_empty() {
                stored.label().clone_into(&mut body);
            }
            media = Some(QuoteMedia::Stored(stored));
        } else if body.is_empty() || is_label(&body) {
            body = stored.expired();
        } else {
            body = format!("{body}\n{}", stored.expired());
        }
    }
    Quote { message_id: Some(found.message_id), body, selected, media }
}

fn select(text: &str, quoted: &RefMessage) -> Option<String> {
    partial(text, quoted.partial_text.as_ref()?).map(str::to_owned)
}

impl StoredMedia {
    /// The kind of media by its type, as protocol §7 names it among labels and among what has expired.
    fn kind(&self) -> (&'static str, &'static str) {
        match self.mime.as_deref().and_then(|mime| mime.split('/').next()) {
            Some("image") => ("[图片]", "图片"),
            Some("video") => ("[视频]", "视频"),
            Some("audio") => ("[语音]", "语音"),
            _ => ("[文件]", "附件"),
        }
    }

    fn label(&self) -> &'static str {
        self.kind().0
    }

    /// What an agent reads instead of media that is gone.
    fn expired(&self) -> String {
        let name = self.name.as_ref().map(|name| format!(": {name}")).unwrap_or_default();
        format!("[引用的{}已过期{name}]", self.kind().1)
    }
}

/// What stands for quoted media (protocol §7).
fn label(item: &MessageItem) -> Option<&'static str> {
    Some(match item.kind() {
        ItemKind::Image(_) => "[图片]",
        ItemKind::Voice(_) => "[语音]",
        ItemKind::File(_) => "[文件]",
        ItemKind::Video(_) => "[视频]",
        _ => return None,
    })
}

fn is_label(text: &str) -> bool {
    ["[图片]", "[语音]", "[文件]", "[视频]"].contains(&text)
}

fn is_of_kind(message: &StoredMessage, label: &str) -> bool {
    message.body == label || message.media.as_ref().is_some_and(|media| media.label() == label)
}

/// Whether the media says where it is: newer phones send items without.
fn is_on_cdn(item: &MessageItem) -> bool {
    let cdn: Option<&CdnMedia> = match item.kind() {
        ItemKind::Image(image) => image.media.as_ref(),
        ItemKind::Voice(voice) => voice.media.as_ref(),
        ItemKind::File(file) => file.media.as_ref(),
        ItemKind::Video(video) => video.media.as_ref(),
        _ => None,
    };
    cdn.is_some_and(|cdn| {
        let places = [cdn.encrypt_query_param.as_deref(), cdn.full_url.as_deref()];
        places.into_iter().flatten().any(|place| !place.is_empty())
    })
}
