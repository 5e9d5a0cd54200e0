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
    /// What else the runtime has to do comes between two pieces, timers and sockets included (a waker alone would leave
    /// these out): a socket that takes everything would keep the thread for as long as the source has more.
    turn_of_others: Option<Pin<Box<dyn Future<Output = ()> + Send + Sync>>>,
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
            turn_of_others: None,
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
        if let Some(turn) = &mut self.turn_of_others {
            ready!(turn.as_mut().poll(cx));
            self.turn_of_others = None;
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
        self.turn_of_others = Some(Box::pin(tokio::task::yield_now()));
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

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;
    use crate::transfer::source::Source;

    /// Each poll does the work of one piece at most, and the whole arrives.
    #[tokio::test]
    async fn others_have_their_turn_between_two_pieces() {
        let source = Source::bytes(vec![7; 1 << 20]);
        let scan = source.scan().await.unwrap();
        let key = MediaKey::new([1; 16]);
        let mut body = EncryptingBody::new(Feed::new(&source, &scan), &key, 1 << 20, None);
        let mut cx = Context::from_waker(Waker::noop());
        let mut polls = Vec::new();
        loop {
            match Pin::new(&mut body).poll_frame(&mut cx) {
                Poll::Ready(None) => break,
                Poll::Ready(Some(frame)) => polls.push(frame.unwrap().into_data().unwrap().len()),
                Poll::Pending => polls.push(0),
            }
        }
        assert_eq!(polls.iter().sum::<usize>(), (1 << 20) + 16);
        assert!(polls.windows(2).all(|two| two.contains(&0)), "{polls:?}");
    }
}
