//! What an upload gives: an item for a message, with all that the phone needs (docs/protocol.md §6, docs/field-notes.md#note-19).

use std::fmt;

use bytes::Bytes;
use ilink_client::wire::{
    CdnMedia, EncryptType, FileItem, ImageItem, ItemType, MessageItem, VideoItem, VoiceItem,
};
use mime::Mime;

use super::upload::VoiceInfo;
use crate::codec::{Fingerprint, MediaKey, MediaKind};

/// Media that is on the CDN and can be sent.
#[derive(Clone)]
#[non_exhaustive]
pub struct Uploaded {
    /// The kind as which it is sent.
    pub kind: MediaKind,
    /// What it is.
    pub mime: Mime,
    /// Its name, safe and never empty.
    pub name: String,
    /// Plaintext size and MD5.
    pub fingerprint: Fingerprint,
    /// Its key.
    pub key: MediaKey,
    /// The download parameter.
    pub param: String,
    /// How often it was sent before the CDN took it, from 1.
    pub attempts: u32,
    pub(super) play_length: Option<u64>,
    pub(super) thumbnail: Option<UploadedThumbnail>,
    pub(super) voice: Option<VoiceInfo>,
}

/// A small picture of a video or an image, in a format that phones show: JPEG.
#[derive(Clone)]
pub struct Thumbnail {
    /// The file.
    pub bytes: Bytes,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// How many bytes, and none of them.
impl fmt::Debug for Thumbnail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Thumbnail")
            .field("bytes", &self.bytes.len())
            .field("width", &self.width)
            .field("height", &self.height)
            .finish()
    }
}

#[derive(Clone)]
pub(super) struct UploadedThumbnail {
    pub(super) param: String,
    pub(super) encrypted_size: u64,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Uploaded {
    /// The item to send: `bot.send_item(user, uploaded.to_item())`. It can be sent to the same user again.
    #[must_use]
    pub fn to_item(&self) -> MessageItem {
        let mut item = MessageItem::default();
        let media = Some(self.cdn_media(&self.param));
        let size = self.fingerprint.encrypted_size();
        let thumb = self.thumbnail.as_ref();
        let thumb_media = thumb.map(|thumb| self.cdn_media(&thumb.param));
        let (thumb_size, thumb_width, thumb_height) = (
            thumb.map(|thumb| thumb.encrypted_size),
            thumb.map(|thumb| thumb.width.into()),
            thumb.map(|thumb| thumb.height.into()),
        );
        match self.kind {
            MediaKind::Image => {
                item.item_type = Some(ItemType::Image);
                item.image_item = Some(Box::new(ImageItem {
                    media,
                    mid_size: Some(size),
                    thumb_media,
                    thumb_size,
                    thumb_height,
                    thumb_width,
                    ..ImageItem::default()
                }));
            }
            MediaKind::Video => {
                item.item_type = Some(ItemType::Video);
                item.video_item = Some(Box::new(VideoItem {
                    media,
                    video_size: Some(size),
                    play_length: self.play_length,
                    thumb_media,
                    thumb_size,
                    thumb_height,
                    thumb_width,
                    ..VideoItem::default()
                }));
            }
            MediaKind::File => {
                item.item_type = Some(ItemType::File);
                item.file_item = Some(Box::new(FileItem {
                    media,
                    file_name: Some(self.name.clone()),
                    md5: Some(self.fingerprint.md5_hex()),
                    len: Some(self.fingerprint.size.to_string()),
                    ..FileItem::default()
                }));
            }
            MediaKind::Voice => {
                let voice = self.voice.unwrap_or_default();
                item.item_type = Some(ItemType::Voice);
                item.voice_item = Some(Box::new(VoiceItem {
                    media,
                    encode_type: Some(voice.encoding),
                    bits_per_sample: Some(voice.bits_per_sample.into()),
                    sample_rate: Some(voice.sample_rate.into()),
                    play_time_ms: Some(voice.play_time_ms),
                    ..VoiceItem::default()
                }));
            }
        }
        item
    }

    fn cdn_media(&self, param: &str) -> CdnMedia {
        CdnMedia {
            encrypt_query_param: Some(param.to_owned()),
            aes_key: Some(self.key.to_base64_of_hex()),
            encrypt_type: Some(EncryptType::Packed),
            ..CdnMedia::default()
        }
    }
}

impl fmt::Debug for Uploaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Uploaded")
            .field("kind", &self.kind)
            .field("mime", &self.mime)
            .field("size", &self.fingerprint.size)
            .field("attempts", &self.attempts)
            .finish_non_exhaustive()
    }
}
