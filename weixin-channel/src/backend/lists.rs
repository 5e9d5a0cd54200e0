//! Who may write besides the user who scanned, and who asks to.

use std::time::SystemTime;

use ilink_client::UserId;

use super::answer::Answer;
use crate::access::pairing::{PairingCode, PairingLimits, PairingRequest};
use crate::account::AccountId;

/// Allow-lists and pairing requests of all accounts. Read at each use, so that whoever is allowed by another process is
/// allowed at once.
pub trait Access: Send + Sync {
    /// The users who are allowed to write to an account, each once.
    fn allowed<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<String>>;

    /// Allows a user; white space around their id does not count. False if they were allowed before, or if the id is
    /// empty.
    fn allow<'a>(&'a self, account: &'a AccountId, user: &'a UserId) -> Answer<'a, bool>;

    /// Allows a user no longer. False if they were not on the list.
    fn disallow<'a>(&'a self, account: &'a AccountId, user: &'a UserId) -> Answer<'a, bool>;

    /// A code for a stranger; the same one while it is good. `None` if the account has as many open requests as the
    /// limits allow, or if the id is empty.
    ///
    /// The code is [`pairing_code(number)`](crate::access::pairing_code), or that of the next number whose code no open
    /// request has.
    fn request_pairing<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a UserId,
        number: u64,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Option<PairingCode>>;

    /// The requests that are open, oldest first.
    fn pairing_requests<'a>(
        &'a self,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Vec<PairingRequest>>;

    /// Allows the stranger whose open request has this code, and removes the request. Upper and lower case of the code,
    /// and white space around it, do not matter. `None` if no open request has it.
    fn approve<'a>(
        &'a self,
        code: &'a str,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Option<PairingRequest>>;

    /// Removes a request; its user may ask again. `None` if no open request has the code.
    fn remove_request<'a>(
        &'a self,
        code: &'a str,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Option<PairingRequest>>;
}
