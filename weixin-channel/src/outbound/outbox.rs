//! Sends that wait for their user to write again (field note 3). Only where the policy has an outbox.

use ilink_client::UserId;
use ilink_client::wire::MessageItem;

use super::plan::Step;
use super::policy::{Importance, Refusal};
use super::{Target, Which};
use crate::account::AccountId;
use crate::channel::Channel;
use crate::error::Error;
use crate::store::{NewOutboxItem, OutboxItem};

impl Channel {
    /// The sends of an account that wait, oldest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn outbox(&self, account: &AccountId) -> Result<Vec<OutboxItem>, Error> {
        self.store().outbox(account).await
    }

    /// Drops a send that waits.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn drop_from_outbox(&self, account: &AccountId, id: i64) -> Result<(), Error> {
        self.store().dequeue(account, id).await?;
        self.count_outbox(account).await
    }

    /// Keeps a refused item and the steps behind it, all or none; how many they are, or `None` if there is no outbox or
    /// no room in it. Media among them is uploaded now.
    pub(super) async fn queue(
        &self,
        target: &Target,
        item: Box<MessageItem>,
        rest: impl Iterator<Item = Step>,
    ) -> Result<Option<usize>, Error> {
        let Some(policy) = &self.send_policy().outbox else { return Ok(None) };
        let mut items = vec![item];
        for step in rest {
            items.push(match step {
                Step::Item(item) => item,
                Step::Media(media) => Box::new(self.upload(target, media).await?),
            });
        }
        let now = self.now();
        let entry = |item: &MessageItem| {
            // The refused send's own client id is spent.
            let request = target.bot.send_item(&target.user, MessageItem::default());
            NewOutboxItem {
                user: target.user.clone(),
                client_id: request.message().client_id.clone().unwrap_or_default(),
                item: serde_json::to_string(item).unwrap_or_default(),
                run: target.run.as_ref().map(|run| run.as_str().to_owned()),
                created: now,
                expires: now + policy.ttl,
            }
        };
        let entries: Vec<_> = items.iter().map(|item| entry(item)).collect();
        let kept = self.store().enqueue(&target.account, &entries, policy.cap).await?;
        if kept {
            tracing::info!(account = %target.account, sends = entries.len(), "sends wait for their user's next message");
            self.count_outbox(&target.account).await?;
        }
        Ok(kept.then_some(entries.len()))
    }

    /// Sends what waits for users who have just written, and drops what has waited too long for anybody. One send of
    /// each is left for the answer to what they wrote.
    pub(crate) async fn flush_outbox(&self, account: &AccountId, users: &[UserId]) -> Result<(), Error> {
        let slot = self.slots().of(account);
        let _alone = slot.sends.flushing.lock().await;
        let mut failed: Vec<UserId> = Vec::new();
        for OutboxItem { id, content } in self.store().outbox(account).await? {
            if content.expires <= self.now() {
                tracing::warn!(%account, id, "a send that waited too long was dropped");
            } else if !users.contains(&content.user) || failed.contains(&content.user) {
                continue;
            } else if let Err(error) = self.send_waiting(account, &content).await
                && !is_final(&error)
            {
                tracing::warn!(%account, id, %error, "a send waits on");
                // Order: what is behind it waits too.
                failed.push(content.user);
                continue;
            }
            self.store().dequeue(account, id).await?;
        }
        self.count_outbox(account).await
    }

    async fn send_waiting(&self, account: &AccountId, waiting: &NewOutboxItem) -> Result<(), Error> {
        // What cannot be read was not written by this version; it is as good as gone.
        let Ok(item) = serde_json::from_str::<MessageItem>(&waiting.item) else { return Ok(()) };
        let run = waiting.run.as_deref().map(Into::into);
        let target = self.target(account, waiting.user.as_str(), run, false).await?;
        self.send_item(&target, &item, Which::Waiting(&waiting.client_id), Importance::Block).await.map(drop)
    }

    pub(crate) async fn count_outbox(&self, account: &AccountId) -> Result<(), Error> {
        let waiting = self.store().outbox(account).await?.len();
        self.update_status(account, |status| status.outbox = waiting);
        Ok(())
    }
}

/// True if the same send is refused whenever it is tried (field note 10): it would hold up what is behind it.
fn is_final(error: &Error) -> bool {
    let is_final = match error {
        Error::Client(error) => error.is_bad_argument(),
        Error::Refused { reason, .. } => *reason == Refusal::TooLong,
        _ => false,
    };
    if is_final {
        tracing::warn!(%error, "a send that waited was refused for good and is dropped");
    }
    is_final
}
