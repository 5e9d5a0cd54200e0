//! What sends need: context tokens, the ledger, health, the outbox.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;
use std::time::SystemTime;

use ilink_client::{ClientId, ContextToken, UserId};
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::{millis, time};
use crate::account::AccountId;
use crate::backend::{
    Health, Ledger, NewOutboxItem, OutboxItem, Recipient, Reservation, Reserve, Retention, SendContext,
    SendRecord,
};

pub(crate) fn send_context(db: &Connection, account: &AccountId, user: &str) -> Result<SendContext> {
    let spelled = spelled(db, account, user)?;
    let user = spelled.as_deref().unwrap_or(user);
    let sql = "SELECT user, token FROM context_tokens WHERE account = ?1 AND user = ?2";
    let found = db.prepare_cached(sql)?.query_row([account.as_str(), user], read_token).optional()?;
    let ledger = ledger(db, account, user)?;
    let recipient = found.map(|(user, token)| Recipient::new(user, token));
    Ok(SendContext::new(recipient, ledger, health(db, account)?))
}

/// How a user is spelled on the wire whose id was lower-cased on its way: the only one who has written and fits. `None`
/// for an id that is somebody's own, that has upper case in it, or that fits several.
fn spelled(db: &Connection, account: &AccountId, user: &str) -> Result<Option<String>> {
    if user.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Ok(None);
    }
    let sql = "SELECT user FROM context_tokens WHERE account = ?1 AND user = ?2 COLLATE NOCASE UNION
               SELECT user FROM ledger WHERE account = ?1 AND user = ?2 COLLATE NOCASE AND inbound_ms IS NOT NULL
               LIMIT 2";
    let mut select = db.prepare_cached(sql)?;
    let mut fitting = select.query_map([account.as_str(), user], |row| row.get::<_, String>(0))?;
    match (fitting.next().transpose()?, fitting.next()) {
        (Some(only), None) => Ok(Some(only)),
        _ => Ok(None),
    }
}

pub(crate) fn reserve(
    db: &Connection,
    account: &AccountId,
    wanted: &Reserve,
    now: SystemTime,
) -> Result<Reservation> {
    let mut context = send_context(db, account, &wanted.user)?;
    let user = match &context.recipient {
        Some(recipient) => recipient.user.as_str(),
        None if wanted.unknown_user => &wanted.user,
        None => return Ok(Reservation::new(false, context)),
    };
    let ledger = &mut context.ledger;
    let after = ledger.sends.saturating_add(wanted.sends);
    let is_open = match (ledger.last_inbound, wanted.written_after) {
        (Some(written), Some(limit)) => written > limit,
        _ => true,
    };
    if !is_open || wanted.max_sends.is_some_and(|max| after > max) {
        return Ok(Reservation::new(false, context));
    }
    let sql = "INSERT INTO ledger (account, user, sends, send_ms, bytes) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT DO UPDATE SET sends = sends + excluded.sends, send_ms = excluded.send_ms,
               bytes = bytes + excluded.bytes";
    let bytes = i64::try_from(wanted.bytes).unwrap_or(i64::MAX);
    let values = params![account.as_str(), user, wanted.sends, millis(now), bytes];
    db.prepare_cached(sql)?.execute(values)?;
    (ledger.sends, ledger.last_send) = (after, Some(time(millis(now))));
    ledger.bytes = ledger.bytes.saturating_add(wanted.bytes);
    Ok(Reservation::new(true, context))
}

