//! Files of media that may be quoted, below `media/inbound/openclaw-weixin-quotes` (protocol §8). Nothing outside of
//! that folder is ever removed.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use ilink_client::MessageId;

use crate::account::AccountId;
use crate::folder::state_dir::{StateDir, make_dir};

/// How long a file may lie here before its message is recorded.
const GRACE: Duration = Duration::from_secs(60 * 60);

#[derive(Debug)]
pub(super) struct MediaFiles {
    root: PathBuf,
}

impl MediaFiles {
    pub(super) fn new(state: &StateDir) -> Self {
        let root = state.root().join("media/inbound/openclaw-weixin-quotes");
        // The official plugin removes files that its table does not name by their absolute path.
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn dir(&self, account: &AccountId) -> PathBuf {
        self.root.join(account.as_str())
    }

    /// The path to store for a file, and its size; `None` if it is too large or cannot be kept.
    pub(super) fn keep(
        &self,
        account: &AccountId,
        id: MessageId,
        path: &Path,
        max_bytes: u64,
    ) -> Option<(String, u64)> {
        let keep = || -> Result<Option<(String, u64)>, crate::error::Error> {
            let error = |error| crate::error::Error::state(path, "keep")(error);
            let data = fs::metadata(path).map_err(error)?;
            if !data.is_file() || data.len() > max_bytes {
                return Ok(None);
            }
            let folder = self.dir(account);
            make_dir(&folder)?;
            let kept = self.place(&folder, id, path).map_err(error)?;
            Ok(kept.to_str().map(|path| (path.to_owned(), data.len())))
        };
        keep().unwrap_or_else(|error| {
            tracing::warn!(%account, %error, "media cannot be kept for quotes");
            None
        })
    }

    /// Where the file is below our folder, linked or copied if it was not.
    fn place(&self, folder: &Path, id: MessageId, path: &Path) -> io::Result<PathBuf> {
        let source = path.canonicalize()?;
        if let Ok(inside) = source.strip_prefix(self.root.canonicalize()?) {
            return Ok(self.root.join(inside));
        }
        let is_ending =
            |ending: &&str| ending.len() <= 16 && ending.bytes().all(|b| b.is_ascii_alphanumeric());
        let ending = source.extension().and_then(|ending| ending.to_str()).filter(is_ending);
        let kept = folder.join(format!("{id}.{}", ending.unwrap_or("bin")));
        match fs::remove_file(&kept) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if fs::hard_link(&source, &kept).is_err() {
            fs::copy(&source, &kept)?;
        }
        Ok(kept)
    }

    /// Removes files that no message has any more.
    pub(super) fn remove<'a>(&self, paths: impl Iterator<Item = &'a PathBuf>) {
        let Ok(root) = self.root.canonicalize() else { return };
        for path in paths {
            let Ok(file) = path.canonicalize() else { continue };
            if file.starts_with(&root) {
                remove(&file);
            }
        }
    }

    /// Removes files that no message names and that have been lying here for a while: a crash left them.
    pub(super) fn sweep(&self, known: &HashSet<PathBuf>, now_ms: i64) {
        let old = UNIX_EPOCH + Duration::from_millis(now_ms.try_into().unwrap_or(0));
        let Some(old) = old.checked_sub(GRACE) else { return };
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            // Without quoted media there is no folder.
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let Ok(kind) = entry.file_type() else { continue };
                if kind.is_dir() {
                    folders.push(entry.path());
                } else if kind.is_file() && !known.contains(&entry.path()) {
                    let modified = entry.metadata().and_then(|data| data.modified());
                    if modified.is_ok_and(|modified| modified < old) {
                        remove(&entry.path());
                    }
                }
            }
        }
    }
}

fn remove(file: &Path) {
    if let Err(error) = fs::remove_file(file)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(path = %file.display(), %error, "quoted media cannot be removed");
    }
}
