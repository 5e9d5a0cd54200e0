//! The journal, in SQLite.

use std::time::SystemTime;

use ilink_client::{Cursor, UserId};

use super::backend::FolderBackend;
use crate::account::AccountId;
use crate::backend::{Answer, Counts, DeadLetter, Entry, Journal, Lease, NewEntry, Retention, Settlement};
use crate::sqlite::{self, journal, leases};

impl Journal for FolderBackend {
    fn cursor<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Option<Cursor>> {
        let id = account.clone();
        Box::pin(self.inner.db.read(move |db| Ok(journal::cursor(db, &id)?)))
    }

    fn ingest<'a>(
        &'a self,
        lease: &'a Lease,
        cursor: &'a Cursor,
        entries: &'a [NewEntry],
        now: SystemTime,
    ) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move {
            let (held, new, batch) = (lease.clone(), cursor.clone(), entries.to_vec());
            let write = move |db: &rusqlite::Connection| {
                leases::check(db, &held)?;
                Ok(journal::ingest(db, &held.account, &new, &batch, now)?)
            };
            let fresh = self.inner.db.write(write).await?;
            self.note_change(&lease.account, cursor, entries);
            Ok(fresh)
        })
    }

    fn pending<'a>(&'a self, account: &'a AccountId, after: i64, limit: u32) -> Answer<'a, Vec<Entry>> {
        let id = account.clone();
        Box::pin(self.inner.db.read(move |db| Ok(journal::pending(db, &id, after, limit)?)))
    }

    fn pending_of<'a>(
        &'a self,
        account: &'a AccountId,
        peer: &'a UserId,
        after: i64,
        limit: u32,
    ) -> Answer<'a, Vec<Entry>> {
        let (id, peer) = (account.clone(), peer.clone());
        Box::pin(self.inner.db.read(move |db| Ok(journal::pending_of(db, &id, &peer, after, limit)?)))
    }

    fn settle<'a>(&'a self, lease: &'a Lease, what: &'a [Settlement]) -> Answer<'a, ()> {
        let (lease, what) = (lease.clone(), what.to_vec());
        Box::pin(self.inner.db.write(move |db| {
            leases::check(db, &lease)?;
            Ok(journal::settle(db, &lease.account, &what)?)
        }))
    }

    fn settle_at_exit(&self, lease: &Lease, what: &[Settlement]) {
        let (lease, what) = (lease.clone(), what.to_vec());
        self.inner.db.write_unattended(move |db| {
            leases::check(db, &lease)?;
            Ok(journal::settle(db, &lease.account, &what)?)
        });
    }

    fn dead_letters<'a>(
        &'a self,
        account: &'a AccountId,
        after: i64,
        limit: u32,
    ) -> Answer<'a, Vec<DeadLetter>> {
        let id = account.clone();
        Box::pin(self.inner.db.read(move |db| Ok(journal::dead_letters(db, &id, after, limit)?)))
    }

    fn requeue<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, Option<Entry>> {
        let account = account.clone();
        Box::pin(self.inner.db.write(move |db| Ok(journal::requeue(db, &account, id)?)))
    }

    fn counts<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Counts> {
        let id = account.clone();
        Box::pin(self.inner.db.read(move |db| Ok(journal::counts(db, &id)?)))
    }

    fn prune<'a>(
        &'a self,
        account: &'a AccountId,
        retention: &'a Retention,
        now: SystemTime,
    ) -> Answer<'a, u64> {
        let (id, retention) = (account.clone(), retention.clone());
        Box::pin(self.inner.db.write(move |db| Ok(journal::prune(db, &id, &retention, now)?)))
    }

    fn forget<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()> {
        let id = account.clone();
        Box::pin(async move {
            let forgotten = id.clone();
            self.inner.db.write(move |db| Ok(sqlite::forget(db, &forgotten)?)).await?;
            if !self.inner.db.scrub().await {
                tracing::warn!(
                    account = %id,
                    "another program reads the journal: what was forgotten leaves its files once that has ended"
                );
            }
            Ok(())
        })
    }
}
