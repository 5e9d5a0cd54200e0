//! The body of an upload: encrypts while it is sent, and knows its length beforehand.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::feed::Feed;
use super::policy::Progress;
use crate::codec::{BLOCK, Encryptor, MediaKey, encrypted_size};

/// Told how far a transfer is.
pub(crate) type OnProgress = Arc<dyn Fn(Progress) + Send + Sync>;

/// Bytes that a body has handed over: tells a slow upload from a dead one.
#[derive(Clone, Default)]
pub(crate) struct Sent(Arc<AtomicU64>);

impl Sent {
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The source gave no bytes: not the network's fault.
#[derive(Debug)]
pub(crate) struct SourceFailed(io::Error);

impl fmt::Display for SourceFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SourceFailed {}

/// Ciphertext of a source.
pub(crate) struct EncryptingBody {
    feed: Feed,
    encryptor: Encryptor,
    plain_left: u64,
    cipher_left: u64,
    total: u64,
    sent: Sent,
    on_progress: Option<OnProgress>,
}

impl EncryptingBody {
    pub(crate) fn new(feed: Feed, key: &MediaKey, size: u64, on_progress: Option<OnProgress>) -> Self {
        let total = encrypted_size(size);
        Self {
            feed,
            encryptor: Encryptor::new(key),
            plain_left: size,
            cipher_left: total,
            total,
            sent: Sent::default(),
            on_progress,
        }
    }

    pub(crate) fn sent(&self) -> Sent {
        self.sent.clone()
    }

    /// Encrypts a piece where it is; the last one gets its padding.
    fn seal(&mut self, mut piece: Vec<u8>) -> Result<Bytes, SourceFailed> {
        self.plain_left -= piece.len() as u64;
        if self.plain_left == 0 {
            let padding = BLOCK - piece.len() % BLOCK;
            // 1..=16, which fits.
            piece.resize(piece.len() + padding, u8::try_from(padding).unwrap_or_default());
        }
        self.encryptor.in_place(&mut piece).map_err(|error| SourceFailed(io::Error::other(error)))?;
        self.cipher_left -= piece.len() as u64;
        Ok(piece.into())
    }
}

impl Body for EncryptingBody {
    type Data = Bytes;
    type Error = SourceFailed;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SourceFailed>>> {
        if self.cipher_left == 0 {
            return Poll::Ready(None);
        }
        let piece = if self.plain_left == 0 {
            Vec::with_capacity(BLOCK)
        } else {
            match ready!(self.feed.poll_next(cx)) {
                Ok(piece) => piece,
                Err(error) => return Poll::Ready(Some(Err(SourceFailed(error)))),
            }
        };
        let sealed = self.seal(piece)?;
        let done = self.total - self.cipher_left;
        self.sent.0.store(done, Ordering::Relaxed);
        if let Some(on_progress) = &self.on_progress {
            on_progress(Progress { done, total: Some(self.total) });
        }
        Poll::Ready(Some(Ok(Frame::data(sealed))))
    }

    fn is_end_stream(&self) -> bool {
        self.cipher_left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.cipher_left)
    }
}
