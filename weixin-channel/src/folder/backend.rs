//! The state folder as one backend.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::environment::Environment;
use super::leases::Held;
use super::official::Changes;
use super::quotes::QuoteThread;
use super::state_dir::StateDir;
use crate::account::AccountId;
use crate::blocking::blocking;
use crate::error::Error;
use crate::quote::QuoteLimits;
use crate::sqlite::{self, Database, Durability, Opening};

/// A state folder as a [`Backend`](crate::backend::Backend). Cheap to clone; its threads end with the last clone.
#[derive(Clone, Debug)]
pub struct FolderBackend {
    pub(super) inner: Arc<Inner>,
}

/// How a [`FolderBackend`] is opened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FolderOptions {
    /// What a commit of the journal survives.
    pub durability: Durability,
    /// How much is kept of past messages, to know what a quote quotes; `None` keeps nothing.
    pub quotes: Option<QuoteLimits>,
    /// Keeps tokio's clock still, where it is [paused](https://docs.rs/tokio/latest/tokio/time/fn.pause.html), while the
    /// database is waited for: for tests; no.
    pub paused_clock: bool,
    /// The name of a VFS of SQLite for the journal, instead of the default one: for tests, whose disks fail.
    #[doc(hidden)]
    pub vfs: Option<String>,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self {
            durability: Durability::default(),
            quotes: Some(QuoteLimits::default()),
            paused_clock: false,
            vfs: None,
        }
    }
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) state: StateDir,
    pub(super) db: Database,
    pub(super) quotes: Option<QuoteThread>,
    /// The accounts that run in this process.
    pub(super) held: Mutex<HashMap<AccountId, Held>>,
    pub(super) changes: Changes,
    /// Where the host keeps its own allow-lists, if not in the state folder (protocol §8).
    pub(super) oauth_dir: Option<PathBuf>,
}

impl FolderBackend {
    /// Opens the folder, or makes it.
    ///
    /// # Errors
    /// If it cannot be written, or its journal cannot be opened or was written by a newer version.
    pub async fn open(state: StateDir, options: FolderOptions) -> Result<Self, Error> {
        let FolderOptions { durability, quotes, paused_clock, vfs } = options;
        let folder = state.clone();
        let (db, quotes) = blocking(move || {
            folder.prepare()?;
            let db = sqlite::open(&folder.journal_path(), &Opening { durability, paused_clock, vfs })?;
            Ok((db, quotes.and_then(|limits| QuoteThread::open(&folder, limits, paused_clock))))
        })
        .await?;
        let inner = Inner {
            state,
            db,
            quotes,
            held: Mutex::default(),
            changes: Changes::default(),
            oauth_dir: Environment::of_process().oauth_dir(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The folder.
    #[must_use]
    pub fn state(&self) -> &StateDir {
        &self.inner.state
    }

    /// Does something with the files of the folder, beside the runtime.
    pub(super) async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&StateDir) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let state = self.inner.state.clone();
        blocking(move || work(&state)).await
    }
}
