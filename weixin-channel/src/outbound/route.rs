//! Which account a user is written to from.

use crate::access::policy::plain_user_id;
use crate::account::AccountId;
use crate::core::Core;
use crate::error::Error;

/// See [`Channel::account_for`](crate::Channel::account_for).
pub(crate) async fn account_for(core: &Core, to: &str) -> Result<AccountId, Error> {
    let user = plain_user_id(to);
    let all: Vec<AccountId> = core.backend.accounts().await?.into_iter().map(|account| account.id).collect();
    let mut known = Vec::new();
    for id in &all {
        if core.backend.send_context(id, user).await?.recipient.is_some() {
            known.push(id.clone());
        }
    }
    let candidates = if known.is_empty() { all } else { known };
    match candidates.as_slice() {
        [] => Err(Error::NoAccounts),
        [only] => Ok(only.clone()),
        _ => Err(Error::AmbiguousAccount { user: user.to_owned(), candidates }),
    }
}
