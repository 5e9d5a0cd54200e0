//! What is uploaded: read twice, first for its size and MD5, then to be sent.

use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncSeek, AsyncSeekExt as _};

use super::held::{Held, open};
use crate::codec::{Digest, Fingerprint};
use crate::error::{Error, ErrorKind};

/// Bytes that are read, encrypted and sent in one piece: large enough that a piece costs little beside its bytes,
/// small enough that a handful of them is nothing. A multiple of the cipher block.
pub(crate) const CHUNK: usize = 256 << 10;

/// The number of first bytes that tell the type.
pub(crate) const HEAD: usize = 4 << 10;

/// What is to be uploaded.
#[derive(Clone, Debug)]
pub struct Source(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Bytes(Bytes),
    Path(PathBuf),
    File(Arc<File>, String),
    Reader(Arc<Mutex<Shared>>),
}

/// A reader that one pass at a time may use.
pub(crate) struct Shared {
    /// Goes up with each pass: a body that a failed attempt has left behind must not move the reader.
    pub(crate) pass: u64,
    pub(crate) reader: Option<Box<dyn SeekableReader>>,
}

/// What a source of any kind needs.
pub trait SeekableReader: AsyncRead + AsyncSeek + Send + Unpin {}

impl<T: AsyncRead + AsyncSeek + Send + Unpin> SeekableReader for T {}

impl Source {
    /// A file, by its path. It is opened once, when the upload begins; what lies there later is not sent.
    ///
    /// For a path that somebody else gave, an agent for instance, see [`Source::beneath`].
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self(Kind::Path(path.into()))
    }

    /// A file that is open, from its beginning; `name` is what the phone shows.
    pub fn file(file: File, name: impl Into<String>) -> Self {
        Self(Kind::File(Arc::new(file), name.into()))
    }

    /// A file below a folder, by a path that is not trusted, an agent's for instance: relative to the folder, or absolute.
    ///
    /// The file is opened here and now, and what is sent is that file, whatever happens to the path meanwhile. Neither
    /// `..` nor a symbolic link leads out of the folder; one that leads to another place in it is followed. The folder
    /// itself may be a link: it is trusted. What is no regular file is refused without waiting for it, and so is a file
    /// with a second name (a hard link), which may belong to another folder.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the path leads out of the folder; [`ErrorKind::Source`] if there is no such
    /// file, or none that may be sent.
    ///
    /// ```no_run
    /// # async fn run(media: weixin_media::Media, user: weixin_media::ilink_client::UserId) -> Result<(), weixin_media::Error> {
    /// use weixin_media::Source;
    ///
    /// let report = Source::beneath("workspace", "out/report.pdf").await?;
    /// media.upload(&user, report).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn beneath(folder: impl Into<PathBuf>, path: impl Into<PathBuf>) -> Result<Self, Error> {
        let (folder, path) = (folder.into(), path.into());
        tokio::task::spawn_blocking(move || super::beneath::open(&folder, &path))
            .await
            .unwrap_or_else(|error| Err(unreadable(error.into())))
    }

    /// Bytes in memory.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }

    /// Anything that can be read and rewound; it is read from its beginning, whatever its position.
    pub fn reader(reader: impl SeekableReader + 'static) -> Self {
        Self(Kind::Reader(Arc::new(Mutex::new(Shared { pass: 0, reader: Some(Box::new(reader)) }))))
    }

    /// The file, of a source that is an open one ([`file`](Self::file), [`beneath`](Self::beneath)): to look at it before
    /// it is sent. Wherever it is read to, it is sent from its beginning.
    #[must_use]
    pub fn as_file(&self) -> Option<&File> {
        match &self.0 {
            Kind::File(file, _) => Some(file),
            _ => None,
        }
    }

    /// The last part of the path.
    pub(crate) fn name(&self) -> Option<String> {
        match &self.0 {
            Kind::Path(path) => Some(path.file_name()?.to_string_lossy().into_owned()),
            Kind::File(_, name) => Some(name.clone()),
            _ => None,
        }
    }

    /// The first pass. Dropping the future ends it, in the thread that reads a file too.
    pub(crate) async fn scan(&self) -> Result<Scan, Error> {
        match &self.0 {
            Kind::Bytes(bytes) => {
                let bytes = bytes.clone();
                blocking(move |alive| {
                    let mut digest = Digest::default();
                    for piece in bytes.chunks(CHUNK).take_while(|_| alive.strong_count() > 0) {
                        digest.update(piece);
                    }
                    Ok(Scan::new(digest, bytes[..bytes.len().min(HEAD)].to_vec(), None))
                })
                .await
            }
            Kind::Path(path) => {
                let path = path.clone();
                let name = path.display().to_string();
                let scan = blocking(move |alive| scan_file(&Arc::new(open(&path)?), &alive)).await;
                scan.map_err(|error| error.with_detail(format!("{name} cannot be read for the upload")))
            }
            Kind::File(file, name) => {
                let file = file.clone();
                let scan = blocking(move |alive| scan_file(&file, &alive)).await;
                scan.map_err(|error| error.with_detail(format!("{name} cannot be read for the upload")))
            }
            Kind::Reader(shared) => scan_reader(shared).await,
        }
    }
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Self::bytes(bytes)
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::path(path)
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::path(path)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Self::Path(path) => path.fmt(f),
            Self::File(_, name) => write!(f, "the open file {name:?}"),
            Self::Reader(_) => f.write_str("reader"),
        }
    }
}

