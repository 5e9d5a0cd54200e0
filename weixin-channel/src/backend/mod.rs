//! Where everything is kept that outlives the process: traits by subject, and one as their sum.
//!
//! | trait | what it keeps |
//! |---|---|
//! | [`Accounts`] | who is logged in, with their tokens |
//! | [`Leases`] | which process runs which account |
//! | [`Journal`] | messages that are not handled, and where polling stands |
//! | [`Outbound`] | what sends need: context tokens, the ledger, health, the outbox |
//! | [`Access`] | who may write besides the user who scanned |
//! | [`Quotes`] | past messages, to know what a quote quotes |
//!
//! The default is [`FolderBackend`](crate::folder::FolderBackend): the state folder, with SQLite in it. Several
//! processes share a PostgreSQL database (feature `postgres`). A backend of your own implements the six traits, is given to [`ChannelBuilder::backend`](crate::ChannelBuilder::backend), and
//! is checked by the `conformance` module (feature `conformance`).
//!
//! # What every method keeps to
//!
//! - **Durable.** What a method has returned for survives a crash of the process.
//! - **Cancellation.** A future that is dropped before its end may have done its work or not, and nothing in between:
//!   never half of it. A caller who does not know repeats it: that is no error and does no harm. (A repeated
//!   [`reserve`](Outbound::reserve) takes more out of the budget than is sent; a
//!   [`record_send`](Outbound::record_send) is not repeated.)
//! - **Fencing.** A write that carries a [`Lease`] is refused with [`StoreErrorKind::Fenced`], and changes nothing, if
//!   a later lease of the account has been given out since.
//! - **Not blocking.** A method returns its future at once, and polling that never waits for a disk, a lock or a
//!   network: it runs on the threads of the program's runtime.
//! - **Time** is a parameter. Whole milliseconds are enough.
//! - **Errors** of the backend itself are [`StoreError`]s, whose [kind](StoreErrorKind) says whether a repetition helps.
//!
//! New methods come with a default, new fields with a value that means what was before.

mod accounts;
mod answer;
#[cfg(feature = "conformance")]
pub mod conformance;
pub(crate) mod error;
mod journal;
mod leases;
mod lists;
mod outbound;
mod quotes;

use std::fmt;

pub use accounts::{Accounts, SavedLogin};
pub use answer::Answer;
pub use error::{StoreError, StoreErrorKind};
pub use journal::{Content, Counts, DeadLetter, Entry, Journal, NewEntry, Retention, Settlement};
pub use leases::{Lease, Leases};
pub use lists::Access;
pub use outbound::{
    Health, Ledger, NewOutboxItem, Outbound, OutboxItem, Recipient, Reservation, Reserve, SendContext,
    SendRecord,
};
pub use quotes::Quotes;

/// All that a channel keeps: whatever implements the six traits is one.
pub trait Backend:
    Accounts + Leases + Journal + Outbound + Access + Quotes + fmt::Debug + Send + Sync + 'static
{
}

impl<T> Backend for T where
    T: Accounts + Leases + Journal + Outbound + Access + Quotes + fmt::Debug + Send + Sync + 'static
{
}
