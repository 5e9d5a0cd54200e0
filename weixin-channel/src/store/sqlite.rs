//! The default store: one SQLite file in the state folder.

use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use ilink_client::{BoxFuture, ContextToken, Cursor, UserId};
use rusqlite::{Connection, OptionalExtension as _, Transaction, params};

use super::{DeadLetter, Entry, NewEntry, Store};
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
}

const NEW: i64 = 0;
const DONE: i64 = 1;
const DEAD: i64 = 2;

const SCHEMA: &str = "
    CREATE TABLE cursors (account TEXT PRIMARY KEY, cursor TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE context_tokens (
        account TEXT NOT NULL, user TEXT NOT NULL, token TEXT NOT NULL, updated_ms INTEGER NOT NULL,
        PRIMARY KEY (account, user)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX context_tokens_folded ON context_tokens (account, user COLLATE NOCASE);
    CREATE TABLE journal (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, key TEXT NOT NULL, peer TEXT NOT NULL,
        raw TEXT NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
        reason TEXT, received_ms INTEGER NOT NULL, UNIQUE (account, key)
    ) STRICT;
    CREATE INDEX journal_open ON journal (account, state, id) WHERE state <> 1;
";

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
        Self::set_up(Connection::open(path)?, durability)
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
        connection.busy_timeout(std::time::Duration::from_secs(5))?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        let synchronous = if durability == Durability::PowerLoss { "full" } else { "normal" };
        connection.pragma_update(None, "synchronous", synchronous)?;
        let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match version {
            0 => {
                let transaction = connection.transaction()?;
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", 1)?;
                transaction.commit()?;
            }
            1 => {}
            newer => return Err(Error::NewerStore(newer)),
        }
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        // A statement that panicked has rolled back; the connection is whole.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run<'a, T: Send + 'a>(
        &'a self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Error>> {
        Box::pin(async move { Ok(work(&mut self.lock())?) })
    }
}

impl Store for SqliteStore {
    fn cursor<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<Option<Cursor>, Error>> {
        self.run(|db| {
            let mut select = db.prepare_cached("SELECT cursor FROM cursors WHERE account = ?1")?;
            select.query_row([account.as_str()], |row| Ok(Cursor::from(row.get::<_, String>(0)?))).optional()
        })
    }

    fn take_over<'a>(
        &'a self,
        account: &'a AccountId,
        cursor: &'a Cursor,
        tokens: &'a [(UserId, ContextToken)],
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.run(move |db| {
            let transaction = db.transaction()?;
            set_cursor(&transaction, account, cursor)?;
            for (user, token) in tokens {
                set_token(&transaction, account, user, token)?;
            }
            transaction.commit()
        })
    }

    fn ingest<'a>(
        &'a self,
        account: &'a AccountId,
        cursor: &'a Cursor,
        entries: &'a [NewEntry],
    ) -> BoxFuture<'a, Result<Vec<Entry>, Error>> {
        self.run(|db| {
            let transaction = db.transaction()?;
            let fresh = insert(&transaction, account, entries)?;
            set_cursor(&transaction, account, cursor)?;
            transaction.commit()?;
            Ok(fresh)
        })
    }

    fn pending<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<Vec<Entry>, Error>> {
        self.run(|db| {
            let sql =
                "SELECT id, peer, raw, attempts FROM journal WHERE account = ?1 AND state = ?2 ORDER BY id";
            let mut select = db.prepare_cached(sql)?;
            select.query_map(params![account.as_str(), NEW], read_entry)?.collect()
        })
    }

    fn done<'a>(&'a self, account: &'a AccountId, id: i64) -> BoxFuture<'a, Result<(), Error>> {
        self.run(move |db| {
            // The row stays for its key; its content is no longer needed.
            let sql = "UPDATE journal SET state = ?3, raw = '' WHERE account = ?1 AND id = ?2 AND state = ?4";
            db.prepare_cached(sql)?.execute(params![account.as_str(), id, DONE, NEW]).map(drop)
        })
    }

    fn failed<'a>(
        &'a self,
        account: &'a AccountId,
        id: i64,
        reason: &'a str,
        dead: bool,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.run(move |db| {
            let sql = "UPDATE journal SET attempts = attempts + 1, reason = ?3, state = ?4
                       WHERE account = ?1 AND id = ?2 AND state = ?5";
            let state = if dead { DEAD } else { NEW };
            db.prepare_cached(sql)?.execute(params![account.as_str(), id, reason, state, NEW]).map(drop)
        })
    }

    fn dead_letters<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<Vec<DeadLetter>, Error>> {
        self.run(|db| {
            let sql = "SELECT id, peer, raw, attempts, reason FROM journal WHERE account = ?1 AND state = ?2 ORDER BY id";
            let mut select = db.prepare_cached(sql)?;
            let letter = |row: &rusqlite::Row<'_>| {
                let reason = row.get::<_, Option<String>>(4)?.unwrap_or_default();
                Ok(DeadLetter { entry: read_entry(row)?, reason })
            };
            select.query_map(params![account.as_str(), DEAD], letter)?.collect()
        })
    }

    fn context_token<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a str,
    ) -> BoxFuture<'a, Result<Option<(UserId, ContextToken)>, Error>> {
        self.run(move |db| {
            let sql = "SELECT user, token FROM context_tokens WHERE account = ?1 AND user = ?2 COLLATE NOCASE
                       ORDER BY user = ?2 DESC, updated_ms DESC LIMIT 1";
            db.prepare_cached(sql)?.query_row([account.as_str(), user], read_token).optional()
        })
    }

    fn context_tokens<'a>(
        &'a self,
        account: &'a AccountId,
    ) -> BoxFuture<'a, Result<Vec<(UserId, ContextToken)>, Error>> {
        self.run(|db| {
            let mut select =
                db.prepare_cached("SELECT user, token FROM context_tokens WHERE account = ?1")?;
            select.query_map([account.as_str()], read_token)?.collect()
        })
    }

    fn forget<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<(), Error>> {
        self.run(|db| {
            let transaction = db.transaction()?;
            for table in ["cursors", "context_tokens", "journal"] {
                transaction
                    .execute(&format!("DELETE FROM {table} WHERE account = ?1"), [account.as_str()])?;
            }
            transaction.commit()
        })
    }
}

