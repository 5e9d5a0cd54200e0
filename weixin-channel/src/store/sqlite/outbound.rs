//! What sends need: context tokens, the ledger, health, the outbox.

use std::time::SystemTime;

use ilink_client::{ClientId, ContextToken, UserId};
use rusqlite::{Connection, OptionalExtension as _, Result, Row, Transaction, params};

use super::{millis, time};
use crate::account::AccountId;
use crate::store::{Health, Ledger, NewOutboxItem, OutboxItem};

pub(super) fn context_token(
    db: &Connection,
    account: &AccountId,
    user: &str,
) -> Result<Option<(UserId, ContextToken)>> {
    let sql = "SELECT user, token FROM context_tokens WHERE account = ?1 AND user = ?2 COLLATE NOCASE
               ORDER BY user = ?2 DESC, updated_ms DESC LIMIT 1";
    db.prepare_cached(sql)?.query_row([account.as_str(), user], read_token).optional()
}

pub(super) fn context_tokens(db: &Connection, account: &AccountId) -> Result<Vec<(UserId, ContextToken)>> {
    let mut select = db.prepare_cached("SELECT user, token FROM context_tokens WHERE account = ?1")?;
    select.query_map([account.as_str()], read_token)?.collect()
}

pub(super) fn set_token(
    transaction: &Transaction<'_>,
    account: &AccountId,
    user: &UserId,
    token: &ContextToken,
    now: SystemTime,
) -> Result<()> {
    let sql = "INSERT INTO context_tokens VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET token = excluded.token, updated_ms = excluded.updated_ms";
    let values = params![account.as_str(), user.as_str(), token.as_str(), millis(now)];
    transaction.prepare_cached(sql)?.execute(values).map(drop)
}

/// The user has written: the counts begin anew, unless the message is older than what began them. Counts that begin
/// later than now are those of a clock that was set back since.
pub(super) fn begin_ledger(
    transaction: &Transaction<'_>,
    account: &AccountId,
    user: &UserId,
    written: SystemTime,
    now: SystemTime,
) -> Result<()> {
    let sql = "INSERT INTO ledger (account, user, inbound_ms) VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET inbound_ms = excluded.inbound_ms, sends = 0, bytes = 0
               WHERE inbound_ms IS NULL OR inbound_ms <= excluded.inbound_ms OR inbound_ms > ?4";
    let values = params![account.as_str(), user.as_str(), millis(written), millis(now)];
    transaction.prepare_cached(sql)?.execute(values).map(drop)
}

pub(super) fn ledger(db: &Connection, account: &AccountId, user: &UserId) -> Result<Ledger> {
    let sql = "SELECT inbound_ms, sends, send_ms, bytes FROM ledger WHERE account = ?1 AND user = ?2";
    let read = |row: &Row<'_>| {
        Ok(Ledger {
            last_inbound: row.get::<_, Option<i64>>(0)?.map(time),
            sends: row.get(1)?,
            last_send: row.get::<_, Option<i64>>(2)?.map(time),
            bytes: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
        })
    };
    let found = db.prepare_cached(sql)?.query_row([account.as_str(), user.as_str()], read).optional()?;
    Ok(found.unwrap_or_default())
}

pub(super) fn note_send(
    db: &Connection,
    account: &AccountId,
    user: &UserId,
    bytes: u64,
    now: SystemTime,
) -> Result<()> {
    let sql = "INSERT INTO ledger (account, user, sends, send_ms, bytes) VALUES (?1, ?2, 1, ?3, ?4)
               ON CONFLICT DO UPDATE SET sends = sends + 1, send_ms = excluded.send_ms, bytes = bytes + excluded.bytes";
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    db.prepare_cached(sql)?.execute(params![account.as_str(), user.as_str(), millis(now), bytes]).map(drop)
}

pub(super) fn health(db: &Connection, account: &AccountId) -> Result<Health> {
    let sql = "SELECT ids_seen, suppressed_ms FROM health WHERE account = ?1";
    let read = |row: &Row<'_>| {
        Ok(Health { ids_seen: row.get(0)?, suppressed_since: row.get::<_, Option<i64>>(1)?.map(time) })
    };
    Ok(db.prepare_cached(sql)?.query_row([account.as_str()], read).optional()?.unwrap_or_default())
}

pub(super) fn set_health(db: &Connection, account: &AccountId, health: Health) -> Result<()> {
    let sql = "INSERT INTO health VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
               SET ids_seen = excluded.ids_seen, suppressed_ms = excluded.suppressed_ms";
    let values = params![account.as_str(), health.ids_seen, health.suppressed_since.map(millis)];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

pub(super) fn enqueue(
    db: &mut Connection,
    account: &AccountId,
    items: &[NewOutboxItem],
    cap: u32,
) -> Result<bool> {
    let transaction = db.transaction()?;
    for item in items {
        let sql = "SELECT count(*) FROM outbox WHERE account = ?1 AND user = ?2";
        let waiting: u32 = transaction
            .prepare_cached(sql)?
            .query_row([account.as_str(), item.user.as_str()], |row| row.get(0))?;
        if waiting >= cap {
            return Ok(false);
        }
        let sql = "INSERT INTO outbox (account, user, client_id, item, run, created_ms, expires_ms)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        transaction.prepare_cached(sql)?.execute(params![
            account.as_str(),
            item.user.as_str(),
            item.client_id.as_str(),
            item.item,
            item.run,
            millis(item.created),
            millis(item.expires)
        ])?;
    }
    transaction.commit()?;
    Ok(true)
}

pub(super) fn outbox(db: &Connection, account: &AccountId) -> Result<Vec<OutboxItem>> {
    let sql = "SELECT id, user, client_id, item, run, created_ms, expires_ms FROM outbox
               WHERE account = ?1 ORDER BY id";
    let read = |row: &Row<'_>| {
        let content = NewOutboxItem {
            user: UserId::from(row.get::<_, String>(1)?),
            client_id: ClientId::from(row.get::<_, String>(2)?),
            item: row.get(3)?,
            run: row.get(4)?,
            created: time(row.get(5)?),
            expires: time(row.get(6)?),
        };
        Ok(OutboxItem { id: row.get(0)?, content })
    };
    db.prepare_cached(sql)?.query_map([account.as_str()], read)?.collect()
}

pub(super) fn dequeue(db: &Connection, account: &AccountId, id: i64) -> Result<()> {
    let sql = "DELETE FROM outbox WHERE account = ?1 AND id = ?2";
    db.prepare_cached(sql)?.execute(params![account.as_str(), id]).map(drop)
}

fn read_token(row: &Row<'_>) -> Result<(UserId, ContextToken)> {
    Ok((UserId::from(row.get::<_, String>(0)?), ContextToken::from(row.get::<_, String>(1)?)))
}
