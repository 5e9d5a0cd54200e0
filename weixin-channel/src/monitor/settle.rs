//! What becomes of messages that were given out, and the journal's part in it.

use std::time::Duration;

use tokio::task::{self, JoinError};
use tokio::time::Instant;

use super::{Monitor, Work};
use crate::backend::{Entry, Settlement};
use crate::error::Error;
use crate::intake::Passage;
use crate::open::Settled;

/// The longest pause before a failed message is tried again.
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);

impl Monitor {
    /// False if nobody is left to give messages to; an error if another process has the account.
    pub(super) async fn on_passage(
        &self,
        work: &mut Work,
        ended: Result<(task::Id, Passage), JoinError>,
    ) -> Result<bool, Error> {
        let (id, passage) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let id = error.id();
                let Some(entry) = work.on_their_way.remove(&id) else { return Ok(true) };
                tracing::error!(account = %self.account, id = entry.id, %error, "a message could not be prepared");
                (id, Passage::Failed(entry, "it could not be prepared".to_owned()))
            }
        };
        work.on_their_way.remove(&id);
        match passage {
            Passage::Delivered => {}
            Passage::Gone => return Ok(false),
            Passage::Lost(error) => return Err(error),
            Passage::Dropped(entry) => {
                let journalled = self.settle(&[Settlement::Done(entry.id)]).await.is_ok();
                self.on_settled(work, Settled::Done { entry, journalled }).await;
            }
            Passage::Unreadable(entry) => {
                // It stays in the journal if that cannot be written; here it is out of the way.
                self.note_failure(&entry, "it cannot be read", true).await;
                work.queues.settle(&entry);
            }
            Passage::Failed(entry, reason) => {
                self.on_settled(work, Settled::Failed(entry, reason)).await;
            }
        }
        Ok(true)
    }

    pub(super) async fn on_settled(&self, work: &mut Work, what: Settled) {
        let queues = &mut work.queues;
        let (mut entry, reason) = match what {
            Settled::Done { entry, journalled } => {
                queues.settle(&entry);
                if !journalled {
                    work.undone.push(entry.id);
                    work.undone_at.get_or_insert(Instant::now() + self.policy.retry_delay);
                }
                return;
            }
            Settled::Failed(entry, reason) => (entry, reason),
        };
        entry.attempts += 1;
        entry.dispatched = true;
        let dead = entry.attempts >= self.policy.max_attempts;
        tracing::warn!(account = %self.account, id = entry.id, attempts = entry.attempts, dead, reason, "a message was not handled");
        let noted = self.note_failure(&entry, &reason, dead).await;
        if dead && noted {
            queues.settle(&entry);
        } else {
            let doublings = (entry.attempts - 1).min(16);
            let delay = self.policy.retry_delay.saturating_mul(1 << doublings).min(LONGEST_RETRY);
            queues.retry(entry, Instant::now() + delay);
        }
    }

    /// Tells the journal what it could not be told before: else that would come again after a restart.
    pub(super) async fn write_done(&self, work: &mut Work) {
        work.undone_at = None;
        if work.undone.is_empty() {
            return;
        }
        let done: Vec<Settlement> = work.undone.iter().copied().map(Settlement::Done).collect();
        match self.settle(&done).await {
            Err(error) if !error.is_fenced() => {
                tracing::warn!(account = %self.account, messages = done.len(), %error, "handled messages are not journalled as done yet");
                work.undone_at = Some(Instant::now() + self.policy.retry_delay);
            }
            // Whoever has the account now handles them again.
            _ => work.undone.clear(),
        }
    }

    /// Writes a failure into the journal. A journal that cannot be written ends nothing: the message stays open and is
    /// tried again, and what the journal does not know it gives out again after a restart.
    async fn note_failure(&self, entry: &Entry, reason: &str, dead: bool) -> bool {
        let failed = Settlement::Failed { id: entry.id, reason: reason.to_owned(), dead };
        let result = self.settle(&[failed]).await;
        if let Err(error) = &result {
            tracing::error!(account = %self.account, id = entry.id, %error, "a failure could not be journalled");
            self.status.update(|status| status.last_error = Some(error.to_string()));
        } else if dead {
            self.status.update(|status| status.dead += 1);
        }
        result.is_ok()
    }

    async fn settle(&self, what: &[Settlement]) -> Result<(), Error> {
        match self.lease.get() {
            Some(lease) => self.backend.settle(&lease, what).await,
            None => Ok(()),
        }
    }
}
