//! What becomes of messages, noted in groups: what handlers finish while the journal is being written is noted together,
//! by the next write.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::backend::{Backend, Lease, Settlement, StoreError, StoreErrorKind};
use crate::error::Error;

/// After this long a write no longer holds up what came after it: a connection may be broken without anybody knowing.
const LATE: Duration = Duration::from_secs(1);

/// What is to be noted of the messages of one account.
pub(crate) struct Settlements {
    backend: Arc<dyn Backend>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    notes: Vec<Note>,
    /// Somebody writes, and will look again.
    writing: bool,
}

struct Note {
    lease: Lease,
    what: Settlement,
    /// Who asked; gone if that future was dropped.
    done: oneshot::Sender<Result<(), Error>>,
}

impl Settlements {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Arc<Self> {
        Arc::new(Self { backend, waiting: Mutex::default() })
    }

    /// Notes what became of a message. Dropped before its end, it may have been noted or not.
    ///
    /// # Errors
    /// As [`Journal::settle`](crate::backend::Journal::settle).
    pub(crate) async fn settle(self: &Arc<Self>, lease: Lease, what: Settlement) -> Result<(), Error> {
        let (done, answer) = oneshot::channel();
        self.lock().notes.push(Note { lease, what, done });
        self.begin();
        let gone = |_| {
            let sentence =
                "the journal was not told: the program ends, or a bug ended the task that tells it";
            Err(StoreError::new(StoreErrorKind::Transient, sentence).into())
        };
        answer.await.unwrap_or_else(gone)
    }

    /// Sees to it that what waits is written: by a task, so that nobody who stops waiting holds up the others.
    fn begin(self: &Arc<Self>) {
        if !std::mem::replace(&mut self.lock().writing, true) {
            tokio::spawn(self.clone().write());
        }
    }

    /// Writes until nothing waits.
    async fn write(self: Arc<Self>) {
        let mut writer = Writer(Some(&*self));
        loop {
            // Whoever is ready to ask does so first.
            tokio::task::yield_now().await;
            let group = self.take(&mut writer);
            let Some(lease) = group.first().map(|note| note.lease.clone()) else { return };
            let (what, told): (Vec<_>, Vec<_>) = group.into_iter().map(|note| (note.what, note.done)).unzip();
            let mut writing = self.backend.settle(&lease, &what);
            let result = tokio::select! {
                biased;
                result = &mut writing => result,
                () = sleep(LATE), if writer.0.is_some() => {
                    writer.0 = None;
                    self.lock().writing = false;
                    self.begin();
                    writing.await
                }
            };
            for done in told {
                // Whoever asked may be gone.
                let _ = done.send(result.as_ref().map(|()| ()).map_err(copy));
            }
            if writer.0.is_none() {
                return;
            }
        }
    }

    /// What is noted by one write: what waits under one lease, but for what nobody waits for. If that is nothing, the
    /// writer is none any more.
    fn take<'a>(&'a self, writer: &mut Writer<'a>) -> Vec<Note> {
        let mut waiting = self.lock();
        waiting.notes.retain(|note| !note.done.is_closed());
        let Some(lease) = waiting.notes.first().map(|note| note.lease.clone()) else {
            waiting.writing = false;
            writer.0 = None;
            return Vec::new();
        };
        let (group, others) =
            std::mem::take(&mut waiting.notes).into_iter().partition(|note| note.lease == lease);
        waiting.notes = others;
        group
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task that writes. If it ends before its work does, by a panic or with the runtime, what waits is told so.
struct Writer<'a>(Option<&'a Settlements>);

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if let Some(settlements) = self.0 {
            *settlements.lock() = Waiting::default();
        }
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
        f.debug_struct("Settlements").field("waiting", &self.lock().notes.len()).finish_non_exhaustive()
    }
}
