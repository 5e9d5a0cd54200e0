//! The state folder that existing installations have (protocol §8): read and written in their layout.

use std::fs::DirBuilder;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use crate::account::AccountId;
use crate::error::Error;

/// An OpenClaw state folder. Files are 0600, folders 0700; a file is written beside its place and moved there
/// ([field note 29]).
///
/// [field note 29]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-29
#[derive(Clone, Debug)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// A folder, which is made when something is first written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder of OpenClaw, as it finds it itself: `$OPENCLAW_STATE_DIR`, else `$CLAWDBOT_STATE_DIR`, else `.openclaw`
    /// in the home folder, or `.clawdbot` where only that is there. The home is `$OPENCLAW_HOME`, else `$HOME`, else
    /// `$USERPROFILE`, else what the system says; `~` at the beginning of a variable stands for it. `None` without any of
    /// these.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        Environment::of_process().state_dir().map(Self::new)
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where this channel's files are.
    #[must_use]
    pub fn channel_dir(&self) -> PathBuf {
        self.root.join("openclaw-weixin")
    }

    /// Where the journal is.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        self.channel_dir().join("channel.sqlite")
    }

    /// Where fetched media of an account lies: below the folder that OpenClaw's agents may read.
    pub(crate) fn media_dir(&self, id: &AccountId) -> PathBuf {
        self.root.join("media/inbound/openclaw-weixin").join(id.as_str())
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn accounts_dir(&self) -> PathBuf {
        self.channel_dir().join("accounts")
    }

    #[cfg(feature = "sqlite")]
    pub(super) fn account_file(&self, id: &str, suffix: &str) -> PathBuf {
        self.accounts_dir().join(format!("{id}{suffix}"))
    }
}

/// Makes a folder, mode 0700 where it is new.
pub(crate) fn make_dir(path: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(Error::state(path, "make"))
}
