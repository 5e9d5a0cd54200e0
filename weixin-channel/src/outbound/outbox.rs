//! Sends that wait for their user to write again (field note 3). Only where the policy has an outbox.

use ilink_client::UserId;
use ilink_client::wire::MessageItem;

use super::plan::Step;
use super::policy::{Importance, Refusal};
use super::{Reply, SendSource, Target};
use crate::account::AccountId;
use crate::backend::{NewOutboxItem, OutboxItem};
use crate::channel::{Channel, PAGE};
use crate::error::Error;

impl Channel {
    /// The sends of an account that wait, oldest first.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn outbox(&self, account: &AccountId) -> Result<Vec<OutboxItem>, Error> {
        let mut items: Vec<OutboxItem> = Vec::new();
        loop {
            let after = items.last().map_or(0, |item| item.id);
            let page = self.backend().outbox(account, after, PAGE).await?;
            if page.is_empty() {
                return Ok(items);
            }
            items.extend(page);
        }
    }

    /// Drops a send that waits.
    ///
    /// # Errors
    /// If the journal cannot be written.
    pub async fn drop_from_outbox(&self, account: &AccountId, id: i64) -> Result<(), Error> {
        self.backend().dequeue(account, None, &[id]).await?;
        self.count_outbox(account).await
    }

    /// Keeps a refused item and the steps behind it, all or none; how many they are, or `None` if there is no outbox or
    /// no room in it. Media among them is uploaded now.
    pub(super) async fn queue(
        &self,
        target: &Target,
        refused: &Error,
        item: Box<MessageItem>,
        rest: impl Iterator<Item = Step>,
    ) -> Result<Option<usize>, Error> {
        let (Some(policy), Error::Refused { user, .. }) = (&self.send_policy().outbox, refused) else {
            return Ok(None);
        };
        let mut items = vec![item];
        for step in rest {
            items.push(match step {
                Step::Item(item) => item,
                Step::Media(media) => Box::new(self.upload(&target.account, user, media).await?),
            });
        }
        let now = self.now();
        let entry = |item: &MessageItem| {
            // The refused send's own client id is spent.
            let request = target.bot.send_item(user, MessageItem::default());
            let client_id = request.message().client_id.clone().unwrap_or_default();
            let json = serde_json::to_string(item).unwrap_or_default();
            let mut waiting = NewOutboxItem::new(user.clone(), client_id, json, now, now + policy.ttl);
            waiting.run = target.run.as_ref().map(|run| run.as_str().to_owned());
            waiting
        };
        let entries: Vec<_> = items.iter().map(|item| entry(item)).collect();
        let lease = target.running.running_lease();
        let kept = self.backend().enqueue(&target.account, lease.as_ref(), &entries, policy.cap).await?;
        if kept {
            tracing::info!(account = %target.account, sends = entries.len(), "sends wait for their user's next message");
            self.count_outbox(&target.account).await?;
        }
        Ok(kept.then_some(entries.len()))
    }

    /// Sends what waits for users who have just written, and drops what has waited too long for anybody. One send of
    /// each is left for the answer to what they wrote.
    pub(crate) async fn flush_outbox(&self, account: &AccountId, users: &[UserId]) -> Result<(), Error> {
        let running = self.running().of(account);
        let _alone = running.sends.flushing.lock().await;
        let mut failed: Vec<UserId> = Vec::new();
        let lease = running.running_lease();
        for OutboxItem { id, content, .. } in self.outbox(account).await? {
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
            self.backend().dequeue(account, lease.as_ref(), &[id]).await?;
        }
        self.count_outbox(account).await
    }

    async fn send_waiting(&self, account: &AccountId, waiting: &NewOutboxItem) -> Result<(), Error> {
        // What cannot be read was not written by this version; it is as good as gone.
        let Ok(item) = serde_json::from_str::<MessageItem>(&waiting.item) else { return Ok(()) };
        let reply = Reply { run: waiting.run.as_deref().map(Into::into), ..Reply::default() };
        let target = self.target(account, waiting.user.as_str(), &reply).await?;
        let which = SendSource::Outbox(&waiting.client_id);
        self.send_item(&target, &item, which, Importance::Block, None).await.map(drop)
    }

    pub(crate) async fn count_outbox(&self, account: &AccountId) -> Result<(), Error> {
        let waiting = self.backend().counts(account).await?.outbox;
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
