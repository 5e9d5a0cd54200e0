//! Downloads: to memory, to a writer, to a file.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncWrite;

use super::Media;
use super::body::OnProgress;
use super::cdn::CdnOpener;
use super::fetch::{Fetch, too_large, truncated};
use super::incoming::MediaRef;
use super::policy::{Progress, TransferPolicy};
use super::sink::{Decoded, Decoder, Sink, unwritable};
use crate::codec::{MediaKey, MediaKind, Sniffed, download_url, encrypted_size, sniff};
use crate::error::{Error, ErrorKind};

/// A download of what a message carries. Made by [`Media::download`].
///
/// It is decrypted while it streams. A broken attempt goes on where it was, or reads again from the beginning if the
/// server knows no ranges. Dropping the future ends it and leaves no file behind.
#[must_use = "a download starts with to_bytes, to_writer or to_file"]
pub struct Download<'a> {
    media: &'a Media,
    from: &'a MediaRef,
    max_size: u64,
    check_digest: bool,
    on_progress: Option<OnProgress>,
}

/// A file that was downloaded.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Saved {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of plaintext.
    pub size: u64,
    /// What it is, by its first bytes and the sender's name.
    pub sniffed: Sniffed,
}

impl<'a> Download<'a> {
    pub(super) fn new(media: &'a Media, from: &'a MediaRef) -> Self {
        let max_size = media.policy.max_download;
        Self { media, from, max_size, check_digest: true, on_progress: None }
    }

    /// The most bytes of plaintext, instead of [`TransferPolicy::max_download`].
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// Whether the MD5 of the message, where it carries one, has to be right. Default: yes.
    pub fn check_digest(mut self, check: bool) -> Self {
        self.check_digest = check;
        self
    }

    /// Called with the progress, in the middle of the transfer: it must not block.
    pub fn on_progress(mut self, tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.on_progress = Some(Arc::new(tell));
        self
    }

    /// Into memory.
    pub async fn to_bytes(self) -> Result<Bytes, Error> {
        let plan = self.plan()?;
        let sink = Sink::memory(plan.decoder());
        Ok(plan.run(sink).await?.1.into())
    }

    /// Into a writer; the number of bytes. Errors that show at the end only, such as a digest that differs, come
    /// after all bytes were written.
    pub async fn to_writer(self, writer: &mut (dyn AsyncWrite + Send + Unpin)) -> Result<u64, Error> {
        let plan = self.plan()?;
        let sink = Sink::writer(plan.decoder(), writer);
        Ok(plan.run(sink).await?.0.size)
    }

    /// Into a file: under a temporary name (mode 0600) in the same folder, which has to exist, renamed when all is
    /// well. An existing file is replaced; a partial one is never left behind.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<Saved, Error> {
        let path = path.as_ref().to_owned();
        let plan = self.plan()?;
        let name = self.from.name().map(str::to_owned);
        let target = temporary(&path)?;
        let sink = Sink::file(plan.decoder(), target.reopen().map_err(unwritable)?);
        let (decoded, _) = plan.run(sink).await?;
        target.persist(&path).map_err(|error| unwritable(error.error))?;
        Ok(Saved { path, size: decoded.size, sniffed: sniff(&decoded.head, name.as_deref()) })
    }

    /// Everything that can be wrong before the first request.
    fn plan(&self) -> Result<Plan<'a>, Error> {
        let from = self.from;
        let key = match (from.key(), from.kind()) {
            (Some(Ok(key)), _) => Some(key.clone()),
            (Some(Err(error)), _) => {
                return Err(Error::new(ErrorKind::Key, error.to_string()).with_source(*error));
            }
            // An image without any key is stored plain (docs/protocol.md §6).
            (None, MediaKind::Image) => None,
            (None, _) => {
                return Err(Error::new(ErrorKind::Key, "the message carries no AES key for its media"));
            }
        };
        let url = download_url(&self.media.cdn, from.cdn()).ok_or_else(|| {
            Error::invalid("the message does not say where its media is: no URL and no download parameter")
        })?;
        let max = if key.is_some() { encrypted_size(self.max_size) } else { self.max_size };
        if from.size().is_some_and(|size| size > self.max_size) {
            let detail = format!(
                "the file has {} bytes and {} are allowed: raise the limit if you want it",
                from.size().unwrap_or_default(),
                self.max_size
            );
            return Err(Error::new(ErrorKind::TooLarge, detail));
        }
        Ok(Plan {
            opener: CdnOpener { media: self.media, url },
            policy: &self.media.policy,
            key,
            max,
            max_size: self.max_size,
            size: from.size().filter(|_| self.check_digest),
            md5: from.md5().filter(|_| self.check_digest),
            on_progress: self.on_progress.clone(),
        })
    }
}

/// A temporary file beside the one to be.
pub(super) fn temporary(path: &Path) -> Result<tempfile::NamedTempFile, Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix(".weixin-").suffix(".part").tempfile_in(folder).map_err(unwritable)
}

struct Plan<'a> {
    opener: CdnOpener<'a>,
    policy: &'a TransferPolicy,
    key: Option<MediaKey>,
    /// The most bytes that may come: those of the ciphertext, if it is encrypted.
    max: u64,
    /// The most bytes of plaintext.
    max_size: u64,
    size: Option<u64>,
    md5: Option<[u8; 16]>,
    on_progress: Option<OnProgress>,
}

impl Plan<'_> {
    fn decoder(&self) -> Decoder {
        Decoder::new(self.key.as_ref(), self.md5.is_some())
    }

    async fn run(self, mut sink: Sink<'_>) -> Result<(Decoded, Vec<u8>), Error> {
        let fetch = Fetch {
            opener: &self.opener,
            policy: self.policy,
            max: self.max,
            allowed: self.max_size,
            expected: self.size.map(|size| if self.key.is_some() { encrypted_size(size) } else { size }),
            encrypted: self.key.is_some(),
            on_progress: self.on_progress,
            state: super::fetch::State::default(),
        };
        fetch.run(&mut sink).await?;
        let (decoded, bytes) = sink.finish(self.md5).await?;
        // The padding hides up to 15 bytes.
        if decoded.size > self.max_size {
            return Err(too_large(&self.opener.url, self.max_size));
        }
        match self.size {
            Some(size) if decoded.size < size => {
                Err(truncated(format!("the media has {} bytes where the message says {size}", decoded.size)))
            }
            _ => Ok((decoded, bytes)),
        }
    }
}

impl fmt::Debug for Download<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download")
            .field("from", &self.from)
            .field("max_size", &self.max_size)
            .finish_non_exhaustive()
    }
}