/// What the first pass found.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) head: Vec<u8>,
    /// The file that was read, for the second pass: its path may lead to another by then.
    pub(crate) held: Option<Held>,
}

impl Scan {
    fn new(digest: Digest, head: Vec<u8>, opened: Option<Held>) -> Self {
        Self { fingerprint: digest.finish(), head, held: opened }
    }
}

pub(crate) fn unreadable(error: io::Error) -> Error {
    Error::new(ErrorKind::Source, "what is to be uploaded cannot be read").with_source(error)
}

/// Runs what would hold up the runtime. It can see when nobody waits for it any more.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce(Weak<()>) -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let alive = Arc::new(());
    let weak = Arc::downgrade(&alive);
    tokio::task::spawn_blocking(move || work(weak))
        .await
        .map_err(io::Error::from)
        .flatten()
        .map_err(unreadable)
}

fn scan_file(file: &Arc<File>, alive: &Weak<()>) -> io::Result<Scan> {
    let opened = Held::new(file.clone())?;
    let (mut digest, mut head, mut buffer, mut at) = (Digest::default(), Vec::new(), vec![0; CHUNK], 0);
    while alive.strong_count() > 0 {
        let read = opened.read_at(&mut buffer, at)?;
        if read == 0 {
            break;
        }
        at += read as u64;
        take(&mut digest, &mut head, &buffer[..read]);
    }
    Ok(Scan::new(digest, head, Some(opened)))
}

async fn scan_reader(shared: &Arc<Mutex<Shared>>) -> Result<Scan, Error> {
    let mut reader = begin(shared).map_err(unreadable)?;
    let scan = async {
        reader.rewind().await?;
        let (mut digest, mut head, mut buffer) = (Digest::default(), Vec::new(), vec![0; CHUNK]);
        loop {
            let read = reader.read(&mut buffer).await?;
            if read == 0 {
                return Ok(Scan::new(digest, head, None));
            }
            take(&mut digest, &mut head, &buffer[..read]);
            // A reader that is always ready must not keep the others from running.
            tokio::task::yield_now().await;
        }
    }
    .await;
    give_back(shared, reader);
    scan.map_err(unreadable)
}

fn take(digest: &mut Digest, head: &mut Vec<u8>, bytes: &[u8]) {
    digest.update(bytes);
    let missing = HEAD.saturating_sub(head.len()).min(bytes.len());
    head.extend_from_slice(&bytes[..missing]);
}

/// Takes the reader for the first pass.
fn begin(shared: &Mutex<Shared>) -> io::Result<Box<dyn SeekableReader>> {
    let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
    shared.pass += 1;
    shared.reader.take().ok_or_else(|| io::Error::other("the reader is in use by another upload"))
}

fn give_back(shared: &Mutex<Shared>, reader: Box<dyn SeekableReader>) {
    shared.lock().unwrap_or_else(PoisonError::into_inner).reader = Some(reader);
}
