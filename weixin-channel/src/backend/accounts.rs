//! Who is logged in.

use std::time::SystemTime;

use ilink_client::Credentials;

use super::answer::Answer;
use crate::account::{Account, AccountId};

/// What [`Accounts::save_login`] did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SavedLogin {
    /// The account of the login.
    pub account: AccountId,
    /// Older accounts of the same user, which are in use no more.
    pub retired: Vec<AccountId>,
}

impl SavedLogin {
    /// A login that is stored.
    #[must_use]
    pub fn new(account: AccountId, retired: Vec<AccountId>) -> Self {
        Self { account, retired }
    }
}

/// The accounts, with their tokens.
pub trait Accounts: Send + Sync {
    /// All accounts that have a token, oldest login first.
    fn accounts(&self) -> Answer<'_, Vec<Account>>;

    /// One account; `None` if it is not here or has no token.
    fn account<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Option<Account>>;

    /// Stores what a login brought. Older accounts of the same user, which the server has unbound, are retired: they are
    /// listed no more ([protocol §5]). Users who were [allowed](super::Access) to write to one of them may write to the
    /// new one.
    ///
    /// [protocol §5]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#5-flows
    fn save_login<'a>(&'a self, credentials: &'a Credentials, now: SystemTime) -> Answer<'a, SavedLogin>;

    /// Forgets an account's token and who may write to it. Doing so twice is no error.
    fn remove_account<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()>;

    /// Shows that a login could be stored: asked before somebody is made to scan a code.
    fn check_writable(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
