//! Messages and cursors.

use std::time::SystemTime;

use ilink_client::{Cursor, UserId};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Value, get, text};
use super::{PostgresBackend, millis, time, whole};
use crate::account::AccountId;
use crate::backend::{Answer, Counts, DeadLetter, Entry, Journal, Lease, NewEntry, Retention, Settlement};
use crate::error::Error;

const DISPATCHED: i16 = 3;

impl Journal for PostgresBackend {
    fn cursor<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Option<Cursor>> {
        Box::pin(async move {
            let sql = "SELECT cursor FROM weixin_cursors WHERE account = $1";
            let rows = self.inner.db.call(None, sql, &[(&account.as_str(), Type::TEXT)]).await?;
            let cursor = rows.first().map(|row| get::<String>(row, 0)).transpose()?;
            Ok(cursor.filter(|cursor| !cursor.is_empty()).map(Cursor::from))
        })
    }

    fn ingest<'a>(
        &'a self,
        lease: &'a Lease,
        cursor: &'a Cursor,
        entries: &'a [NewEntry],
        now: SystemTime,
    ) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move {
            let each = |of: fn(&NewEntry) -> String| entries.iter().map(of).collect::<Vec<_>>();
            let some = |of: fn(&NewEntry) -> Option<String>| entries.iter().map(of).collect::<Vec<_>>();
            let (keys, peers) = (each(|e| text(&e.key)), each(|e| text(e.peer.as_str())));
            let messages = each(|e| text(&e.raw));
            let contents = some(|e| e.content.as_ref().map(|content| text(&content.fingerprint)));
            let reasons = some(|e| e.dead.as_deref().map(text));
            let tokens = some(|e| e.context_token.as_ref().map(|token| text(token.as_str())));
            let withins: Vec<i64> = entries
                .iter()
                .map(|e| e.content.as_ref().map_or(0, |content| whole(content.within)))
                .collect();
            let written: Vec<Option<i64>> = entries.iter().map(|e| e.written.map(millis)).collect();
            let dispatched: Vec<bool> = entries.iter().map(|e| e.dispatched).collect();
            let cursor = text(cursor.as_str());
            let values: [Value<'_>; 13] = [
                (&lease.account.as_str(), Type::TEXT),
                (&lease.generation, Type::INT8),
                (&cursor, Type::TEXT),
                (&millis(now), Type::INT8),
                (&keys, Type::TEXT_ARRAY),
                (&contents, Type::TEXT_ARRAY),
                (&withins, Type::INT8_ARRAY),
                (&peers, Type::TEXT_ARRAY),
                (&messages, Type::TEXT_ARRAY),
                (&written, Type::INT8_ARRAY),
                (&reasons, Type::TEXT_ARRAY),
                (&tokens, Type::TEXT_ARRAY),
                (&dispatched, Type::BOOL_ARRAY),
            ];
            let sql =
                "SELECT place, id FROM weixin_ingest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
            let rows = self.inner.db.call(Some(&lease.account), sql, &values).await?;
            let mut fresh = Vec::with_capacity(rows.len());
            for row in &rows {
                let place = usize::try_from(get::<i32>(row, 0)?).unwrap_or(0);
                if let Some(entry) = place.checked_sub(1).and_then(|place| entries.get(place)) {
                    let mut new = Entry::new(get(row, 1)?, entry.peer.clone(), entry.raw.clone());
                    new.dispatched = entry.dispatched;
                    fresh.push(new);
                }
            }
            Ok(fresh)
        })
    }

    fn pending<'a>(&'a self, account: &'a AccountId, after: i64, limit: u32) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move {
            let sql = "SELECT id, peer, raw, attempts, state FROM weixin_journal
                       WHERE account = $1 AND state IN (0, 3) AND id > $2 ORDER BY id LIMIT $3";
            self.page(sql, account, after, limit).await?.iter().map(read_entry).collect()
        })
    }

    fn pending_of<'a>(
        &'a self,
        account: &'a AccountId,
        peer: &'a UserId,
        after: i64,
        limit: u32,
    ) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move {
            let sql = "SELECT id, peer, raw, attempts, state FROM weixin_journal
                       WHERE account = $1 AND state IN (0, 3) AND id > $2 AND peer = $4 ORDER BY id LIMIT $3";
            let peer = text(peer.as_str());
            let values: [Value<'_>; 4] = [
                (&account.as_str(), Type::TEXT),
                (&after, Type::INT8),
                (&i64::from(limit), Type::INT8),
                (&peer, Type::TEXT),
            ];
            self.inner.db.call(None, sql, &values).await?.iter().map(read_entry).collect()
        })
    }

    fn settle<'a>(&'a self, lease: &'a Lease, what: &'a [Settlement]) -> Answer<'a, ()> {
        Box::pin(async move {
            let (mut ids, mut kinds) = (Vec::new(), Vec::new());
            let (mut tries, mut reasons) = (Vec::new(), Vec::new());
            for settlement in what {
                let (id, kind, attempt, reason) = match settlement {
                    Settlement::Dispatched { id, attempt } => (*id, 0_i16, *attempt, None),
                    Settlement::Returned { id, attempt } => (*id, 4, *attempt, None),
                    Settlement::Acked(id) => (*id, 1, 0, None),
                    Settlement::Nacked { id, attempt, reason, dead } => {
                        (*id, 2 + i16::from(*dead), *attempt, Some(text(reason)))
                    }
                };
                ids.push(id);
                kinds.push(kind);
                tries.push(i32::try_from(attempt).unwrap_or(i32::MAX));
                reasons.push(reason);
            }
            let values: [Value<'_>; 6] = [
                (&lease.account.as_str(), Type::TEXT),
                (&lease.generation, Type::INT8),
                (&ids, Type::INT8_ARRAY),
                (&kinds, Type::INT2_ARRAY),
                (&tries, Type::INT4_ARRAY),
                (&reasons, Type::TEXT_ARRAY),
            ];
            let sql = "SELECT weixin_settle($1, $2, $3, $4, $5, $6)";
            self.inner.db.call(Some(&lease.account), sql, &values).await.map(drop)
        })
    }

    fn dead_letters<'a>(
        &'a self,
        account: &'a AccountId,
        after: i64,
        limit: u32,
    ) -> Answer<'a, Vec<DeadLetter>> {
        Box::pin(async move {
            let sql = "SELECT id, peer, raw, attempts, state, reason, received_ms FROM weixin_journal
                       WHERE account = $1 AND state = 2 AND id > $2 ORDER BY id LIMIT $3";
            let rows = self.page(sql, account, after, limit).await?;
            let letter = |row: &Row| {
                let reason = get::<Option<String>>(row, 5)?.unwrap_or_default();
                Ok(DeadLetter::new(read_entry(row)?, reason, time(get(row, 6)?)))
            };
            rows.iter().map(letter).collect()
        })
    }

    fn requeue<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, Option<Entry>> {
        Box::pin(async move {
            let sql = "UPDATE weixin_journal SET state = 0, attempts = 0, reason = NULL
                       WHERE account = $1 AND id = $2 AND state = 2 RETURNING id, peer, raw, attempts, state";
            let values: [Value<'_>; 2] = [(&account.as_str(), Type::TEXT), (&id, Type::INT8)];
            let rows = self.inner.db.call(None, sql, &values).await?;
            rows.first().map(read_entry).transpose()
        })
    }

    fn counts<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Counts> {
        Box::pin(async move {
            // By indices alone.
            let sql = "SELECT (SELECT count(*) FROM weixin_journal WHERE account = $1 AND state IN (0, 3)),
                       (SELECT count(*) FROM weixin_journal WHERE account = $1 AND state = 2),
                       (SELECT count(*) FROM weixin_outbox WHERE account = $1)";
            let rows = self.inner.db.call(None, sql, &[(&account.as_str(), Type::TEXT)]).await?;
            let Some(row) = rows.first() else { return Ok(Counts::default()) };
            let count = |column| get::<i64>(row, column).map(|count| usize::try_from(count).unwrap_or(0));
            Ok(Counts::new(count(0)?, count(1)?, count(2)?))
        })
    }

    fn prune<'a>(
        &'a self,
        account: &'a AccountId,
        retention: &'a Retention,
        now: SystemTime,
    ) -> Answer<'a, u64> {
        Box::pin(async move {
            let before = |age| now.checked_sub(age).map_or(0, millis);
            let values: [Value<'_>; 7] = [
                (&account.as_str(), Type::TEXT),
                (&before(retention.done), Type::INT8),
                (&i64::from(retention.done_rows), Type::INT8),
                (&before(retention.dead), Type::INT8),
                (&i64::from(retention.dead_rows), Type::INT8),
                (&before(retention.users), Type::INT8),
                (&i64::from(retention.unanswered_rows), Type::INT8),
            ];
            let sql = "SELECT weixin_prune($1, $2, $3, $4, $5, $6, $7)";
            let rows = self.inner.db.call(None, sql, &values).await?;
            let gone = rows.first().map_or(Ok(0), |row| get::<i64>(row, 0))?;
            Ok(u64::try_from(gone).unwrap_or(0))
        })
    }

    fn forget<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()> {
        Box::pin(async move {
            let values: [Value<'_>; 1] = [(&account.as_str(), Type::TEXT)];
            self.inner.db.call(None, "SELECT weixin_forget($1)", &values).await.map(drop)
        })
    }
}

impl PostgresBackend {
    /// Rows of an account behind a number.
    pub(super) async fn page(
        &self,
        sql: &str,
        account: &AccountId,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Row>, Error> {
        let values: [Value<'_>; 3] =
            [(&account.as_str(), Type::TEXT), (&after, Type::INT8), (&i64::from(limit), Type::INT8)];
        self.inner.db.call(None, sql, &values).await
    }
}

fn read_entry(row: &Row) -> Result<Entry, Error> {
    let mut entry = Entry::new(get(row, 0)?, UserId::from(get::<String>(row, 1)?), get(row, 2)?);
    entry.attempts = u32::try_from(get::<i32>(row, 3)?).unwrap_or(0);
    entry.dispatched = get::<i16>(row, 4)? == DISPATCHED;
    Ok(entry)
}
