//! Leases: a lock file says who has an account, a number in the journal's file which lease is the latest.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::backend::FolderBackend;
use super::lock::AccountLock;
use crate::account::AccountId;
use crate::backend::{Answer, Lease, Leases};
use crate::sqlite::leases;

/// How long letting go waits for the official plugin's files: a stop is over within a second (invariant 10).
const EXPORT: Duration = Duration::from_millis(300);

/// A lease that this process has.
#[derive(Debug)]
pub(super) struct Held {
    generation: i64,
    _lock: AccountLock,
}

impl Leases for FolderBackend {
    fn acquire<'a>(&'a self, account: &'a AccountId, holder: &'a str) -> Answer<'a, Lease> {
        Box::pin(async move {
            let (id, text) = (account.clone(), holder.to_owned());
            // Let go of by the system if this future is dropped.
            let lock = self.with_files(move |state| state.lock(&id, &text)).await?;
            let (id, text) = (account.clone(), holder.to_owned());
            let lease = self.inner.db.write(move |db| Ok(leases::next(db, &id, &text)?)).await?;
            self.import_official(account).await?;
            let held = Held { generation: lease.generation, _lock: lock };
            self.held().insert(account.clone(), held);
            Ok(lease)
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
        let lease = lease.clone();
        Box::pin(self.inner.db.read(move |db| leases::check(db, &lease)))
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()> {
        Box::pin(async move {
            let is_held = |held: &Held| held.generation == lease.generation;
            if !self.held().get(&lease.account).is_some_and(is_held) {
                return Ok(());
            }
            // Before others may write there.
            let exported = tokio::time::timeout(EXPORT, self.inner.export(&lease.account)).await;
            if exported.is_err() {
                tracing::warn!(account = %lease.account, "the official plugin's files are out of date");
            }
            let mut held = self.held();
            if held.get(&lease.account).is_some_and(is_held) {
                // Closing a file does not wait.
                held.remove(&lease.account);
            }
            Ok(())
        })
    }
}

impl FolderBackend {
    fn held(&self) -> MutexGuard<'_, std::collections::HashMap<AccountId, Held>> {
        self.inner.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
