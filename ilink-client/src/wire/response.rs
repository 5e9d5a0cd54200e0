//! Answers. The envelope (`ret`, `errcode`, `errmsg`) is read by `transport::decode` for all of them.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_with::serde_as;

use super::lenient::Lenient;
use super::open_enum::open_word_enum;
use crate::id::{BotId, Cursor, MessageId, QrHandle, TypingTicket, UserId};
use crate::secret::Secret;

open_word_enum! {
    /// Where a login stands ([protocol §5]).
    ///
    /// [protocol §5]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#5-flows
    LoginStatus {
        /// Nobody has scanned yet.
        Wait = "wait",
        /// Scanned, not confirmed yet.
        Scanned = "scaned",
        /// The phone shows digits that have to be entered here.
        NeedVerifyCode = "need_verifycode",
        /// Too many wrong digits.
        VerifyCodeBlocked = "verify_code_blocked",
        /// The code is too old.
        Expired = "expired",
        /// Go on at another host.
        ScannedButRedirect = "scaned_but_redirect",
        /// This bot is bound to this installation already.
        AlreadyBound = "binded_redirect",
        /// Done.
        Confirmed = "confirmed",
    }
}

/// What says whether an answer is a failure.
#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Envelope {
    #[serde_as(as = "Lenient")]
    pub(crate) ret: Option<i64>,
    #[serde_as(as = "Lenient")]
    pub(crate) errcode: Option<i64>,
    #[serde_as(as = "Lenient")]
    pub(crate) errmsg: Option<String>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct BotQrcode {
    #[serde_as(as = "Lenient")]
    pub(crate) qrcode: Option<QrHandle>,
    #[serde_as(as = "Lenient")]
    pub(crate) qrcode_img_content: Option<String>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct QrcodeStatus {
    #[serde_as(as = "Lenient")]
    pub(crate) status: Option<LoginStatus>,
    #[serde_as(as = "Lenient")]
    pub(crate) bot_token: Option<Secret>,
    #[serde_as(as = "Lenient")]
    pub(crate) ilink_bot_id: Option<BotId>,
    #[serde_as(as = "Lenient")]
    pub(crate) baseurl: Option<String>,
    #[serde_as(as = "Lenient")]
    pub(crate) ilink_user_id: Option<UserId>,
    #[serde_as(as = "Lenient")]
    pub(crate) redirect_host: Option<String>,
}

/// The answer to a poll as it nearly always is: a list of messages, and everything in its place. One pass finds where
/// each message begins and ends; it is decoded by itself, so that an odd one costs nothing but itself.
#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct RegularUpdates<'a> {
    #[serde_as(as = "Lenient")]
    pub(crate) ret: Option<i64>,
    #[serde_as(as = "Lenient")]
    pub(crate) errcode: Option<i64>,
    #[serde(borrow)]
    pub(crate) msgs: Option<Vec<&'a RawValue>>,
    #[serde_as(as = "Lenient")]
    pub(crate) get_updates_buf: Option<Cursor>,
    #[serde_as(as = "Lenient")]
    pub(crate) longpolling_timeout_ms: Option<u64>,
}

/// The same where `msgs` may be anything.
#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Updates<'a> {
    #[serde(borrow)]
    pub(crate) msgs: Option<&'a RawValue>,
    #[serde_as(as = "Lenient")]
    pub(crate) get_updates_buf: Option<Cursor>,
    #[serde_as(as = "Lenient")]
    pub(crate) longpolling_timeout_ms: Option<u64>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Sent {
    #[serde_as(as = "Lenient")]
    pub(crate) message_id: Option<MessageId>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    #[serde_as(as = "Lenient")]
    pub(crate) typing_ticket: Option<TypingTicket>,
}

#[serde_as]
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct UploadUrl {
    #[serde_as(as = "Lenient")]
    pub(crate) upload_full_url: Option<String>,
    #[serde_as(as = "Lenient")]
    pub(crate) upload_param: Option<String>,
    #[serde_as(as = "Lenient")]
    pub(crate) thumb_upload_param: Option<String>,
}

/// An answer without content of its own.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct Nothing {}