pub(crate) fn record_send(
    db: &Connection,
    account: &AccountId,
    record: &SendRecord,
    now: SystemTime,
) -> Result<Health> {
    if record.unused > 0 {
        let sql = "UPDATE ledger SET sends = max(sends - ?3, 0), bytes = max(bytes - ?4, 0)
                   WHERE account = ?1 AND user = ?2 AND inbound_ms IS ?5";
        let bytes = i64::try_from(record.unused_bytes).unwrap_or(i64::MAX);
        let values =
            params![account.as_str(), record.user.as_str(), record.unused, bytes, record.answers.map(millis)];
        db.prepare_cached(sql)?.execute(values)?;
    }
    let before = health(db, account)?;
    let after = record.accepted.map_or(before, |named| before.after(named, now));
    if after != before {
        let sql = "INSERT INTO health VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE
                   SET ids_seen = excluded.ids_seen, suppressed_ms = excluded.suppressed_ms";
        let values = params![account.as_str(), after.ids_seen, after.suppressed_since.map(millis)];
        db.prepare_cached(sql)?.execute(values)?;
    }
    Ok(after)
}

pub(crate) fn context_tokens(db: &Connection, account: &AccountId) -> Result<Vec<(UserId, ContextToken)>> {
    let mut select = db.prepare_cached("SELECT user, token FROM context_tokens WHERE account = ?1")?;
    select.query_map([account.as_str()], read_token)?.collect()
}

pub(super) fn set_token(
    db: &Connection,
    account: &AccountId,
    user: &UserId,
    token: &ContextToken,
    now: SystemTime,
) -> Result<()> {
    let sql = "INSERT INTO context_tokens VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE SET token = excluded.token, updated_ms = excluded.updated_ms";
    let values = params![account.as_str(), user.as_str(), token.as_str(), millis(now)];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

/// The user has written: the counts begin anew, unless the message is older than what began them. Counts that begin
/// later than now are those of a clock that was set back since.
pub(super) fn begin_ledger(
    db: &Connection,
    account: &AccountId,
    user: &UserId,
    written: SystemTime,
    now: SystemTime,
) -> Result<()> {
    let sql = "INSERT INTO ledger (account, user, inbound_ms) VALUES (?1, ?2, ?3)
               ON CONFLICT DO UPDATE SET inbound_ms = excluded.inbound_ms, sends = 0, bytes = 0
               WHERE inbound_ms IS NULL OR inbound_ms <= excluded.inbound_ms OR inbound_ms > ?4";
    let values = params![account.as_str(), user.as_str(), millis(written), millis(now)];
    db.prepare_cached(sql)?.execute(values).map(drop)
}

/// Forgets users: those of long ago, and of those to whom nothing was ever sent all but the last who wrote. Returns how
/// many rows went.
pub(super) fn prune_users(
    db: &Connection,
    account: &AccountId,
    retention: &Retention,
    now: SystemTime,
) -> Result<usize> {
    let oldest = now.checked_sub(retention.users).map_or(0, millis);
    let forgotten = "SELECT user FROM ledger WHERE account = ?1
        AND max(coalesce(inbound_ms, 0), coalesce(send_ms, 0)) < ?2
        OR account = ?1 AND user IN (SELECT user FROM ledger WHERE account = ?1 AND send_ms IS NULL
            ORDER BY inbound_ms DESC, user LIMIT -1 OFFSET ?3)";
    let waited_for = "SELECT peer FROM journal WHERE account = ?1 AND state = 0 AND state <> 1
        UNION SELECT user FROM outbox WHERE account = ?1";
    let values = params![account.as_str(), oldest, retention.unanswered_rows];
    let mut gone = 0;
    for table in ["context_tokens", "ledger"] {
        let sql = format!(
            "DELETE FROM {table} WHERE account = ?1 AND user IN ({forgotten}) AND user NOT IN ({waited_for})"
        );
        gone += db.execute(&sql, values)?;
    }
    // Those that another program has left, of whom nothing was heard since.
    let sql = "DELETE FROM context_tokens WHERE account = ?1 AND updated_ms < ?2
               AND user NOT IN (SELECT user FROM ledger WHERE account = ?1)";
    gone += db.execute(sql, params![account.as_str(), oldest])?;
    Ok(gone)
}

fn ledger(db: &Connection, account: &AccountId, user: &str) -> Result<Ledger> {
    let sql = "SELECT inbound_ms, sends, send_ms, bytes FROM ledger WHERE account = ?1 AND user = ?2";
    let read = |row: &Row<'_>| {
        let bytes = u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0);
        let at = |time_ms: Option<i64>| time_ms.map(time);
        Ok(Ledger::new(at(row.get(0)?), row.get(1)?, at(row.get(2)?), bytes))
    };
    let found = db.prepare_cached(sql)?.query_row([account.as_str(), user], read).optional()?;
    Ok(found.unwrap_or_default())
}

