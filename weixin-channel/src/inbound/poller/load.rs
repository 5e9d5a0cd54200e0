//! What waits in the journal: at the start, and of peers who have written more than fits into memory.

use std::collections::HashSet;
use std::future::pending;

use ilink_client::{BoxFuture, UserId};
use tokio::time::Instant;

use super::{Poller, Work};
use crate::backend::{Entry, Settlement};
use crate::core::PAGE;
use crate::error::Error;
use crate::inbound::suspects::is_suspect;

/// Of whom, and what is there.
type Loaded = (UserId, Result<Vec<Entry>, Error>);

/// A peer's messages that are being read.
pub(super) type Loading = BoxFuture<'static, Loaded>;

/// Resolves once they are read, if any are.
pub(super) async fn loaded(loading: &mut Option<Loading>) -> Loaded {
    let Some(read) = loading else { return pending().await };
    let loaded = read.await;
    *loading = None;
    loaded
}

impl Poller {
    /// What is not done, but for what handlers have had since before a restart of the account, which goes on.
    pub(super) async fn read_journal(&self, work: &mut Work, open: &[(Entry, bool)]) -> Result<(), Error> {
        // The stop has taken their attempts back.
        let again =
            |(entry, _): &(Entry, bool)| Settlement::Dispatched { id: entry.id, attempt: entry.attempts };
        let again: Vec<Settlement> = open.iter().map(again).collect();
        if !again.is_empty() {
            self.settle(&again).await?;
        }
        let open: HashSet<i64> = open.iter().map(|(entry, _)| entry.id).collect();
        let mut after = 0;
        loop {
            let page = self.backend.pending(&self.account, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            for entry in page.into_iter().filter(|entry| !open.contains(&entry.id)) {
                if let Some(entry) = self.survivor(work, entry).await {
                    self.push(&mut work.queues, entry);
                }
            }
        }
    }

    /// A message that has ended too many processes is given up; one that has ended some goes to its handler alone.
    async fn survivor(&self, work: &mut Work, entry: Entry) -> Option<Entry> {
        if entry.dispatched && entry.attempts >= self.policy.max_attempts {
            let reason =
                format!("the program ended {} times while this message was being handled", entry.attempts);
            tracing::error!(account = %self.account, id = entry.id, reason, "a message was given up");
            if self.note_failure(&entry, &reason, true).await {
                return None;
            }
        }
        if is_suspect(&entry) {
            work.suspects.insert(entry.id);
        }
        Some(entry)
    }

    /// Reads more, where there is room for it and it has been left.
    pub(super) fn load(&self, work: &mut Work) {
        if work.loading.is_some() || work.load_at.is_some() {
            return;
        }
        let Some((user, after)) = work.queues.load() else { return };
        work.done_meanwhile.clear();
        let (backend, account, limit) = (self.backend.clone(), self.account.clone(), work.queues.page());
        work.loading = Some(Box::pin(async move {
            let page = backend.pending_of(&account, &user, after, limit).await;
            (user, page)
        }));
    }

    pub(super) fn on_loaded(&self, (user, page): Loaded, work: &mut Work) {
        if let Err(error) = &page {
            tracing::warn!(account = %self.account, %error, "messages that wait in the journal could not be read");
            work.load_at = Some(Instant::now() + self.policy.retry_delay);
        }
        // What is done but not written as such is not given out again.
        work.done_meanwhile.extend(&work.unwritten_acks);
        work.queues.loaded(&user, page.ok(), &work.done_meanwhile);
    }
}
