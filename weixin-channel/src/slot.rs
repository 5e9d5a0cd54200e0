//! What this process has of each account: its monitor, its status, its open deliveries, its sends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ilink_client::Bot;
use tokio::sync::{OwnedMutexGuard, broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::account::{Account, AccountConfig, AccountId};
use crate::backend::{Backend, Entry, Lease};
use crate::open::OpenDeliveries;
use crate::outbound::AccountSends;
use crate::status::{AccountStatus, StatusCell};

/// How long a stop waits for a monitor before it is cut off, and then for that (invariant 10).
const STOP: Duration = Duration::from_millis(800);
const CUT_OFF: Duration = Duration::from_millis(50);

/// How long letting go of the lease of one that was cut off may take.
const RELEASE: Duration = Duration::from_millis(100);

/// All accounts that were started or written from here and are still in the state folder.
#[derive(Debug)]
pub(crate) struct Slots {
    all: Mutex<HashMap<AccountId, Arc<Slot>>>,
    events: broadcast::Sender<AccountStatus>,
}

/// One account.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Held by a start, stop or logout, so that no two of them interleave.
    gate: Arc<tokio::sync::Mutex<Task>>,
    link: Mutex<Option<Link>>,
    pub(crate) status: StatusCell,
    pub(crate) open: Arc<OpenDeliveries>,
    pub(crate) lease: Arc<LeaseCell>,
    pub(crate) sends: AccountSends,
}

/// The latest lease of an account in this process, shared by its monitor and its deliveries.
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

/// The monitor that runs, or is about to end.
pub(crate) type Task = Option<JoinHandle<()>>;

/// A started account.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) account: Account,
    pub(crate) config: AccountConfig,
    pub(crate) bot: Bot,
    /// Dropping it stops the monitor.
    pub(crate) _stop: watch::Sender<()>,
    /// Dead letters that were put back.
    pub(crate) requeue: mpsc::UnboundedSender<Entry>,
}

impl Slots {
    pub(crate) fn new(events: broadcast::Sender<AccountStatus>) -> Self {
        Self { all: Mutex::default(), events }
    }

    /// The slot of an account that is here.
    pub(crate) fn of(&self, id: &AccountId) -> Arc<Slot> {
        let new = || {
            Arc::new(Slot {
                gate: Arc::default(),
                link: Mutex::default(),
                status: StatusCell::new(id.clone(), self.events.clone()),
                open: Arc::default(),
                lease: Arc::default(),
                sends: AccountSends::default(),
            })
        };
        self.lock().entry(id.clone()).or_insert_with(new).clone()
    }

    pub(crate) fn get(&self, id: &AccountId) -> Option<Arc<Slot>> {
        self.lock().get(id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<(AccountId, Arc<Slot>)> {
        self.lock().iter().map(|(id, slot)| (id.clone(), slot.clone())).collect()
    }

    /// The slot of an account, with the sole right to start and end its monitor.
    pub(crate) async fn enter(&self, id: &AccountId) -> (Arc<Slot>, OwnedMutexGuard<Task>) {
        loop {
            let slot = self.of(id);
            let gate = slot.gate.clone().lock_owned().await;
            // It may have been logged out meanwhile, and logged in again.
            if self.get(id).is_some_and(|now| Arc::ptr_eq(&now, &slot)) {
                return (slot, gate);
            }
        }
    }

    /// The account is no longer here.
    pub(crate) fn remove(&self, id: &AccountId) {
        self.lock().remove(id);
    }

    pub(crate) fn events(&self) -> &broadcast::Sender<AccountStatus> {
        &self.events
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Arc<Slot>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// Looks at the link of an account that runs.
    pub(crate) fn link<T>(&self, look: impl FnOnce(&Link) -> T) -> Option<T> {
        self.lock().as_ref().map(look)
    }

    pub(crate) fn begin(&self, link: Link) {
        *self.lock() = Some(link);
    }

    /// The lease of an account that runs: what writes for it carry.
    pub(crate) fn running_lease(&self) -> Option<Lease> {
        let runs = self.lock().is_some();
        self.lease.get().filter(|_| runs)
    }

    /// Stops the monitor, within a second, whatever is in flight.
    pub(crate) async fn stop(&self, backend: &dyn Backend) {
        // Told before it is our turn: a stop of many accounts is one of all of them at once.
        drop(self.lock().take());
        self.end(&mut *self.gate.lock().await, backend).await;
    }

    /// The same, by whoever holds the gate. A task whose end is not awaited stays there for the next who does.
    pub(crate) async fn end(&self, task: &mut Task, backend: &dyn Backend) {
        drop(self.lock().take());
        let Some(monitor) = task.as_mut() else { return };
        if timeout(STOP, &mut *monitor).await.is_err() {
            tracing::warn!(account = %self.status.get().account, "the monitor did not end in time and was cut off");
            monitor.abort();
            // Only an aborted task's own end says that its files are closed.
            let _ = timeout(CUT_OFF, monitor).await;
        }
        *task = None;
        if timeout(RELEASE, self.lease.release(backend)).await.is_err() {
            tracing::warn!(account = %self.status.get().account, "the account may stay taken for a while");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Link>> {
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