pub(crate) fn health(db: &Connection, account: &AccountId) -> Result<Health> {
    let sql = "SELECT ids_seen, suppressed_ms FROM health WHERE account = ?1";
    let read = |row: &Row<'_>| Ok(Health::new(row.get(0)?, row.get::<_, Option<i64>>(1)?.map(time)));
    Ok(db.prepare_cached(sql)?.query_row([account.as_str()], read).optional()?.unwrap_or_default())
}

pub(crate) fn enqueue(
    db: &Connection,
    account: &AccountId,
    items: &[NewOutboxItem],
    cap: u32,
) -> Result<bool> {
    let is_there = "SELECT 1 FROM outbox WHERE account = ?1 AND client_id = ?2";
    let mut new = Vec::with_capacity(items.len());
    for item in items {
        if !db.prepare_cached(is_there)?.exists([account.as_str(), item.client_id.as_str()])? {
            new.push(item);
        }
    }
    let mut waiting: HashMap<&UserId, u32> = HashMap::new();
    for item in &new {
        let count = match waiting.entry(&item.user) {
            Slot::Occupied(slot) => slot.into_mut(),
            Slot::Vacant(slot) => {
                let sql = "SELECT count(*) FROM outbox WHERE account = ?1 AND user = ?2";
                let values = [account.as_str(), item.user.as_str()];
                slot.insert(db.prepare_cached(sql)?.query_row(values, |row| row.get(0))?)
            }
        };
        *count += 1;
        if *count > cap {
            return Ok(false);
        }
    }
    for item in new {
        let sql = "INSERT INTO outbox (account, user, client_id, item, run, created_ms, expires_ms)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        db.prepare_cached(sql)?.execute(params![
            account.as_str(),
            item.user.as_str(),
            item.client_id.as_str(),
            item.item,
            item.run,
            millis(item.created),
            millis(item.expires)
        ])?;
    }
    Ok(true)
}

pub(crate) fn outbox(
    db: &Connection,
    account: &AccountId,
    after: i64,
    limit: u32,
) -> Result<Vec<OutboxItem>> {
    let sql = "SELECT id, user, client_id, item, run, created_ms, expires_ms FROM outbox
               WHERE account = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
    let read = |row: &Row<'_>| {
        let user = UserId::from(row.get::<_, String>(1)?);
        let client_id = ClientId::from(row.get::<_, String>(2)?);
        let (created, expires) = (time(row.get(5)?), time(row.get(6)?));
        let mut content = NewOutboxItem::new(user, client_id, row.get::<_, String>(3)?, created, expires);
        content.run = row.get(4)?;
        Ok(OutboxItem::new(row.get(0)?, content))
    };
    db.prepare_cached(sql)?.query_map(params![account.as_str(), after, limit], read)?.collect()
}

pub(crate) fn dequeue(db: &Connection, account: &AccountId, ids: &[i64]) -> Result<()> {
    let mut delete = db.prepare_cached("DELETE FROM outbox WHERE account = ?1 AND id = ?2")?;
    ids.iter().try_for_each(|id| delete.execute(params![account.as_str(), id]).map(drop))
}

fn read_token(row: &Row<'_>) -> Result<(UserId, ContextToken)> {
    Ok((UserId::from(row.get::<_, String>(0)?), ContextToken::from(row.get::<_, String>(1)?)))
}
