//! Where messages wait until they are handled: one trait, and SQLite as the default behind it.

mod sqlite;

use std::fmt;

use ilink_client::{BoxFuture, ContextToken, Cursor, UserId};
pub use sqlite::{Durability, SqliteStore};

use crate::account::AccountId;
use crate::error::Error;

/// A message that a poll brought, on its way into the journal.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// What makes it the same message when it comes again (field note 7).
    pub key: String,
    /// The conversation; messages of one are handled in order.
    pub peer: UserId,
    /// The message as it came.
    pub raw: String,
    /// Set for what no handler can be given: it goes to the dead letters at once, with this reason.
    pub dead: Option<String>,
    /// To answer with from now on.
    pub context_token: Option<ContextToken>,
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
    /// How many times it was given to a handler and not acknowledged.
    pub attempts: u32,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("id", &self.id)
            .field("peer", &self.peer)
            .field("raw", &format_args!("{} bytes", self.raw.len()))
            .field("attempts", &self.attempts)
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
}

/// The journal, the cursors and the context tokens of all accounts.
///
/// What a method has returned for must survive a crash of the process.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Where the account's updates stand; `None` if it has never been polled here.
    fn cursor<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<Option<Cursor>, Error>>;

    /// Takes over what another program left for an account that is new here: its cursor and context tokens.
    fn take_over<'a>(
        &'a self,
        account: &'a AccountId,
        cursor: &'a Cursor,
        tokens: &'a [(UserId, ContextToken)],
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Takes the messages of one answer, their context tokens and the new cursor in **one** transaction, and
    /// returns the messages that are new, in order. A message whose key is known is left out.
    fn ingest<'a>(
        &'a self,
        account: &'a AccountId,
        cursor: &'a Cursor,
        entries: &'a [NewEntry],
    ) -> BoxFuture<'a, Result<Vec<Entry>, Error>>;

    /// All messages that are not done, in order: what a restart goes on with.
    fn pending<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<Vec<Entry>, Error>>;

    /// Marks a message as handled. Doing so twice is no error.
    fn done<'a>(&'a self, account: &'a AccountId, id: i64) -> BoxFuture<'a, Result<(), Error>>;

    /// Counts a failed attempt; with `dead` the message goes to the dead letters.
    fn failed<'a>(
        &'a self,
        account: &'a AccountId,
        id: i64,
        reason: &'a str,
        dead: bool,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// The messages that were given up, oldest first.
    fn dead_letters<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<Vec<DeadLetter>, Error>>;

    /// The newest context token of a user, with the user id as it is spelled on the wire. The look-up folds
    /// case (field note 10).
    fn context_token<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a str,
    ) -> BoxFuture<'a, Result<Option<(UserId, ContextToken)>, Error>>;

    /// All context tokens of an account.
    fn context_tokens<'a>(
        &'a self,
        account: &'a AccountId,
    ) -> BoxFuture<'a, Result<Vec<(UserId, ContextToken)>, Error>>;

    /// Forgets everything about an account.
    fn forget<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<(), Error>>;
}
