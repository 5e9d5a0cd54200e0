//! Small files, written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::state_dir::make_dir;
use crate::error::Error;

/// Whether a file has to be on the disk before the call returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// It is a secret or an index: yes.
    Yes,
    /// It is a copy of what the journal has: moved in place, the kernel may write it later.
    No,
}

/// The JSON of a file; `None` if there is no such file.
///
/// A file that is no JSON is kept aside under another name, so that nothing overwrites it.
pub(crate) fn read_json(path: &Path) -> Result<Option<Value>, Error> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::state(path, "read")(error)),
    };
    match serde_json::from_slice(&bytes) {
        Ok(value) => Ok(Some(value)),
        Err(_) => {
            let kept = keep_aside(path, "damaged")?;
            Err(Error::Corrupt { path: path.to_owned(), kept })
        }
    }
}

/// Moves a file to `{name}.{why}-{Unix ms}`.
pub(crate) fn keep_aside(path: &Path, why: &str) -> Result<PathBuf, Error> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{why}-{now}"));
    let kept = path.with_file_name(name);
    fs::rename(path, &kept).map_err(Error::state(path, "move"))?;
    Ok(kept)
}

/// Writes a file beside its place, mode 0600 from the start, and moves it there.
pub(crate) fn write_json(path: &Path, value: &Value, sync: Sync) -> Result<(), Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make_dir(folder)?;
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new().prefix(".new").tempfile_in(folder)?;
        serde_json::to_writer_pretty(&mut file, value)?;
        file.write_all(b"\n")?;
        if sync == Sync::Yes {
            file.as_file().sync_all()?;
        }
        file.persist(path)?;
        if sync == Sync::Yes {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(Error::state(path, "write"))
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::state(path, "remove")(error)),
        _ => Ok(()),
    }
}
