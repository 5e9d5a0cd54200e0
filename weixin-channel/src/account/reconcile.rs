//! The accounts that run, and the accounts in the state folder.

use std::collections::HashSet;
use std::time::Duration;

use crate::account::{AccountConfig, AccountId};
use crate::backend::Retention;
use crate::channel::Channel;
use crate::error::Error;

impl Channel {
    /// Makes the accounts that run those of the state folder: starts new ones, stops those that are gone, and starts
    /// anew those whose token or settings have changed. An account that cannot be started does not keep the others
    /// from it; its [status](Self::status) says why.
    ///
    /// # Errors
    /// If the accounts cannot be listed.
    pub async fn reconcile(&self, config: impl Fn(&AccountId) -> AccountConfig) -> Result<(), Error> {
        self.start_wanted(config).await.map(drop)
    }

    /// The same; what became of each account.
    pub(crate) async fn start_wanted(
        &self,
        config: impl Fn(&AccountId) -> AccountConfig,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        let wanted: Vec<AccountId> = self.accounts().await?.into_iter().map(|account| account.id).collect();
        let known: HashSet<&AccountId> = wanted.iter().collect();
        for (id, running) in self.running().all() {
            if !known.contains(&id) {
                running.stop(self.backend()).await;
                self.retired(&id).await;
            }
        }
        let mut results = Vec::new();
        for id in &wanted {
            let result = self.start(id, config(id)).await;
            if let Err(error) = &result {
                let message = error.to_string();
                if self.status(id).last_error.as_ref() != Some(&message) {
                    tracing::warn!(account = %id, %error, "the account was not started");
                }
                self.update_status(id, |status| status.last_error = Some(message));
            }
            results.push(result);
        }
        Ok(results)
    }

    /// A stopped account that is no longer in the state folder needs no keys of what was handled, and nothing here once
    /// its last turn is over. What was not handled stays in the journal; it is counted.
    pub(crate) async fn retired(&self, id: &AccountId) -> usize {
        let mut nothing_done = Retention::default();
        (nothing_done.done, nothing_done.done_rows) = (Duration::ZERO, 0);
        if let Err(error) = self.backend().prune(id, &nothing_done, self.now()).await {
            tracing::warn!(account = %id, %error, "the journal of an account that is gone was not pruned");
        }
        if self.running().get(id).is_some_and(|running| running.in_flight.is_empty()) {
            self.running().remove(id);
        }
        let unhandled = self.backend().counts(id).await.map_or(0, |counts| counts.pending);
        if unhandled > 0 {
            tracing::warn!(account = %id, unhandled, "messages to an account that is gone were not handled");
        }
        unhandled
    }
}
