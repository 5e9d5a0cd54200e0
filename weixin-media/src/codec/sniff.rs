//! What bytes are, by their first bytes and their name.

use ilink_client::wire::MediaType;
use mime::Mime;

use super::voice::is_silk;

/// The kind as which media is sent ([protocol §6]).
///
/// [protocol §6]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#6-media
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MediaKind {
    /// A picture.
    Image,
    /// A video.
    Video,
    /// Anything else.
    File,
    /// A voice message. Accepted from bots and never shown by phones ([field note 21]).
    ///
    /// [field note 21]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-21
    Voice,
}

impl MediaKind {
    /// By type: `video/*` is a video, `image/*` an image, all else a file. Never a voice message.
    #[must_use]
    pub fn of(mime: &Mime) -> Self {
        match mime.type_() {
            mime::IMAGE => Self::Image,
            mime::VIDEO => Self::Video,
            _ => Self::File,
        }
    }

    /// The wire's number.
    #[must_use]
    pub const fn media_type(self) -> MediaType {
        match self {
            Self::Image => MediaType::Image,
            Self::Video => MediaType::Video,
            Self::File => MediaType::File,
            Self::Voice => MediaType::Voice,
        }
    }
}

/// A type, and the extension that goes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sniffed {
    /// The MIME type; `application/octet-stream` if nothing tells.
    pub mime: Mime,
    /// The usual extension, without the dot, where one is known.
    pub extension: Option<String>,
}

/// What bytes are. Their first bytes decide (some hundred are enough); a name decides where they say nothing, or
/// only that it is text or some archive, which a `.docx` or an `.svg` says better.
///
/// ```
/// let sniffed = weixin_media::codec::sniff(b"%PDF-1.7", Some("report.txt"));
/// assert_eq!(sniffed.mime, "application/pdf");
/// assert_eq!(sniffed.extension.as_deref(), Some("pdf"));
/// ```
#[must_use]
pub fn sniff(head: &[u8], name: Option<&str>) -> Sniffed {
    let by_bytes = if is_silk(head) {
        Some(("audio/silk", "silk"))
    } else if infer::audio::is_amr(head) {
        // `infer` takes the `#!` for a shell script.
        Some(("audio/amr", "amr"))
    } else {
        infer::get(head).map(|found| (found.mime_type(), found.extension()))
    };
    let by_name = name.and_then(by_name);
    match (by_bytes, by_name) {
        (Some((mime, _)), Some(named)) if is_vague(mime) => named,
        (Some((mime, extension)), _) => {
            let mime = mime.parse().unwrap_or(mime::APPLICATION_OCTET_STREAM);
            Sniffed { mime, extension: Some(extension.to_owned()) }
        }
        (None, Some(named)) => named,
        (None, None) => Sniffed { mime: mime::APPLICATION_OCTET_STREAM, extension: None },
    }
}

fn by_name(name: &str) -> Option<Sniffed> {
    let (_, extension) = name.rsplit_once('.')?;
    let mime = mime_guess::from_ext(extension).first()?;
    Some(Sniffed { mime, extension: Some(extension.to_ascii_lowercase()) })
}

fn is_vague(mime: &str) -> bool {
    mime.starts_with("text/")
        || matches!(mime, "application/zip" | "application/x-ole-storage" | "application/octet-stream")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_first_then_the_name() {
        let cases: [(&[u8], &str); 12] = [
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "photo.jpg"),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", ""),
            (b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41", "clip"),
            (b"PK\x03\x04\x14\0\0\0", "table.xlsx"),
            (b"PK\x03\x04\x14\0\0\0", "x"),
            (b"<?xml version=\"1.0\"?><svg>", "drawing.svg"),
            (b"<!DOCTYPE html>", ""),
            (b"hello", "notes.txt"),
            (b"hello", "Makefile"),
            (b"\x02#!SILK_V3", ""),
            (b"#!AMR\n\x3c\x08\x95\xa6\x10\x5f", ""),
            (b"", "song.MP3"),
        ];
        let table: Vec<String> = cases
            .iter()
            .map(|(head, name)| {
                let found = sniff(head, Some(name));
                let kind = MediaKind::of(&found.mime);
                let head = String::from_utf8_lossy(&head[..head.len().min(8)]).into_owned();
                format!(
                    "{head:?} {name:?} → {} .{} {kind:?}",
                    found.mime,
                    found.extension.unwrap_or_default()
                )
            })
            .collect();
        insta::assert_snapshot!(table.join("\n"));
    }
}
