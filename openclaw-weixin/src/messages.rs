//! What crosses between JavaScript and Rust: parameters, results and events, as JSON in camel case.

use serde::{Deserialize, Serialize};

/// `init`: before anything else.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Init {
    /// OpenClaw's state folder.
    pub(crate) state_dir: String,
    /// The least severe log events to send: `error`, `warn`, `info` or `debug`.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<_>", optional))]
    pub(crate) log_level: Severity,
    /// Trusted certificates, PEM; the bundled ones if empty.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<_>", optional))]
    pub(crate) roots: Vec<String>,
}

/// Severity of log events.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) enum Severity {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
}

/// How to reach the server; what is absent is the server's default.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Connection {
    pub(crate) base_url: Option<String>,
    pub(crate) cdn_base_url: Option<String>,
    pub(crate) route_tag: Option<String>,
    pub(crate) bot_agent: Option<String>,
}

/// `login.next` and `login.cancel`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginRef {
    pub(crate) login_id: String,
}

/// `login.verify`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginVerify {
    pub(crate) login_id: String,
    /// The digits that the phone shows.
    pub(crate) code: String,
}

/// What `login.start` answers.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoginStarted {
    pub(crate) login_id: String,
    pub(crate) qr: Qr,
}

/// A login code, ready to show.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Qr {
    pub(crate) url: String,
    /// Drawn with block characters.
    pub(crate) terminal: String,
    pub(crate) png_data_url: String,
}

/// What `login.next` answers.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum LoginStep {
    Scanned,
    VerifyCodeNeeded {
        /// The digits given before were wrong.
        retry: bool,
    },
    Refreshed {
        qr: Qr,
    },
    Redirected {
        host: String,
    },
    AlreadyBound,
    Confirmed {
        account_id: String,
    },
    Failed {
        code: &'static str,
        message: String,
    },
}

/// `account.start`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountStart {
    pub(crate) account_id: String,
    #[serde(flatten)]
    pub(crate) connection: Connection,
}

/// `account.stop`, `account.status`, `account.logout`, `debug.status` and `debug.toggle`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountRef {
    pub(crate) account_id: String,
}

/// What `account.probe` answers: the server's word of this moment, and the link's state.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Probe {
    /// The server has answered, and knows the account's token.
    pub(crate) ok: bool,
    /// Why not: a stable code and a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    pub(crate) status: Status,
}

/// `inbound.ack` and `inbound.dismiss`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryRef {
    pub(crate) account_id: String,
    pub(crate) delivery_id: String,
}

/// `inbound.media`: fetch what a message carries, once its sender is authorised.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct MediaFetch {
    pub(crate) account_id: String,
    pub(crate) delivery_id: String,
    /// Where to, an existing folder.
    pub(crate) folder: String,
    /// Larger media is refused; bytes.
    pub(crate) max_size: u64,
}

/// One piece of media of a message, in the answer to `inbound.media`: a file, or why there is none.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "outcome", rename_all = "camelCase")]
pub(crate) enum Fetched {
    File { path: String, mime: String, name: String },
    Failed { error: String },
}

/// `inbound.fail`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryFail {
    pub(crate) account_id: String,
    pub(crate) delivery_id: String,
    pub(crate) reason: String,
}

/// `send.text`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendText {
    pub(crate) account_id: String,
    pub(crate) to: String,
    pub(crate) text: String,
    /// One per agent run.
    pub(crate) run_id: Option<String>,
}

/// `send.media`: a file of this machine, or what a URL names; one of the two.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct SendMedia {
    pub(crate) account_id: String,
    pub(crate) to: String,
    pub(crate) path: Option<String>,
    /// https or http, never an address of a private network.
    pub(crate) url: Option<String>,
    /// Goes first, as a text of its own.
    pub(crate) caption: Option<String>,
    /// What the phone shows; by default that of the path or URL.
    pub(crate) name: Option<String>,
    /// Not as an image or video, whatever it is.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<_>", optional))]
    pub(crate) as_file: bool,
    /// One per agent run.
    pub(crate) run_id: Option<String>,
}

/// What `send.text` and `send.media` answer.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    pub(crate) outcome: Outcome,
    /// Of the last part, where the server names it. A string: JavaScript's numbers cannot hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
}

/// Whether the server has named the message.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    Accepted,
    Unconfirmed,
}

/// `typing`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Typing {
    pub(crate) account_id: String,
    pub(crate) to: String,
    pub(crate) on: bool,
}

/// Events that belong to an account; log lines have their own form (`log.rs`).
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    Inbound { account_id: String, delivery_id: String, message: Message },
    Status(Status),
}

/// How an account is doing; also what `account.status` answers.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) account_id: String,
    /// `stopped`, `starting`, `online`, `backoff`, `stale` or `needs-login`.
    pub(crate) state: &'static str,
    /// The last error, until a poll succeeds again.
    pub(crate) detail: Option<String>,
    pub(crate) last_poll_ms: Option<u64>,
    pub(crate) last_inbound_ms: Option<u64>,
    pub(crate) last_outbound_ms: Option<u64>,
    /// Messages that are not acknowledged yet.
    pub(crate) pending: usize,
    /// Messages that were given up after several attempts.
    pub(crate) dead: usize,
    /// Sends that wait for their user's next message.
    pub(crate) outbox: usize,
    /// What is sent since is accepted without a name and perhaps never shown.
    pub(crate) suppressed_since_ms: Option<u64>,
    /// So much is the clock of this machine slow, at least.
    pub(crate) clock_behind_ms: Option<u64>,
}

/// What a message quotes.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct QuotedMessage {
    pub(crate) message_id: Option<String>,
    pub(crate) body: String,
    /// The part that was selected, where only a part was quoted.
    pub(crate) selected: Option<String>,
}

/// A message from a phone.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[allow(clippy::struct_field_names, reason = "the host calls it so")]
pub(crate) struct Message {
    pub(crate) message_id: String,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) text: String,
    pub(crate) timestamp_ms: Option<i64>,
    /// How many pieces of media it has.
    pub(crate) media: usize,
    pub(crate) quote: Option<QuotedMessage>,
}
