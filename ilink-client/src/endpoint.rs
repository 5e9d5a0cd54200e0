//! The table of endpoints ([protocol §3]). Path, limits and repeatability of an endpoint are defined here and nowhere else.
//!
//! [protocol §3]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#3-endpoints

use std::time::Duration;

use http::Method;

/// One endpoint of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Endpoint {
    /// Its name in errors, spans and fixtures.
    pub name: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path below the base URL.
    pub path: &'static str,
    /// Whether the bot token goes along.
    pub auth: bool,
    /// How long one attempt may take, the body included; the official client's figures. The first request
    /// of a login has no limit there and 15 s here.
    pub timeout: Duration,
    /// Whether sending it twice is harmless. A send counts as such, since both carry the same `client_id`
    /// ([field note 11]).
    ///
    /// [field note 11]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-11
    pub idempotent: bool,
    /// A larger answer, in bytes, is refused before it is read to its end: [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge).
    pub max_answer: usize,
}

/// Most answers are some hundred bytes; a login code may come as a picture.
const SMALL: usize = 256 << 10;

/// A batch is some kilobytes, unless much has been written while nobody polled.
const BATCH: usize = 32 << 20;

const fn post(name: &'static str, path: &'static str, seconds: u64, idempotent: bool) -> Endpoint {
    let timeout = Duration::from_secs(seconds);
    Endpoint { name, method: Method::POST, path, auth: true, timeout, idempotent, max_answer: SMALL }
}

/// Asks for a login code.
pub static GET_BOT_QRCODE: Endpoint = Endpoint {
    name: "get_bot_qrcode",
    method: Method::POST,
    path: "ilink/bot/get_bot_qrcode",
    auth: false,
    timeout: Duration::from_secs(15),
    idempotent: true,
    max_answer: SMALL,
};

/// Asks where a login stands; the server holds the answer back until something happens.
pub static GET_QRCODE_STATUS: Endpoint = Endpoint {
    name: "get_qrcode_status",
    method: Method::GET,
    path: "ilink/bot/get_qrcode_status",
    auth: false,
    timeout: Duration::from_secs(35),
    idempotent: false,
    max_answer: SMALL,
};

/// Asks for new messages; a long poll, which [`Updates`](crate::Updates) repeats.
pub static GET_UPDATES: Endpoint = Endpoint {
    name: "getupdates",
    method: Method::POST,
    path: "ilink/bot/getupdates",
    auth: true,
    timeout: Duration::from_secs(35),
    idempotent: false,
    max_answer: BATCH,
};

/// Sends one message of one item.
pub static SEND_MESSAGE: Endpoint = post("sendmessage", "ilink/bot/sendmessage", 15, true);

/// Asks where to upload media.
pub static GET_UPLOAD_URL: Endpoint = post("getuploadurl", "ilink/bot/getuploadurl", 15, true);

/// Asks for a typing ticket.
pub static GET_CONFIG: Endpoint = post("getconfig", "ilink/bot/getconfig", 10, true);

/// Shows or hides "is typing". Not repeated: the next one comes in 5 s anyway.
pub static SEND_TYPING: Endpoint = post("sendtyping", "ilink/bot/sendtyping", 10, false);

/// Tells the server that this installation starts to poll.
pub static NOTIFY_START: Endpoint = post("notifystart", "ilink/bot/msg/notifystart", 10, true);

/// Tells the server that this installation stops polling.
pub static NOTIFY_STOP: Endpoint = post("notifystop", "ilink/bot/msg/notifystop", 10, false);

/// All of them.
pub static ALL: [&Endpoint; 9] = [
    &GET_BOT_QRCODE,
    &GET_QRCODE_STATUS,
    &GET_UPDATES,
    &SEND_MESSAGE,
    &GET_UPLOAD_URL,
    &GET_CONFIG,
    &SEND_TYPING,
    &NOTIFY_START,
    &NOTIFY_STOP,
];
