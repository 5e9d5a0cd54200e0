//! `getupdates`: one long poll.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use serde_json::value::RawValue;

use super::into_future;
use crate::bot::Bot;
use crate::decode::{self, Answer};
use crate::endpoint::GET_UPDATES;
use crate::error::{Error, ErrorKind};
use crate::id::Cursor;
use crate::printable::Few;
use crate::retry::RetryPolicy;
use crate::wire::{WeixinMessage, request, response};

/// Asks once for new messages; the server holds the answer back until there are some. No answer in time is an
/// empty batch with the same cursor ([protocol §5]).
///
/// An answer that would take far more memory than it has bytes is refused as a whole: more than 20,000 messages, or 400,000
/// values in all, or 32 MiB. The error is [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge); nothing is acknowledged, so that the server still has all
/// of it. A single message of more than 1 MiB or 4,096 values comes as [`Update::Unknown`], with its JSON and not decoded.
///
/// [protocol §5]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#5-flows
#[derive(Debug)]
#[must_use = "a request is sent when awaited"]
pub struct GetUpdates<'a> {
    bot: &'a Bot,
    cursor: Cursor,
    timeout: Option<Duration>,
}

/// What one poll brought.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct UpdateBatch {
    /// The messages, in the server's order.
    pub messages: Vec<Update>,
    /// Where to go on. A poll with it acknowledges this batch, so store the messages first.
    pub cursor: Cursor,
    /// How long the server will hold the next answer back, if it said so.
    pub next_poll: Option<Duration>,
    /// True if no answer came in time.
    pub timed_out: bool,
}

/// More messages than this in one answer are refused.
const MAX_MESSAGES: usize = 20_000;

/// A larger message is not decoded, in bytes and in values; real ones have some kilobytes and some dozen values.
const MAX_MESSAGE: usize = 1 << 20;
const MAX_MESSAGE_VALUES: usize = 4096;

/// One message of a batch. Each is decoded by itself, so an odd one does not cost the others.
///
/// ```
/// use ilink_client::Update;
///
/// let update = Update::from_json(r#"{"message_id":"7441535359615655688","item_list":[null]}"#);
/// assert_eq!(update.message().unwrap().message_id.unwrap().0, 7_441_535_359_615_655_688);
/// let odd = Update::from_json("[1, 2]");
/// assert!(odd.message().is_none());
/// assert_eq!(odd.raw().as_str(), "[1, 2]");
/// ```
#[derive(Clone, Debug)]
pub enum Update {
    /// A message that could be read, as far as it could.
    Message(Box<Received>),
    /// Something that is not a message, or too large a one; only its raw JSON is known.
    Unknown(RawJson),
}

impl fmt::Debug for UpdateBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateBatch")
            .field("messages", &Few(&self.messages))
            .field("cursor", &self.cursor)
            .field("next_poll", &self.next_poll)
            .field("timed_out", &self.timed_out)
            .finish()
    }
}

impl Update {
    /// The JSON as it came.
    #[must_use]
    pub fn raw(&self) -> &RawJson {
        match self {
            Self::Message(received) => &received.raw,
            Self::Unknown(raw) => raw,
        }
    }

    /// The message, if it could be read.
    #[must_use]
    pub fn message(&self) -> Option<&WeixinMessage> {
        match self {
            Self::Message(received) => Some(&received.message),
            Self::Unknown(_) => None,
        }
    }

    /// Reads one message from its JSON, as [`raw`](Self::raw) gave it, for example out of a journal.
    #[must_use]
    pub fn from_json(json: impl Into<String>) -> Self {
        Self::decode(RawJson(Bytes::from(json.into())))
    }

    fn decode(raw: RawJson) -> Self {
        let json = raw.as_str();
        if json.len() > MAX_MESSAGE || !decode::holds_at_most(json, MAX_MESSAGE_VALUES) {
            return Self::Unknown(raw);
        }
        // An object whose fields are all absent says nothing that the raw JSON does not say better.
        match decode::read::<WeixinMessage>(raw.as_str()) {
            Ok(message) if raw.as_str().starts_with('{') => {
                Self::Message(Box::new(Received { message, raw }))
            }
            _ => Self::Unknown(raw),
        }
    }
}

/// A message and the JSON it was read from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Received {
    /// The message.
    pub message: WeixinMessage,
    /// The JSON as it came: what no field could hold is here.
    pub raw: RawJson,
}

/// A piece of JSON, shared with the answer it came in. `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct RawJson(Bytes);

impl RawJson {
    /// The JSON text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Made from a `str` only; were it not, nothing would be shown rather than something wrong.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for RawJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawJson({} bytes)", self.0.len())
    }
}

impl<'a> GetUpdates<'a> {
    pub(crate) fn new(bot: &'a Bot, cursor: Cursor) -> Self {
        Self { bot, cursor, timeout: None }
    }

