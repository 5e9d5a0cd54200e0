//! Who is let in: the policy of an account, its allow-list, and strangers who ask.

use std::path::PathBuf;
use std::time::SystemTime;

use ilink_client::UserId;

use crate::access::{AllowList, PairingLimits, PairingRequest, PairingRequests, Policy, Verdict, decide};
use crate::account::{Account, AccountConfig, AccountId};
use crate::channel::Channel;
use crate::error::Error;
use crate::state::StateDir;

/// How strangers ask to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairingPolicy {
    /// How long a code is good, and how many may be open at once.
    pub limits: PairingLimits,
    /// What a stranger is sent; `{code}` and `{user}` stand for the code and for their id.
    pub message: String,
}

impl Default for PairingPolicy {
    fn default() -> Self {
        let message = "你还没有获得使用权限。请把配对码发给管理员批准: {code}\n\
                       You are not allowed to write here yet. Give this pairing code to the owner: {code}\n\
                       ({user})";
        Self { limits: PairingLimits::default(), message: message.to_owned() }
    }
}

/// The allow-lists and open requests of all accounts.
#[derive(Debug)]
pub(crate) struct Access {
    state: StateDir,
    /// Where the host keeps its own allow-lists, if not in the state folder (protocol §8).
    oauth_dir: Option<PathBuf>,
    requests: PairingRequests,
    message: String,
}

impl Access {
    pub(crate) fn new(state: StateDir, policy: PairingPolicy) -> Self {
        let oauth_dir = std::env::var_os("OPENCLAW_OAUTH_DIR").filter(|dir| !dir.is_empty());
        Self {
            requests: PairingRequests::new(&state, policy.limits),
            oauth_dir: oauth_dir.map(PathBuf::from),
            message: policy.message,
            state,
        }
    }

    pub(crate) fn decide(
        &self,
        account: &Account,
        config: &AccountConfig,
        sender: &UserId,
    ) -> Result<Verdict, Error> {
        let owner = account.user_id.as_ref();
        let by_config = decide(config.access, sender, owner, &config.allow_from);
        // The files are read only where they matter: approvals count under `pairing` alone, as in the host.
        if by_config != Verdict::Pair || config.access != Policy::Pairing {
            return Ok(by_config);
        }
        Ok(decide(config.access, sender, owner, &self.allow_list(&account.id).users()?))
    }

    /// The code of a stranger and what they are to be sent; nothing if they know it already, or if too many ask.
    pub(crate) fn request(
        &self,
        account: &AccountId,
        sender: &UserId,
        now: SystemTime,
    ) -> Result<Option<(String, String)>, Error> {
        let Some(asked) = self.requests.request(account, sender, now, || fastrand::u64(..))? else {
            tracing::warn!(%account, "too many strangers ask to be let in; this one was not given a code");
            return Ok(None);
        };
        let text = || self.message.replace("{code}", &asked.code).replace("{user}", sender.as_str());
        let text = asked.created.then(text);
        Ok(text.map(|text| (asked.code, text)))
    }

    /// The stranger could not be told: they are given a code when they write again.
    pub(crate) fn take_back(&self, code: &str, now: SystemTime) -> Result<(), Error> {
        self.requests.remove(code, now).map(drop)
    }

    fn allow_list(&self, account: &AccountId) -> AllowList {
        AllowList::new(&self.state, account, self.oauth_dir.as_deref())
    }
}

impl Channel {
    /// The strangers who ask to be let in, with their codes.
    ///
    /// # Errors
    /// If the requests cannot be read.
    pub fn pairing_requests(&self) -> Result<Vec<PairingRequest>, Error> {
        self.access().requests.list(self.now())
    }

    /// Lets in the stranger who was sent this code; `None` if there is no such code, or no longer.
    ///
    /// # Errors
    /// If the allow-list cannot be written.
    pub fn approve(&self, code: &str) -> Result<Option<PairingRequest>, Error> {
        self.access().requests.approve(code, self.now())
    }

    /// The users who were let in by a code, or by hand.
    #[must_use]
    pub fn allow_list(&self, account: &AccountId) -> AllowList {
        self.access().allow_list(account)
    }
}
