//! Messages that may have killed a process: one at a time, so that the others are not blamed for it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

use crate::backend::Entry;

/// From how many attempts on, the last of which ended with a process: once is chance, such as a machine that loses power.
const SUSPICIOUS: u32 = 2;

/// How long a suspect keeps the others waiting at most: what kills a process does so sooner.
const LONGEST: Duration = Duration::from_secs(30);

/// Whether a message that the journal has from before this process may have ended the processes before it.
pub(crate) fn is_suspect(entry: &Entry) -> bool {
    entry.dispatched && entry.attempts >= SUSPICIOUS
}

/// The suspects of all accounts of a channel, of which one at a time is with a handler.
#[derive(Clone, Debug)]
pub(crate) struct Suspects(Arc<Semaphore>);

/// Keeps the other suspects waiting until it is dropped, or for so long that it has shown to be harmless.
#[derive(Debug)]
pub(crate) struct Alone(#[expect(dead_code, reason = "it is dropped, and that is all")] oneshot::Sender<()>);

impl Suspects {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// Waits until no other suspect is being handled.
    pub(crate) async fn alone(self) -> Option<Alone> {
        let turn = self.0.acquire_owned().await.ok()?;
        let (alone, ended) = oneshot::channel();
        tokio::spawn(async move {
            let _ = timeout(LONGEST, ended).await;
            drop(turn);
        });
        Some(Alone(alone))
    }
}
