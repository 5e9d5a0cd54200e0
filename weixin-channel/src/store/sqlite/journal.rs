//! Messages and cursors.

use std::time::SystemTime;

use ilink_client::{ContextToken, Cursor, UserId};
use rusqlite::{Connection, OptionalExtension as _, Result, Row, Transaction, params};

use super::outbound::{begin_ledger, set_token};
use super::{millis, time};
use crate::account::AccountId;
use crate::store::{DeadLetter, Entry, NewEntry, Retention};

const NEW: i64 = 0;
const DONE: i64 = 1;
const DEAD: i64 = 2;
const DISPATCHED: i64 = 3;

pub(super) fn cursor(db: &Connection, account: &AccountId) -> Result<Option<(Cursor, SystemTime)>> {
    let mut select = db.prepare_cached("SELECT cursor, updated_ms FROM cursors WHERE account = ?1")?;
    let read = |row: &Row<'_>| Ok((Cursor::from(row.get::<_, String>(0)?), time(row.get(1)?)));
    select.query_row([account.as_str()], read).optional()
}

pub(super) fn take_over(
    db: &mut Connection,
    account: &AccountId,
    cursor: &Cursor,
    tokens: &[(UserId, ContextToken)],
    now: SystemTime,
) -> Result<()> {
    let transaction = db.transaction()?;
    set_cursor(&transaction, account, cursor, now)?;
    for (user, token) in tokens {
        set_token(&transaction, account, user, token, now)?;
    }
    transaction.commit()
}

pub(super) fn ingest(
    db: &mut Connection,
    account: &AccountId,
    cursor: &Cursor,
    entries: &[NewEntry],
    now: SystemTime,
) -> Result<Vec<Entry>> {
    let transaction = db.transaction()?;
    let mut fresh = Vec::new();
    for entry in entries {
        if let Some(id) = insert(&transaction, account, entry, now)? {
            fresh.push(Entry {
                id,
                peer: entry.peer.clone(),
                raw: entry.raw.clone(),
                attempts: 0,
                dispatched: false,
            });
        }
        // Of a repeated message too: it may bring a newer one (field note 7).
        if let Some(token) = entry.context_token.as_ref().filter(|token| !token.is_empty()) {
            set_token(&transaction, account, &entry.peer, token, now)?;
        }
    }
    set_cursor(&transaction, account, cursor, now)?;
    transaction.commit()?;
    Ok(fresh)
}

/// The number of a message that is new and for a handler.
fn insert(
    transaction: &Transaction<'_>,
    account: &AccountId,
    entry: &NewEntry,
    now: SystemTime,
) -> Result<Option<i64>> {
    if let Some(content) = &entry.content {
        let since = millis(now) - i64::try_from(content.within.as_millis()).unwrap_or(i64::MAX);
        // What came later than now came before the clock was set back.
        let sql =
            "SELECT 1 FROM journal WHERE account = ?1 AND content = ?2 AND received_ms BETWEEN ?3 AND ?4";
        let values = params![account.as_str(), content.fingerprint, since, millis(now)];
        let known = transaction.prepare_cached(sql)?.exists(values)?;
        if known {
            return Ok(None);
        }
    }
    let state = if entry.dead.is_some() { DEAD } else { NEW };
    let sql = "INSERT INTO journal (account, key, content, peer, raw, state, reason, received_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
    let added = transaction.prepare_cached(sql)?.execute(params![
        account.as_str(),
        entry.key,
        entry.content.as_ref().map(|content| &content.fingerprint),
        entry.peer.as_str(),
        entry.raw,
        state,
        entry.dead,
        millis(now)
    ])?;
    if added == 0 || state != NEW {
        return Ok(None);
    }
    let id = transaction.last_insert_rowid();
    let written = entry.written.filter(|written| *written < now).unwrap_or(now);
    begin_ledger(transaction, account, &entry.peer, written, now)?;
    Ok(Some(id))
}

pub(super) fn pending(db: &Connection, account: &AccountId) -> Result<Vec<Entry>> {
    let sql = "SELECT id, peer, raw, attempts, state FROM journal
               WHERE account = ?1 AND state IN (?2, ?3) AND state <> 1 ORDER BY id";
    let mut select = db.prepare_cached(sql)?;
    select.query_map(params![account.as_str(), NEW, DISPATCHED], read_entry)?.collect()
}

