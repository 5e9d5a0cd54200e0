//! The accounts that run, and the accounts that are kept.

use std::collections::HashSet;
use std::sync::Arc;

use crate::account::lifecycle::{retire, start};
use crate::account::{AccountConfig, AccountId};
use crate::core::Core;
use crate::error::Error;
use crate::inbound::delivery::Lanes;

/// See [`Channel::reconcile`](crate::Channel::reconcile); what became of the start of each account.
pub(crate) async fn reconcile(
    core: &Arc<Core>,
    lanes: &Lanes,
    config: impl Fn(&AccountId) -> AccountConfig,
) -> Result<Vec<Result<(), Error>>, Error> {
    let wanted: Vec<AccountId> =
        core.backend.accounts().await?.into_iter().map(|account| account.id).collect();
    let known: HashSet<&AccountId> = wanted.iter().collect();
    for (id, running) in core.running.all() {
        if !known.contains(&id) {
            running.stop(core.backend()).await;
            retire(core, &id).await;
        }
    }
    let mut results = Vec::new();
    for id in &wanted {
        let result = start(core, lanes, id, config(id)).await;
        if let Err(error) = &result {
            let message = error.to_string();
            if core.status(id).last_error.as_ref() != Some(&message) {
                tracing::warn!(account = %id, %error, "the account was not started");
            }
            core.update_status(id, |status| status.last_error = Some(message));
        }
        results.push(result);
    }
    Ok(results)
}
