//! The processes that share the accounts.

use tokio_postgres::types::Type;

use super::PostgresBackend;
use super::database::get;
use crate::account::AccountId;
use crate::backend::Answer;
use crate::error::Error;
use crate::fleet::{Member, Members, Membership};

impl Members for PostgresBackend {
    fn join(&self) -> Answer<'_, Membership> {
        Box::pin(async move {
            let me = self.inner.processes.set_member(true).await?;
            let sql = "SELECT revision, p.id, p.name FROM weixin_revision LEFT JOIN weixin_processes p
                       ON p.member AND p.expires > clock_timestamp() ORDER BY p.id";
            let rows = self.inner.db.call(None, sql, &[]).await?;
            let mut membership = Membership { me, members: Vec::new(), revision: 0 };
            for row in &rows {
                membership.revision = get(row, 0)?;
                if let Some(id) = get(row, 1)? {
                    membership.members.push(Member { id, name: get(row, 2)? });
                }
            }
            Ok(membership)
        })
    }

    fn leave(&self) -> Answer<'_, ()> {
        Box::pin(self.inner.processes.leave())
    }

    fn account_ids(&self) -> Answer<'_, Vec<AccountId>> {
        Box::pin(async move {
            let sql = "SELECT account FROM weixin_accounts WHERE token <> ''";
            let rows = self.inner.db.call(None, sql, &[]).await?;
            rows.iter().map(|row| Ok(AccountId::new(get(row, 0)?))).collect::<Result<_, Error>>()
        })
    }

    fn free<'a>(&'a self, wanted: &'a [AccountId]) -> Answer<'a, Vec<AccountId>> {
        Box::pin(async move {
            let wanted: Vec<&str> = wanted.iter().map(AccountId::as_str).collect();
            let sql = "SELECT w.account FROM unnest($1) AS w (account) WHERE NOT EXISTS (
                           SELECT 1 FROM weixin_leases l JOIN weixin_processes p ON p.id = l.process
                           WHERE l.account = w.account AND p.expires > clock_timestamp())";
            let rows = self.inner.db.call(None, sql, &[(&wanted, Type::TEXT_ARRAY)]).await?;
            rows.iter().map(|row| Ok(AccountId::new(get(row, 0)?))).collect::<Result<_, Error>>()
        })
    }
}
