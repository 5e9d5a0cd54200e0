//! Who is let in: the policy of an account, its lists, and strangers who ask.

use ilink_client::UserId;

use crate::access::policy::{Verdict, decide};
use crate::account::{Account, AccountConfig, AccountId};
use crate::core::Core;
use crate::error::Error;

/// What is to be done with a message of a sender.
pub(crate) async fn admit(
    core: &Core,
    account: &Account,
    config: &AccountConfig,
    sender: &UserId,
) -> Result<Verdict, Error> {
    let owner = account.user_id.as_ref();
    let decide = |approved: &[String]| decide(config.access, sender, owner, &config.allow_from, approved);
    match decide(&[]) {
        // Only these may have been approved: others need not be looked up.
        Verdict::Pair => Ok(decide(&core.backend.allowed(&account.id).await?)),
        verdict => Ok(verdict),
    }
}

/// The code of a stranger and what they are to be sent; nothing if they know it already, or if too many ask.
pub(crate) async fn request_pairing(
    core: &Core,
    account: &AccountId,
    sender: &UserId,
) -> Result<Option<(String, String)>, Error> {
    let policy = &core.pairing;
    let number = fastrand::u64(..);
    let asked = core.backend.request_pairing(account, sender, number, &policy.limits, core.now()).await?;
    let Some(asked) = asked else {
        tracing::warn!(%account, "too many strangers ask to be let in; this one was not given a code");
        return Ok(None);
    };
    let text = || policy.message.replace("{code}", &asked.code).replace("{user}", sender.as_str());
    let text = asked.created.then(text);
    Ok(text.map(|text| (asked.code, text)))
}

/// The stranger could not be told: they are given a code when they write again.
pub(crate) async fn take_back(core: &Core, pairing_code: &str) -> Result<(), Error> {
    core.backend.remove_request(pairing_code, &core.pairing.limits, core.now()).await.map(drop)
}
