//! Messages and cursors.

use std::time::SystemTime;

use ilink_client::{ContextToken, Cursor, UserId};
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::outbound::{begin_ledger, set_token};
use super::{millis, time};
use crate::account::AccountId;
use crate::backend::{Counts, DeadLetter, Entry, NewEntry, Retention, Settlement};

const OPEN: i64 = 0;
const DONE: i64 = 1;
const DEAD: i64 = 2;

pub(crate) fn cursor(db: &Connection, account: &AccountId) -> Result<Option<Cursor>> {
    let mut select = db.prepare_cached("SELECT cursor FROM cursors WHERE account = ?1")?;
    let cursor: Option<String> = select.query_row([account.as_str()], |row| row.get(0)).optional()?;
    Ok(cursor.filter(|cursor| !cursor.is_empty()).map(Cursor::from))
}

/// What another program left replaces what is here.
pub(crate) fn take_over(
    db: &Connection,
    account: &AccountId,
    cursor: &Cursor,
    tokens: &[(UserId, ContextToken)],
    now: SystemTime,
) -> Result<()> {
    set_cursor(db, account, cursor, now)?;
    tokens.iter().try_for_each(|(user, token)| set_token(db, account, user, token, now))
}

pub(crate) fn ingest(
    db: &Connection,
    account: &AccountId,
    cursor: &Cursor,
    entries: &[NewEntry],
    now: SystemTime,
) -> Result<Vec<Entry>> {
    let mut fresh = Vec::new();
    for entry in entries {
        if let Some(id) = insert(db, account, entry, now)? {
            let mut new = Entry::new(id, entry.peer.clone(), entry.raw.clone());
            new.dispatched = entry.dispatched;
            fresh.push(new);
        }
        // Of a repeated message too: it may bring a newer one (field note 7).
        if let Some(token) = entry.context_token.as_ref().filter(|token| !token.is_empty()) {
            set_token(db, account, &entry.peer, token, now)?;
        }
    }
    set_cursor(db, account, cursor, now)?;
    Ok(fresh)
}

/// The number of a message that is new and for a handler.
fn insert(db: &Connection, account: &AccountId, entry: &NewEntry, now: SystemTime) -> Result<Option<i64>> {
    if let Some(content) = &entry.content {
        let since = millis(now) - i64::try_from(content.within.as_millis()).unwrap_or(i64::MAX);
        // What came later than now came before the clock was set back.
        let sql =
            "SELECT 1 FROM journal WHERE account = ?1 AND content = ?2 AND received_ms BETWEEN ?3 AND ?4";
        let values = params![account.as_str(), content.fingerprint, since, millis(now)];
        let known = db.prepare_cached(sql)?.exists(values)?;
        if known {
            return Ok(None);
        }
    }
    let state = if entry.dead.is_some() { DEAD } else { OPEN };
    // One that goes to a handler at once is at its first attempt.
    let sql = "INSERT INTO journal (account, key, content, peer, raw, state, dispatched, attempts, reason, received_ms)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
    let added = db.prepare_cached(sql)?.execute(params![
        account.as_str(),
        entry.key,
        entry.content.as_ref().map(|content| &content.fingerprint),
        entry.peer.as_str(),
        entry.raw,
        state,
        entry.dispatched,
        entry.dead,
        millis(now)
    ])?;
    if added == 0 || state != OPEN {
        return Ok(None);
    }
    let id = db.last_insert_rowid();
    let written = entry.written.filter(|written| *written < now).unwrap_or(now);
    begin_ledger(db, account, &entry.peer, written, now)?;
    Ok(Some(id))
}

pub(crate) fn pending(db: &Connection, account: &AccountId, after: i64, limit: u32) -> Result<Vec<Entry>> {
    // What is said twice is what the index is for.
    let sql = "SELECT id, peer, raw, attempts, dispatched FROM journal
               WHERE account = ?1 AND state = 0 AND state <> 1 AND id > ?2 ORDER BY id LIMIT ?3";
    let mut select = db.prepare_cached(sql)?;
    select.query_map(params![account.as_str(), after, limit], read_entry)?.collect()
}

pub(crate) fn pending_of(
    db: &Connection,
    account: &AccountId,
    peer: &UserId,
    after: i64,
    limit: u32,
) -> Result<Vec<Entry>> {
    // Found by the index of what waits: one of its own would cost every message a page.
    let sql = "SELECT id, peer, raw, attempts, dispatched FROM journal
               WHERE account = ?1 AND state = 0 AND state <> 1 AND id > ?2 AND peer = ?3 ORDER BY id LIMIT ?4";
    let mut select = db.prepare_cached(sql)?;
    select.query_map(params![account.as_str(), after, peer.as_str(), limit], read_entry)?.collect()
}

pub(crate) fn settle(db: &Connection, account: &AccountId, what: &[Settlement]) -> Result<()> {
    what.iter().try_for_each(|settlement| match settlement {
        Settlement::Dispatched { id, attempt } => dispatched(db, account, *id, *attempt),
        Settlement::Returned { id, attempt } => returned(db, account, *id, *attempt),
        Settlement::Acked(id) => done(db, account, *id),
        Settlement::Nacked { id, attempt, reason, dead } => failed(db, account, *id, *attempt, reason, *dead),
    })
}

