//! What a message says about the media that it carries (docs/protocol.md §4, §6).

use std::fmt;

use ilink_client::wire::{CdnMedia, ItemKind, MessageItem};

use crate::codec::{KeyError, MediaKey, MediaKind, Sniffed, safe_file_name};

/// Media on the CDN: where it is, its key, and what is known of it.
#[derive(Clone)]
pub struct MediaRef {
    kind: MediaKind,
    cdn: CdnMedia,
    key: Option<Result<MediaKey, KeyError>>,
    name: Option<String>,
    size: Option<u64>,
    md5: Option<[u8; 16]>,
    sample_rate: Option<u32>,
}

/// WeChat's voice, where the message does not say otherwise (docs/protocol.md §6).
const VOICE_RATE: u32 = 24_000;

impl MediaRef {
    /// The media of an item; `None` if it carries none.
    #[must_use]
    pub fn of(item: &MessageItem) -> Option<Self> {
        let (kind, cdn) = match item.kind() {
            ItemKind::Image(image) => (MediaKind::Image, image.media.as_ref()),
            ItemKind::Voice(voice) => (MediaKind::Voice, voice.media.as_ref()),
            ItemKind::File(file) => (MediaKind::File, file.media.as_ref()),
            ItemKind::Video(video) => (MediaKind::Video, video.media.as_ref()),
            _ => return None,
        };
        let mut found = Self::new(kind, cdn?.clone());
        match item.kind() {
            ItemKind::Image(image) => {
                // The hex of the item wins (docs/protocol.md §6), unless it is no key and the other one is.
                let own = parse(image.aes_key_hex.as_deref());
                found.key = match (own, found.key.take()) {
                    (Some(Err(_)) | None, Some(other)) => Some(other),
                    (own, _) => own,
                };
            }
            ItemKind::Voice(voice) => {
                found.sample_rate = voice.sample_rate.and_then(|rate| rate.try_into().ok());
            }
            ItemKind::File(file) => {
                found.name.clone_from(&file.file_name);
                found.size = file.size();
                found.md5 = file.md5.as_deref().and_then(crate::codec::parse_md5);
            }
            ItemKind::Video(video) => {
                found.md5 = video.video_md5.as_deref().and_then(crate::codec::parse_md5);
            }
            _ => {}
        }
        Some(found)
    }

    /// Media by its place and key alone.
    #[must_use]
    pub fn new(kind: MediaKind, cdn: CdnMedia) -> Self {
        let key = parse(cdn.aes_key.as_deref());
        Self { kind, cdn, key, name: None, size: None, md5: None, sample_rate: None }
    }

    /// The kind as which it was sent.
    #[must_use]
    pub fn kind(&self) -> MediaKind {
        self.kind
    }

    /// The name that the sender gave it: never use it as a path ([field note 30]); see [`file_name`](Self::file_name).
    ///
    /// [field note 30]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-30
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Bytes of plaintext, where the message says so.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// Samples per second of a voice message, in Hz.
    #[must_use]
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate.filter(|rate| *rate > 0).unwrap_or(VOICE_RATE)
    }

    /// A safe name to store it under: the sender's, else one by its kind, with the extension of its type.
    #[must_use]
    pub fn file_name(&self, sniffed: &Sniffed) -> String {
        if let Some(name) = self.name.as_deref().filter(|name| !name.trim().is_empty()) {
            return safe_file_name(name);
        }
        let stem = match self.kind {
            MediaKind::Image => "image",
            MediaKind::Video => "video",
            MediaKind::Voice => "voice",
            MediaKind::File => "file",
        };
        format!("{stem}.{}", sniffed.extension.as_deref().unwrap_or("bin"))
    }

    pub(super) fn cdn(&self) -> &CdnMedia {
        &self.cdn
    }

    pub(super) fn key(&self) -> Option<&Result<MediaKey, KeyError>> {
        self.key.as_ref()
    }

    pub(super) fn md5(&self) -> Option<[u8; 16]> {
        self.md5
    }
}

fn parse(text: Option<&str>) -> Option<Result<MediaKey, KeyError>> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(MediaKey::parse)
}

impl fmt::Debug for MediaRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MediaRef")
            .field("kind", &self.kind)
            .field("size", &self.size)
            .field("has_key", &self.key.is_some())
            .field("has_md5", &self.md5.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::sniff;

    fn of(json: &str) -> Option<MediaRef> {
        MediaRef::of(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn the_hex_key_of_an_image_wins_if_it_is_one() {
        let base64 = MediaKey::new([1; 16]).to_base64_of_hex();
        let json = |hex: &str| {
            format!(r#"{{"type":2,"image_item":{{"aeskey":"{hex}","media":{{"aes_key":"{base64}"}}}}}}"#)
        };
        let key = |hex: &str| of(&json(hex)).unwrap().key.unwrap().unwrap();
        assert_eq!(key(&"02".repeat(16)), MediaKey::new([2; 16]));
        assert_eq!(key("not a key"), MediaKey::new([1; 16]));
        assert_eq!(key(""), MediaKey::new([1; 16]));
        assert!(of(r#"{"type":2,"image_item":{"media":{}}}"#).unwrap().key.is_none());
    }

    #[test]
    fn names_are_made_safe_or_made_up() {
        let file =
            of(r#"{"type":4,"file_item":{"file_name":"../a.pdf","len":"12","md5":"","media":{}}}"#).unwrap();
        let png = sniff(b"\x89PNG\r\n\x1a\n", None);
        assert_eq!(file.file_name(&png), "a.pdf");
        assert_eq!((file.size(), file.md5()), (Some(12), None));
        let image = of(r#"{"type":2,"image_item":{"media":{}}}"#).unwrap();
        assert_eq!(image.file_name(&png), "image.png");
        assert!(of(r#"{"type":1,"text_item":{"text":"x"}}"#).is_none());
        assert_eq!(of(r#"{"type":3,"voice_item":{"media":{}}}"#).unwrap().sample_rate(), 24_000);
    }
}
