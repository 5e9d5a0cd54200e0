//! A lease that is lost, got again, renewed and let go of, while a delivery by an earlier one is settled.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use shuttle::future::block_on;
use shuttle::rand::{Rng as _, thread_rng};
use shuttle::thread;
use tokio::time::Instant;

use crate::account::AccountId;
use crate::account::lease_cell::LeaseCell;
use crate::backend::{Entry, Lease};
use crate::explore;
use crate::inbound::in_flight::InFlight;
use crate::inbound::settlements::Settlements;
use crate::inbound::settler::Settler;
use crate::journal::Journal;

/// A process that runs the account, as far as one message is concerned.
#[derive(Clone)]
struct Process {
    journal: Arc<Journal>,
    settlements: Arc<Settlements>,
    in_flight: Arc<InFlight>,
    lease: Arc<LeaseCell>,
}

impl Process {
    fn new(journal: &Arc<Journal>) -> Self {
        let settlements = Settlements::new(journal.clone());
        Self { journal: journal.clone(), settlements, in_flight: Arc::default(), lease: Arc::default() }
    }

    /// Gets the account, and the message if it is not done.
    fn take_over(&self) -> Option<Settler> {
        self.lease.set(self.journal.acquire(), None);
        let entry = self.journal.lock().rows[&1].clone();
        (!entry.done).then(|| self.give_out(entry.entry))
    }

    fn give_out(&self, entry: Entry) -> Settler {
        let id = entry.id;
        let generation = self.lease.get().unwrap().generation;
        let ticket = self.in_flight.add(entry, false, generation).unwrap();
        Settler {
            account: AccountId::new("account"),
            id,
            settlements: self.settlements.clone(),
            in_flight: self.in_flight.clone(),
            ticket,
            lease: self.lease.clone(),
            generation,
            done: false,
            _alone: None,
        }
    }

    /// As a poller does that finds out.
    fn lose(&self) {
        self.lease.lose();
        self.in_flight.forget();
    }
}

/// One message and its first handler, whose process loses the account to another and gets it back from there. However
/// late the first handler is, one handler alone is told that it has taken care of the message.
#[test]
fn a_delivery_by_a_lease_that_was_lost_says_nothing_more() {
    explore("a lost lease", 20_000, || {
        let journal = Arc::new(Journal::new(&[(1, "a")]));
        let (one, other) = (Process::new(&journal), Process::new(&journal));
        let mut first = one.take_over().unwrap();
        let late = thread::spawn(move || block_on(first.ack()).is_ok());
        let (poller, others) = (one.clone(), other.clone());
        let next = thread::spawn(move || {
            // The other one gets it once its time is up, and this one finds out at the same time or later.
            let second = others.take_over();
            poller.lose();
            let told = second.map(|mut second| {
                // It may fail, too.
                let acks = thread_rng().gen_bool(0.5);
                if acks { block_on(second.ack()).is_ok() } else { false }
            });
            others.lose();
            let third = poller.take_over();
            thread::yield_now();
            let again = third.map(|mut third| {
                assert!(third.is_open(), "the one that is late has settled it");
                block_on(third.ack()).is_ok()
            });
            [told.unwrap_or(false), again.unwrap_or(false)]
        });
        let told = [late.join().unwrap()].into_iter().chain(next.join().unwrap());
        let told: Vec<bool> = told.collect();
        assert_eq!(told.iter().filter(|told| **told).count(), 1, "{told:?}");
        assert!(journal.lock().rows[&1].done);
    });
}

/// A lease that is got while the one before is let go of is held.
#[test]
fn letting_go_of_a_lease_does_not_let_go_of_the_next() {
    explore("a lease that is let go of", 10_000, || {
        let journal = Arc::new(Journal::new(&[]));
        let cell = Arc::new(LeaseCell::default());
        cell.set(journal.acquire(), None);
        let (going, of) = (cell.clone(), journal.clone());
        let mut release = Box::pin(async move { going.release(&*of).await });
        // It has begun, and the backend takes its time.
        assert!(block_on(poll_fn(|context| Poll::Ready(release.as_mut().poll(context)))).is_pending());
        let release = thread::spawn(move || block_on(release));
        // Its time is up already.
        let next = Lease::new(AccountId::new("account"), 2);
        cell.set(next, Some(Instant::now()));
        release.join().unwrap();
        assert!(cell.is_lost(2), "it is held, and over");
        assert!(!cell.is_lost(3));
    });
}

/// A renewal that comes with the news that the lease is lost does not bring it back.
#[test]
fn a_renewal_brings_back_nothing_that_is_lost() {
    explore("a renewal", 10_000, || {
        let cell = Arc::new(LeaseCell::default());
        cell.set(Lease::new(AccountId::new("account"), 1), None);
        let (renewing, losing) = (cell.clone(), cell.clone());
        let renews = thread::spawn(move || renewing.renewed(Instant::now() + Duration::from_secs(9)));
        let loses = thread::spawn(move || losing.lose());
        renews.join().unwrap();
        loses.join().unwrap();
        assert!(cell.is_lost(1));
        // Nor does a later lease.
        cell.set(Lease::new(AccountId::new("account"), 2), None);
        assert!(cell.is_lost(1) && !cell.is_lost(2));
    });
}
