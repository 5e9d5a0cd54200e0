//! Who is logged in.

use std::time::SystemTime;

use ilink_client::{Credentials, Secret, UserId};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::PostgresBackend;
use super::database::{Value, get, text};
use crate::account::{Account, AccountId};
use crate::backend::{Accounts, Answer, SavedLogin};
use crate::error::Error;

impl Accounts for PostgresBackend {
    fn accounts(&self) -> Answer<'_, Vec<Account>> {
        Box::pin(async move {
            let sql = "SELECT account, token, base_url, user_id FROM weixin_accounts WHERE token <> '' ORDER BY login";
            self.inner.db.call(None, sql, &[]).await?.iter().map(read).collect()
        })
    }

    fn account<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Option<Account>> {
        Box::pin(async move {
            let sql = "SELECT account, token, base_url, user_id FROM weixin_accounts
                       WHERE account = $1 AND token <> ''";
            let rows = self.inner.db.call(None, sql, &[(&account.as_str(), Type::TEXT)]).await?;
            rows.first().map(read).transpose()
        })
    }

    fn save_login<'a>(&'a self, credentials: &'a Credentials, _now: SystemTime) -> Answer<'a, SavedLogin> {
        Box::pin(async move {
            let account = AccountId::from(&credentials.bot_id);
            let token = text(credentials.token.expose());
            let user =
                credentials.user_id.as_ref().map(|user| text(user.as_str())).filter(|user| !user.is_empty());
            let values: [Value<'_>; 4] = [
                (&account.as_str(), Type::TEXT),
                (&token, Type::TEXT),
                (&credentials.base_url.as_deref().map(text), Type::TEXT),
                (&user, Type::TEXT),
            ];
            let sql = "SELECT retired FROM weixin_save_login($1, $2, $3, $4)";
            let rows = self.inner.db.call(None, sql, &values).await?;
            let retired: Result<_, Error> = rows.iter().map(|row| Ok(AccountId::new(get(row, 0)?))).collect();
            Ok(SavedLogin::new(account, retired?))
        })
    }

    fn remove_account<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()> {
        Box::pin(async move {
            let values: [Value<'_>; 1] = [(&account.as_str(), Type::TEXT)];
            self.inner.db.call(None, "SELECT weixin_remove_account($1)", &values).await.map(drop)
        })
    }

    fn check_writable(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            // Fails where nothing can be written, and changes nothing.
            self.inner.db.call(None, "DELETE FROM weixin_accounts WHERE false", &[]).await.map(drop)
        })
    }
}

fn read(row: &Row) -> Result<Account, Error> {
    let mut account = Account::new(AccountId::new(get(row, 0)?), Secret::from(get::<String>(row, 1)?));
    account.base_url = get(row, 2)?;
    account.user_id = get::<Option<String>>(row, 3)?.map(UserId::from);
    Ok(account)
}
