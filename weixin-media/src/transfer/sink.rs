//! Where a download goes: decrypted, measured, and written.

use std::fs::File;
use std::io::{self, Write as _};

use bytes::Bytes;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::task::JoinHandle;

use super::fetch::truncated;
use super::source::HEAD;
use crate::codec::{BLOCK, CipherError, Decryptor, Digest, MediaKey};
use crate::error::{Error, ErrorKind};

/// Bytes that are gathered before a thread is asked to write them: a hand-over costs some microseconds.
const BATCH: usize = 256 << 10;

/// Ciphertext in, plaintext out.
pub(super) struct Decoder {
    /// `None` for what is stored plain.
    decryptor: Option<Decryptor>,
    /// `None` where there is nothing to compare it with.
    digest: Option<Digest>,
    head: Vec<u8>,
    size: u64,
}

/// What came out.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) size: u64,
    pub(super) head: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(key: Option<&MediaKey>, digest: bool) -> Self {
        let digest = digest.then(Digest::default);
        Self { decryptor: key.map(Decryptor::new), digest, head: Vec::new(), size: 0 }
    }

    fn update(&mut self, cipher: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        match &mut self.decryptor {
            Some(decryptor) => decryptor.update(cipher, out),
            None => out.extend_from_slice(cipher),
        }
        self.measure(&out[start..]);
    }

    /// The plaintext of a chunk: in the scratch buffer, or the chunk itself if it is stored plain.
    fn decode<'a>(&mut self, cipher: &'a [u8], scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let plain = match &mut self.decryptor {
            Some(decryptor) => {
                // Grows to the largest chunk and stays: what is in it does not matter.
                scratch.resize(scratch.len().max(cipher.len() + BLOCK), 0);
                let written = decryptor.update_into(cipher, scratch);
                &scratch[..written]
            }
            None => cipher,
        };
        self.measure(plain);
        plain
    }

    fn rewind(&mut self) {
        if let Some(decryptor) = &mut self.decryptor {
            decryptor.rewind();
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        if let Some(decryptor) = self.decryptor.take() {
            decryptor.finish(out).map_err(|error| match error {
                CipherError::Padding => {
                    let detail =
                        "the media cannot be decrypted: its key does not fit, or its bytes are damaged";
                    Error::new(ErrorKind::Padding, detail)
                }
                _ => truncated("the media is not a whole number of cipher blocks".to_owned()),
            })?;
        }
        self.measure(&out[start..]);
        Ok(())
    }

    fn measure(&mut self, plain: &[u8]) {
        if let Some(digest) = &mut self.digest {
            digest.update(plain);
        }
        let missing = HEAD.saturating_sub(self.head.len()).min(plain.len());
        self.head.extend_from_slice(&plain[..missing]);
        self.size += plain.len() as u64;
    }

    /// Holds the result against what the message says.
    fn check(self, md5: Option<[u8; 16]>) -> Result<Decoded, Error> {
        if let (Some(digest), Some(expected)) = (self.digest, md5)
            && digest.finish().md5 != expected
        {
            let detail = "the media is not what the message describes: its MD5 differs";
            return Err(Error::new(ErrorKind::Digest, detail));
        }
        Ok(Decoded { size: self.size, head: self.head })
    }
}

/// One of three places.
pub(super) enum Sink<'a> {
    Memory { decoder: Decoder, out: Vec<u8> },
    Writer { decoder: Decoder, out: Vec<u8>, writer: &'a mut (dyn AsyncWrite + Send + Unpin) },
    File(FileSink),
}

impl<'a> Sink<'a> {
    pub(super) fn memory(decoder: Decoder) -> Self {
        Self::Memory { decoder, out: Vec::new() }
    }

    pub(super) fn writer(decoder: Decoder, writer: &'a mut (dyn AsyncWrite + Send + Unpin)) -> Self {
        Self::Writer { decoder, out: Vec::new(), writer }
    }

    pub(super) fn file(decoder: Decoder, file: File) -> Self {
        Self::File(FileSink {
            batch: Vec::new(),
            batched: 0,
            idle: Some(Box::new(Work { decoder, file, out: Vec::new() })),
            busy: None,
        })
    }

