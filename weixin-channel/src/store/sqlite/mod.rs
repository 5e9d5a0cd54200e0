//! The default store: one SQLite file in the state folder.

mod journal;
mod outbound;
mod schema;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ilink_client::{ContextToken, Cursor, UserId};
use rusqlite::Connection;

use super::{
    Answer, DeadLetter, Entry, Health, Ledger, NewEntry, NewOutboxItem, OutboxItem, Retention, Store,
};
use crate::account::AccountId;
use crate::error::Error;

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the process. A power loss may cost the last moments, never the file.
    #[default]
    ProcessCrash,
    /// A power loss too: each commit waits for the disk.
    PowerLoss,
}

/// The journal in one SQLite file, in WAL mode.
///
/// Its statements run on the calling thread: each takes some ten microseconds, less than handing it to another
/// thread would.
pub struct SqliteStore {
    connection: Mutex<Connection>,
    /// Where the file is and which one it is; `None` in memory.
    file: Option<(PathBuf, u64)>,
}

impl SqliteStore {
    /// Opens the file, or makes it, mode 0600.
    ///
    /// # Errors
    /// If it cannot be opened, or was written by a newer version.
    pub fn open(path: &Path, durability: Durability) -> Result<Self, Error> {
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map_err(Error::state(path, "open"))?;
        let mut store = Self::set_up(Connection::open(path)?, durability)?;
        store.file = identity(path).map(|identity| (path.to_owned(), identity));
        Ok(store)
    }

    /// A store that is gone when it is dropped: for tests and trials.
    ///
    /// # Errors
    /// If SQLite cannot be set up.
    pub fn in_memory() -> Result<Self, Error> {
        Self::set_up(Connection::open_in_memory()?, Durability::ProcessCrash)
    }

    fn set_up(mut connection: Connection, durability: Durability) -> Result<Self, Error> {
        // Another process may look at the file; nobody holds it for long.
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        let synchronous = if durability == Durability::PowerLoss { "full" } else { "normal" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        // More statements than rusqlite keeps by itself.
        connection.set_prepared_statement_cache_capacity(64);
        schema::migrate(&mut connection)?;
        Ok(Self { connection: Mutex::new(connection), file: None })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A statement that panicked has rolled back; the connection is whole.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// SQLite goes on with a file that was removed, and all that it takes is gone with the process.
    fn still_there(&self) -> Result<(), Error> {
        match &self.file {
            Some((path, opened)) if identity(path) != Some(*opened) => Err(Error::Store(
                format!(
                    "{} was removed or replaced while in use: stop this program and start it again",
                    path.display()
                )
                .into(),
            )),
            _ => Ok(()),
        }
    }

    fn run<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'a,
    ) -> Answer<'a, T> {
        Box::pin(async move { Ok(work(&mut self.lock())?) })
    }
}

impl Store for SqliteStore {
    fn cursor<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Option<(Cursor, SystemTime)>> {
        self.run(|db| journal::cursor(db, account))
    }

    fn take_over<'a>(
        &'a self,
        account: &'a AccountId,
        cursor: &'a Cursor,
        tokens: &'a [(UserId, ContextToken)],
        now: SystemTime,
    ) -> Answer<'a, ()> {
        self.run(move |db| journal::take_over(db, account, cursor, tokens, now))
    }

    fn ingest<'a>(
        &'a self,
        account: &'a AccountId,
        cursor: &'a Cursor,
        entries: &'a [NewEntry],
        now: SystemTime,
    ) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move {
            // What goes in here is acknowledged to the server.
            self.still_there()?;
            self.run(move |db| journal::ingest(db, account, cursor, entries, now)).await
        })
    }

    fn pending<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<Entry>> {
        self.run(|db| journal::pending(db, account))
    }

    fn dispatched<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, ()> {
        self.run(move |db| journal::dispatched(db, account, id))
    }

    fn done<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, ()> {
        self.run(move |db| journal::done(db, account, id))
    }

    fn failed<'a>(&'a self, account: &'a AccountId, id: i64, reason: &'a str, dead: bool) -> Answer<'a, ()> {
        self.run(move |db| journal::failed(db, account, id, reason, dead))
    }

    fn dead_letters<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<DeadLetter>> {
        self.run(|db| journal::dead_letters(db, account))
    }

    fn requeue<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, Option<Entry>> {
        self.run(move |db| journal::requeue(db, account, id))
    }

    fn context_token<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a str,
    ) -> Answer<'a, Option<(UserId, ContextToken)>> {
        self.run(move |db| outbound::context_token(db, account, user))
    }

    fn context_tokens<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<(UserId, ContextToken)>> {
        self.run(|db| outbound::context_tokens(db, account))
    }

    fn ledger<'a>(&'a self, account: &'a AccountId, user: &'a UserId) -> Answer<'a, Ledger> {
        self.run(move |db| outbound::ledger(db, account, user))
    }

    fn note_send<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a UserId,
        bytes: u64,
        now: SystemTime,
    ) -> Answer<'a, ()> {
        self.run(move |db| outbound::note_send(db, account, user, bytes, now))
    }

    fn health<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Health> {
        self.run(|db| outbound::health(db, account))
    }

    fn set_health<'a>(&'a self, account: &'a AccountId, health: Health) -> Answer<'a, ()> {
        self.run(move |db| outbound::set_health(db, account, health))
    }

    fn enqueue<'a>(
        &'a self,
        account: &'a AccountId,
        items: &'a [NewOutboxItem],
        cap: u32,
    ) -> Answer<'a, bool> {
        self.run(move |db| outbound::enqueue(db, account, items, cap))
    }

    fn outbox<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<OutboxItem>> {
        self.run(|db| outbound::outbox(db, account))
    }

    fn dequeue<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, ()> {
        self.run(move |db| outbound::dequeue(db, account, id))
    }

    fn prune<'a>(
        &'a self,
        account: &'a AccountId,
        retention: &'a Retention,
        now: SystemTime,
    ) -> Answer<'a, u64> {
        self.run(move |db| journal::prune(db, account, retention, now))
    }

    fn forget<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()> {
        self.run(|db| {
            let transaction = db.transaction()?;
            for table in schema::TABLES {
                transaction
                    .execute(&format!("DELETE FROM {table} WHERE account = ?1"), [account.as_str()])?;
            }
            transaction.commit()
        })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}

/// Which file a path leads to. Where the system does not say, open files cannot be removed.
fn identity(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    return std::fs::metadata(path).ok().map(|data| std::os::unix::fs::MetadataExt::ino(&data));
    #[cfg(not(unix))]
    return Some(u64::from(path.exists()));
}

/// Unix milliseconds.
fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
