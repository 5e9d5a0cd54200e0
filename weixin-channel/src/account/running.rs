//! What this process has of each account: its poller, its status, what is in flight, its sends.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ilink_client::Bot;
use tokio::sync::{OwnedMutexGuard, broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::account::lease_cell::LeaseCell;
use crate::account::status::{AccountStatus, StatusCell};
use crate::account::{Account, AccountConfig, AccountId};
use crate::backend::{Backend, Entry, Lease};
use crate::inbound::in_flight::InFlight;
use crate::outbound::account_sends::AccountSends;

/// How long a stop waits for a poller before it is cut off, and then for that (invariant 10).
const STOP: Duration = Duration::from_millis(800);
const CUT_OFF: Duration = Duration::from_millis(50);

/// How long letting go of the lease of one that was cut off may take.
const RELEASE: Duration = Duration::from_millis(100);

/// All accounts that were started or written from here and are still in the state folder.
#[derive(Debug)]
pub(crate) struct RunningAccounts {
    all: Mutex<HashMap<AccountId, Arc<RunningAccount>>>,
    events: broadcast::Sender<AccountStatus>,
}

/// One account.
#[derive(Debug)]
pub(crate) struct RunningAccount {
    /// Held by a start, stop or logout, so that no two of them interleave.
    gate: Arc<tokio::sync::Mutex<Task>>,
    run: Mutex<Option<Run>>,
    pub(crate) status: StatusCell,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) lease: Arc<LeaseCell>,
    pub(crate) sends: AccountSends,
}

/// The poller that runs, or is about to end.
pub(crate) type Task = Option<JoinHandle<()>>;

/// From a start to a stop.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) account: Account,
    pub(crate) config: AccountConfig,
    pub(crate) bot: Bot,
    /// Dropping it stops the poller.
    pub(crate) _stop: watch::Sender<()>,
    /// Dead letters that were put back.
    pub(crate) requeue: mpsc::UnboundedSender<Entry>,
}

impl RunningAccounts {
    pub(crate) fn new(events: broadcast::Sender<AccountStatus>) -> Self {
        Self { all: Mutex::default(), events }
    }

    /// The running of an account that is here.
    pub(crate) fn of(&self, id: &AccountId) -> Arc<RunningAccount> {
        let new = || {
            Arc::new(RunningAccount {
                gate: Arc::default(),
                run: Mutex::default(),
                status: StatusCell::new(id.clone(), self.events.clone()),
                in_flight: Arc::default(),
                lease: Arc::default(),
                sends: AccountSends::default(),
            })
        };
        self.lock().entry(id.clone()).or_insert_with(new).clone()
    }

    pub(crate) fn get(&self, id: &AccountId) -> Option<Arc<RunningAccount>> {
        self.lock().get(id).cloned()
    }

    pub(crate) fn all(&self) -> Vec<(AccountId, Arc<RunningAccount>)> {
        self.lock().iter().map(|(id, running)| (id.clone(), running.clone())).collect()
    }

    /// The running of an account, with the sole right to start and end its poller.
    pub(crate) async fn enter(&self, id: &AccountId) -> (Arc<RunningAccount>, OwnedMutexGuard<Task>) {
        loop {
            let running = self.of(id);
            let gate = running.gate.clone().lock_owned().await;
            // It may have been logged out meanwhile, and logged in again.
            if self.get(id).is_some_and(|now| Arc::ptr_eq(&now, &running)) {
                return (running, gate);
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

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Arc<RunningAccount>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunningAccount {
    /// Looks at the run of an account that was started and not stopped since.
    pub(crate) fn run<T>(&self, look: impl FnOnce(&Run) -> T) -> Option<T> {
        self.lock().as_ref().map(look)
    }

    pub(crate) fn begin(&self, run: Run) {
        *self.lock() = Some(run);
    }

    /// The lease of an account that runs: what writes for it carry.
    pub(crate) fn lease_while_running(&self) -> Option<Lease> {
        let runs = self.lock().is_some();
        self.lease.get().filter(|_| runs)
    }

    /// Stops the poller, within a second, whatever is in flight.
    pub(crate) async fn stop(&self, backend: &dyn Backend) {
        // Told before it is our turn: a stop of many accounts is one of all of them at once.
        drop(self.lock().take());
        self.end(&mut *self.gate.lock().await, backend).await;
    }

    /// The same, by whoever holds the gate. A task whose end is not awaited stays there for the next who does.
    pub(crate) async fn end(&self, task: &mut Task, backend: &dyn Backend) {
        drop(self.lock().take());
        let Some(poller) = task.as_mut() else { return };
        if timeout(STOP, &mut *poller).await.is_err() {
            tracing::warn!(account = %self.status.get().account, "the poller did not end in time and was cut off");
            poller.abort();
            // Only an aborted task's own end says that its files are closed.
            let _ = timeout(CUT_OFF, poller).await;
        }
        *task = None;
        if timeout(RELEASE, self.lease.release(backend)).await.is_err() {
            tracing::warn!(account = %self.status.get().account, "the account may stay taken for a while");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Run>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