    pub(super) async fn push(&mut self, chunk: Bytes) -> Result<(), Error> {
        match self {
            Self::Memory { decoder, out } => decoder.update(&chunk, out),
            Self::Writer { decoder, out, writer } => {
                writer.write_all(decoder.decode(&chunk, out)).await.map_err(unwritable)?;
            }
            Self::File(sink) => sink.push(chunk).await?,
        }
        Ok(())
    }

    /// Drops the beginning of a block: the next bytes start at a block boundary.
    pub(super) async fn rewind(&mut self) -> Result<(), Error> {
        match self {
            Self::Memory { decoder, .. } | Self::Writer { decoder, .. } => decoder.rewind(),
            Self::File(sink) => sink.flush().await?.decoder.rewind(),
        }
        Ok(())
    }

    /// Takes the padding off, writes what is left, and checks the digest. The bytes are those of `Memory`.
    pub(super) async fn finish(self, md5: Option<[u8; 16]>) -> Result<(Decoded, Vec<u8>), Error> {
        match self {
            Self::Memory { mut decoder, mut out } => {
                decoder.finish(&mut out)?;
                Ok((decoder.check(md5)?, out))
            }
            Self::Writer { mut decoder, mut out, writer } => {
                out.clear();
                decoder.finish(&mut out)?;
                writer.write_all(&out).await.map_err(unwritable)?;
                writer.flush().await.map_err(unwritable)?;
                Ok((decoder.check(md5)?, Vec::new()))
            }
            Self::File(mut sink) => {
                let work = sink.flush().await?;
                work.out.clear();
                work.decoder.finish(&mut work.out)?;
                // At most one block.
                work.file.write_all(&work.out).map_err(unwritable)?;
                let work = sink.idle.take().ok_or_else(|| unwritable(io::Error::other("no file")))?;
                Ok((work.decoder.check(md5)?, Vec::new()))
            }
        }
    }
}

/// Decrypts and writes in other threads while the next bytes arrive.
pub(super) struct FileSink {
    batch: Vec<Bytes>,
    batched: usize,
    idle: Option<Box<Work>>,
    busy: Option<JoinHandle<(Box<Work>, io::Result<()>)>>,
}

struct Work {
    decoder: Decoder,
    file: File,
    out: Vec<u8>,
}

impl Work {
    fn write(&mut self, batch: Vec<Bytes>) -> io::Result<()> {
        for chunk in batch {
            self.file.write_all(self.decoder.decode(&chunk, &mut self.out))?;
        }
        Ok(())
    }
}

impl FileSink {
    async fn push(&mut self, chunk: Bytes) -> Result<(), Error> {
        self.batched += chunk.len();
        self.batch.push(chunk);
        if self.batched >= BATCH { self.start().await } else { Ok(()) }
    }

    /// Hands the batch over, once the one before is written.
    async fn start(&mut self) -> Result<(), Error> {
        self.wait().await?;
        if let (Some(mut work), false) = (self.idle.take(), self.batch.is_empty()) {
            let batch = std::mem::take(&mut self.batch);
            self.batched = 0;
            self.busy = Some(tokio::task::spawn_blocking(move || {
                let written = work.write(batch);
                (work, written)
            }));
        }
        Ok(())
    }

    async fn wait(&mut self) -> Result<(), Error> {
        let Some(busy) = &mut self.busy else { return Ok(()) };
        let joined = busy.await;
        self.busy = None;
        let (work, written) = joined.map_err(|error| unwritable(error.into()))?;
        self.idle = Some(work);
        written.map_err(unwritable)
    }

    /// Waits until everything is written.
    async fn flush(&mut self) -> Result<&mut Work, Error> {
        if !self.batch.is_empty() {
            self.start().await?;
        }
        self.wait().await?;
        self.idle.as_deref_mut().ok_or_else(|| unwritable(io::Error::other("no file")))
    }
}

pub(super) fn unwritable(error: io::Error) -> Error {
    Error::new(ErrorKind::Sink, "the media cannot be written").with_source(error)
}
