//! `getuploadurl`: where to upload media (docs/protocol.md §6).

use super::into_future;
use crate::bot::Bot;
use crate::endpoint::GET_UPLOAD_URL;
use crate::error::{Error, ErrorKind};
use crate::id::UserId;
use crate::secret::Secret;
use crate::wire::{MediaType, request, response};

/// Asks where to upload media. All of [`plain`](Self::plain), [`encrypted_size`](Self::encrypted_size) and
/// [`key`](Self::key) have to be set; the crate `weixin-media` does so.
#[derive(Debug)]
#[must_use = "a request is sent when awaited"]
pub struct GetUploadUrl<'a> {
    bot: &'a Bot,
    to: UserId,
    kind: MediaType,
    file_key: Secret,
    key: Secret,
    plain: (u64, String),
    encrypted_size: u64,
    thumbnail: Option<(u64, String, u64)>,
}

/// Where an upload goes.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadTarget {
    /// The whole URL; wins over the parameter.
    pub full_url: Option<String>,
    /// The parameter for the CDN's base URL.
    pub param: Option<String>,
    /// The same for the thumbnail.
    pub thumb_param: Option<String>,
}

impl std::fmt::Debug for UploadTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UploadTarget")
            .field("full_url", &self.full_url.is_some())
            .field("param", &self.param.is_some())
            .finish_non_exhaustive()
    }
}

impl<'a> GetUploadUrl<'a> {
    pub(crate) fn new(bot: &'a Bot, to: UserId, kind: MediaType) -> Self {
        Self {
            bot,
            to,
            kind,
            file_key: Secret::new(""),
            key: Secret::new(""),
            plain: (0, String::new()),
            encrypted_size: 0,
            thumbnail: None,
        }
    }

    /// Size in bytes and hex MD5 of the plaintext.
    pub fn plain(mut self, size: u64, md5_hex: impl Into<String>) -> Self {
        self.plain = (size, md5_hex.into());
        self
    }

    /// Size in bytes of the ciphertext.
    pub fn encrypted_size(mut self, size: u64) -> Self {
        self.encrypted_size = size;
        self
    }

    /// The file key (16 random bytes as hex) and the AES key (16 bytes as hex).
    pub fn key(mut self, file_key: impl Into<Secret>, aes_key_hex: impl Into<Secret>) -> Self {
        self.file_key = file_key.into();
        self.key = aes_key_hex.into();
        self
    }

    /// Announces a thumbnail: plaintext size, hex MD5, ciphertext size.
    pub fn thumbnail(mut self, size: u64, md5_hex: impl Into<String>, encrypted_size: u64) -> Self {
        self.thumbnail = Some((size, md5_hex.into(), encrypted_size));
        self
    }

    async fn send(self) -> Result<UploadTarget, Error> {
        let hex = |text: &str| text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !hex(self.file_key.expose()) || !hex(self.key.expose()) || !hex(&self.plain.1) {
            return Err(Error::invalid("file key, AES key and MD5 have to be 32 hex characters each"));
        }
        let thumbnail = self.thumbnail.as_ref();
        let body = request::GetUploadUrl {
            filekey: self.file_key.expose(),
            media_type: self.kind,
            to_user_id: &self.to,
            rawsize: self.plain.0,
            rawfilemd5: &self.plain.1,
            filesize: self.encrypted_size,
            thumb_rawsize: thumbnail.map(|thumb| thumb.0),
            thumb_rawfilemd5: thumbnail.map(|thumb| thumb.1.as_str()),
            thumb_filesize: thumbnail.map(|thumb| thumb.2),
            no_need_thumb: thumbnail.is_none().then_some(true),
            aeskey: &self.key,
            base_info: self.bot.client().base_info(),
        };
        let answer: response::UploadUrl = self.bot.ask(&GET_UPLOAD_URL, &body).await?;
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let target = UploadTarget {
            full_url: given(answer.upload_full_url),
            param: given(answer.upload_param),
            thumb_param: given(answer.thumb_upload_param),
        };
        if target.full_url.is_none() && target.param.is_none() {
            let detail = "the answer names no place to upload to: try again";
            return Err(Error::new(ErrorKind::Body, detail).at(GET_UPLOAD_URL.name, 1));
        }
        Ok(target)
    }
}

into_future!(GetUploadUrl => UploadTarget);
