//! A journal in memory that notes what became of messages as the real ones do, each call one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use shuttle::rand::{Rng as _, thread_rng};
use weixin_channel::ilink_client::UserId;

use crate::account::AccountId;
use crate::backend::{Answer, Backend, Entry, Lease, Settlement, StoreError, StoreErrorKind};
use crate::sync::yield_now;

/// The journal of one account. Its own lock is no step: a transaction is whole.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    state: Mutex<State>,
    /// One write in so many fails; none if it is 0.
    pub(crate) fails: u32,
    /// Writes are made in the order in which they are asked for, as on SQLite's thread; else each when its turn comes.
    pub(crate) in_order: bool,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) rows: BTreeMap<i64, Row>,
    /// That of the latest lease.
    pub(crate) generation: i64,
    /// Each write that was taken.
    pub(crate) writes: Vec<Vec<Settlement>>,
    /// Messages of which nothing is to be noted any more by a write that begins.
    pub(crate) gone: BTreeSet<i64>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) entry: Entry,
    pub(crate) done: bool,
}

impl Journal {
    pub(crate) fn new(messages: &[(i64, &str)]) -> Self {
        let journal = Self::default();
        for (id, peer) in messages {
            let entry = Entry::new(*id, UserId::from(*peer), String::new());
            journal.lock().rows.insert(*id, Row { entry, done: false });
        }
        journal
    }

    pub(crate) fn acquire(&self) -> Lease {
        let mut state = self.lock();
        state.generation += 1;
        Lease::new(AccountId::new("account"), state.generation)
    }

    /// What is not done, of one peer or of all, above a number.
    pub(crate) async fn pending(&self, peer: Option<&UserId>, after: i64, limit: usize) -> Vec<Entry> {
        yield_now().await;
        let page = self.page(peer, after, limit);
        yield_now().await;
        page
    }

    fn page(&self, peer: Option<&UserId>, after: i64, limit: usize) -> Vec<Entry> {
        let state = self.lock();
        let rows = state.rows.range(after + 1..).map(|(_, row)| row).filter(|row| !row.done);
        let entries = rows.map(|row| row.entry.clone());
        entries.filter(|entry| peer.is_none_or(|peer| *peer == entry.peer)).take(limit).collect()
    }

    pub(crate) fn all_done(&self) -> bool {
        self.lock().rows.values().all(|row| row.done)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(crate) fn write(&mut self, lease: &Lease, what: &[Settlement]) -> Result<(), StoreError> {
        if self.generation > lease.generation {
            return Err(StoreError::fenced(&lease.account));
        }
        for what in what {
            self.note(what);
        }
        self.writes.push(what.to_vec());
        Ok(())
    }

    fn note(&mut self, what: &Settlement) {
        let Some(row) = self.rows.get_mut(&id(what)).filter(|row| !row.done) else { return };
        match what {
            Settlement::Dispatched { attempt, .. } => {
                row.entry.attempts = row.entry.attempts.max(*attempt);
                row.entry.dispatched = true;
            }
            Settlement::Returned { attempt, .. } => {
                if row.entry.attempts == *attempt {
                    row.entry.attempts -= 1;
                }
            }
            Settlement::Acked(_) => row.done = true,
            Settlement::Nacked { attempt, .. } => row.entry.attempts = row.entry.attempts.max(*attempt),
        }
    }
}

impl Backend for Journal {
    fn settle<'a>(&'a self, lease: &'a Lease, what: &'a [Settlement]) -> Answer<'a, ()> {
        Box::pin(async move {
            let gone = what.iter().any(|what| self.lock().gone.contains(&id(what)));
            assert!(!gone, "noted for nobody: {what:?}");
            if !self.in_order {
                yield_now().await;
            }
            if self.fails > 0 && thread_rng().gen_range(0..self.fails) == 0 {
                return Err(StoreError::new(StoreErrorKind::Transient, "not now").into());
            }
            self.lock().write(lease, what)?;
            yield_now().await;
            Ok(())
        })
    }

    fn release<'a>(&'a self, _: &'a Lease) -> Answer<'a, ()> {
        Box::pin(async {
            yield_now().await;
            Ok(())
        })
    }
}

fn id(what: &Settlement) -> i64 {
    let (Settlement::Dispatched { id, .. }
    | Settlement::Returned { id, .. }
    | Settlement::Acked(id)
    | Settlement::Nacked { id, .. }) = what;
    *id
}
