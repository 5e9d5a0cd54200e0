//! One process per account: two that poll with one token knock each other out (field note 31).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use super::state_dir::StateDir;
use crate::account::AccountId;
use crate::backend::{StoreError, StoreErrorKind};
use crate::error::Error;

/// Held for as long as an account runs here; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct AccountLock {
    _file: File,
}

/// How long another program may hold a lock file: whoever uses one has it for the time of a file.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits for the lock of a file that is made for it, and holds it until the result is dropped. Blocks.
pub(crate) fn lock_file(path: &Path) -> Result<File, Error> {
    let file = open(path)?;
    let begin = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begin.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(TryLockError::WouldBlock) => {
                let sentence = format!(
                    "{} is locked by another program, and was for seconds: let that end, or stop it",
                    path.display()
                );
                return Err(StoreError::new(StoreErrorKind::Transient, sentence).into());
            }
            Err(TryLockError::Error(error)) => return Err(Error::state(path, "lock")(error)),
        }
    }
}

fn open(path: &Path) -> Result<File, Error> {
    super::state_dir::make_dir(path.parent().unwrap_or(Path::new(".")))?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(Error::state(path, "open"))
}

impl StateDir {
    /// Takes the lock of an account; `holder` is named to those who come later.
    pub(crate) fn lock(&self, id: &AccountId, holder: &str) -> Result<AccountLock, Error> {
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
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(holder.as_bytes())
        };
        write(&mut file).map_err(Error::state(&path, "write"))?;
        Ok(AccountLock { _file: file })
    }
}
