//! When the write-ahead log goes into the database file: in a pause, so that nobody waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rusqlite::Connection;

/// Pages of 4 KiB that are worth it.
const PAGES: usize = 1_000;

/// Pages that no longer wait for a pause: 64 MiB.
const OVERDUE: usize = 16_384;

/// A pause is this long.
const PAUSE: Duration = Duration::from_millis(20);

/// After so long without anything to do the log is emptied, however short it is: what was blanked or deleted in the
/// database stands in it until then.
const REST: Duration = Duration::from_secs(5);

/// The size of a connection's write-ahead log.
#[derive(Debug)]
pub(super) struct Checkpoints {
    pages: Arc<AtomicUsize>,
    /// There is something in the log's file.
    filled: Arc<AtomicBool>,
    /// Pages at the last attempt: it does not help to repeat it before there are more.
    tried: usize,
}

impl Checkpoints {
    /// From now on SQLite does nothing about it by itself.
    pub(super) fn watch(connection: &mut Connection) -> Self {
        let pages = Arc::new(AtomicUsize::new(0));
        // By a process that has ended, perhaps.
        let filled = Arc::new(AtomicBool::new(true));
        let (seen, written) = (pages.clone(), filled.clone());
        let hook = move |_: &mut rusqlite::hooks::Wal, pages: std::ffi::c_int| {
            seen.store(usize::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            written.store(true, Ordering::Relaxed);
            Ok(())
        };
        if let Err(error) = connection.wal_hook(Some(hook)) {
            tracing::warn!(%error, "the journal is tidied up by SQLite itself");
        }
        Self { pages, filled, tried: 0 }
    }

    /// The pause after which one is worth it; `None` if there is nothing to do.
    pub(super) fn due_after(&self) -> Option<Duration> {
        let rest = self.filled.load(Ordering::Relaxed).then_some(REST);
        self.more_than(PAGES).then_some(PAUSE).or(rest)
    }

    /// What is due after such a pause.
    pub(super) fn run_after_pause(&mut self, connection: &Connection) {
        if self.more_than(PAGES) {
            self.run(connection);
        } else if !self.empty(connection) {
            // Somebody else needs it: with the next write, or never.
            self.filled.store(false, Ordering::Relaxed);
        }
    }

    /// Moves all of the log into the database and empties its file; false if a reader, or another program, still needs
    /// it.
    pub(super) fn empty(&mut self, connection: &Connection) -> bool {
        let emptied = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        match emptied {
            Ok(0) => {
                self.pages.store(0, Ordering::Relaxed);
                self.tried = 0;
                self.filled.store(false, Ordering::Relaxed);
                true
            }
            Ok(_) => false,
            Err(error) => {
                tracing::debug!(%error, "the log of the journal was not emptied");
                false
            }
        }
    }

    /// True if one cannot wait for a pause.
    pub(super) fn are_overdue(&self) -> bool {
        self.more_than(OVERDUE)
    }

    pub(super) fn run(&mut self, connection: &Connection) {
        let pages = self.pages.load(Ordering::Relaxed);
        let all_moved = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok(row.get::<_, i64>(1)? == row.get::<_, i64>(2)?)
        });
        match all_moved {
            // The next write begins the log anew.
            Ok(true) => {
                self.pages.store(0, Ordering::Relaxed);
                self.tried = 0;
            }
            // A reader still needs it.
            Ok(false) => self.tried = pages,
            Err(error) => {
                tracing::debug!(%error, "the journal was not tidied up");
                self.tried = pages;
            }
        }
    }

    fn more_than(&self, pages: usize) -> bool {
        let now = self.pages.load(Ordering::Relaxed);
        // Smaller than before: the log has begun anew.
        let tried = if now < self.tried { 0 } else { self.tried };
        now >= tried + pages
    }
}
