//! Messages that are not handled yet, and where polling stands.

use std::fmt;
use std::time::{Duration, SystemTime};

use ilink_client::{ContextToken, Cursor, UserId};

use super::answer::Answer;
use super::leases::Lease;
use crate::account::AccountId;

/// The journals of all accounts: messages and the cursors that acknowledge them.
pub trait Journal: Send + Sync {
    /// Where the account's updates stand; `None` if it has never been polled.
    fn cursor<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Option<Cursor>>;

    /// Takes the messages of one answer, their context tokens and the new cursor in **one** transaction, and
    /// returns the messages that are new, in order.
    ///
    /// A message whose key is known is left out, and so is one whose [`Content`] came within its time. A message that
    /// is not left out begins its user's [`Ledger`](super::Ledger) anew, from when it was written, if that is later
    /// than what the ledger has. What is noted there, or came, later than `now` was before the clock was set back, and
    /// keeps nothing from being new.
    fn ingest<'a>(
        &'a self,
        lease: &'a Lease,
        cursor: &'a Cursor,
        entries: &'a [NewEntry],
        now: SystemTime,
    ) -> Answer<'a, Vec<Entry>>;

    /// Messages that are not done with numbers above `after` (0: from the first on), in order, at most `limit`: what a
    /// restart goes on with.
    fn pending<'a>(&'a self, account: &'a AccountId, after: i64, limit: u32) -> Answer<'a, Vec<Entry>>;

    /// The same, of one conversation: how what did not fit into memory is read once there is room.
    fn pending_of<'a>(
        &'a self,
        account: &'a AccountId,
        peer: &'a UserId,
        after: i64,
        limit: u32,
    ) -> Answer<'a, Vec<Entry>> {
        Box::pin(async move {
            let (mut found, mut after) = (Vec::new(), after);
            loop {
                let page = self.pending(account, after, PAGE).await?;
                let Some(last) = page.last() else { return Ok(found) };
                after = last.id;
                found.extend(page.into_iter().filter(|entry| entry.peer == *peer));
                if found.len() >= limit as usize {
                    found.truncate(limit as usize);
                    return Ok(found);
                }
            }
        })
    }

    /// Notes what became of messages, all or none. Of a message that is done, dead or unknown nothing more is noted;
    /// that is no error.
    fn settle<'a>(&'a self, lease: &'a Lease, what: &'a [Settlement]) -> Answer<'a, ()>;

    /// Notes the same where the runtime is being shut down, so that nothing asynchronous comes to its end: nobody
    /// waits for it, and an error is only logged. The default does nothing; the messages that a program had in its hands
    /// when it ended then count as tried once more than they were.
    fn settle_at_exit(&self, lease: &Lease, what: &[Settlement]) {
        let _ = (lease, what);
    }

    /// Messages that were given up with numbers above `after`, oldest first, at most `limit`.
    fn dead_letters<'a>(
        &'a self,
        account: &'a AccountId,
        after: i64,
        limit: u32,
    ) -> Answer<'a, Vec<DeadLetter>>;

    /// Puts a dead letter back, as if it had just come. `None` if there is no such dead letter.
    fn requeue<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, Option<Entry>>;

    /// How much waits. Asked at every start of an account, so it must not load what it counts.
    fn counts<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Counts>;

    /// Forgets what is older or more than the retention allows; returns how many rows went.
    fn prune<'a>(
        &'a self,
        account: &'a AccountId,
        retention: &'a Retention,
        now: SystemTime,
    ) -> Answer<'a, u64>;

    /// Forgets what [`Journal`] and [`Outbound`](super::Outbound) hold of an account. Leases that were given out before
    /// count as lost from now on.
    fn forget<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()>;
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// An attempt to handle it begins. Noted before the message is looked at, so that one that kills the process is
    /// known by how often it was tried.
    Dispatched {
        /// The message's number.
        id: i64,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// That attempt was ended by a stop of the account or the program: it does not count.
    Returned {
        /// The message's number.
        id: i64,
        /// Which attempt. If a later one has begun, nothing is noted.
        attempt: u32,
    },
    /// The message with this number was handled.
    Acked(i64),
    /// That attempt failed.
    Nacked {
        /// The message's number.
        id: i64,
        /// Which attempt.
        attempt: u32,
        /// Why.
        reason: String,
        /// It goes to the dead letters.
        dead: bool,
    },
}

