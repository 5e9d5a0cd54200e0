//! Items whose content lies on the CDN (docs/protocol.md §4, §6).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_with::{serde_as, skip_serializing_none};

use super::lenient::{Lenient, tolerant_struct};
use super::open_enum::open_int_enum;
use super::{Extra, size};

open_int_enum! {
    /// What the encrypted query parameter packs.
    EncryptType {
        /// Only the file id.
        FileId = 0,
        /// The file id together with thumbnail information; what a bot sends.
        Packed = 1,
    }
}

open_int_enum! {
    /// How a voice message is coded. Not always true: look at the bytes ([field note 22]).
    ///
    /// [field note 22]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-22
    VoiceEncoding {
        /// Plain samples.
        Pcm = 1,
        /// ADPCM
        Adpcm = 2,
        /// Features of a recogniser.
        Feature = 3,
        /// Speex
        Speex = 4,
        /// AMR
        Amr = 5,
        /// SILK v3, the usual one.
        Silk = 6,
        /// MP3
        Mp3 = 7,
        /// Speex in Ogg.
        OggSpeex = 8,
    }
}

/// Where media lies on the CDN and how it is decrypted.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CdnMedia {
    /// The download parameter.
    #[serde_as(as = "Lenient")]
    pub encrypt_query_param: Option<String>,
    /// The key: base64 of 16 raw bytes or of 32 hex characters. A bot sends the latter.
    #[serde_as(as = "Lenient")]
    pub aes_key: Option<String>,
    /// What the parameter packs.
    #[serde_as(as = "Lenient")]
    pub encrypt_type: Option<EncryptType>,
    /// The whole download URL; used as it is when present.
    #[serde_as(as = "Lenient")]
    pub full_url: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for CdnMedia {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CdnMedia")
            .field("encrypt_query_param", &size(self.encrypt_query_param.as_ref()))
            .field("aes_key", &size(self.aes_key.as_ref()))
            .field("encrypt_type", &self.encrypt_type)
            .field("full_url", &size(self.full_url.as_ref()))
            .finish_non_exhaustive()
    }
}

/// A picture.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageItem {
    /// Where its bytes are.
    #[serde_as(as = "Lenient")]
    pub media: Option<CdnMedia>,
    /// Where its thumbnail is.
    #[serde_as(as = "Lenient")]
    pub thumb_media: Option<CdnMedia>,
    /// The key as 32 hex characters; wins over `media.aes_key` inbound.
    #[serde(rename = "aeskey")]
    #[serde_as(as = "Lenient")]
    pub aes_key_hex: Option<String>,
    /// A direct URL.
    #[serde_as(as = "Lenient")]
    pub url: Option<String>,
    /// Ciphertext size in bytes; the phone needs it ([field note 19]).
    ///
    /// [field note 19]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-19
    #[serde_as(as = "Lenient")]
    pub mid_size: Option<u64>,
    /// Ciphertext size of the thumbnail in bytes.
    #[serde_as(as = "Lenient")]
    pub thumb_size: Option<u64>,
    /// Height of the thumbnail in pixels.
    #[serde_as(as = "Lenient")]
    pub thumb_height: Option<u64>,
    /// Width of the thumbnail in pixels.
    #[serde_as(as = "Lenient")]
    pub thumb_width: Option<u64>,
    /// Ciphertext size of the original in bytes.
    #[serde_as(as = "Lenient")]
    pub hd_size: Option<u64>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for ImageItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageItem")
            .field("media", &self.media)
            .field("mid_size", &self.mid_size)
            .finish_non_exhaustive()
    }
}

/// A voice message.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VoiceItem {
    /// Where its bytes are.
    #[serde_as(as = "Lenient")]
    pub media: Option<CdnMedia>,
    /// How it is said to be coded.
    #[serde_as(as = "Lenient")]
    pub encode_type: Option<VoiceEncoding>,
    /// Bits per sample.
    #[serde_as(as = "Lenient")]
    pub bits_per_sample: Option<u64>,
    /// Samples per second.
    #[serde_as(as = "Lenient")]
    pub sample_rate: Option<u64>,
    /// Length in milliseconds.
    #[serde(rename = "playtime")]
    #[serde_as(as = "Lenient")]
    pub play_time_ms: Option<u64>,
    /// The server's transcript, when it made one.
    #[serde_as(as = "Lenient")]
    pub text: Option<String>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for VoiceItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VoiceItem")
            .field("media", &self.media)
            .field("encode_type", &self.encode_type)
            .field("play_time_ms", &self.play_time_ms)
            .field("text", &size(self.text.as_ref()))
            .finish_non_exhaustive()
    }
}

/// A video.
#[serde_as]
#[skip_serializing_none]
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VideoItem {
    /// Where its bytes are.
    #[serde_as(as = "Lenient")]
    pub media: Option<CdnMedia>,
    /// Ciphertext size in bytes.
    #[serde_as(as = "Lenient")]
    pub video_size: Option<u64>,
    /// Length, in seconds as far as is known.
    #[serde_as(as = "Lenient")]
    pub play_length: Option<u64>,
    /// Hex MD5 of the plaintext.
    #[serde_as(as = "Lenient")]
    pub video_md5: Option<String>,
    /// Where its thumbnail is.
    #[serde_as(as = "Lenient")]
    pub thumb_media: Option<CdnMedia>,
    /// Ciphertext size of the thumbnail in bytes.
    #[serde_as(as = "Lenient")]
    pub thumb_size: Option<u64>,
    /// Height of the thumbnail in pixels.
    #[serde_as(as = "Lenient")]
    pub thumb_height: Option<u64>,
    /// Width of the thumbnail in pixels.
    #[serde_as(as = "Lenient")]
    pub thumb_width: Option<u64>,
    /// Everything else.
    #[serde(flatten)]
    pub extra: Extra,
}

impl fmt::Debug for VideoItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VideoItem")
            .field("media", &self.media)
            .field("video_size", &self.video_size)
            .field("play_length", &self.play_length)
            .finish_non_exhaustive()
    }
}

tolerant_struct!(CdnMedia, ImageItem, VoiceItem, VideoItem);
