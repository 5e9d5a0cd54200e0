//! What sends need: whom to answer with which context token, how much more may be sent, and what waits.

use std::fmt;
use std::time::SystemTime;

use ilink_client::{ClientId, ContextToken, UserId};

use super::answer::Answer;
use super::leases::Lease;
use crate::account::AccountId;

/// Context tokens, ledger, health and outbox of all accounts.
///
/// Any process may send for an account. One that runs it says so by its lease, and is refused once it has lost it.
pub trait Outbound: Send + Sync {
    /// All that a send to a user needs to know, in one look.
    ///
    /// Ids are case-sensitive, and the answer is about the user who is spelled like `user`. Hosts lower-case ids on their
    /// way ([field note 10]): an id without upper case that is nobody's own stands for the one user who has written and
    /// fits but for case, if there is exactly one. Of several, none is meant.
    ///
    /// [field note 10]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-10
    fn send_context<'a>(&'a self, account: &'a AccountId, user: &'a str) -> Answer<'a, SendContext>;

    /// Takes sends out of a user's budget before they are made, all of them or none. The user is looked up as by
    /// [`send_context`](Self::send_context), whose answer comes along.
    ///
    /// Granted if the user is known (or [need not be](Reserve::unknown_user)), the ledger has at most
    /// [`max_sends`](Reserve::max_sends) afterwards, and the user's last message, if there was one, came after
    /// [`written_after`](Reserve::written_after).
    fn reserve<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        wanted: &'a Reserve,
        now: SystemTime,
    ) -> Answer<'a, Reservation>;

    /// Notes how reserved sends ended; returns the account's health since.
    fn record_send<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        record: &'a SendRecord,
        now: SystemTime,
    ) -> Answer<'a, Health>;

    /// What is known of an account and survives restarts.
    fn health<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Health>;

    /// Keeps sends until their user writes again, all or none, in order. More than `cap` per user are refused:
    /// the answer is then `false`, and nothing was kept. One whose [`client_id`](NewOutboxItem::client_id) waits already
    /// is there, and kept once.
    fn enqueue<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        items: &'a [NewOutboxItem],
        cap: u32,
    ) -> Answer<'a, bool>;

    /// Sends that wait with numbers above `after` (0: from the first on), oldest first, at most `limit`.
    fn outbox<'a>(&'a self, account: &'a AccountId, after: i64, limit: u32) -> Answer<'a, Vec<OutboxItem>>;

    /// Takes sends out: they were made, refused for good, or are too old.
    fn dequeue<'a>(
        &'a self,
        account: &'a AccountId,
        lease: Option<&'a Lease>,
        ids: &'a [i64],
    ) -> Answer<'a, ()>;
}

/// A user who has written to an account.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recipient {
    /// Their id as it is spelled on the wire.
    pub user: UserId,
    /// The context token of their newest message.
    pub token: ContextToken,
}

impl Recipient {
    /// A user and their newest context token.
    #[must_use]
    pub fn new(user: UserId, token: ContextToken) -> Self {
        Self { user, token }
    }
}

/// What a send to a user needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendContext {
    /// Whom it goes to; `None` if they have never written to the account.
    pub recipient: Option<Recipient>,
    /// What was sent to them since they last wrote.
    pub ledger: Ledger,
    /// How the account is doing.
    pub health: Health,
}

impl SendContext {
    /// What was found.
    #[must_use]
    pub fn new(recipient: Option<Recipient>, ledger: Ledger, health: Health) -> Self {
        Self { recipient, ledger, health }
    }
}

/// Sends that are about to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reserve {
    /// To whom, as a person or a host spells them.
    pub user: String,
    /// How many.
    pub sends: u32,
    /// Their size, in bytes of text.
    pub bytes: u64,
    /// How many sends the ledger may have afterwards; `None` is no limit.
    pub max_sends: Option<u32>,
    /// When the user must have written last, if they have written at all; `None` is no limit.
    pub written_after: Option<SystemTime>,
    /// Granted to a user who has never written to the account too; they are then spelled as given.
    pub unknown_user: bool,
}

impl Reserve {
    /// One send without limits to a user who has written before.
    pub fn new(user: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            sends: 1,
            bytes: 0,
            max_sends: None,
            written_after: None,
            unknown_user: false,
        }
    }
}

/// What became of a [`Reserve`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reservation {
    /// The sends may be made, and are counted.
    pub granted: bool,
    /// What a send needs to know; the ledger counts the sends if they were granted.
    pub context: SendContext,
}

impl Reservation {
    /// What became of it.
    #[must_use]
    pub fn new(granted: bool, context: SendContext) -> Self {
        Self { granted, context }
    }
}

/// How reserved sends ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendRecord {
    /// To whom, as spelled on the wire.
    pub user: UserId,
    /// The server accepted one: with an id for it (true), or without (false), which makes its account
    /// [suppressed](Health::suppressed_since) if it used to name them.
    pub accepted: Option<bool>,
    /// Reserved sends that were not made: they go back into the budget, unless the user has written since.
    pub unused: u32,
    /// Their size, in bytes of text.
    pub unused_bytes: u64,
    /// [`Ledger::last_inbound`] of the reservation.
    pub answers: Option<SystemTime>,
}

impl SendRecord {
    /// Of sends to a user; nothing is known of them yet.
    #[must_use]
    pub fn new(user: UserId, answers: Option<SystemTime>) -> Self {
        Self { user, accepted: None, unused: 0, unused_bytes: 0, answers }
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

impl Ledger {
    /// Sends and their bytes since a user's last message.
    #[must_use]
    pub fn new(
        last_inbound: Option<SystemTime>,
        sends: u32,
        last_send: Option<SystemTime>,
        bytes: u64,
    ) -> Self {
        Self { last_inbound, sends, last_send, bytes }
    }
}

/// What is known of an account and survives restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The server has named a sent message at least once.
    pub ids_seen: bool,
    /// It used to and no longer does: what is sent since is accepted and perhaps never shown ([field note 1]).
    ///
    /// [field note 1]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-1
    pub suppressed_since: Option<SystemTime>,
}

impl Health {
    /// What is known.
    #[must_use]
    pub fn new(ids_seen: bool, suppressed_since: Option<SystemTime>) -> Self {
        Self { ids_seen, suppressed_since }
    }

    /// After the server has accepted a send, with an id for it or without ([field note 1]).
    ///
    /// [field note 1]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-1
    #[must_use]
    pub fn after(self, named: bool, now: SystemTime) -> Self {
        if named {
            Self { ids_seen: true, suppressed_since: None }
        } else {
            let since = self.ids_seen.then(|| self.suppressed_since.unwrap_or(now));
            Self { suppressed_since: since.or(self.suppressed_since), ..self }
        }
    }
}

/// A send that waits for its user to write again.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewOutboxItem {
    /// To whom, as spelled on the wire.
    pub user: UserId,
    /// Kept over all attempts ([field note 11]).
    ///
    /// [field note 11]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-11
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

impl NewOutboxItem {
    /// A send to a user, from now on until it expires.
    pub fn new(
        user: UserId,
        client_id: ClientId,
        item: impl Into<String>,
        created: SystemTime,
        expires: SystemTime,
    ) -> Self {
        Self { user, client_id, item: item.into(), run: None, created, expires }
    }
}

/// A [`NewOutboxItem`] with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OutboxItem {
    /// Its number; later ones are higher.
    pub id: i64,
    /// The send.
    pub content: NewOutboxItem,
}

impl OutboxItem {
    /// A send that waits.
    #[must_use]
    pub fn new(id: i64, content: NewOutboxItem) -> Self {
        Self { id, content }
    }
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
