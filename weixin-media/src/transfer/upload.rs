//! Uploads (docs/protocol.md §6).

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use ilink_client::wire::VoiceEncoding;
use ilink_client::{BoxFuture, UploadTarget, UserId};
use mime::Mime;

use super::Media;
use super::body::{EncryptingBody, OnProgress};
use super::cdn::pause;
use super::feed::Feed;
use super::policy::Progress;
use super::source::{Scan, Source};
use super::uploaded::{Thumbnail, Uploaded, UploadedThumbnail};
use crate::codec::{MediaKey, MediaKind, Sniffed, safe_file_name, sniff, thumbnail_upload_url, upload_url};
use crate::error::{Error, ErrorKind};

/// An upload. Made by [`Media::upload`], sent when awaited.
///
/// The source is read twice: for its size and MD5, which the server wants to know first, then to be encrypted and
/// sent. An attempt that fails is repeated from the beginning; the last one asks for a fresh place to upload to
/// ([field note 20]).
///
/// [field note 20]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-20
#[must_use = "an upload is sent when awaited"]
pub struct Upload<'a> {
    media: &'a Media,
    to: UserId,
    source: Source,
    name: Option<String>,
    mime: Option<Mime>,
    kind: Option<MediaKind>,
    play_length: Option<u64>,
    thumbnail: Option<Thumbnail>,
    voice: Option<VoiceInfo>,
    on_progress: Option<OnProgress>,
}

/// What a voice message says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceInfo {
    /// How it is coded.
    pub encoding: VoiceEncoding,
    /// Samples per second, in Hz.
    pub sample_rate: u32,
    /// Bits per sample.
    pub bits_per_sample: u16,
    /// Length in milliseconds.
    pub play_time_ms: u64,
}

impl Default for VoiceInfo {
    /// SILK as phones send it, of unknown length.
    fn default() -> Self {
        Self { encoding: VoiceEncoding::Silk, sample_rate: 24_000, bits_per_sample: 16, play_time_ms: 0 }
    }
}

impl<'a> Upload<'a> {
    pub(super) fn new(media: &'a Media, to: UserId, source: Source) -> Self {
        let name = source.name();
        Self {
            media,
            to,
            source,
            name,
            mime: None,
            kind: None,
            play_length: None,
            thumbnail: None,
            voice: None,
            on_progress: None,
        }
    }

    /// The name that the phone shows; by default that of the path.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The type, instead of what the bytes and the name tell.
    pub fn mime(mut self, mime: Mime) -> Self {
        self.mime = Some(mime);
        self
    }

    /// Sent as a file, whatever it is: an image is then not recompressed.
    pub fn as_file(mut self) -> Self {
        self.kind = Some(MediaKind::File);
        self
    }

    /// How long a video plays, in seconds.
    pub fn play_length(mut self, seconds: u64) -> Self {
        self.play_length = Some(seconds);
        self
    }

    /// A thumbnail for a video or an image. If the CDN does not take it, the media goes without.
    pub fn thumbnail(mut self, thumbnail: Thumbnail) -> Self {
        self.thumbnail = Some(thumbnail);
        self
    }

    /// Sent as a voice message. **Experimental**: servers accept it, and no phone is known to show it
    /// ([field note 21]). Sent as a file, the same bytes arrive.
    ///
    /// [field note 21]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-21
    pub fn experimental_voice(mut self, voice: VoiceInfo) -> Self {
        self.kind = Some(MediaKind::Voice);
        self.voice = Some(voice);
        self
    }

