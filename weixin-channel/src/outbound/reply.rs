//! What is to be sent, before it is cut into sends.

use std::path::PathBuf;

use ilink_client::RunId;
use ilink_client::wire::ItemType;
use ilink_client::wire::{MessageItem, RefMessage, ToolCallResultItem, ToolCallStartItem, ToolStatus};
use weixin_media::Source;

use crate::inbound::message::Inbound;
use crate::markdown::Mode;

/// An answer: texts and media in order.
///
/// ```
/// use weixin_channel::Reply;
/// use weixin_channel::weixin_media::Source;
///
/// let report = Reply::text("Here is the report:").and_media(Source::path("report.pdf"));
/// let short = Reply::from("Done.");
/// ```
#[derive(Debug, Default)]
#[must_use = "a reply is sent by Conversation::send or Delivery::reply"]
pub struct Reply {
    pub(crate) parts: Vec<Part>,
    pub(crate) run: Option<RunId>,
    pub(crate) markdown: Option<Mode>,
    pub(crate) quote: Option<RefMessage>,
    pub(crate) without_context: bool,
}

#[derive(Debug)]
pub(crate) enum Part {
    Text(String),
    Media(Attachment),
    /// A sign that a tool works, as the wire has it.
    Progress(Box<MessageItem>),
}

/// Media to send.
#[derive(Debug)]
#[must_use = "an attachment is sent as a part of a Reply"]
pub struct Attachment {
    pub(crate) origin: Origin,
    pub(crate) name: Option<String>,
    pub(crate) as_file: bool,
}

#[derive(Debug)]
pub(crate) enum Origin {
    Source(Source),
    Url(String),
}

impl Attachment {
    /// From a path, bytes or a reader. A path is opened when its turn comes; for one that somebody else gave, an agent for
    /// instance, use [`Source::beneath`].
    pub fn new(source: impl Into<Source>) -> Self {
        Self { origin: Origin::Source(source.into()), name: None, as_file: false }
    }

    /// From a URL that somebody else gave, an agent for instance: https or http, never an address of a private
    /// network ([field note 28]).
    ///
    /// [field note 28]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-28
    pub fn url(url: impl Into<String>) -> Self {
        Self { origin: Origin::Url(url.into()), name: None, as_file: false }
    }

    /// The name that the phone shows; by default that of the path or URL.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sent as a file, whatever it is.
    pub fn as_file(mut self) -> Self {
        self.as_file = true;
        self
    }
}

impl From<Source> for Attachment {
    fn from(source: Source) -> Self {
        Self::new(source)
    }
}

impl From<PathBuf> for Attachment {
    fn from(path: PathBuf) -> Self {
        Self::new(path)
    }
}

impl Reply {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::new().and_text(text)
    }

    /// Image, video or file, by its bytes.
    pub fn media(media: impl Into<Attachment>) -> Self {
        Self::new().and_media(media)
    }

    /// And a text. A text before media is its caption: it arrives even where the media does not ([protocol §5]).
    ///
    /// [protocol §5]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#5-flows
    pub fn and_text(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// And media.
    pub fn and_media(mut self, media: impl Into<Attachment>) -> Self {
        self.parts.push(Part::Media(media.into()));
        self
    }

    /// The agent run that it belongs to.
    pub fn run(mut self, run: impl Into<RunId>) -> Self {
        self.run = Some(run.into());
        self
    }

    /// What becomes of Markdown, instead of the policy's mode.
    pub fn markdown(mut self, mode: Mode) -> Self {
        self.markdown = Some(mode);
        self
    }

    /// Quotes a message. **Experimental**: the field is the one that phones use; whether they show it on a bot's
    /// message is not known.
    pub fn quoting(mut self, inbound: &Inbound) -> Self {
        let first = inbound.message.items().first().cloned();
        self.quote = Some(RefMessage {
            svr_id: inbound.message_id,
            message_item: first.map(|mut item| {
                // A quote of a quote would carry the whole conversation along.
                item.ref_msg = None;
                Box::new(item)
            }),
            ..RefMessage::default()
        });
        self
    }

    /// Sent even to a user who has never written to this account, whose id is then used as it is given. Such messages
    /// tend not to arrive, whatever the server answers ([field note 4]).
    ///
    /// [field note 4]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-4
    pub fn without_context(mut self) -> Self {
        self.without_context = true;
        self
    }

    pub(crate) fn tool_started(name: &str, call: &str) -> Self {
        let start = ToolCallStartItem {
            tool_name: Some(name.to_owned()),
            tool_call_id: Some(call.to_owned()),
            ..ToolCallStartItem::default()
        };
        Self::progress(MessageItem {
            item_type: Some(ItemType::ToolCallStart),
            is_completed: Some(false),
            tool_call_start_item: Some(Box::new(start)),
            ..MessageItem::default()
        })
    }

    pub(crate) fn tool_ended(name: &str, call: &str, status: ToolStatus) -> Self {
        let result = ToolCallResultItem {
            tool_name: Some(name.to_owned()),
            tool_call_id: Some(call.to_owned()),
            status: Some(status),
            ..ToolCallResultItem::default()
        };
        Self::progress(MessageItem {
            item_type: Some(ItemType::ToolCallResult),
            is_completed: Some(true),
            tool_call_result_item: Some(Box::new(result)),
            ..MessageItem::default()
        })
    }

    fn progress(item: MessageItem) -> Self {
        Self { parts: vec![Part::Progress(Box::new(item))], ..Self::default() }
    }

    /// True if there is nothing in it that could be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, Part::Text(text) if text.trim().is_empty()))
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&String> for Reply {
    fn from(text: &String) -> Self {
        Self::text(text)
    }
}
