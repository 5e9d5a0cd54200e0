//! Request bodies, exactly as docs/protocol.md §3 and §6 list them: a field without a value is left out.

use serde::Serialize;

use super::message::WeixinMessage;
use super::open_enum::open_int_enum;
use crate::id::{ContextToken, Cursor, TypingTicket, UserId};
use crate::secret::Secret;

open_int_enum! {
    /// What an upload is.
    MediaType {
        /// A picture.
        Image = 1,
        /// A video.
        Video = 2,
        /// Any file.
        File = 3,
        /// Voice. Accepted from bots and never shown ([field note 21]).
        ///
        /// [field note 21]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-21
        Voice = 4,
    }
}

/// Who is asking; part of every POST but the first of a login.
#[derive(Clone, Serialize)]
pub(crate) struct BaseInfo {
    pub(crate) channel_version: String,
    pub(crate) bot_agent: String,
}

#[derive(Serialize)]
pub(crate) struct GetBotQrcode<'a> {
    pub(crate) local_token_list: &'a [Secret],
}

#[derive(Serialize)]
pub(crate) struct GetUpdates<'a> {
    pub(crate) get_updates_buf: &'a Cursor,
    pub(crate) base_info: &'a BaseInfo,
}

#[derive(Serialize)]
pub(crate) struct SendMessage<'a> {
    pub(crate) msg: &'a WeixinMessage,
    pub(crate) base_info: &'a BaseInfo,
}

#[derive(Serialize)]
pub(crate) struct GetConfig<'a> {
    pub(crate) ilink_user_id: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) context_token: Option<&'a ContextToken>,
    pub(crate) base_info: &'a BaseInfo,
}

#[derive(Serialize)]
pub(crate) struct SendTyping<'a> {
    pub(crate) ilink_user_id: &'a UserId,
    pub(crate) typing_ticket: &'a TypingTicket,
    /// 1 typing, 2 no longer.
    pub(crate) status: u8,
    pub(crate) base_info: &'a BaseInfo,
}

#[derive(Serialize)]
pub(crate) struct Notify<'a> {
    pub(crate) base_info: &'a BaseInfo,
}

#[derive(Serialize)]
pub(crate) struct GetUploadUrl<'a> {
    pub(crate) filekey: &'a str,
    pub(crate) media_type: MediaType,
    pub(crate) to_user_id: &'a UserId,
    pub(crate) rawsize: u64,
    pub(crate) rawfilemd5: &'a str,
    pub(crate) filesize: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thumb_rawsize: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thumb_rawfilemd5: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) thumb_filesize: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_need_thumb: Option<bool>,
    pub(crate) aeskey: &'a Secret,
    pub(crate) base_info: &'a BaseInfo,
}