pub(super) fn dispatched(db: &Connection, account: &AccountId, id: i64) -> Result<()> {
    let sql = "UPDATE journal SET state = ?3 WHERE account = ?1 AND id = ?2 AND state = ?4";
    db.prepare_cached(sql)?.execute(params![account.as_str(), id, DISPATCHED, NEW]).map(drop)
}

pub(super) fn done(db: &Connection, account: &AccountId, id: i64) -> Result<()> {
    // The row stays for its key; its content is no longer needed.
    let sql = "UPDATE journal SET state = ?3, raw = '' WHERE account = ?1 AND id = ?2 AND state IN (?4, ?5)";
    let values = params![account.as_str(), id, DONE, NEW, DISPATCHED];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

pub(super) fn failed(db: &Connection, account: &AccountId, id: i64, reason: &str, dead: bool) -> Result<()> {
    let sql = "UPDATE journal SET attempts = attempts + 1, reason = ?3, state = ?4
               WHERE account = ?1 AND id = ?2 AND state IN (?5, ?6)";
    let state = if dead { DEAD } else { DISPATCHED };
    let values = params![account.as_str(), id, reason, state, NEW, DISPATCHED];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

pub(super) fn dead_letters(db: &Connection, account: &AccountId) -> Result<Vec<DeadLetter>> {
    let sql = "SELECT id, peer, raw, attempts, state, reason, received_ms FROM journal
               WHERE account = ?1 AND state = ?2 AND state <> 1 ORDER BY id";
    let mut select = db.prepare_cached(sql)?;
    let letter = |row: &Row<'_>| {
        let reason = row.get::<_, Option<String>>(5)?.unwrap_or_default();
        Ok(DeadLetter { entry: read_entry(row)?, reason, received: time(row.get(6)?) })
    };
    select.query_map(params![account.as_str(), DEAD], letter)?.collect()
}

pub(super) fn requeue(db: &Connection, account: &AccountId, id: i64) -> Result<Option<Entry>> {
    let sql = "UPDATE journal SET state = ?3, attempts = 0, reason = NULL
               WHERE account = ?1 AND id = ?2 AND state = ?4 RETURNING id, peer, raw, attempts, state";
    db.prepare_cached(sql)?.query_row(params![account.as_str(), id, NEW, DEAD], read_entry).optional()
}

pub(super) fn prune(
    db: &mut Connection,
    account: &AccountId,
    retention: &Retention,
    now: SystemTime,
) -> Result<u64> {
    let transaction = db.transaction()?;
    let mut gone = 0;
    for (state, age, rows) in
        [(DONE, retention.done, retention.done_rows), (DEAD, retention.dead, retention.dead_rows)]
    {
        let oldest = now.checked_sub(age).map_or(0, millis);
        let sql =
            "DELETE FROM journal WHERE account = ?1 AND state = ?2 AND state IN (1, 2) AND received_ms < ?3";
        gone += transaction.execute(sql, params![account.as_str(), state, oldest])?;
        let sql = "DELETE FROM journal WHERE account = ?1 AND state = ?2 AND id <=
                   (SELECT id FROM journal WHERE account = ?1 AND state = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)";
        gone += transaction.execute(sql, params![account.as_str(), state, rows])?;
    }
    transaction.commit()?;
    Ok(gone as u64)
}

fn set_cursor(
    transaction: &Transaction<'_>,
    account: &AccountId,
    cursor: &Cursor,
    now: SystemTime,
) -> Result<()> {
    let sql = "INSERT INTO cursors (account, cursor, updated_ms) VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET cursor = excluded.cursor, updated_ms = excluded.updated_ms";
    let values = params![account.as_str(), cursor.as_str(), millis(now)];
    transaction.prepare_cached(sql)?.execute(values).map(drop)
}

fn read_entry(row: &Row<'_>) -> Result<Entry> {
    let peer = UserId::from(row.get::<_, String>(1)?);
    Ok(Entry {
        id: row.get(0)?,
        peer,
        raw: row.get(2)?,
        attempts: row.get(3)?,
        dispatched: row.get::<_, i64>(4)? == DISPATCHED,
    })
}
