//! The way back of a delivery: into the journal, and to the poller if there is one.

use std::sync::Arc;

use crate::account::AccountId;
use crate::account::lease_cell::LeaseCell;
use crate::backend::{Settlement, StoreError};
use crate::error::Error;
use crate::inbound::in_flight::InFlight;
use crate::inbound::settlements::Settlements;
use crate::inbound::suspects::Alone;

/// Says once what became of a message; dropped before, that it is to come again.
pub(crate) struct Settler {
    pub(crate) account: AccountId,
    /// The message's number in the journal.
    pub(crate) id: i64,
    pub(crate) settlements: Arc<Settlements>,
    pub(crate) in_flight: Arc<InFlight>,
    /// From there.
    pub(crate) ticket: u64,
    /// The latest of this process: a restart of the account goes on with its deliveries.
    pub(crate) lease: Arc<LeaseCell>,
    /// That of the lease by which it was given out.
    pub(crate) generation: i64,
    /// It is said.
    pub(crate) done: bool,
    /// Others wait for it to end, or for a while.
    pub(crate) _alone: Option<Alone>,
}

impl Settler {
    /// Another process may have the account, and the message with it.
    pub(crate) fn is_lost(&self) -> bool {
        self.lease.is_lost(self.generation)
    }

    /// False once it is settled, or its account is gone.
    pub(crate) fn is_open(&self) -> bool {
        !self.done && self.in_flight.has(self.id, self.ticket)
    }

    /// The message is taken care of. Dropped before its end, it comes again.
    pub(crate) async fn ack(&mut self) -> Result<(), Error> {
        if self.is_lost() {
            self.done = true;
            return Err(self.lost());
        }
        let result = loop {
            let Some(lease) = self.lease.get().filter(|_| self.is_open()) else {
                self.done = true;
                // Lost since it was asked; or the account was logged out, and there is nothing left to be noted.
                return if self.is_lost() { Err(self.lost()) } else { Ok(()) };
            };
            let result = self.settlements.settle(lease.clone(), Settlement::Acked(self.id)).await;
            // The account may have been stopped and started here meanwhile, and is refused nothing for that.
            if result.is_ok() || self.is_lost() || self.lease.get().is_none_or(|latest| latest == lease) {
                break result;
            }
        };
        self.in_flight.acked(self.id, self.ticket, result.is_ok());
        // Not before: one that is not waited for to its end is given back.
        self.done = true;
        result
    }

    /// It could not be handled.
    pub(crate) fn nack(&mut self, reason: String) {
        if !std::mem::replace(&mut self.done, true) && !self.is_lost() {
            self.in_flight.nacked(self.id, self.ticket, reason);
        }
    }

    /// It was not handled, and nobody is to blame.
    pub(crate) fn give_back(&mut self) {
        if !std::mem::replace(&mut self.done, true) && !self.is_lost() {
            self.in_flight.returned(self.id, self.ticket);
        }
    }
}

impl Settler {
    fn lost(&self) -> Error {
        StoreError::fenced(&self.account).into()
    }
}

impl Drop for Settler {
    fn drop(&mut self) {
        self.nack("the handler ended without acknowledging it".to_owned());
    }
}
