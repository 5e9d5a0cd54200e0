//! The lease by which an account runs here, as its poller and its deliveries see it.

use std::sync::PoisonError;

use tokio::time::Instant;

use crate::backend::{Backend, Lease};
use crate::sync::{Mutex, MutexGuard};

/// The latest lease of an account in this process, shared by its poller and its deliveries.
#[derive(Debug, Default)]
pub(crate) struct LeaseCell(Mutex<LeaseState>);

#[derive(Debug, Default)]
struct LeaseState {
    lease: Option<Lease>,
    held: bool,
    /// Until when it is good without being renewed; `None`: for as long as the process lives.
    good_until: Option<Instant>,
    /// The generation of the last one that was lost to another process.
    lost: Option<i64>,
}

impl LeaseCell {
    /// A lease was got.
    pub(crate) fn set(&self, lease: Lease, good_until: Option<Instant>) {
        let mut state = self.lock();
        *state = LeaseState { lease: Some(lease), held: true, good_until, lost: state.lost };
    }

    /// It was renewed.
    pub(crate) fn renewed(&self, good_until: Instant) {
        self.lock().good_until = Some(good_until);
    }

    pub(crate) fn good_until(&self) -> Option<Instant> {
        self.lock().good_until
    }

    /// The latest may be another process's.
    pub(crate) fn lose(&self) {
        let mut state = self.lock();
        state.lost = state.lease.as_ref().map(|lease| lease.generation);
    }

    /// Whether what came with a lease of that generation may be with another process by now. A process that was stopped
    /// and goes on finds out here, before anything else has told it.
    pub(crate) fn is_lost(&self, generation: i64) -> bool {
        let state = self.lock();
        let is_over = state.held
            && state.lease.as_ref().is_some_and(|lease| lease.generation == generation)
            && state.good_until.is_some_and(|time| Instant::now() >= time);
        is_over || state.lost.is_some_and(|lost| lost >= generation)
    }

    /// The latest, whether it is still held or not.
    pub(crate) fn get(&self) -> Option<Lease> {
        self.lock().lease.clone()
    }

    /// Lets go of the lease, once.
    pub(crate) async fn release(&self, backend: &dyn Backend) {
        let held = |state: &LeaseState| state.lease.clone().filter(|_| state.held);
        let Some(lease) = held(&self.lock()) else { return };
        if let Err(error) = backend.release(&lease).await {
            tracing::warn!(account = %lease.account, %error, "the account may stay taken for a while");
        }
        let mut state = self.lock();
        if state.lease.as_ref() == Some(&lease) {
            state.held = false;
        }
    }

    fn lock(&self) -> MutexGuard<'_, LeaseState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
