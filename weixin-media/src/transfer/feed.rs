//! The second pass: pieces of the source, all of one size but the last.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead as _, AsyncSeek as _, ReadBuf};
use tokio::task::JoinHandle;

use super::held::Held;
use super::source::{CHUNK, Kind, Scan, Shared, Source};
use crate::codec::BLOCK;

/// Plaintext, piece by piece; each has room for the padding.
pub(crate) enum Feed {
    Bytes { bytes: Bytes, at: usize },
    File(FileFeed),
    Reader(ReaderFeed),
}

impl Feed {
    pub(crate) fn new(source: &Source, scan: &Scan) -> Self {
        let left = scan.fingerprint.size;
        match &source.0 {
            Kind::Bytes(bytes) => Self::Bytes { bytes: bytes.clone(), at: 0 },
            Kind::Path(_) | Kind::File(..) => {
                Self::File(FileFeed { held: scan.held.clone(), at: 0, left, job: None })
            }
            Kind::Reader(shared) => {
                let pass = {
                    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    shared.pass += 1;
                    shared.pass
                };
                Self::Reader(ReaderFeed {
                    shared: Arc::clone(shared),
                    pass,
                    at: Position::Unknown,
                    piece: Vec::new(),
                    left,
                })
            }
        }
    }

    /// The next piece: [`CHUNK`] bytes, or what is left. Not to be called when nothing is left.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        match self {
            Self::Bytes { bytes, at } => {
                let end = (*at + CHUNK).min(bytes.len());
                let mut piece = Vec::with_capacity(end - *at + BLOCK);
                piece.extend_from_slice(&bytes[*at..end]);
                *at = end;
                Poll::Ready(Ok(piece))
            }
            Self::File(feed) => feed.poll_next(cx),
            Self::Reader(feed) => feed.poll_next(cx),
        }
    }
}

fn next_length(left: u64) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK)
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it changed while it was sent")
}

/// A file, read in other threads one piece ahead of what is sent.
pub(crate) struct FileFeed {
    held: Option<Held>,
    /// Where the next piece begins.
    at: u64,
    /// Bytes whose reading has not yet begun.
    left: u64,
    job: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl FileFeed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        if self.job.is_none() {
            self.read_ahead()?;
        }
        let Some(job) = &mut self.job else { return Poll::Pending };
        let piece = ready!(Pin::new(job).poll(cx)).map_err(io::Error::from).flatten()?;
        self.job = None;
        if self.left > 0 {
            self.read_ahead()?;
        }
        Poll::Ready(Ok(piece))
    }

    fn read_ahead(&mut self) -> io::Result<()> {
        let held = self.held.clone().ok_or_else(changed)?;
        let (at, length) = (self.at, next_length(self.left));
        self.at += length as u64;
        self.left -= length as u64;
        let last = self.left == 0;
        self.job = Some(tokio::task::spawn_blocking(move || read_piece(&held, at, length, last)));
        Ok(())
    }
}

fn read_piece(held: &Held, at: u64, length: usize, last: bool) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(length + BLOCK);
    piece.resize(length, 0);
    let mut filled = 0;
    while filled < length {
        match held.read_at(&mut piece[filled..], at + filled as u64)? {
            0 => return Err(changed()),
            read => filled += read,
        }
    }
    // The digest of the first pass was announced already: a file that has changed since cannot be sent.
    if last && !held.is_unchanged() {
        return Err(changed());
    }
    Ok(piece)
}

/// A reader, shared with the passes before and after.
pub(crate) struct ReaderFeed {
    shared: Arc<Mutex<Shared>>,
    pass: u64,
    at: Position,
    piece: Vec<u8>,
    left: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Position {
    Unknown,
    Seeking,
    Known,
}

impl ReaderFeed {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Vec<u8>>> {
        let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.pass != self.pass {
            return Poll::Ready(Err(io::Error::other("another attempt reads it now")));
        }
        let Some(reader) = &mut shared.reader else {
            return Poll::Ready(Err(io::Error::other("the reader is in use by another upload")));
        };
        let mut reader = Pin::new(reader);
        if self.at == Position::Unknown {
            // A read or seek that a failed attempt left unfinished has to end first.
            ready!(reader.as_mut().poll_complete(cx))?;
            reader.as_mut().start_seek(io::SeekFrom::Start(0))?;
            self.at = Position::Seeking;
        }
        if self.at == Position::Seeking {
            ready!(reader.as_mut().poll_complete(cx))?;
            self.at = Position::Known;
        }
        let length = next_length(self.left);
        if self.piece.is_empty() {
            self.piece.reserve_exact(length + BLOCK);
        }
        while self.piece.len() < length {
            let filled = self.piece.len();
            self.piece.resize(length, 0);
            let mut buffer = ReadBuf::new(&mut self.piece[filled..]);
            let polled = reader.as_mut().poll_read(cx, &mut buffer);
            let read = buffer.filled().len();
            self.piece.truncate(filled + read);
            ready!(polled)?;
            if read == 0 {
                return Poll::Ready(Err(changed()));
            }
        }
        self.left -= length as u64;
        Poll::Ready(Ok(std::mem::take(&mut self.piece)))
    }
}
