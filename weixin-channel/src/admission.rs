//! Who is let in: the policy of an account, its allow-list, and strangers who ask.

use std::time::SystemTime;

use ilink_client::UserId;

use crate::access::{Policy, Verdict};
use crate::account::{Account, AccountConfig, AccountId};
use crate::error::Error;
use crate::state::StateDir;

/// How strangers ask to be allowed.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct PairingPolicy {}

#[derive(Debug)]
pub(crate) struct Access {
    _state: StateDir,
}

impl Access {
    pub(crate) fn new(state: StateDir, _p: PairingPolicy) -> Self {
        Self { _state: state }
    }
    pub(crate) fn decide(&self, account: &Account, config: &AccountConfig, sender: &UserId) -> Result<Verdict, Error> {
        Ok(if config.access == Policy::Open || account.user_id.as_ref() == Some(sender) { Verdict::Allowed { owner: true } } else { Verdict::Refused })
    }
    pub(crate) fn request(&self, _: &AccountId, _: &UserId, _: SystemTime) -> Result<Option<String>, Error> {
        Ok(None)
    }
    pub(crate) fn forget(&self, _: &AccountId) -> Result<(), Error> {
        Ok(())
    }
}
