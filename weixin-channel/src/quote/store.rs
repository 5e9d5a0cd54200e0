//! The quote store of existing installations (protocol §8): the same SQLite file, used in place by the official
//! plugin and by this crate.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ilink_client::{MessageId, UserId};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, TransactionBehavior, params};

use super::files::MediaFiles;
use super::types::{Direction, QuoteLimits, StoredMedia, StoredMessage};
use crate::account::AccountId;
use crate::error::Error;
use crate::folder::state_dir::{StateDir, close_to_others};

/// Past messages, by id and by time, in `openclaw-weixin/ref-messages.sqlite`.
///
/// Its calls block: a channel makes them on a thread of their own.
pub struct QuoteStore {
    connection: Mutex<Connection>,
    path: PathBuf,
    files: MediaFiles,
    limits: QuoteLimits,
}

/// Table, indices and units as official plugin 2.4.9 makes them, read from a file that it made; `user_version` stays
/// 0 there. `created_at` is in Unix milliseconds, `message_id` decimal, `direction` `inbound` or `outbound`.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS quote_messages (
        account_id TEXT NOT NULL, conversation_id TEXT NOT NULL, message_id TEXT NOT NULL,
        direction TEXT NOT NULL, body TEXT NOT NULL DEFAULT '',
        media_path TEXT, media_mime TEXT, media_name TEXT, media_size INTEGER, created_at INTEGER NOT NULL,
        PRIMARY KEY (account_id, conversation_id, message_id)
    );
    CREATE INDEX IF NOT EXISTS quote_messages_account_created ON quote_messages (account_id, created_at);
    CREATE INDEX IF NOT EXISTS quote_messages_media_path ON quote_messages (media_path);
";

const COLUMNS: &str =
    "message_id, direction, body, media_path, media_mime, media_name, media_size, created_at";

