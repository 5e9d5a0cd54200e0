//! The accounts that run, and the accounts in the state folder.

use crate::account::{AccountConfig, AccountId};
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
        let wanted: Vec<AccountId> = self.accounts()?.into_iter().map(|account| account.id).collect();
        for id in self.running().await {
            if !wanted.contains(&id) {
                self.stop(&id).await;
            }
        }
        for id in &wanted {
            if let Err(error) = self.start(id, config(id)).await {
                let message = error.to_string();
                if self.status(id).last_error.as_ref() != Some(&message) {
                    tracing::warn!(account = %id, %error, "the account was not started");
                }
                self.update_status(id, |status| status.last_error = Some(message));
            }
        }
        Ok(())
    }
}
