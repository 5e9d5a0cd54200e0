//! What becomes of messages that were given out, and the journal's part in it.

use std::time::Duration;

use tokio::task::{self, JoinError};
use tokio::time::Instant;

use super::{Poller, Work};
use crate::backend::{Entry, Settlement};
use crate::error::Error;
use crate::inbound::dispatch::DispatchOutcome;
use crate::inbound::in_flight::Settled;

/// The longest pause before a failed message is tried again.
const LONGEST_RETRY: Duration = Duration::from_secs(60 * 60);

/// A dispatch that has ended, by a panic too.
type Dispatched = Result<(task::Id, DispatchOutcome), JoinError>;

impl Poller {
    /// Takes note of a dispatch that has ended, and of all that have ended by now. False if nobody is left to give messages
    /// to; an error if another process has the account.
    pub(super) async fn on_dispatched(&self, work: &mut Work, first: Dispatched) -> Result<bool, Error> {
        let mut next = Some(first);
        while let Some(ended) = next {
            if !self.on_outcome(work, ended).await? {
                return Ok(false);
            }
            next = work.dispatches.try_join_next_with_id();
        }
        Ok(true)
    }

    async fn on_outcome(&self, work: &mut Work, ended: Dispatched) -> Result<bool, Error> {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let id = error.id();
                let Some(entry) = work.on_their_way.remove(&id) else { return Ok(true) };
                tracing::error!(account = %self.account, id = entry.id, %error, "a message could not be prepared");
                (id, DispatchOutcome::Failed(entry, "it could not be prepared".to_owned()))
            }
        };
        work.on_their_way.remove(&id);
        match outcome {
            DispatchOutcome::Delivered => {}
            DispatchOutcome::Gone => return Ok(false),
            DispatchOutcome::Lost(error) => return Err(error),
            DispatchOutcome::Dropped(entry) => {
                let journalled = self.settle(&[Settlement::Acked(entry.id)]).await.is_ok();
                self.on_settled(work, Settled::Acked { entry, journalled }).await;
            }
            DispatchOutcome::Unreadable(entry) => {
                // It stays in the journal if that cannot be written; here it is out of the way.
                self.note_failure(&entry, "it cannot be read", true).await;
                self.dispatcher.in_flight.end(entry.id);
                work.settled(&entry);
            }
            DispatchOutcome::Failed(entry, reason) => {
                self.on_settled(work, Settled::Nacked(entry, reason)).await;
            }
        }
        Ok(true)
    }

    pub(super) async fn on_settled(&self, work: &mut Work, what: Settled) {
        let (mut entry, reason) = match what {
            Settled::Acked { entry, journalled } => {
                self.dispatcher.in_flight.end(entry.id);
                work.settled(&entry);
                if !journalled {
                    work.unwritten_acks.push(entry.id);
                    work.write_acks_at.get_or_insert(Instant::now() + self.policy.retry_delay);
                }
                return;
            }
            Settled::Returned(entry) => return self.on_returned(work, entry).await,
            Settled::Nacked(entry, reason) => (entry, reason),
        };
        self.dispatcher.in_flight.end(entry.id);
        entry.dispatched = true;
        let dead = entry.attempts >= self.policy.max_attempts;
        tracing::warn!(account = %self.account, id = entry.id, attempts = entry.attempts, dead, reason, "a message was not handled");
        let noted = self.note_failure(&entry, &reason, dead).await;
        if dead && noted {
            work.settled(&entry);
        } else {
            let doublings = entry.attempts.saturating_sub(1).min(16);
            let delay = self.policy.retry_delay.saturating_mul(1 << doublings).min(LONGEST_RETRY);
            work.queues.retry(entry, Instant::now() + delay);
        }
    }

    /// Usually the account stops as well, and all of this is noted then.
    async fn on_returned(&self, work: &mut Work, mut entry: Entry) {
        let returned = Settlement::Returned { id: entry.id, attempt: entry.attempts };
        if let Err(error) = self.settle(&[returned]).await {
            tracing::warn!(account = %self.account, id = entry.id, %error, "an attempt counts that was none");
        }
        // Not before: a poller that is cut off here says it at its end.
        self.dispatcher.in_flight.end(entry.id);
        entry.attempts = entry.attempts.saturating_sub(1);
        entry.dispatched = true;
        work.queues.retry(entry, Instant::now() + self.policy.retry_delay);
    }

    /// Tells the journal what it could not be told before: else that would come again after a restart.
    pub(super) async fn write_acks(&self, work: &mut Work) {
        work.write_acks_at = None;
        if work.unwritten_acks.is_empty() {
            return;
        }
        let acks: Vec<Settlement> = work.unwritten_acks.iter().copied().map(Settlement::Acked).collect();
        match self.settle(&acks).await {
            Err(error) if !error.is_fenced() => {
                tracing::warn!(account = %self.account, messages = acks.len(), %error, "handled messages are not journalled as done yet");
                work.write_acks_at = Some(Instant::now() + self.policy.retry_delay);
                // The link works all the same.
                self.status.update(|status| status.last_error = Some(error.to_string()));
                work.acks_failed = self.status.get().last_error;
            }
            // Whoever has the account now handles them again.
            _ => {
                work.unwritten_acks.clear();
                if let Some(told) = work.acks_failed.take() {
                    self.status.update(|status| {
                        status.last_error = status.last_error.take().filter(|error| *error != told);
                    });
                }
            }
        }
    }

    /// Writes a failure into the journal. A journal that cannot be written ends nothing: the message stays open and is
    /// tried again, and what the journal does not know it gives out again after a restart.
    pub(super) async fn note_failure(&self, entry: &Entry, reason: &str, dead: bool) -> bool {
        let (id, attempt) = (entry.id, entry.attempts);
        let failed = Settlement::Nacked { id, attempt, reason: reason.to_owned(), dead };
        let result = self.settle(&[failed]).await;
        if let Err(error) = &result {
            tracing::error!(account = %self.account, id = entry.id, %error, "a failure could not be journalled");
            self.status.update(|status| status.last_error = Some(error.to_string()));
        } else if dead {
            self.status.update(|status| status.dead += 1);
        }
        result.is_ok()
    }

    pub(super) async fn settle(&self, what: &[Settlement]) -> Result<(), Error> {
        match self.lease.get() {
            Some(lease) => self.backend.settle(&lease, what).await,
            None => Ok(()),
        }
    }
}
