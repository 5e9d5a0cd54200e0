//! What a poll brings, on its way into the journal: beside everything else, so that handlers are given what is there.

use std::future::pending;
use std::time::{Duration, SystemTime};

use ilink_client::{BoxFuture, Cursor, UpdateBatch, UserId};
use tokio::time::Instant;

use super::{Poller, Work};
use crate::account::status::AccountState;
use crate::backend::{Entry, NewEntry};
use crate::error::Error;
use crate::inbound::identity::journal_entry;

/// A message from the future by this much says that our clock is slow, and not only a little off.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(120);

/// After so long without an answer, messages of before may wait at the server.
const ABSENCE: Duration = Duration::from_secs(120);

/// What is older was not written when it says so: the server keeps nothing that long.
const OLDEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A batch that could not be written yet, and when it is tried again.
pub(super) struct Unstored {
    pub(super) cursor: Cursor,
    pub(super) entries: Vec<NewEntry>,
    pub(super) at: Instant,
}

/// A batch, and which of its messages are new, once that is written.
type Stored = (Cursor, Vec<NewEntry>, Result<Vec<Entry>, Error>);

/// A batch that is being written.
pub(super) type Storing = BoxFuture<'static, Stored>;

/// Resolves once the batch is written, if there is one.
pub(super) async fn stored(storing: &mut Option<Storing>) -> Stored {
    let Some(write) = storing else { return pending().await };
    let stored = write.await;
    *storing = None;
    stored
}

impl Poller {
    /// Messages and cursor into the journal, before anybody sees them (invariant 1). A batch that cannot be written
    /// is kept and tried again; the next poll, which would acknowledge it, waits for that.
    pub(super) fn ingest(&self, batch: UpdateBatch, work: &mut Work) {
        let now = self.now();
        let behind = batch.messages.iter().filter_map(|update| written_ahead(update, now)).max();
        let last_poll = self.status.get().last_poll;
        if last_poll.is_none_or(|last| now.duration_since(last).is_ok_and(|since| since > ABSENCE)) {
            work.caught_up = false;
        }
        self.status.update(|status| {
            status.last_poll = Some(now);
            if !batch.messages.is_empty() {
                status.last_inbound = Some(now);
                status.clock_behind = behind;
            }
        });
        let bot_id = &self.bot.credentials().bot_id;
        let arrivals = &mut work.arrivals;
        let mut entries: Vec<NewEntry> = batch
            .messages
            .iter()
            .filter_map(|update| {
                *arrivals += 1;
                let arrival = || format!("{}-{arrivals}", humantime::format_rfc3339_nanos(now));
                journal_entry(update, bot_id, arrival)
            })
            .collect();
        work.caught_up |= entries.is_empty() || entries.iter().any(|entry| is_recent(entry, now));
        for entry in &mut entries {
            entry.written = entry.written.filter(|written| !work.caught_up && is_plausible(*written, now));
        }
        if entries.is_empty() && batch.cursor == work.cursor {
            // Nothing has come: the journal has it all.
            return;
        }
        self.store(batch.cursor, entries, work);
    }

    pub(super) fn store(&self, cursor: Cursor, mut entries: Vec<NewEntry>, work: &mut Work) {
        let Some(lease) = self.lease.get() else { return };
        // A lease that lasts for a time may be another process's by then: that is found out by noting the message alone.
        if self.backend.lease_time().is_none() {
            let users = entries.iter().map(|entry| &entry.peer);
            let going = work.queues.going(users);
            entries.iter_mut().zip(going).for_each(|(entry, going)| entry.dispatched = going);
        }
        let (backend, now) = (self.backend.clone(), self.now());
        work.storing = Some(Box::pin(async move {
            let fresh = backend.ingest(&lease, &cursor, &entries, now).await;
            (cursor, entries, fresh)
        }));
    }

    /// An error says that another process has the account.
    pub(super) async fn on_stored(&self, stored: Stored, work: &mut Work) -> Result<(), Error> {
        let (cursor, entries, fresh) = stored;
        let fresh = match fresh {
            Ok(fresh) => fresh,
            Err(error) if error.is_fenced() => return Err(error),
            Err(error) => {
                tracing::error!(account = %self.account, %error, "a batch waits to be journalled");
                self.status.update(|status| {
                    status.state = AccountState::Backoff;
                    status.last_error = Some(error.to_string());
                });
                work.store_failed = true;
                work.unstored =
                    Some(Unstored { cursor, entries, at: Instant::now() + self.policy.retry_delay });
                return Ok(());
            }
        };
        if std::mem::take(&mut work.store_failed) {
            self.status.update(|status| {
                (status.state, status.last_error) = (AccountState::Online, None);
            });
        }
        work.cursor = cursor;
        let users: Vec<UserId> = fresh.iter().map(|entry| entry.peer.clone()).collect();
        for mut entry in fresh {
            // No handler has had it yet.
            if std::mem::take(&mut entry.dispatched) {
                work.noted.insert(entry.id);
            }
            self.push(&mut work.queues, entry);
        }
        if !users.is_empty() {
            self.flush_outbox(users);
        }
        if entries.iter().any(|entry| entry.dead.is_some()) {
            self.show_counts(work.queues.pending()).await;
        }
        Ok(())
    }
}

/// Written just now.
fn is_recent(entry: &NewEntry, now: SystemTime) -> bool {
    let age = entry.written.and_then(|written| now.duration_since(written).ok());
    age.is_some_and(|age| age < CLOCK_TOLERANCE)
}

/// Seconds that were taken for milliseconds are not, nor is what is still to come.
fn is_plausible(written: SystemTime, now: SystemTime) -> bool {
    now.duration_since(written).is_ok_and(|age| age < OLDEST)
}

/// By how much a message is from the future, if it is by more than clocks differ.
fn written_ahead(update: &ilink_client::Update, now: SystemTime) -> Option<Duration> {
    let ms = update.message()?.create_time_ms.and_then(|ms| u64::try_from(ms).ok())?;
    let written = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms))?;
    written.duration_since(now).ok().filter(|ahead| *ahead > CLOCK_TOLERANCE)
}
