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
    /// Answers that may not be sent now wait for their user's next message.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<_>", optional))]
    pub(crate) outbox: bool,
    /// What one user has sent may be sent to others.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<_>", optional))]
    pub(crate) share_received_media: bool,
    /// What becomes of Markdown: `native`, `filtered` or `plain`.
    pub(crate) markdown: Option<String>,
    /// What is kept to know what a quote quotes.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<_>", optional))]
    pub(crate) quotes: QuoteCache,
}

/// The config's `quoteCache`; what is absent is the official plugin's default (protocol §7).
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct QuoteCache {
    pub(crate) enabled: Option<bool>,
    pub(crate) retention_days: Option<f64>,
    pub(crate) max_messages_per_account: Option<f64>,
    pub(crate) media_retention_days: Option<f64>,
    pub(crate) max_media_bytes_per_account: Option<f64>,
    pub(crate) max_single_media_bytes: Option<f64>,
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
        /// Older accounts of the same user, which WeChat has unbound.
        replaced: Vec<String>,
        /// How many messages to those were not handled.
        unhandled: usize,
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

/// `inbound.nack`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryNack {
    pub(crate) account_id: String,
    pub(crate) delivery_id: String,
    pub(crate) reason: String,
}

/// `account.infer`.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Recipient {
    pub(crate) to: String,
}

/// `send`: words, then media, as one answer.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outgoing {
    pub(crate) account_id: String,
    pub(crate) to: String,
    /// Goes first, as a text of its own.
    pub(crate) text: Option<String>,
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<_>", optional))]
    pub(crate) media: Vec<MediaSource>,
    /// One per agent run. Blocks of this run that still wait are put before the answer.
    pub(crate) run_id: Option<String>,
}

/// A file of this machine, or what a URL names; one of the two.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct MediaSource {
    /// Relative to one of the roots, or absolute and below one.
    pub(crate) path: Option<String>,
    /// The folders that the file may lie in, whatever links lead to it; without any, no file is sent.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<_>", optional))]
    pub(crate) roots: Vec<String>,
    /// https or http, never an address of a private network.
    pub(crate) url: Option<String>,
    /// Not as an image or video, whatever it is.
    #[serde(default)]
    #[cfg_attr(test, ts(as = "Option<_>", optional))]
    pub(crate) as_file: bool,
}

/// `turn.block`: a part of an answer that is not finished.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Block {
    pub(crate) account_id: String,
    pub(crate) to: String,
    pub(crate) run_id: String,
    pub(crate) text: String,
}

/// `turn.tool`: the sign that a tool works, or has worked.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct ToolSign {
    pub(crate) account_id: String,
    pub(crate) to: String,
    pub(crate) run_id: String,
    pub(crate) name: String,
    /// The same at its start and its end.
    pub(crate) call: String,
    /// How it ended: `completed`, `failed`, `blocked` or `unknown`; absent while it works.
    pub(crate) status: Option<String>,
}

/// `turn.end`: nothing more comes of this run.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) struct TurnEnd {
    pub(crate) account_id: String,
    pub(crate) run_id: String,
}

/// What `send`, `turn.block` and `turn.end` answer.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[cfg_attr(test, ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub(crate) struct Sent {
    pub(crate) outcome: Outcome,
    /// Of the last part, where the server names it. A string: JavaScript's numbers cannot hold it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message_id: Option<String>,
    /// Why a file was left out of what was sent: the first that may not be, or cannot be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<String>,
}

/// What the server has made of it.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    /// With an id.
    Accepted,
    /// Without one: it may never be shown.
    Unconfirmed,
    /// Not sent yet: a block waits for the end of its turn, an answer for the user's next message.
    Waiting,
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