/// How much waits in an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that are not done.
    pub pending: usize,
    /// Dead letters.
    pub dead: usize,
    /// Sends that wait for their user to write.
    pub outbox: usize,
}

impl Counts {
    /// What was counted.
    #[must_use]
    pub fn new(pending: usize, dead: usize, outbox: usize) -> Self {
        Self { pending, dead, outbox }
    }
}

/// A message that a poll brought, on its way into the journal.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NewEntry {
    /// What makes it the same message whenever it comes again ([field note 7]).
    ///
    /// [field note 7]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-7
    pub key: String,
    /// What makes it the same message if it comes again soon.
    pub content: Option<Content>,
    /// The conversation; messages of one are handled in order.
    pub peer: UserId,
    /// The message as it came.
    pub raw: String,
    /// When it was written, if its user's [`Ledger`](super::Ledger) is to begin then: a message that has waited at the
    /// server, or that the server gives out again. `None`: when it came.
    pub written: Option<SystemTime>,
    /// Set for what no handler can be given: it goes to the dead letters at once, with this reason.
    pub dead: Option<String>,
    /// To answer with from now on.
    pub context_token: Option<ContextToken>,
    /// It goes to a handler at once: its first attempt is noted as by [`Settlement::Dispatched`], with the write that
    /// brings it. The [`Entry`] that [`ingest`](Journal::ingest) answers with says so; its `attempts` is still 0.
    pub dispatched: bool,
}

impl NewEntry {
    /// A message with nothing but its key, its conversation and its JSON.
    pub fn new(key: impl Into<String>, peer: impl Into<UserId>, raw: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            content: None,
            peer: peer.into(),
            raw: raw.into(),
            written: None,
            dead: None,
            context_token: None,
            dispatched: false,
        }
    }
}

/// A fingerprint of what a message says, for those that come again under another id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Equal for equal content of one sender.
    pub fingerprint: String,
    /// For how long after its arrival an equal one is the same message.
    pub within: Duration,
}

/// A message in the journal that is not done.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Its number; later messages have higher ones.
    pub id: i64,
    /// The conversation.
    pub peer: UserId,
    /// The message as it came.
    pub raw: String,
    /// How many attempts to handle it have begun, but for those that a stop ended.
    pub attempts: u32,
    /// The journal knows it as on its way to a handler: in this process, or in one that has ended since.
    pub dispatched: bool,
}

impl Entry {
    /// A message as the journal has it.
    #[must_use]
    pub fn new(id: i64, peer: UserId, raw: String) -> Self {
        Self { id, peer, raw, attempts: 0, dispatched: false }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .field("peer", &self.peer)
            .field("raw", &format_args!("{} bytes", self.raw.len()))
            .field("attempts", &self.attempts)
            .field("dispatched", &self.dispatched)
            .finish()
    }
}

/// A message that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The message.
    pub entry: Entry,
    /// Why it was given up.
    pub reason: String,
    /// When it came.
    pub received: SystemTime,
}

impl DeadLetter {
    /// A message that was given up.
    #[must_use]
    pub fn new(entry: Entry, reason: String, received: SystemTime) -> Self {
        Self { entry, reason, received }
    }
}

/// How long what is settled stays in the journal, and what is known of users. Handled messages are kept as keys only, to
/// know them again. A user for whom something waits is forgotten in no case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// Keys of handled messages are forgotten after this; 30 days.
    pub done: Duration,
    /// At most this many keys of handled messages per account, the newest; 100,000.
    pub done_rows: u32,
    /// Dead letters are forgotten after this; 90 days.
    pub dead: Duration,
    /// At most this many dead letters per account, the newest; 10,000.
    pub dead_rows: u32,
    /// Context token and ledger of a user who neither wrote nor was written to are forgotten after this; 90 days.
    pub users: Duration,
    /// At most this many users per account to whom nothing was ever sent, those who wrote last: strangers who are not let
    /// in cost no more than that; 1,000.
    pub unanswered_rows: u32,
}

/// How many messages are read at once to find those of one conversation.
const PAGE: u32 = 1_000;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Retention {
    fn default() -> Self {
        Self {
            done: 30 * DAY,
            done_rows: 100_000,
            dead: 90 * DAY,
            dead_rows: 10_000,
            users: 90 * DAY,
            unanswered_rows: 1_000,
        }
    }
}
