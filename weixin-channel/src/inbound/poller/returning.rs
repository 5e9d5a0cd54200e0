//! The last word of a poller.

use std::sync::Arc;

use crate::account::lease_cell::LeaseCell;
use crate::backend::Backend;
use crate::inbound::in_flight::InFlight;
use crate::inbound::settlements::Settlements;

/// Says at the end of a poller which attempts have no result: that of one that is cut off, or whose runtime ends, too.
pub(super) struct Returning {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) lease: Arc<LeaseCell>,
    /// The lease's, at the beginning.
    pub(super) generation: i64,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) settlements: Arc<Settlements>,
}

impl Drop for Returning {
    fn drop(&mut self) {
        self.settlements.close();
        let returned = self.in_flight.close(self.generation);
        if let Some(lease) = self.lease.get().filter(|_| !returned.is_empty()) {
            self.backend.settle_at_exit(&lease, &returned);
        }
    }
}