    /// Called with the progress, in the middle of the transfer: it must not block.
    pub fn on_progress(mut self, tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(tell));
        self
    }

    async fn run(mut self) -> Result<Uploaded, Error> {
        let scan = self.source.scan().await?;
        let mut sniffed = sniff(&scan.head, self.name.as_deref());
        if let Some(mime) = self.mime.take() {
            sniffed.mime = mime;
        }
        let kind = self.kind.unwrap_or_else(|| MediaKind::of(&sniffed.mime));
        self.thumbnail = self.thumbnail.filter(|_| matches!(kind, MediaKind::Image | MediaKind::Video));
        let thumb_scan = match &self.thumbnail {
            Some(thumbnail) => Some(Source::bytes(thumbnail.bytes.clone()).scan().await?),
            None => None,
        };
        let (place, param, attempts) = self.send(kind, &scan, thumb_scan.as_ref()).await?;
        let thumbnail = match (&self.thumbnail, &thumb_scan) {
            (Some(thumbnail), Some(scan)) => self.send_thumbnail(&place, thumbnail, scan).await,
            _ => None,
        };
        Ok(Uploaded {
            kind,
            name: name(self.name.as_deref(), &sniffed),
            mime: sniffed.mime,
            fingerprint: scan.fingerprint,
            key: place.key,
            param,
            attempts,
            play_length: self.play_length,
            thumbnail,
            voice: self.voice,
        })
    }

    /// All attempts.
    async fn send(
        &self,
        kind: MediaKind,
        scan: &Scan,
        thumb: Option<&Scan>,
    ) -> Result<(Place, String, u32), Error> {
        let policy = &self.media.policy;
        let mut place = self.place(kind, scan, thumb).await?;
        let mut attempt = 1;
        loop {
            if attempt > 1 && attempt >= policy.max_attempts {
                place = self.place(kind, scan, thumb).await.map_err(|error| error.after(attempt))?;
            }
            let url = upload_url(&self.media.cdn, &place.target, &place.file_key).ok_or_else(|| {
                Error::new(ErrorKind::Answer, "getuploadurl names no usable place to upload to")
            })?;
            let size = scan.fingerprint.size;
            let feed = Feed::new(&self.source, scan);
            let body = EncryptingBody::new(feed, &place.key, size, self.on_progress.clone());
            let error = match self.media.put(&url, body, scan.fingerprint.encrypted_size()).await {
                Ok(param) => return Ok((place, param, attempt)),
                Err(error) => error.after(attempt),
            };
            if attempt >= policy.max_attempts || !error.is_transient() {
                return Err(error);
            }
            pause(&error, attempt, policy.delay(attempt)).await;
            attempt += 1;
        }
    }

    /// Asks for a place to upload to, under a fresh key.
    async fn place(&self, kind: MediaKind, scan: &Scan, thumb: Option<&Scan>) -> Result<Place, Error> {
        let key = self.media.random_key()?;
        let file_key = self.media.random_key()?.to_hex();
        let print = &scan.fingerprint;
        let mut request = self
            .media
            .bot
            .get_upload_url(self.to.clone(), kind.media_type())
            .plain(print.size, print.md5_hex())
            .encrypted_size(print.encrypted_size())
            .key(file_key.as_str(), key.to_hex());
        if let Some(Scan { fingerprint: print, .. }) = thumb {
            request = request.thumbnail(print.size, print.md5_hex(), print.encrypted_size());
        }
        let target = request
            .await
            .map_err(|error| Error::new(ErrorKind::Api, error.to_string()).with_source(error))?;
        Ok(Place { key, file_key, target })
    }

    /// A thumbnail is a nicety: without it the media still arrives.
    async fn send_thumbnail(
        &self,
        place: &Place,
        thumbnail: &Thumbnail,
        scan: &Scan,
    ) -> Option<UploadedThumbnail> {
        let url = thumbnail_upload_url(&self.media.cdn, &place.target, &place.file_key)?;
        let (source, policy) = (Source::bytes(thumbnail.bytes.clone()), &self.media.policy);
        let encrypted_size = scan.fingerprint.encrypted_size();
        for attempt in 1..=policy.max_attempts {
            let body = EncryptingBody::new(Feed::new(&source, scan), &place.key, scan.fingerprint.size, None);
            match self.media.put(&url, body, encrypted_size).await {
                Ok(param) => {
                    let (width, height) = (thumbnail.width, thumbnail.height);
                    return Some(UploadedThumbnail { param, encrypted_size, width, height });
                }
                Err(error) if attempt < policy.max_attempts && error.is_transient() => {
                    pause(&error, attempt, policy.delay(attempt)).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the thumbnail was not taken: the media goes without");
                    break;
                }
            }
        }
        None
    }
}

/// Where an upload goes, and under which keys.
struct Place {
    key: MediaKey,
    file_key: String,
    target: UploadTarget,
}

fn name(given: Option<&str>, sniffed: &Sniffed) -> String {
    match given.filter(|name| !name.trim().is_empty()) {
        Some(name) => safe_file_name(name),
        None => format!("file.{}", sniffed.extension.as_deref().unwrap_or("bin")),
    }
}

impl<'a> IntoFuture for Upload<'a> {
    type Output = Result<Uploaded, Error>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl fmt::Debug for Upload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload")
            .field("to", &self.to)
            .field("source", &self.source)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}
