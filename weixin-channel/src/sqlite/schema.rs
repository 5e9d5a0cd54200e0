//! The tables, and how older files become what this version wants.

use rusqlite::{Connection, TransactionBehavior};

use super::failure::Problem;
use crate::error::Error;

/// A step for each version: a new file takes them all, an older one those that it lacks.
const STEPS: &[&str] = &[
    "
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
    ",
    "
    ALTER TABLE cursors ADD COLUMN updated_ms INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE journal ADD COLUMN content TEXT;
    CREATE INDEX journal_content ON journal (account, content, received_ms) WHERE content IS NOT NULL;
    CREATE INDEX journal_age ON journal (account, received_ms) WHERE state IN (1, 2);
    CREATE TABLE ledger (
        account TEXT NOT NULL, user TEXT NOT NULL, inbound_ms INTEGER, sends INTEGER NOT NULL DEFAULT 0,
        send_ms INTEGER, bytes INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (account, user)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE health (
        account TEXT PRIMARY KEY, ids_seen INTEGER NOT NULL, suppressed_ms INTEGER
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, user TEXT NOT NULL,
        client_id TEXT NOT NULL, item TEXT NOT NULL, run TEXT, created_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX outbox_user ON outbox (account, user, id);
    ",
    "
    CREATE TABLE leases (
        account TEXT PRIMARY KEY, generation INTEGER NOT NULL, holder TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE official (account TEXT PRIMARY KEY, written TEXT, writing TEXT) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX outbox_client ON outbox (account, client_id);
    CREATE INDEX outbox_order ON outbox (account, id);
    ",
    // What changes when a message goes to a handler, and when it is done, is in as few indices as can be: each is a page
    // of every commit.
    "
    ALTER TABLE journal ADD COLUMN dispatched INTEGER NOT NULL DEFAULT 0;
    UPDATE journal SET state = 0, dispatched = 1 WHERE state = 3;
    DROP INDEX journal_age;
    CREATE INDEX journal_age ON journal (account, received_ms);
    ",
    // By an id that a host has lower-cased; and by age, for users of whom nothing needs to be known any more.
    "
    CREATE INDEX ledger_folded ON ledger (account, user COLLATE NOCASE);
    ",
];

/// The tables with rows of an account, but for the one that keeps later leases apart from earlier ones.
pub(super) const TABLES: [&str; 7] =
    ["cursors", "context_tokens", "journal", "ledger", "health", "outbox", "official"];

/// Brings a file to this version's format; tells whether an older version had written it. Several programs may do so at
/// once: the version is read where nobody else can change it.
pub(super) fn migrate(connection: &mut Connection) -> Result<bool, Problem> {
    let newest = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    if version(connection)? == newest {
        return Ok(false);
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = version(&transaction)?;
    let Some(missing) = usize::try_from(version).ok().and_then(|version| STEPS.get(version..)) else {
        return Err(Problem::Refused(Error::NewerStore(version)));
    };
    for step in missing {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", newest)?;
    transaction.commit()?;
    Ok(version > 0 && version < newest)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_first_version_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        connection.execute("INSERT INTO cursors VALUES ('a', 'c1')", []).unwrap();
        assert!(migrate(&mut connection).unwrap());
        assert!(!migrate(&mut connection).unwrap());
        let (cursor, updated): (String, i64) = connection
            .query_row("SELECT cursor, updated_ms FROM cursors", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap();
        assert_eq!((cursor.as_str(), updated), ("c1", 0));
    }

    #[test]
    fn a_newer_file_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "user_version", 99).unwrap();
        let error = migrate(&mut connection).unwrap_err().into_error(std::path::Path::new("a file"));
        assert_eq!(error.code(), "store-newer");
    }

    /// An account with 10,000 dead letters starts as fast as one with none.
    #[test]
    fn what_is_counted_is_not_loaded() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let mut plan =
            connection.prepare(&format!("EXPLAIN QUERY PLAN {}", super::super::journal::COUNTS)).unwrap();
        let steps = plan.query_map(["a"], |row| row.get(3)).unwrap();
        let steps: Vec<String> =
            steps.map(Result::unwrap).filter(|step: &String| step.contains("journal")).collect();
        assert_eq!(steps.len(), 2, "{steps:?}");
        assert!(steps.iter().all(|step| step.contains("COVERING INDEX")), "{steps:?}");
    }
}
