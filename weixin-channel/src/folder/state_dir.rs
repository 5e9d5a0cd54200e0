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

/// Closes a folder of ours and the files in it to other users, where they are open: older versions, other programs and
/// copies leave them so. What cannot be closed is told; links are left alone.
pub(crate) fn close_to_others(folder: &Path) {
    #[cfg(unix)]
    {
        tighten(folder, 0o700);
        // Without the folder there is nothing to close.
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                tighten(&entry.path(), 0o600);
            }
        }
    }
    #[cfg(not(unix))]
    let _ = folder;
}

/// Says so if other users can put their files in the place of ours. The folder is the host's, or the user's own: its
/// mode is theirs to set.
pub(crate) fn tell_if_others_write(folder: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;

        let mode = std::fs::metadata(folder).map_or(0, |found| found.permissions().mode());
        // In a sticky folder they can add files, and not replace any.
        if mode & 0o022 != 0 && mode & 0o1000 == 0 {
            tracing::warn!(
                path = %folder.display(),
                "other users can write to the state folder, and so replace the accounts in it: run chmod go-w on it"
            );
        }
    }
    #[cfg(not(unix))]
    let _ = folder;
}

/// Takes from a file what others may do with it.
#[cfg(unix)]
fn tighten(path: &Path, wanted: u32) {
    use std::os::unix::fs::PermissionsExt as _;

    const OTHERS: u32 = 0o077;
    let Ok(found) = std::fs::metadata(path) else { return };
    let mode = found.permissions().mode() & 0o777;
    if mode & OTHERS == 0 {
        return;
    }
    let mut closed = found.permissions();
    closed.set_mode(mode & wanted);
    match std::fs::set_permissions(path, closed) {
        Ok(()) => {
            tracing::warn!(path = %path.display(), "other users could read or change it, and cannot any more");
        }
        Err(error) => tracing::warn!(
            path = %path.display(),
            %error,
            "other users can read or change it: give it to the user who runs this program, with mode {wanted:o}"
        ),
    }
}

/// Writes a new file that nobody else can read.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;

    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

/// Makes a folder, mode 0700 where it is new.
pub(crate) fn make_dir(path: &Path) -> Result<(), Error> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(Error::state(path, "make"))
}
