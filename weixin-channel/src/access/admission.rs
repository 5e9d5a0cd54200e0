//! Who is let in: the policy of an account, its allow-list, and strangers who ask.

use ilink_client::UserId;

use crate::access::{PairingLimits, PairingRequest, Verdict, decide, plain_user_id};
use crate::account::{Account, AccountConfig, AccountId};
use crate::channel::Channel;
use crate::error::Error;

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

impl Channel {
    /// What is to be done with a message of a sender.
    pub(crate) async fn decide(
        &self,
        account: &Account,
        config: &AccountConfig,
        sender: &UserId,
    ) -> Result<Verdict, Error> {
        let owner = account.user_id.as_ref();
        let decide = |approved: &[String]| decide(config.access, sender, owner, &config.allow_from, approved);
        match decide(&[]) {
            // Only these may have been approved: others need not be looked up.
            Verdict::Pair => Ok(decide(&self.backend().allowed(&account.id).await?)),
            verdict => Ok(verdict),
        }
    }

    /// The code of a stranger and what they are to be sent; nothing if they know it already, or if too many ask.
    pub(crate) async fn request_pairing(
        &self,
        account: &AccountId,
        sender: &UserId,
    ) -> Result<Option<(String, String)>, Error> {
        let policy = self.pairing_policy();
        let number = fastrand::u64(..);
        let asked =
            self.backend().request_pairing(account, sender, number, &policy.limits, self.now()).await?;
        let Some(asked) = asked else {
            tracing::warn!(%account, "too many strangers ask to be let in; this one was not given a code");
            return Ok(None);
        };
        let text = || policy.message.replace("{code}", &asked.code).replace("{user}", sender.as_str());
        let text = asked.created.then(text);
        Ok(text.map(|text| (asked.code, text)))
    }

    /// The stranger could not be told: they are given a code when they write again.
    pub(crate) async fn take_back_code(&self, code: &str) -> Result<(), Error> {
        self.backend().remove_request(code, &self.pairing_policy().limits, self.now()).await.map(drop)
    }

    /// The strangers who ask to be let in, with their codes.
    ///
    /// # Errors
    /// If the requests cannot be read.
    pub async fn pairing_requests(&self) -> Result<Vec<PairingRequest>, Error> {
        self.backend().pairing_requests(&self.pairing_policy().limits, self.now()).await
    }

    /// Lets in the stranger who was sent this code; `None` if there is no such code, or no longer.
    ///
    /// # Errors
    /// If the allow-list cannot be written.
    pub async fn approve(&self, code: &str) -> Result<Option<PairingRequest>, Error> {
        self.backend().approve(code, &self.pairing_policy().limits, self.now()).await
    }

    /// The users who were let in by a code, or by hand.
    #[must_use]
    pub fn allow_list(&self, account: &AccountId) -> AllowList {
        AllowList { channel: self.clone(), account: account.clone() }
    }
}

/// The users who may write to an account besides the one who scanned; from [`Channel::allow_list`].
#[derive(Clone, Debug)]
pub struct AllowList {
    channel: Channel,
    account: AccountId,
}

impl AllowList {
    /// All of them, each once.
    ///
    /// # Errors
    /// If the list cannot be read.
    pub async fn users(&self) -> Result<Vec<String>, Error> {
        self.channel.backend().allowed(&self.account).await
    }

    /// Allows a user, who may be written with a prefix ([`plain_user_id`]). False if they were allowed before, or if this
    /// names nobody; `*` is nobody.
    ///
    /// # Errors
    /// If the list cannot be read or written.
    pub async fn add(&self, user: &UserId) -> Result<bool, Error> {
        match named(user) {
            Some(user) => self.channel.backend().allow(&self.account, &user).await,
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
            Some(user) => self.channel.backend().disallow(&self.account, &user).await,
            None => Ok(false),
        }
    }
}

/// The one user that this names.
fn named(user: &UserId) -> Option<UserId> {
    let id = plain_user_id(user.as_str());
    (!id.is_empty() && id != "*").then(|| UserId::from(id))
}