fn insert(
    transaction: &Transaction<'_>,
    account: &AccountId,
    entries: &[NewEntry],
) -> rusqlite::Result<Vec<Entry>> {
    let mut add = transaction.prepare_cached(
        "INSERT INTO journal (account, key, peer, raw, state, reason, received_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
    )?;
    let now = unix_ms();
    let mut fresh = Vec::new();
    for entry in entries {
        let state = if entry.dead.is_some() { DEAD } else { NEW };
        let added = add.execute(params![
            account.as_str(),
            entry.key,
            entry.peer.as_str(),
            entry.raw,
            state,
            entry.dead,
            now
        ])?;
        if added == 1 && state == NEW {
            let (id, peer, raw) = (transaction.last_insert_rowid(), entry.peer.clone(), entry.raw.clone());
            fresh.push(Entry { id, peer, raw, attempts: 0 });
        }
        if let Some(token) = entry.context_token.as_ref().filter(|token| !token.is_empty()) {
            set_token(transaction, account, &entry.peer, token)?;
        }
    }
    Ok(fresh)
}

fn set_cursor(transaction: &Transaction<'_>, account: &AccountId, cursor: &Cursor) -> rusqlite::Result<()> {
    let sql = "INSERT INTO cursors VALUES (?1, ?2) ON CONFLICT DO UPDATE SET cursor = excluded.cursor";
    transaction.prepare_cached(sql)?.execute([account.as_str(), cursor.as_str()]).map(drop)
}

fn set_token(
    transaction: &Transaction<'_>,
    account: &AccountId,
    user: &UserId,
    token: &ContextToken,
) -> rusqlite::Result<()> {
    let sql = "INSERT INTO context_tokens VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET token = excluded.token, updated_ms = excluded.updated_ms";
    let values = params![account.as_str(), user.as_str(), token.as_str(), unix_ms()];
    transaction.prepare_cached(sql)?.execute(values).map(drop)
}

fn read_entry(row: &rusqlite::Row<'_>) -> rusqlite::Result<Entry> {
    let peer = UserId::from(row.get::<_, String>(1)?);
    Ok(Entry { id: row.get(0)?, peer, raw: row.get(2)?, attempts: row.get(3)? })
}

fn read_token(row: &rusqlite::Row<'_>) -> rusqlite::Result<(UserId, ContextToken)> {
    Ok((UserId::from(row.get::<_, String>(0)?), ContextToken::from(row.get::<_, String>(1)?)))
}

fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").finish_non_exhaustive()
    }
}