    /// How long to wait for the answer, instead of 35 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub(crate) async fn send(self) -> Result<UpdateBatch, Error> {
        let body =
            request::GetUpdates { get_updates_buf: &self.cursor, base_info: self.bot.client().base_info() };
        let once = RetryPolicy::never();
        let mut call = self.bot.call(&GET_UPDATES, &body)?;
        call.timeout = self.timeout;
        call.retry = Some(&once);
        let cursor = self.cursor.clone();
        let decode = move |status, body: &Bytes| decode_batch(status, body, &cursor);
        let answer = self.bot.client().call(call, decode).await;
        match answer {
            Err(error) if error.is_timeout() => {
                Ok(UpdateBatch { cursor: self.cursor, timed_out: true, ..UpdateBatch::default() })
            }
            other => other,
        }
    }
}

into_future!(GetUpdates => UpdateBatch);

/// Reads the answer to a poll.
fn decode_batch(status: StatusCode, body: &Bytes, cursor: &Cursor) -> Result<UpdateBatch, Error> {
    let text = decode::clean(body);
    if !decode::holds_at_most(&text, decode::MAX_VALUES) {
        return Err(too_much(format_args!("over {} values in {} KiB", decode::MAX_VALUES, body.len() >> 10)));
    }
    if let (true, Some(batch)) = (status.is_success(), regular_batch(body, &text, cursor)) {
        return batch;
    }
    drop(text);
    let answer = Answer::check(status, body)?;
    let text = answer.text();
    // Repeated keys and the like: the repaired text is read in place of the body.
    let repaired;
    let updates = match serde_json::from_str::<response::Updates<'_>>(text) {
        Ok(updates) => updates,
        Err(_) => {
            repaired = decode::repair(text).unwrap_or_default();
            decode_repaired(&repaired)?
        }
    };
    let messages = updates.msgs.map(elements).unwrap_or_default();
    batch(body, messages, updates.get_updates_buf, updates.longpolling_timeout_ms, cursor)
}

/// The fast way, for an answer that is as it should be; half of the time goes into passes over the text.
fn regular_batch(body: &Bytes, text: &str, cursor: &Cursor) -> Option<Result<UpdateBatch, Error>> {
    let updates: response::RegularUpdates<'_> =
        serde_json::from_str(text).ok().filter(|_| text.starts_with('{'))?;
    if updates.ret.is_some_and(|ret| ret != 0) || updates.errcode.is_some_and(|code| code != 0) {
        return None;
    }
    let messages = updates.msgs.unwrap_or_default().into_iter().map(RawValue::get).collect();
    Some(batch(body, messages, updates.get_updates_buf, updates.longpolling_timeout_ms, cursor))
}

fn batch(
    body: &Bytes,
    messages: Vec<&str>,
    new: Option<Cursor>,
    hold_ms: Option<u64>,
    old: &Cursor,
) -> Result<UpdateBatch, Error> {
    if messages.len() > MAX_MESSAGES {
        return Err(too_much(format_args!("{} messages, and {MAX_MESSAGES} are taken", messages.len())));
    }
    let messages = messages.into_iter().map(|json| Update::decode(RawJson(share(body, json)))).collect();
    Ok(UpdateBatch {
        messages,
        cursor: new.filter(|new| !new.is_empty()).unwrap_or_else(|| old.clone()),
        next_poll: hold_ms.map(Duration::from_millis),
        timed_out: false,
    })
}

/// Nothing of it is acknowledged: the server still has it, and sends it again.
fn too_much(what: std::fmt::Arguments<'_>) -> Error {
    let detail = format!(
        "the answer to a poll holds {what}: no server is known to send that much at once, so it is refused and not \
         acknowledged; it is asked for again, and if this stays so, look at what answers in the server's place"
    );
    Error::new(ErrorKind::TooLarge, detail)
}

fn decode_repaired(text: &str) -> Result<response::Updates<'_>, Error> {
    serde_json::from_str(text).map_err(|_| {
        Error::new(ErrorKind::Body, "the answer to a poll cannot be read: it is asked for again")
    })
}

/// The elements of `msgs`. What is no list counts as its only element, so that nothing is lost unseen.
fn elements(msgs: &RawValue) -> Vec<&str> {
    match serde_json::from_str::<Vec<&RawValue>>(msgs.get()) {
        Ok(list) => list.into_iter().map(RawValue::get).collect(),
        Err(_) if msgs.get() == "null" => Vec::new(),
        Err(_) => vec![msgs.get()],
    }
}

/// Messages share the memory of the answer they came in; only a repaired answer is a text of its own.
fn share(body: &Bytes, json: &str) -> Bytes {
    let (outer, inner) = (body.as_ptr_range(), json.as_bytes().as_ptr_range());
    if outer.start <= inner.start && inner.end <= outer.end {
        body.slice_ref(json.as_bytes())
    } else {
        Bytes::copy_from_slice(json.as_bytes())
    }
}
