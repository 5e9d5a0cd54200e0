//! The users who were let in by a code, or by hand.

use std::sync::Arc;

use ilink_client::UserId;

use crate::access::policy::plain_user_id;
use crate::account::AccountId;
use crate::backend::Backend;
use crate::error::Error;

/// The users who may write to an account besides the one who scanned; from
/// [`Channel::allow_list`](crate::Channel::allow_list).
#[derive(Clone, Debug)]
pub struct AllowList {
    backend: Arc<dyn Backend>,
    account: AccountId,
}

impl AllowList {
    pub(crate) fn new(backend: Arc<dyn Backend>, account: AccountId) -> Self {
        Self { backend, account }
    }

    /// All of them, each once.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub async fn users(&self) -> Result<Vec<String>, Error> {
        self.backend.allowed(&self.account).await
    }

    /// Allows a user, who may be written with a prefix ([`plain_user_id`]). False if they were allowed before, or if this
    /// names nobody; `*` is nobody.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub async fn add(&self, user: &UserId) -> Result<bool, Error> {
        match named(user) {
            Some(user) => self.backend.allow(&self.account, &user).await,
            None => Ok(false),
        }
    }

    /// Takes a user from the list. False if they were not there; in a state folder the host's own list may name them
    /// still.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub async fn remove(&self, user: &UserId) -> Result<bool, Error> {
        match named(user) {
            Some(user) => self.backend.disallow(&self.account, &user).await,
            None => Ok(false),
        }
    }
}

/// The one user that this names.
fn named(user: &UserId) -> Option<UserId> {
    let id = plain_user_id(user.as_str());
    (!id.is_empty() && id != "*").then(|| UserId::from(id))
}
