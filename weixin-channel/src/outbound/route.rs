//! Which account a user is written to from.

use crate::access::policy::plain_user_id;
use crate::account::AccountId;
use crate::core::Core;
use crate::error::Error;

/// See [`Channel::account_for`](crate::Channel::account_for).
pub(crate) async fn account_for(core: &Core, to: &str) -> Result<AccountId, Error> {
    let user = plain_user_id(to);
    let all: Vec<AccountId> = core.backend.accounts().await?.into_iter().map(|account| account.id).collect();
    let (mut exactly, mut folded) = (Vec::new(), Vec::new());
    for id in &all {
        match core.backend.send_context(id, user).await?.recipient {
            Some(recipient) if recipient.user.as_str() == user => exactly.push(id.clone()),
            Some(_) => folded.push(id.clone()),
            None => {}
        }
    }
    // An id is somebody's own before it is another's, lower-cased.
    let candidates = [exactly, folded, all].into_iter().find(|ids| !ids.is_empty()).unwrap_or_default();
    match candidates.as_slice() {
        [] => Err(Error::NoAccounts),
        [only] => Ok(only.clone()),
        _ => Err(Error::AmbiguousAccount { user: user.to_owned(), candidates }),
    }
}
