//! Who may write besides the user who scanned, and who asks to.

use std::time::SystemTime;

use ilink_client::UserId;
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::database::{Value, get, text};
use super::{PostgresBackend, millis, time};
use crate::access::{PairingCode, PairingLimits, PairingRequest, pairing_code};
use crate::account::AccountId;
use crate::backend::{Access, Answer};
use crate::error::Error;

/// Codes that are offered: one in 2^40 is taken.
const CODES: u64 = 8;

impl Access for PostgresBackend {
    fn allowed<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<String>> {
        Box::pin(async move {
            let sql = "SELECT user_id FROM weixin_allowed WHERE account = $1 ORDER BY place";
            let rows = self.inner.db.call(None, sql, &[(&account.as_str(), Type::TEXT)]).await?;
            rows.iter().map(|row| get(row, 0)).collect()
        })
    }

    fn allow<'a>(&'a self, account: &'a AccountId, user: &'a UserId) -> Answer<'a, bool> {
        Box::pin(async move {
            let sql = "INSERT INTO weixin_allowed (account, user_id) SELECT $1, $2 WHERE $2 <> ''
                       ON CONFLICT DO NOTHING RETURNING true";
            self.change(sql, account, user).await
        })
    }

    fn disallow<'a>(&'a self, account: &'a AccountId, user: &'a UserId) -> Answer<'a, bool> {
        Box::pin(async move {
            let sql = "DELETE FROM weixin_allowed WHERE account = $1 AND user_id = $2 RETURNING true";
            self.change(sql, account, user).await
        })
    }

    fn request_pairing<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a UserId,
        number: u64,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Option<PairingCode>> {
        Box::pin(async move {
            if user.is_empty() {
                return Ok(None);
            }
            let codes: Vec<String> = (0..CODES).map(|n| pairing_code(number.wrapping_add(n))).collect();
            let (user, max_open) = (text(user.as_str()), i64::try_from(limits.max_open).unwrap_or(i64::MAX));
            let values: [Value<'_>; 6] = [
                (&account.as_str(), Type::TEXT),
                (&user, Type::TEXT),
                (&codes, Type::TEXT_ARRAY),
                (&max_open, Type::INT8),
                (&oldest(limits, now), Type::INT8),
                (&millis(now), Type::INT8),
            ];
            let sql = "SELECT code, created FROM weixin_request_pairing($1, $2, $3, $4, $5, $6)";
            let rows = self.inner.db.call(None, sql, &values).await?;
            rows.first().map(|row| Ok(PairingCode { code: get(row, 0)?, created: get(row, 1)? })).transpose()
        })
    }

    fn pairing_requests<'a>(
        &'a self,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Vec<PairingRequest>> {
        Box::pin(async move {
            let sql = "SELECT account, user_id, created_ms, code FROM weixin_pairing WHERE created_ms > $1
                       ORDER BY created_ms, account, user_id";
            let rows = self.inner.db.call(None, sql, &[(&oldest(limits, now), Type::INT8)]).await?;
            rows.iter().map(|row| read(row, get(row, 3)?)).collect()
        })
    }

    fn approve<'a>(
        &'a self,
        code: &'a str,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Option<PairingRequest>> {
        Box::pin(self.take_request(code, limits, now, true))
    }

    fn remove_request<'a>(
        &'a self,
        code: &'a str,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Option<PairingRequest>> {
        Box::pin(self.take_request(code, limits, now, false))
    }
}

impl PostgresBackend {
    /// True if something was changed.
    async fn change(&self, sql: &str, account: &AccountId, user: &UserId) -> Result<bool, Error> {
        let user = text(user.as_str().trim());
        let values: [Value<'_>; 2] = [(&account.as_str(), Type::TEXT), (&user, Type::TEXT)];
        Ok(!self.inner.db.call(None, sql, &values).await?.is_empty())
    }

    async fn take_request(
        &self,
        code: &str,
        limits: &PairingLimits,
        now: SystemTime,
        approve: bool,
    ) -> Result<Option<PairingRequest>, Error> {
        let code = text(&code.trim().to_ascii_uppercase());
        let values: [Value<'_>; 3] =
            [(&code, Type::TEXT), (&oldest(limits, now), Type::INT8), (&approve, Type::BOOL)];
        let sql = "SELECT account, user_id, created_ms FROM weixin_take_pairing($1, $2, $3)";
        let rows = self.inner.db.call(None, sql, &values).await?;
        rows.first().map(|row| read(row, code)).transpose()
    }
}

/// Requests of that time, in Unix milliseconds, and before are no longer good.
fn oldest(limits: &PairingLimits, now: SystemTime) -> i64 {
    now.checked_sub(limits.lifetime).map_or(0, millis)
}

fn read(row: &Row, code: String) -> Result<PairingRequest, Error> {
    Ok(PairingRequest {
        account: AccountId::new(get(row, 0)?),
        user: UserId::from(get::<String>(row, 1)?),
        code,
        created_at: time(get(row, 2)?),
    })
}
