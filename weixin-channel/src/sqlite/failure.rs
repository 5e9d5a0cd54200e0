//! What SQLite says, as errors of a backend with a sentence.

use std::path::Path;

use rusqlite::{ErrorCode, ffi};

use crate::backend::{StoreError, StoreErrorKind};
use crate::error::Error;

/// Why a job could not be done.
#[derive(Debug)]
pub(crate) enum Problem {
    /// SQLite failed.
    Sql(rusqlite::Error),
    /// It was refused before it had written anything.
    Refused(Error),
    /// It failed otherwise, and may have written something.
    Failed(Error),
}

impl Problem {
    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Refused(error) | Self::Failed(error) => error,
            Self::Sql(error) => of_sqlite(error, path),
        }
    }

    /// The same for one of several whom it concerns.
    pub(super) fn to_error(&self, path: &Path) -> Error {
        match self {
            Self::Sql(error) => told(error, path).into(),
            Self::Refused(error) | Self::Failed(error) => unusable(error.to_string()),
        }
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// With the error of SQLite as its source.
pub(crate) fn of_sqlite(error: rusqlite::Error, path: &Path) -> Error {
    told(&error, path).with_source(error).into()
}

/// The sentence.
fn told(error: &rusqlite::Error, path: &Path) -> StoreError {
    let file = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::new(
            StoreErrorKind::Corrupt,
            format!(
                "the journal, openclaw-weixin/channel.sqlite in the state folder, is damaged ({error}): move it away and \
                 start again; what it held and was not handled is lost"
            ),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::new(
            StoreErrorKind::Transient,
            format!(
                "{file} is locked by another program (a backup?), and was for seconds: let that end, or stop it"
            ),
        ),
        _ if is_full(error) => StoreError::new(
            StoreErrorKind::Transient,
            format!("{file} cannot be written because the disk is full: make room, and it goes on by itself"),
        ),
        Some(ErrorCode::SystemIoFailure) => StoreError::new(
            StoreErrorKind::Transient,
            format!(
                "{file} could not be read or written ({error}): see what the system's log says of that disk; it is \
                 tried again meanwhile"
            ),
        ),
        _ => StoreError::new(
            StoreErrorKind::Transient,
            format!("the journal failed ({error}); check the free space of the state folder"),
        ),
    }
}

/// The file that processes share cannot grow either; that it could not has a number of its own.
fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| {
        error.code == ErrorCode::DiskFull || error.extended_code == ffi::SQLITE_IOERR_SHMSIZE
    })
}

pub(super) fn closed(path: &Path) -> Error {
    let sentence = format!("{} is closed already: open the channel again", path.display());
    StoreError::new(StoreErrorKind::Transient, sentence).into()
}

pub(super) fn panicked() -> Error {
    let sentence = "a bug made a step of the journal fail: please report it with the log of this program";
    StoreError::new(StoreErrorKind::Transient, sentence).into()
}

pub(super) fn unusable(sentence: String) -> Error {
    StoreError::new(StoreErrorKind::Transient, sentence).into()
}
