//! Where messages wait until they are handled: one trait, and SQLite as the default behind it.
//!
//! A store of your own is checked by the `conformance` module (feature `conformance`).

#[cfg(feature = "conformance")]
pub mod conformance;
mod sqlite;
mod types;

use std::fmt;
use std::time::SystemTime;

use ilink_client::{BoxFuture, ContextToken, Cursor, UserId};
pub use sqlite::{Durability, SqliteStore};
pub use types::{Content, DeadLetter, Entry, Health, Ledger, NewEntry, NewOutboxItem, OutboxItem, Retention};

use crate::account::AccountId;
use crate::error::Error;

/// What a method of a store returns.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, Error>>;

/// The journal, the cursors, the context tokens, the ledger and the outbox of all accounts.
///
/// What a method has returned for must survive a crash of the process. Time is a parameter everywhere.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Where the account's updates stand, and since when; `None` if it has never been polled here.
    fn cursor<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Option<(Cursor, SystemTime)>>;

    /// Takes over what another program left: its cursor and context tokens. They replace what is here.
    fn take_over<'a>(
        &'a self,
        account: &'a AccountId,
        cursor: &'a Cursor,
        tokens: &'a [(UserId, ContextToken)],
        now: SystemTime,
    ) -> Answer<'a, ()>;

    /// Takes the messages of one answer, their context tokens and the new cursor in **one** transaction, and
    /// returns the messages that are new, in order.
    ///
    /// A message whose key is known is left out, and so is one whose [`Content`] came within its time. A message that
    /// is not left out begins its user's [`Ledger`] anew, from when it was written, if that is later than what the
    /// ledger has. What is noted there, or came, later than `now` was before the clock was set back, and keeps nothing
    /// from being new.
    fn ingest<'a>(
        &'a self,
        account: &'a AccountId,
        cursor: &'a Cursor,
        entries: &'a [NewEntry],
        now: SystemTime,
    ) -> Answer<'a, Vec<Entry>>;

    /// All messages that are not done, in order: what a restart goes on with.
    fn pending<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<Entry>>;

    /// Marks a message as given to a handler.
    fn dispatched<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, ()>;

    /// Marks a message as handled. Doing so twice is no error.
    fn done<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, ()>;

    /// Counts a failed attempt; with `dead` the message goes to the dead letters.
    fn failed<'a>(&'a self, account: &'a AccountId, id: i64, reason: &'a str, dead: bool) -> Answer<'a, ()>;

    /// The messages that were given up, oldest first.
    fn dead_letters<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<DeadLetter>>;

    /// Puts a dead letter back: it is as new. `None` if there is no such dead letter.
    fn requeue<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, Option<Entry>>;

    /// The newest context token of a user, with the user id as it is spelled on the wire. The look-up folds
    /// case (field note 10).
    fn context_token<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a str,
    ) -> Answer<'a, Option<(UserId, ContextToken)>>;

    /// All context tokens of an account.
    fn context_tokens<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<(UserId, ContextToken)>>;

    /// What was sent to a user since they last wrote.
    fn ledger<'a>(&'a self, account: &'a AccountId, user: &'a UserId) -> Answer<'a, Ledger>;

    /// Counts a send of so many bytes.
    fn note_send<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a UserId,
        bytes: u64,
        now: SystemTime,
    ) -> Answer<'a, ()>;

    /// What is known of an account over restarts.
    fn health<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Health>;

    /// Keeps what is known of an account.
    fn set_health<'a>(&'a self, account: &'a AccountId, health: Health) -> Answer<'a, ()>;

    /// Keeps sends until their user writes again, all or none, in order. More than `cap` per user are refused:
    /// the answer is then `false`, and nothing was kept.
    fn enqueue<'a>(
        &'a self,
        account: &'a AccountId,
        items: &'a [NewOutboxItem],
        cap: u32,
    ) -> Answer<'a, bool>;

    /// The sends that wait, oldest first.
    fn outbox<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<OutboxItem>>;

    /// Takes a send out: it was made, refused for good, or is too old.
    fn dequeue<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, ()>;

    /// Forgets what is older or more than the retention allows; returns how many rows went.
    fn prune<'a>(
        &'a self,
        account: &'a AccountId,
        retention: &'a Retention,
        now: SystemTime,
    ) -> Answer<'a, u64>;

    /// Forgets everything about an account.
    fn forget<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()>;
}
