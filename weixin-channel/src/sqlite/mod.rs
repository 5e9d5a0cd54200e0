//! SQLite: the journal and what sends need, in one file of the state folder.

mod checkpoint;
pub(crate) mod failure;
mod job;
pub(crate) mod journal;
pub(crate) mod leases;
pub(crate) mod outbound;
mod schema;
mod thread;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags};
pub(crate) use thread::{Database, hold_clock};

use self::failure::Problem;
use crate::account::AccountId;
use crate::error::Error;

/// How long opening waits for another program to let go of the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a commit survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A crash of the process. A power loss may cost the last moments, never the file.
    #[default]
    ProcessCrash,
    /// A power loss too: each commit waits for the disk.
    PowerLoss,
}

/// How a database is opened.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    pub(crate) durability: Durability,
    /// See [`Database`].
    pub(crate) paused_clock: bool,
    /// The name of SQLite's way to the file system, if it is not the default one.
    pub(crate) vfs: Option<String>,
}

/// Opens the file, or makes it, mode 0600, and starts its thread. Blocks.
///
/// # Errors
/// If it cannot be opened, or was written by a newer version.
pub(crate) fn open(path: &Path, opening: &Opening) -> Result<Database, Error> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(Error::state(path, "open"))?;
    let begin = Instant::now();
    let connection = loop {
        match set_up(path, opening) {
            // Not every step of it waits by itself.
            Err(Problem::Sql(error)) if thread::is_busy(&error) && begin.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(5));
            }
            ended => break ended.map_err(|problem| problem.into_error(path))?,
        }
    };
    let file = path.to_owned();
    let opened = identity(path);
    // SQLite goes on with a file that was removed, and all that it takes is gone with the process.
    let check = move || match identity(&file) {
        found if found.is_some() && found == opened => Ok(()),
        _ => Err(failure::unusable(format!(
            "{} was removed or replaced while in use: stop this program and start it again",
            file.display()
        ))),
    };
    Database::start(connection, path, opening.paused_clock, check)
}

fn set_up(path: &Path, opening: &Opening) -> Result<Connection, Problem> {
    let mut connection = match &opening.vfs {
        None => Connection::open(path)?,
        Some(vfs) => Connection::open_with_flags_and_vfs(path, OpenFlags::default(), vfs.as_str())?,
    };
    // Whoever waits does so in its own way.
    connection.busy_timeout(Duration::ZERO)?;
    let has_log = set_log(&connection)?;
    if !has_log {
        let file = path.display();
        tracing::warn!(%file, "no write-ahead log can be kept here: each write waits for the disk until the next start");
    }
    let each_waits = opening.durability == Durability::PowerLoss || !has_log;
    let synchronous = if each_waits { "full" } else { "normal" };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // What is forgotten is gone from the file, too.
    connection.pragma_update(None, "secure_delete", "on")?;
    // More statements than rusqlite keeps by itself.
    connection.set_prepared_statement_cache_capacity(64);
    if schema::migrate(&mut connection)? {
        // An older version has left in the file what it had deleted. Nothing depends on that being gone: another program
        // that has the file open keeps it from happening.
        if let Err(error) = connection.execute_batch("VACUUM") {
            tracing::warn!(%error, path = %path.display(), "what was deleted before may still be in the file");
        }
    }
    Ok(connection)
}

/// Whether there is a write-ahead log from now on. Not every file system has what it needs.
fn set_log(connection: &Connection) -> rusqlite::Result<bool> {
    let mut set = connection.prepare("PRAGMA journal_mode = wal")?;
    let modes = set.query_map([], |row| row.get::<_, String>(0))?;
    // To the end: it is only then that it is written, and that a disk can fail.
    Ok(modes.collect::<rusqlite::Result<Vec<_>>>()? == ["wal"])
}

/// Forgets all about an account; leases that were given out before are lost from now on.
pub(crate) fn forget(db: &Connection, account: &AccountId) -> rusqlite::Result<()> {
    for table in schema::TABLES {
        db.execute(&format!("DELETE FROM {table} WHERE account = ?1"), [account.as_str()])?;
    }
    let sql = "UPDATE leases SET generation = generation + 1, holder = '' WHERE account = ?1";
    db.execute(sql, [account.as_str()]).map(drop)
}

/// Which file a path leads to. Where the system does not say, open files cannot be removed.
fn identity(path: &Path) -> Option<u64> {
    #[cfg(unix)]
    return std::fs::metadata(path).ok().map(|data| std::os::unix::fs::MetadataExt::ino(&data));
    #[cfg(not(unix))]
    return path.exists().then_some(1);
}

/// Unix milliseconds.
fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use ilink_client::{ContextToken, Cursor};

    use super::*;
    use crate::backend::{NewEntry, Settlement};

    fn entries() -> Vec<NewEntry> {
        let entry = |n: usize| {
            // Some fit into a cell, some need pages of their own.
            let mut entry = NewEntry::new(format!("message:{n}"), "u", "secret words ".repeat(1 + n * n));
            entry.context_token = Some(ContextToken::from(format!("secret token {n}")));
            entry
        };
        (0..60).map(entry).collect()
    }

    /// How often a text is in the files of the database.
    fn found(folder: &Path, text: &str) -> usize {
        let files =
            std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.map(|bytes| bytes.windows(text.len()).filter(|window| *window == text.as_bytes()).count()).sum()
    }

    #[tokio::test]
    async fn what_is_acknowledged_is_kept_as_a_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let db = open(&folder.path().join("channel.sqlite"), &Opening::default()).unwrap();
        let account = AccountId::new("a");
        let now = SystemTime::now();
        let id = account.clone();
        let ingest =
            move |db: &Connection| Ok(journal::ingest(db, &id, &Cursor::from("c"), &entries(), now)?);
        let fresh = db.write(ingest).await.unwrap();
        assert!(found(folder.path(), "secret words") > 1_000, "looked wrongly");
        let settled: Vec<_> = fresh.iter().map(|entry| Settlement::Acked(entry.id)).collect();
        let id = account.clone();
        db.write(move |db| Ok(journal::settle(db, &id, &settled)?)).await.unwrap();
        assert!(db.scrub().await);
        assert_eq!(found(folder.path(), "secret words"), 0);
        assert!(found(folder.path(), "message:59") > 0);
        // All but the newest token were replaced.
        assert_eq!(found(folder.path(), "secret token"), 1);
        let id = account.clone();
        db.write(move |db| Ok(forget(db, &id)?)).await.unwrap();
        assert!(db.scrub().await);
        assert_eq!((found(folder.path(), "message:"), found(folder.path(), "secret")), (0, 0));
    }

    #[tokio::test]
    async fn what_an_older_version_has_deleted_goes_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("channel.sqlite");
        let account = AccountId::new("a");
        {
            let mut older = Connection::open(&path).unwrap();
            schema::migrate(&mut older).unwrap();
            older.pragma_update(None, "secure_delete", "off").unwrap();
            journal::ingest(&older, &account, &Cursor::from("c"), &entries(), SystemTime::now()).unwrap();
            forget(&older, &account).unwrap();
            older.pragma_update(None, "user_version", 4).unwrap();
            older.execute("DROP INDEX ledger_folded", []).unwrap();
        }
        assert!(found(folder.path(), "secret words") > 0, "looked wrongly");
        let db = open(&path, &Opening::default()).unwrap();
        assert!(db.scrub().await);
        assert_eq!(found(folder.path(), "secret"), 0);
    }
}
