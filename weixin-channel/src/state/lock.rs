//! One process per account: two that poll with one token knock each other out (field note 31).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

use super::{StateDir, files};
use crate::account::AccountId;
use crate::error::Error;

/// Held for as long as an account runs here; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct AccountLock {
    _file: File,
}

/// Waits for the lock of a file that is made for it, and holds it until the result is dropped.
pub(crate) fn lock_file(path: &Path) -> Result<File, Error> {
    let file = open(path)?;
    file.lock().map_err(Error::state(path, "lock"))?;
    Ok(file)
}

fn open(path: &Path) -> Result<File, Error> {
    files::make_dir(path.parent().unwrap_or(Path::new(".")))?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(Error::state(path, "open"))
}

impl StateDir {
    /// Takes the lock of an account.
    pub(crate) fn lock(&self, id: &AccountId) -> Result<AccountLock, Error> {
        let path = self.account_file(id.as_str(), ".lock");
        let mut file = open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: a holder that cannot be read is "unknown".
                let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = if known { holder.trim().to_owned() } else { "unknown".to_owned() };
                return Err(Error::Locked { account: id.clone(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(Error::state(&path, "lock")(error)),
        }
        let program = std::env::current_exe().ok();
        let program = program.as_deref().and_then(|path| path.file_name()).unwrap_or_default();
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            write!(file, "{} pid {}", program.display(), std::process::id())
        };
        write(&mut file).map_err(Error::state(&path, "write"))?;
        Ok(AccountLock { _file: file })
    }
}
