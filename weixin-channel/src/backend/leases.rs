//! Which process runs which account: two that poll with one token knock each other out (field note 31).

use std::time::Duration;

use super::answer::Answer;
use crate::account::AccountId;

/// The right to run an account, from [`Leases::acquire`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Lease {
    /// Which account.
    pub account: AccountId,
    /// Higher than that of every lease of the account before: writes of an earlier one are refused.
    pub generation: i64,
}

impl Lease {
    /// A lease that a backend gives out.
    #[must_use]
    pub fn new(account: AccountId, generation: i64) -> Self {
        Self { account, generation }
    }
}

/// Leases: at most one process at a time runs an account.
pub trait Leases: Send + Sync {
    /// Gives out a new lease of an account that nobody has. `holder` is named to those who come later: a program and its
    /// process, for people.
    ///
    /// Fails with [`Error::Locked`](crate::Error::Locked) while somebody has it, this process included. A call that was
    /// dropped may have got it: the caller repeats it, so whatever was not told to anybody must be let go of.
    fn acquire<'a>(&'a self, account: &'a AccountId, holder: &'a str) -> Answer<'a, Lease>;

    /// Keeps a lease for another [`lease_time`](Self::lease_time). Fails with
    /// [`StoreErrorKind::Fenced`](super::StoreErrorKind) if somebody else has got it since.
    fn renew<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()>;

    /// Lets go of a lease, so that others can have the account at once. Writes that carry it are still taken, as long as
    /// nobody else has got a later one. Letting go twice, or of a lease that was lost, is no error.
    fn release<'a>(&'a self, lease: &'a Lease) -> Answer<'a, ()>;

    /// For how long a lease that is acquired or renewed now may be relied on without being renewed; asked anew each time.
    /// Others must not be given the account before, and better not right then: a poll may end a little late. `None`: until
    /// it is released, or its process has ended.
    fn lease_time(&self) -> Option<Duration> {
        None
    }
}
