//! What goes into a store and comes out of it.

use std::fmt;
use std::time::{Duration, SystemTime};

use ilink_client::{ClientId, ContextToken, UserId};

/// A message that a poll brought, on its way into the journal.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// What makes it the same message whenever it comes again (field note 7).
    pub key: String,
    /// What makes it the same message if it comes again soon.
    pub content: Option<Content>,
    /// The conversation; messages of one are handled in order.
    pub peer: UserId,
    /// The message as it came.
    pub raw: String,
    /// When the user wrote it, where it says so.
    pub written: Option<SystemTime>,
    /// Set for what no handler can be given: it goes to the dead letters at once, with this reason.
    pub dead: Option<String>,
    /// To answer with from now on.
    pub context_token: Option<ContextToken>,
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
pub struct Entry {
    /// Its number; later messages have higher ones.
    pub id: i64,
    /// The conversation.
    pub peer: UserId,
    /// The message as it came.
    pub raw: String,
    /// How many times it was given to a handler and failed.
    pub attempts: u32,
    /// A handler has had it before: in this process, or in one that has ended since.
    pub dispatched: bool,
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
pub struct DeadLetter {
    /// The message.
    pub entry: Entry,
    /// Why it was given up.
    pub reason: String,
    /// When it came.
    pub received: SystemTime,
}

/// How long what is settled stays in the journal. Handled messages are kept as keys only, to know them again.
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
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Retention {
    fn default() -> Self {
        Self { done: 30 * DAY, done_rows: 100_000, dead: 90 * DAY, dead_rows: 10_000 }
    }
}

/// What was sent to a user since their last message: what the server's limits are counted by (field notes 2 and 3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// When the user last wrote; `None` if they never wrote here.
    pub last_inbound: Option<SystemTime>,
    /// Sends since then, refused ones included: they are said to count too.
    pub sends: u32,
    /// The last of them.
    pub last_send: Option<SystemTime>,
    /// Their size, in bytes of text.
    pub bytes: u64,
}

/// What is known of an account over restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The server has named a sent message at least once.
    pub ids_seen: bool,
    /// It used to and no longer does: what is sent since is accepted and perhaps never shown (field note 1).
    pub suppressed_since: Option<SystemTime>,
}

/// A send that waits for its user to write again.
#[derive(Clone, PartialEq)]
pub struct NewOutboxItem {
    /// To whom, as spelled on the wire.
    pub user: UserId,
    /// Kept over all attempts (field note 11).
    pub client_id: ClientId,
    /// The item, as JSON of the wire.
    pub item: String,
    /// The run that it belongs to.
    pub run: Option<String>,
    /// When it was put here.
    pub created: SystemTime,
    /// When it is no longer worth sending.
    pub expires: SystemTime,
}

/// A [`NewOutboxItem`] with its number.
#[derive(Clone, Debug, PartialEq)]
pub struct OutboxItem {
    /// Its number; later ones are higher.
    pub id: i64,
    /// The send.
    pub content: NewOutboxItem,
}

impl fmt::Debug for NewOutboxItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewOutboxItem")
            .field("user", &self.user)
            .field("client_id", &self.client_id)
            .field("item", &format_args!("{} bytes", self.item.len()))
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}