impl QuoteStore {
    /// Opens the file below a state folder, or makes it, mode 0600.
    ///
    /// # Errors
    /// [`Error::State`] if it cannot be opened; [`Error::Corrupt`] if it is no such file: it was kept under another
    /// name, and the next call starts with an empty one.
    pub fn open(state: &StateDir, limits: QuoteLimits) -> Result<Self, Error> {
        let path = state.channel_dir().join("ref-messages.sqlite");
        state.prepare()?;
        let files = MediaFiles::new(state);
        // The official plugin leaves it open.
        close_to_others(files.root());
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&path).map_err(Error::state(&path, "open"))?;
        match connect(&path) {
            Ok(connection) => Ok(Self { connection: Mutex::new(connection), files, path, limits }),
            Err(rusqlite::Error::SqliteFailure(error, _))
                if matches!(error.code, ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) =>
            {
                let kept = crate::folder::files::keep_aside(&path, "damaged")?;
                Err(Error::Corrupt { path, kept })
            }
            Err(error) => Err(Error::state(&path, "open")(io::Error::other(error))),
        }
    }

    /// The folder for an account's media that may be quoted: what lies there is removed when its message expires.
    #[must_use]
    pub fn media_dir(&self, account: &AccountId) -> PathBuf {
        self.files.dir(account)
    }

    /// Where the media of all accounts lies.
    pub(crate) fn media_root(&self) -> &Path {
        self.files.root()
    }

    /// Remembers a message; one with the same id is replaced, but keeps its media if the new one has none. A message
    /// without id, or with neither text nor media, is none that can be quoted.
    ///
    /// # Errors
    /// If the file cannot be written. Media that cannot be kept is logged, and only its type and name are.
    pub fn record(
        &self,
        account: &AccountId,
        conversation: &UserId,
        message: &StoredMessage,
    ) -> Result<(), Error> {
        self.record_all(&[(account.clone(), conversation.clone(), message.clone())])
    }

    /// Remembers several, in one transaction.
    pub(crate) fn record_all(&self, messages: &[(AccountId, UserId, StoredMessage)]) -> Result<(), Error> {
        let is_quotable = |message: &StoredMessage| {
            message.message_id.0 != 0 && (!message.body.is_empty() || message.media.is_some())
        };
        let messages: Vec<_> = messages.iter().filter(|(.., message)| is_quotable(message)).collect();
        let max = self.limits.max_single_media_bytes;
        let files: Vec<_> = messages
            .iter()
            .map(|(account, _, message)| {
                let path = message.media.as_ref().and_then(|media| media.path.as_deref());
                path.and_then(|path| self.files.keep(account, message.message_id, path, max))
            })
            .collect();
        self.run("write", |db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for ((account, conversation, message), file) in messages.iter().zip(files) {
                insert(&transaction, account, conversation, message, file)?;
            }
            transaction.commit()
        })
    }

    /// A message of a conversation by its id; `None` if it is not here or has expired.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn by_id(
        &self,
        account: &AccountId,
        conversation: &UserId,
        id: MessageId,
        now_ms: i64,
    ) -> Result<Option<StoredMessage>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM quote_messages
             WHERE account_id = ?1 AND conversation_id = ?2 AND message_id = ?3 AND created_at >= ?4"
        );
        let oldest = now_ms.saturating_sub(millis(self.limits.retention));
        self.run("read", |db| {
            let key = params![account.as_str(), conversation.as_str(), id.to_string(), oldest];
            db.prepare_cached(&sql)?.query_row(key, read).optional()
        })
        .map(Option::flatten)
    }

    /// A message of a conversation by when it was written, in Unix milliseconds: the one of that very millisecond,
    /// else, if the time is a whole second, the nearest that rounds to it, down or to the next ([field note 25]), else
    /// the nearest of those that were sent from here within the tolerance for clocks.
    ///
    /// # Errors
    /// If the file cannot be read.
    ///
    /// [field note 25]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-25
    pub fn by_time(
        &self,
        account: &AccountId,
        conversation: &UserId,
        time_ms: i64,
        now_ms: i64,
    ) -> Result<Option<StoredMessage>, Error> {
        Ok(self.near(account, conversation, time_ms, now_ms)?.into_iter().next())
    }

    /// All that [`by_time`](Self::by_time) may mean, the nearest first.
    pub(crate) fn near(
        &self,
        account: &AccountId,
        conversation: &UserId,
        time_ms: i64,
        now_ms: i64,
    ) -> Result<Vec<StoredMessage>, Error> {
        let (before, after) = if time_ms % 1_000 == 0 { (500, 999) } else { (0, 0) };
        let sql = format!(
            "SELECT {COLUMNS} FROM quote_messages WHERE account_id = ?1 AND conversation_id = ?2 AND created_at >= ?7
             AND (created_at BETWEEN ?3 - ?4 AND ?3 + ?5
                  OR direction = 'outbound' AND created_at BETWEEN ?3 - ?6 AND ?3 + ?6)
             ORDER BY created_at BETWEEN ?3 - ?4 AND ?3 + ?5 DESC, abs(created_at - ?3), rowid LIMIT 32"
        );
        let tolerance = millis(self.limits.clock_tolerance);
        let oldest = now_ms.saturating_sub(millis(self.limits.retention));
        self.run("read", |db| {
            let key =
                params![account.as_str(), conversation.as_str(), time_ms, before, after, tolerance, oldest];
            let mut select = db.prepare_cached(&sql)?;
            select.query_map(key, read)?.filter_map(Result::transpose).collect()
        })
    }

    /// Removes what is older, more or larger than the limits allow, with the files of it. To be called once in a
    /// while, such as every hour.
    ///
    /// # Errors
    /// If the file cannot be written. Media that cannot be removed is logged and tried again next time.
    pub fn prune(&self, now_ms: i64) -> Result<(), Error> {
        let limits = self.limits;
        let oldest = now_ms.saturating_sub(millis(limits.retention));
        let oldest_media = now_ms.saturating_sub(millis(limits.media_retention));
        let (before, after) = self.run("write", |db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let before = media_paths(&transaction)?;
            transaction.execute("DELETE FROM quote_messages WHERE created_at < ?1", [oldest])?;
            let too_many =
                "DELETE FROM quote_messages WHERE rowid IN (SELECT rowid FROM (SELECT rowid, row_number()
                            OVER (PARTITION BY account_id ORDER BY created_at DESC, rowid DESC) AS place
                            FROM quote_messages) WHERE place > ?1)";
            transaction.execute(too_many, [limits.max_messages])?;
            let too_old = "UPDATE quote_messages SET media_path = NULL WHERE media_path IN (SELECT media_path
                           FROM quote_messages GROUP BY media_path HAVING max(created_at) < ?1)";
            transaction.execute(too_old, [oldest_media])?;
            // The newest files of an account, as many as fit together.
            let too_large = "UPDATE quote_messages SET media_path = NULL WHERE (account_id, media_path) IN (
                             SELECT account_id, media_path FROM (SELECT account_id, media_path, sum(size)
                             OVER (PARTITION BY account_id ORDER BY newest DESC, media_path) AS total FROM
                             (SELECT account_id, media_path, max(coalesce(media_size, 0)) AS size,
                             max(created_at) AS newest FROM quote_messages WHERE media_path IS NOT NULL
                             GROUP BY account_id, media_path)) WHERE total > ?1)";
            transaction.execute(too_large, [i64::try_from(limits.max_media_bytes).unwrap_or(i64::MAX)])?;
            let after = media_paths(&transaction)?;
            transaction.commit()?;
            scrub(db);
            Ok((before, after))
        })?;
        self.files.remove(before.difference(&after));
        self.files.sweep(&after, now_ms);
        Ok(())
    }

    /// Forgets all messages of an account, with their media.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn forget(&self, account: &AccountId) -> Result<(), Error> {
        let (before, after) = self.run("write", |db| {
            let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let before = media_paths(&transaction)?;
            transaction.execute("DELETE FROM quote_messages WHERE account_id = ?1", [account.as_str()])?;
            let after = media_paths(&transaction)?;
            transaction.commit()?;
            // Older versions, and the official plugin, leave what they delete in free pages.
            if let Err(error) = db.execute_batch("VACUUM") {
                tracing::debug!(%error, "the quote store was not tidied up");
            }
            scrub(db);
            Ok((before, after))
        })?;
        self.files.remove(before.difference(&after));
        Ok(())
    }

    fn run<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        // A statement that panicked has rolled back; the connection is whole.
        let mut connection: MutexGuard<'_, Connection> =
            self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|error| Error::state(&self.path, action)(io::Error::other(error)))
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    // The official plugin, or a command line, may look at the file; nobody holds it for long.
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    // What is forgotten is gone from the file, too.
    connection.pragma_update(None, "secure_delete", "on")?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