fn dispatched(db: &Connection, account: &AccountId, id: i64, attempt: u32) -> Result<()> {
    let sql = "UPDATE journal SET dispatched = 1, attempts = max(attempts, ?4)
               WHERE account = ?1 AND id = ?2 AND state = ?3";
    db.prepare_cached(sql)?.execute(params![account.as_str(), id, OPEN, attempt]).map(drop)
}

fn returned(db: &Connection, account: &AccountId, id: i64, attempt: u32) -> Result<()> {
    let sql = "UPDATE journal SET attempts = ?4 - 1
               WHERE account = ?1 AND id = ?2 AND state = ?3 AND attempts = ?4";
    db.prepare_cached(sql)?.execute(params![account.as_str(), id, OPEN, attempt]).map(drop)
}

fn done(db: &Connection, account: &AccountId, id: i64) -> Result<()> {
    // The row stays for its key; what it says, whose it is and why it failed before is no longer needed.
    let sql = "UPDATE journal SET state = ?3, raw = '', peer = '', reason = NULL WHERE account = ?1 AND id = ?2 AND state = ?4";
    let values = params![account.as_str(), id, DONE, OPEN];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

fn failed(
    db: &Connection,
    account: &AccountId,
    id: i64,
    attempt: u32,
    reason: &str,
    dead: bool,
) -> Result<()> {
    let sql = "UPDATE journal SET attempts = max(attempts, ?6), reason = ?3, state = ?4, dispatched = 1
               WHERE account = ?1 AND id = ?2 AND state = ?5";
    let state = if dead { DEAD } else { OPEN };
    let values = params![account.as_str(), id, reason, state, OPEN, attempt];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

pub(crate) fn dead_letters(
    db: &Connection,
    account: &AccountId,
    after: i64,
    limit: u32,
) -> Result<Vec<DeadLetter>> {
    let sql = "SELECT id, peer, raw, attempts, dispatched, reason, received_ms FROM journal
               WHERE account = ?1 AND state = 2 AND state <> 1 AND id > ?2 ORDER BY id LIMIT ?3";
    let mut select = db.prepare_cached(sql)?;
    let letter = |row: &Row<'_>| {
        let reason = row.get::<_, Option<String>>(5)?.unwrap_or_default();
        Ok(DeadLetter::new(read_entry(row)?, reason, time(row.get(6)?)))
    };
    select.query_map(params![account.as_str(), after, limit], letter)?.collect()
}

/// Counted by indices alone: no row is read.
pub(crate) const COUNTS: &str = "SELECT
    (SELECT count(*) FROM journal WHERE account = ?1 AND state = 0 AND state <> 1),
    (SELECT count(*) FROM journal WHERE account = ?1 AND state = 2 AND state <> 1),
    (SELECT count(*) FROM outbox WHERE account = ?1)";

pub(crate) fn counts(db: &Connection, account: &AccountId) -> Result<Counts> {
    let mut select = db.prepare_cached(COUNTS)?;
    select.query_row([account.as_str()], |row| {
        let count = |column| row.get::<_, i64>(column).map(|count| usize::try_from(count).unwrap_or(0));
        Ok(Counts::new(count(0)?, count(1)?, count(2)?))
    })
}

pub(crate) fn requeue(db: &Connection, account: &AccountId, id: i64) -> Result<Option<Entry>> {
    let sql = "UPDATE journal SET state = ?3, dispatched = 0, attempts = 0, reason = NULL
               WHERE account = ?1 AND id = ?2 AND state = ?4 RETURNING id, peer, raw, attempts, dispatched";
    db.prepare_cached(sql)?.query_row(params![account.as_str(), id, OPEN, DEAD], read_entry).optional()
}

pub(crate) fn prune(
    db: &Connection,
    account: &AccountId,
    retention: &Retention,
    now: SystemTime,
) -> Result<u64> {
    let mut gone = 0;
    for (state, age, rows) in
        [(DONE, retention.done, retention.done_rows), (DEAD, retention.dead, retention.dead_rows)]
    {
        let oldest = now.checked_sub(age).map_or(0, millis);
        let sql = "DELETE FROM journal WHERE account = ?1 AND state = ?2 AND received_ms < ?3";
        gone += db.execute(sql, params![account.as_str(), state, oldest])?;
        // An index alone says whether there are more rows than that at all.
        let sql = "SELECT 1 FROM journal WHERE account = ?1 ORDER BY received_ms LIMIT 1 OFFSET ?2";
        if !db.prepare_cached(sql)?.exists(params![account.as_str(), rows])? {
            continue;
        }
        let sql = "DELETE FROM journal WHERE account = ?1 AND state = ?2 AND id <=
                   (SELECT id FROM journal WHERE account = ?1 AND state = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)";
        gone += db.execute(sql, params![account.as_str(), state, rows])?;
    }
    gone += super::outbound::prune_users(db, account, retention, now)?;
    Ok(gone as u64)
}

fn set_cursor(db: &Connection, account: &AccountId, cursor: &Cursor, now: SystemTime) -> Result<()> {
    let sql = "INSERT INTO cursors (account, cursor, updated_ms) VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET cursor = excluded.cursor, updated_ms = excluded.updated_ms";
    let values = params![account.as_str(), cursor.as_str(), millis(now)];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

fn read_entry(row: &Row<'_>) -> Result<Entry> {
    let peer = UserId::from(row.get::<_, String>(1)?);
    let mut entry = Entry::new(row.get(0)?, peer, row.get(2)?);
    entry.attempts = row.get(3)?;
    entry.dispatched = row.get(4)?;
    Ok(entry)
}
