//! Past messages, to know what a quote quotes. Their media stays where its process put it: another machine finds its
//! type and name only.

use std::path::PathBuf;
use std::time::Duration;

use ilink_client::{MessageId, UserId};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Value, get, text};
use super::{PostgresBackend, whole};
use crate::account::AccountId;
use crate::backend::{Answer, Quotes};
use crate::error::Error;
use crate::quote::{Direction, QuoteLimits, StoredMedia, StoredMessage};

const COLUMNS: &str =
    "message_id, outbound, body, media_path, media_mime, media_name, media_size, created_ms";

impl Quotes for PostgresBackend {
    fn record_quote<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        message: &'a StoredMessage,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let is_quotable =
                message.message_id.0 != 0 && (!message.body.is_empty() || message.media.is_some());
            if self.inner.quotes.is_none() || !is_quotable {
                return Ok(());
            }
            let media = message.media.clone().unwrap_or_default();
            let path = media.path.map(|path| text(&path.to_string_lossy()));
            let (conversation, body) = (text(conversation.as_str()), text(&message.body));
            let values: [Value<'_>; 10] = [
                (&account.as_str(), Type::TEXT),
                (&conversation, Type::TEXT),
                (&message.message_id.0.cast_signed(), Type::INT8),
                (&(message.direction == Direction::Outbound), Type::BOOL),
                (&body, Type::TEXT),
                (&path, Type::TEXT),
                (&media.mime.as_deref().map(text), Type::TEXT),
                (&media.name.as_deref().map(text), Type::TEXT),
                (&media.size.map(super::signed), Type::INT8),
                (&message.created_at_ms, Type::INT8),
            ];
            let sql = format!(
                "INSERT INTO weixin_quotes AS q (account, conversation, {COLUMNS})
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                 ON CONFLICT (account, conversation, message_id) DO UPDATE SET outbound = excluded.outbound,
                 body = excluded.body, created_ms = excluded.created_ms,
                 media_path = coalesce(excluded.media_path, q.media_path),
                 media_mime = coalesce(excluded.media_mime, q.media_mime),
                 media_name = coalesce(excluded.media_name, q.media_name),
                 media_size = coalesce(excluded.media_size, q.media_size)"
            );
            self.inner.db.call(None, &sql, &values).await.map(drop)
        })
    }

    fn quote_by_id<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        id: MessageId,
        now_ms: i64,
    ) -> Answer<'a, Option<StoredMessage>> {
        Box::pin(async move {
            let Some(retention) = self.inner.quotes else { return Ok(None) };
            let conversation = text(conversation.as_str());
            let values: [Value<'_>; 4] = [
                (&account.as_str(), Type::TEXT),
                (&conversation, Type::TEXT),
                (&id.0.cast_signed(), Type::INT8),
                (&oldest(now_ms, retention), Type::INT8),
            ];
            let sql = format!(
                "SELECT {COLUMNS} FROM weixin_quotes
                 WHERE account = $1 AND conversation = $2 AND message_id = $3 AND created_ms >= $4"
            );
            with_what_is_there(self.inner.db.call(None, &sql, &values).await?)
                .await
                .map(|mut found| found.pop())
        })
    }

    fn quotes_near<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        time_ms: i64,
        now_ms: i64,
    ) -> Answer<'a, Vec<StoredMessage>> {
        Box::pin(async move {
            let Some(retention) = self.inner.quotes else { return Ok(Vec::new()) };
            let (before, after) = if time_ms % 1_000 == 0 { (500_i64, 999_i64) } else { (0, 0) };
            let tolerance = whole(QuoteLimits::default().clock_tolerance);
            let conversation = text(conversation.as_str());
            let values: [Value<'_>; 7] = [
                (&account.as_str(), Type::TEXT),
                (&conversation, Type::TEXT),
                (&time_ms, Type::INT8),
                (&before, Type::INT8),
                (&after, Type::INT8),
                (&tolerance, Type::INT8),
                (&oldest(now_ms, retention), Type::INT8),
            ];
            let sql = format!(
                "SELECT {COLUMNS} FROM weixin_quotes WHERE account = $1 AND conversation = $2 AND created_ms >= $7
                 AND (created_ms BETWEEN $3 - $4 AND $3 + $5 OR outbound AND created_ms BETWEEN $3 - $6 AND $3 + $6)
                 ORDER BY created_ms BETWEEN $3 - $4 AND $3 + $5 DESC, abs(created_ms - $3), message_id LIMIT 32"
            );
            with_what_is_there(self.inner.db.call(None, &sql, &values).await?).await
        })
    }

    fn prune_quotes(&self, now_ms: i64) -> Answer<'_, ()> {
        Box::pin(async move {
            let Some(retention) = self.inner.quotes else { return Ok(()) };
            let sql = "DELETE FROM weixin_quotes WHERE created_ms < $1";
            self.inner.db.call(None, sql, &[(&oldest(now_ms, retention), Type::INT8)]).await.map(drop)
        })
    }

    fn forget_quotes<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()> {
        Box::pin(async move {
            let sql = "DELETE FROM weixin_quotes WHERE account = $1";
            self.inner.db.call(None, sql, &[(&account.as_str(), Type::TEXT)]).await.map(drop)
        })
    }
}

/// In Unix milliseconds.
fn oldest(now_ms: i64, retention: Duration) -> i64 {
    now_ms.saturating_sub(whole(retention))
}

/// Without the paths of files that are not here.
async fn with_what_is_there(rows: Vec<Row>) -> Result<Vec<StoredMessage>, Error> {
    let messages: Vec<StoredMessage> = rows.iter().map(read).collect::<Result<_, _>>()?;
    if messages.iter().all(|message| message.media.as_ref().is_none_or(|media| media.path.is_none())) {
        return Ok(messages);
    }
    let look = move || Ok(messages.into_iter().map(StoredMessage::with_what_is_there).collect());
    crate::blocking::blocking(look).await
}

fn read(row: &Row) -> Result<StoredMessage, Error> {
    let path = get::<Option<String>>(row, 3)?.map(PathBuf::from);
    let (mime, name): (Option<String>, Option<String>) = (get(row, 4)?, get(row, 5)?);
    let size = get::<Option<i64>>(row, 6)?.and_then(|size| size.try_into().ok());
    let has_media = path.is_some() || mime.is_some() || name.is_some();
    Ok(StoredMessage {
        message_id: MessageId(get::<i64>(row, 0)?.cast_unsigned()),
        direction: if get(row, 1)? { Direction::Outbound } else { Direction::Inbound },
        body: get(row, 2)?,
        media: has_media.then_some(StoredMedia { path, mime, name, size }),
        created_at_ms: get(row, 7)?,
    })
}
