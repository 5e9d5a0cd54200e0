//! What becomes of messages, noted in groups: what several tasks ask for in one turn of the runtime is one write.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::{RwLock, oneshot};

use crate::backend::{Backend, Lease, Settlement, StoreError, StoreErrorKind};
use crate::error::Error;
use crate::sync::{Mutex, MutexGuard, spawn, yield_now};

/// What is to be noted of the messages of one account.
pub(crate) struct Settlements {
    backend: Arc<dyn Backend>,
    /// For the next write.
    waiting: Mutex<Vec<Note>>,
    /// Shared by all writes that have begun.
    writing: RwLock<()>,
    /// Their poller has ended.
    ended: AtomicBool,
}

struct Note {
    lease: Lease,
    what: Settlement,
    /// Who asked; gone if that future was dropped.
    done: oneshot::Sender<Result<(), Error>>,
}

impl Settlements {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Self {
            backend,
            waiting: Mutex::default(),
            writing: RwLock::default(),
            ended: AtomicBool::default(),
        })
    }

    /// Notes what became of a message. Dropped before its end, it may have been noted or not.
    ///
    /// # Errors
    /// As [`Journal::settle`](crate::backend::Journal::settle).
    pub(crate) async fn settle(self: &Arc<Self>, lease: Lease, what: Settlement) -> Result<(), Error> {
        let (done, answer) = oneshot::channel();
        if self.push(Note { lease, what, done }) {
            // A task of its own, so that nobody who stops waiting holds up the others.
            spawn(self.clone().write());
        }
        let gone = |_| {
            let sentence =
                "the journal was not told: the program ends, or a bug ended the task that tells it";
            Err(StoreError::new(StoreErrorKind::Transient, sentence).into())
        };
        answer.await.unwrap_or_else(gone)
    }

    /// True for the first that waits.
    fn push(&self, note: Note) -> bool {
        let mut waiting = self.lock();
        waiting.push(note);
        waiting.len() == 1
    }

    /// The poller has ended: no attempt is noted as begun any more. A message on its way then, whose task ends a moment later,
    /// would be counted after its attempt was taken back.
    pub(crate) fn close(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Waits for the writes that have begun: whoever asked for them may be gone, and what is written next is to come after
    /// them.
    pub(crate) async fn written(&self) {
        drop(self.writing.write().await);
    }

    /// Writes what waits, but for what nobody waits for any more.
    async fn write(self: Arc<Self>) {
        // Whoever is ready to ask does so first; what comes later has a write of its own, and need not wait for this one.
        yield_now().await;
        let _writing = self.writing.read().await;
        let mut notes = std::mem::take(&mut *self.lock());
        let ended = self.ended.load(Ordering::Acquire);
        let is_over = |note: &Note| ended && matches!(note.what, Settlement::Dispatched { .. });
        notes.retain(|note| !note.done.is_closed() && !is_over(note));
        while let Some(lease) = notes.first().map(|note| note.lease.clone()) {
            let (group, others) = notes.into_iter().partition(|note| note.lease == lease);
            notes = others;
            let (what, told): (Vec<_>, Vec<_>) =
                Vec::into_iter(group).map(|note| (note.what, note.done)).unzip();
            let result = self.backend.settle(&lease, &what).await;
            for done in told {
                // Whoever asked may be gone.
                let _ = done.send(result.as_ref().copied().map_err(copy));
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Note>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same for each whom it concerns.
fn copy(error: &Error) -> Error {
    let kind = match error {
        Error::Store(error) => error.kind(),
        _ => StoreErrorKind::Transient,
    };
    StoreError::new(kind, error.to_string()).into()
}

impl fmt::Debug for Settlements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settlements").field("waiting", &self.lock().len()).finish_non_exhaustive()
    }
}
