//! Deliveries that are with handlers, kept when their poller restarts: a turn that outlives a restart is not begun a
//! second time beside itself (invariant 2).

use std::collections::{BTreeMap, HashMap};
use std::sync::PoisonError;

use tokio::sync::mpsc;

use crate::backend::{Entry, Settlement};
use crate::sync::{Mutex, MutexGuard};

/// What became of a delivery.
#[derive(Debug)]
pub(crate) enum Settled {
    /// It is taken care of; where the journal could not be told, that is to be made up for.
    Acked { entry: Entry, journalled: bool },
    /// It is to come again.
    Nacked(Entry, String),
    /// The same, and nobody is to blame: the program stops.
    Returned(Entry),
}

/// The deliveries of one account that are in flight.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    entries: BTreeMap<i64, Open>,
    /// Given to the latest delivery.
    ticket: u64,
    /// The generation of the lease of the last poller that has ended.
    ended: Option<i64>,
    /// Which attempt of each message has begun and has no result yet, on its way to a handler too.
    attempts: HashMap<i64, u32>,
    /// Who is told; nobody while the account is stopped, and then the journal alone knows.
    poller: Option<mpsc::UnboundedSender<Settled>>,
}

/// A delivery.
#[derive(Debug)]
struct Open {
    entry: Entry,
    control: bool,
    ticket: u64,
}

impl InFlight {
    /// A poller begins: it hears of every delivery that is settled from now on, and is given those that are in flight.
    pub(crate) fn attach(&self, poller: mpsc::UnboundedSender<Settled>) -> Vec<(Entry, bool)> {
        let mut state = self.lock();
        state.poller = Some(poller);
        let open: Vec<(Entry, bool)> =
            state.entries.values().map(|open| (open.entry.clone(), open.control)).collect();
        // Their attempts go on. Before the journal is told: a stop may come while it is.
        state.attempts.extend(open.iter().map(|(entry, _)| (entry.id, entry.attempts)));
        open
    }

    /// An attempt to handle a message begins; the journal knows, or is being told.
    pub(crate) fn begin(&self, entry: &Entry) {
        self.lock().attempts.insert(entry.id, entry.attempts);
    }

    /// It has ended, with a result that the journal knows or is told again.
    pub(crate) fn end(&self, id: i64) {
        self.lock().attempts.remove(&id);
    }

    /// The attempts that have no result, for the journal: the account stops, and its messages are not to blame.
    pub(crate) fn begun(&self) -> Vec<Settlement> {
        let returned = |(id, attempt): (&i64, &u32)| Settlement::Returned { id: *id, attempt: *attempt };
        self.lock().attempts.iter().map(returned).collect()
    }

    /// The same, once: nobody else is to tell the journal.
    pub(crate) fn take_begun(&self) -> Vec<Settlement> {
        let begun = self.begun();
        self.lock().attempts.clear();
        begun
    }

    /// A poller has ended, that of this generation: the same as [`take_begun`](Self::take_begun), and nothing that it had on
    /// its way goes to a handler any more.
    pub(crate) fn close(&self, generation: i64) -> Vec<Settlement> {
        let mut state = self.lock();
        state.ended = state.ended.max(Some(generation));
        drop(state);
        self.take_begun()
    }

    /// A message goes to a handler. The ticket tells this delivery of it from a later one: a handler that is late, whose
    /// account was another process's meanwhile, says nothing about that. `None` if its poller has ended, which may have been
    /// cut off: the next one does not know of it, and hands the message over itself.
    pub(crate) fn add(&self, entry: Entry, control: bool, generation: i64) -> Option<u64> {
        let mut state = self.lock();
        if state.ended.is_some_and(|ended| ended >= generation) {
            return None;
        }
        state.ticket += 1;
        let ticket = state.ticket;
        state.entries.insert(entry.id, Open { entry, control, ticket });
        Some(ticket)
    }

    /// True while the message is with the handler that was given it by this delivery, and its account is still here.
    pub(crate) fn has(&self, id: i64, ticket: u64) -> bool {
        self.lock().has(id, ticket)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.lock().entries.is_empty()
    }

    /// The account is gone: nobody is told any more, and nothing is remembered of its messages.
    pub(crate) fn forget(&self) {
        let mut state = self.lock();
        *state = State { ticket: state.ticket, ended: state.ended, ..State::default() };
    }

    /// It is taken care of; the journal knows, or does not.
    pub(crate) fn acked(&self, id: i64, ticket: u64, journalled: bool) {
        let mut state = self.lock();
        if state.has(id, ticket) {
            state.attempts.remove(&id);
            state.settle(id, |entry| Settled::Acked { entry, journalled });
        }
    }

    /// It is to come again.
    pub(crate) fn nacked(&self, id: i64, ticket: u64, reason: String) {
        let mut state = self.lock();
        if state.has(id, ticket) {
            state.settle(id, |entry| Settled::Nacked(entry, reason));
        }
    }

    /// It is to come again, and this attempt does not count.
    pub(crate) fn returned(&self, id: i64, ticket: u64) {
        let mut state = self.lock();
        if state.has(id, ticket) {
            state.settle(id, Settled::Returned);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has(&self, id: i64, ticket: u64) -> bool {
        self.entries.get(&id).is_some_and(|open| open.ticket == ticket)
    }

    fn settle(&mut self, id: i64, what: impl FnOnce(Entry) -> Settled) {
        if let (Some(open), Some(poller)) = (self.entries.remove(&id), &self.poller) {
            // A poller that has ended no longer listens; its successor reads the journal.
            let _ = poller.send(what(open.entry));
        }
    }
}
