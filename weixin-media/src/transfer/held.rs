//! A file that is held open from the first pass to the last: whatever its path leads to meanwhile, this is what is sent.

use std::fs::{File, Metadata};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use cap_fs_ext::OpenOptionsSyncExt as _;
use cap_std::fs::OpenOptions;

/// An open file, and what it was like when it was first looked at.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    file: Arc<File>,
    stamp: Stamp,
}

/// Size and time of the last write. A file that is removed meanwhile is still whole.
type Stamp = (u64, Option<SystemTime>);

impl Held {
    /// An error if it is anything but a regular file.
    pub(crate) fn new(file: Arc<File>) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(irregular());
        }
        Ok(Self { file, stamp: stamp(&metadata) })
    }

    /// True if nobody has written to it since.
    pub(crate) fn is_unchanged(&self) -> bool {
        self.file.metadata().is_ok_and(|metadata| stamp(&metadata) == self.stamp)
    }

    /// Reads from a place, without a position of its own: an attempt that failed and its successor do not disturb each
    /// other. 0 at the end.
    pub(crate) fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            #[cfg(unix)]
            let read = std::os::unix::fs::FileExt::read_at(&*self.file, buffer, at);
            #[cfg(windows)]
            let read = std::os::windows::fs::FileExt::seek_read(&*self.file, buffer, at);
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.len(), metadata.modified().ok())
}

pub(crate) fn irregular() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")
}

/// For reading. To open a pipe would wait for somebody who writes to it: that is not waited for.
pub(crate) fn reading() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).nonblock(true);
    options
}

/// Opens a file by a path that is trusted.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let opened = cap_std::fs::File::open_ambient_with(path, &reading(), cap_std::ambient_authority())?;
    Ok(opened.into_std())
}
