//! What sends need, in SQLite.

use std::time::SystemTime;

use rusqlite::Connection;

use super::backend::FolderBackend;
use crate::account::AccountId;
use crate::backend::{
    Answer, Health, Lease, NewOutboxItem, Outbound, OutboxItem, Reservation, Reserve, SendContext, SendRecord,
};
use crate::sqlite::failure::Problem;
use crate::sqlite::{leases, outbound};

impl Outbound for FolderBackend {
    fn send_context<'a>(&'a self, account: &'a AccountId, user: &'a str) -> Answer<'a, SendContext> {
        let (id, user) = (account.clone(), user.to_owned());
        Box::pin(self.inner.db.read(move |db| Ok(outbound::send_context(db, &id, &user)?)))
    }

    fn reserve<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        wanted: &'a Reserve,
        now: SystemTime,
    ) -> Answer<'a, Reservation> {
        let wanted = wanted.clone();
        self.write_as(account, lease, move |db, id| outbound::reserve(db, id, &wanted, now))
    }

    fn record_send<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        record: &'a SendRecord,
        now: SystemTime,
    ) -> Answer<'a, Health> {
        let record = record.clone();
        self.write_as(account, lease, move |db, id| outbound::record_send(db, id, &record, now))
    }

    fn health<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Health> {
        let id = account.clone();
        Box::pin(self.inner.db.read(move |db| Ok(outbound::health(db, &id)?)))
    }

    fn enqueue<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        items: &'a [NewOutboxItem],
        cap: u32,
    ) -> Answer<'a, bool> {
        let items = items.to_vec();
        self.write_as(account, lease, move |db, id| outbound::enqueue(db, id, &items, cap))
    }

    fn outbox<'a>(&'a self, account: &'a AccountId, after: i64, limit: u32) -> Answer<'a, Vec<OutboxItem>> {
        let id = account.clone();
        Box::pin(self.inner.db.read(move |db| Ok(outbound::outbox(db, &id, after, limit)?)))
    }

    fn dequeue<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        ids: &'a [i64],
    ) -> Answer<'a, ()> {
        let ids = ids.to_vec();
        self.write_as(account, lease, move |db, id| outbound::dequeue(db, id, &ids))
    }
}

impl FolderBackend {
    /// Writes for an account, unless its lease is given and is not the latest.
    fn write_as<'a, T: Send + 'static>(
        &'a self,
        account: &AccountId,
        lease: Option<&Lease>,
        mut work: impl FnMut(&Connection, &AccountId) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'a, T> {
        let (account, lease) = (account.clone(), lease.cloned());
        Box::pin(self.inner.db.write(move |db| -> Result<T, Problem> {
            if let Some(lease) = &lease {
                leases::check(db, lease)?;
            }
            Ok(work(db, &account)?)
        }))
    }
}