/// Empties the write-ahead log, in which deleted messages still stand. Another program that reads keeps it from that,
/// until the next time.
fn scrub(db: &Connection) {
    match db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0)) {
        Ok(0) => {}
        Ok(_) => tracing::debug!("the log of the quote store is in use, and was not emptied"),
        Err(error) => tracing::debug!(%error, "the log of the quote store was not emptied"),
    }
}

fn insert(
    db: &Connection,
    account: &AccountId,
    conversation: &UserId,
    message: &StoredMessage,
    file: Option<(String, u64)>,
) -> rusqlite::Result<()> {
    let media = message.media.as_ref();
    let (path, size) = file.unzip();
    let sql = format!(
        "INSERT INTO quote_messages (account_id, conversation_id, {COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (account_id, conversation_id, message_id) DO UPDATE SET
         direction = excluded.direction, body = excluded.body, created_at = excluded.created_at,
         media_path = COALESCE(excluded.media_path, media_path),
         media_mime = COALESCE(excluded.media_mime, media_mime),
         media_name = COALESCE(excluded.media_name, media_name),
         media_size = COALESCE(excluded.media_size, media_size)"
    );
    let values = params![
        account.as_str(),
        conversation.as_str(),
        message.message_id.to_string(),
        if message.direction == Direction::Inbound { "inbound" } else { "outbound" },
        message.body,
        path,
        media.and_then(|media| media.mime.as_ref()),
        media.and_then(|media| media.name.as_ref()),
        size.and_then(|size| i64::try_from(size).ok()),
        message.created_at_ms
    ];
    db.prepare_cached(&sql)?.execute(values).map(drop)
}

fn media_paths(db: &Connection) -> rusqlite::Result<HashSet<PathBuf>> {
    let mut select =
        db.prepare_cached("SELECT DISTINCT media_path FROM quote_messages WHERE media_path IS NOT NULL")?;
    select.query_map([], |row| Ok(PathBuf::from(row.get::<_, String>(0)?)))?.collect()
}

/// `None` for a row that another program wrote with an id that is none.
fn read(row: &Row<'_>) -> rusqlite::Result<Option<StoredMessage>> {
    let Ok(message_id) = row.get::<_, String>(0)?.parse() else { return Ok(None) };
    let path = row.get::<_, Option<String>>(3)?.map(PathBuf::from);
    let (mime, name): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
    let size = row.get::<_, Option<i64>>(6)?.and_then(|size| size.try_into().ok());
    let has_media = path.is_some() || mime.is_some() || name.is_some();
    let outbound = row.get::<_, String>(1)? == "outbound";
    Ok(Some(StoredMessage {
        message_id,
        direction: if outbound { Direction::Outbound } else { Direction::Inbound },
        body: row.get(2)?,
        media: has_media.then_some(StoredMedia { path, mime, name, size }),
        created_at_ms: row.get(7)?,
    }))
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Debug for QuoteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QuoteStore")
            .field("path", &self.path)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
