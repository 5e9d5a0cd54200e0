//! What sends need: context tokens, the ledger, health, the outbox.

use std::time::SystemTime;

use ilink_client::{ClientId, ContextToken, UserId};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Value, get, text};
use super::failure::FULL;
use super::{PostgresBackend, millis, signed, time};
use crate::account::AccountId;
use crate::backend::{
    Answer, Health, Lease, Ledger, NewOutboxItem, Outbound, OutboxItem, Recipient, Reservation, Reserve,
    SendContext, SendRecord,
};
use crate::error::Error;

impl Outbound for PostgresBackend {
    fn send_context<'a>(&'a self, account: &'a AccountId, user: &'a str) -> Answer<'a, SendContext> {
        Box::pin(async move {
            let user = text(user);
            let values: [Value<'_>; 2] = [(&account.as_str(), Type::TEXT), (&user, Type::TEXT)];
            let rows = self.inner.db.call(None, "SELECT * FROM weixin_send_context($1, $2)", &values).await?;
            rows.first().map_or_else(|| Ok(SendContext::default()), |row| read_context(row, 0))
        })
    }

    fn reserve<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        wanted: &'a Reserve,
        now: SystemTime,
    ) -> Answer<'a, Reservation> {
        Box::pin(async move {
            let user = text(&wanted.user);
            let values: [Value<'_>; 9] = [
                (&account.as_str(), Type::TEXT),
                (&lease.map(|lease| lease.generation), Type::INT8),
                (&user, Type::TEXT),
                (&i64::from(wanted.sends), Type::INT8),
                (&signed(wanted.bytes), Type::INT8),
                (&wanted.max_sends.map(i64::from), Type::INT8),
                (&wanted.written_after.map(millis), Type::INT8),
                (&wanted.unknown_user, Type::BOOL),
                (&millis(now), Type::INT8),
            ];
            let sql = "SELECT * FROM weixin_reserve($1, $2, $3, $4, $5, $6, $7, $8, $9)";
            let rows = self.inner.db.call(Some(account), sql, &values).await?;
            let Some(row) = rows.first() else { return Ok(Reservation::new(false, SendContext::default())) };
            Ok(Reservation::new(get(row, 0)?, read_context(row, 1)?))
        })
    }

    fn record_send<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        record: &'a SendRecord,
        now: SystemTime,
    ) -> Answer<'a, Health> {
        Box::pin(async move {
            let user = text(record.user.as_str());
            let values: [Value<'_>; 8] = [
                (&account.as_str(), Type::TEXT),
                (&lease.map(|lease| lease.generation), Type::INT8),
                (&user, Type::TEXT),
                (&i64::from(record.unused), Type::INT8),
                (&signed(record.unused_bytes), Type::INT8),
                (&record.answers.map(millis), Type::INT8),
                (&record.accepted, Type::BOOL),
                (&millis(now), Type::INT8),
            ];
            let sql = "SELECT * FROM weixin_record_send($1, $2, $3, $4, $5, $6, $7, $8)";
            let rows = self.inner.db.call(Some(account), sql, &values).await?;
            rows.first().map_or_else(|| Ok(Health::default()), |row| read_health(row, 0))
        })
    }

    fn health<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Health> {
        Box::pin(async move {
            let sql = "SELECT ids_seen, suppressed_ms FROM weixin_health WHERE account = $1";
            let rows = self.inner.db.call(None, sql, &[(&account.as_str(), Type::TEXT)]).await?;
            rows.first().map_or_else(|| Ok(Health::default()), |row| read_health(row, 0))
        })
    }

    fn enqueue<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        items: &'a [NewOutboxItem],
        cap: u32,
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let each = |of: fn(&NewOutboxItem) -> String| items.iter().map(of).collect::<Vec<_>>();
            let users = each(|item| text(item.user.as_str()));
            let clients = each(|item| text(item.client_id.as_str()));
            let json = each(|item| text(&item.item));
            let runs: Vec<Option<String>> = items.iter().map(|item| item.run.as_deref().map(text)).collect();
            let created: Vec<i64> = items.iter().map(|item| millis(item.created)).collect();
            let expires: Vec<i64> = items.iter().map(|item| millis(item.expires)).collect();
            let values: [Value<'_>; 9] = [
                (&account.as_str(), Type::TEXT),
                (&lease.map(|lease| lease.generation), Type::INT8),
                (&i64::from(cap), Type::INT8),
                (&users, Type::TEXT_ARRAY),
                (&clients, Type::TEXT_ARRAY),
                (&json, Type::TEXT_ARRAY),
                (&runs, Type::TEXT_ARRAY),
                (&created, Type::INT8_ARRAY),
                (&expires, Type::INT8_ARRAY),
            ];
            let sql = "SELECT weixin_enqueue($1, $2, $3, $4, $5, $6, $7, $8, $9)";
            match self.inner.db.query(sql, &values).await {
                Ok(_) => Ok(true),
                Err(failure) if failure.is(FULL) => Ok(false),
                Err(failure) => Err(failure.into_error(Some(account))),
            }
        })
    }

    fn outbox<'a>(&'a self, account: &'a AccountId, after: i64, limit: u32) -> Answer<'a, Vec<OutboxItem>> {
        Box::pin(async move {
            let sql = "SELECT id, user_id, client_id, item, run, created_ms, expires_ms FROM weixin_outbox
                       WHERE account = $1 AND id > $2 ORDER BY id LIMIT $3";
            let read = |row: &Row| {
                let user = UserId::from(get::<String>(row, 1)?);
                let client_id = ClientId::from(get::<String>(row, 2)?);
                let (created, expires) = (time(get(row, 5)?), time(get(row, 6)?));
                let mut content =
                    NewOutboxItem::new(user, client_id, get::<String>(row, 3)?, created, expires);
                content.run = get(row, 4)?;
                Ok(OutboxItem::new(get(row, 0)?, content))
            };
            self.page(sql, account, after, limit).await?.iter().map(read).collect()
        })
    }

    fn dequeue<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        ids: &'a [i64],
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let values: [Value<'_>; 3] = [
                (&account.as_str(), Type::TEXT),
                (&lease.map(|lease| lease.generation), Type::INT8),
                (&ids, Type::INT8_ARRAY),
            ];
            let sql = "SELECT weixin_dequeue($1, $2, $3)";
            self.inner.db.call(Some(account), sql, &values).await.map(drop)
        })
    }
}

/// From the columns of `weixin_send_context` that begin there.
fn read_context(row: &Row, first: usize) -> Result<SendContext, Error> {
    let user: Option<String> = get(row, first)?;
    let token: Option<String> = get(row, first + 1)?;
    let recipient =
        user.zip(token).map(|(user, token)| Recipient::new(UserId::from(user), ContextToken::from(token)));
    let at = |column| Ok::<_, Error>(get::<Option<i64>>(row, column)?.map(time));
    let sends = get::<Option<i64>>(row, first + 3)?.unwrap_or(0);
    let bytes = get::<Option<i64>>(row, first + 5)?.unwrap_or(0);
    let ledger = Ledger::new(
        at(first + 2)?,
        u32::try_from(sends).unwrap_or(u32::MAX),
        at(first + 4)?,
        u64::try_from(bytes).unwrap_or(0),
    );
    Ok(SendContext::new(recipient, ledger, read_health(row, first + 6)?))
}

fn read_health(row: &Row, first: usize) -> Result<Health, Error> {
    let ids_seen = get::<Option<bool>>(row, first)?.unwrap_or(false);
    Ok(Health::new(ids_seen, get::<Option<i64>>(row, first + 1)?.map(time)))
}
