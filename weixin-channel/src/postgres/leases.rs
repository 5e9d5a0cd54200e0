//! Leases: a row says which process has an account, and that one's row says whether it is alive.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio_postgres::types::Type;

use super::PostgresBackend;
use super::database::{get, text};
use super::failure::{LOST, transient};
use crate::account::AccountId;
use crate::backend::{Answer, Lease, Leases, StoreError};
use crate::error::Error;

impl Leases for PostgresBackend {
    fn acquire<'a>(&'a self, account: &'a AccountId, holder: &'a str) -> Answer<'a, Lease> {
        Box::pin(async move {
            let (backend, id, holder) = (self.clone(), account.clone(), text(holder));
            let (told, got) = oneshot::channel();
            // To its end: what is given out to nobody is let go of.
            tokio::spawn(async move {
                let taken = backend.take(&id, &holder).await;
                let _ = told.send(taken.map(|lease| Untold {
                    backend,
                    lease: Some(lease),
                    runtime: Handle::current(),
                }));
            });
            let ending = |_| Err(transient("the runtime of this program is being shut down: start it again"));
            let mut untold = got.await.unwrap_or_else(ending)?;
            untold.lease.take().ok_or_else(|| StoreError::fenced(account).into())
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
        Box::pin(async move { self.inner.processes.renew(lease) })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
        Box::pin(async move {
            let Some(process) = self.inner.processes.let_go(lease) else { return Ok(()) };
            let sql = "UPDATE weixin_leases SET process = NULL
                       WHERE account = $1 AND generation = $2 AND process = $3";
            let values: [super::database::Value<'_>; 3] = [
                (&lease.account.as_str(), Type::TEXT),
                (&lease.generation, Type::INT8),
                (&process, Type::INT8),
            ];
            self.inner.db.call(None, sql, &values).await?;
            self.inner.processes.told(lease);
            Ok(())
        })
    }

    fn lease_time(&self) -> Option<Duration> {
        Some(self.inner.processes.lease_time())
    }
}

/// A lease of which nobody knows yet.
struct Untold {
    backend: PostgresBackend,
    lease: Option<Lease>,
    runtime: Handle,
}

impl Drop for Untold {
    fn drop(&mut self) {
        let Some(lease) = self.lease.take() else { return };
        let backend = self.backend.clone();
        self.runtime.spawn(async move {
            if let Err(error) = backend.release(&lease).await {
                tracing::warn!(account = %lease.account, %error, "the account stays taken until this process ends");
            }
        });
    }
}

impl PostgresBackend {
    async fn take(&self, account: &AccountId, holder: &str) -> Result<Lease, Error> {
        let sql = "SELECT generation, other FROM weixin_acquire($1, $2, $3)";
        let process = self.inner.processes.register().await?;
        let values: [super::database::Value<'_>; 3] =
            [(&account.as_str(), Type::TEXT), (&process, Type::INT8), (&holder, Type::TEXT)];
        let rows = self.inner.db.query(sql, &values).await.map_err(|failure| {
            if failure.is(LOST) {
                transient("the database has not heard of this process for too long: try again")
            } else {
                failure.into_error(None)
            }
        })?;
        let row = rows.first().ok_or_else(|| transient("PostgreSQL gave no lease"))?;
        match get::<Option<i64>>(row, 0)? {
            Some(generation) => {
                let lease = Lease::new(account.clone(), generation);
                self.inner.processes.hold(&lease, process);
                Ok(lease)
            }
            None => {
                let holder = get::<Option<String>>(row, 1)?.unwrap_or_default();
                Err(Error::Locked { account: account.clone(), holder })
            }
        }
    }
}
