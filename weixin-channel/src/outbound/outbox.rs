//! Sends that wait for their user to write again (field note 3). Only where the policy has an outbox.

use std::sync::Arc;

use ilink_client::UserId;
use ilink_client::wire::MessageItem;

use super::plan::Step;
use super::policy::Importance;
use super::refusal::Refusal;
use super::reply::Reply;
use super::sender::{SendSource, Sender};
use super::upload::upload;
use crate::account::AccountId;
use crate::backend::{NewOutboxItem, OutboxItem};
use crate::core::{Core, PAGE};
use crate::error::Error;

/// The sends of an account that wait, oldest first.
pub(crate) async fn list(core: &Core, account: &AccountId) -> Result<Vec<OutboxItem>, Error> {
    let mut items: Vec<OutboxItem> = Vec::new();
    loop {
        let after = items.last().map_or(0, |item| item.id);
        let page = core.backend.outbox(account, after, PAGE).await?;
        if page.is_empty() {
            return Ok(items);
        }
        items.extend(page);
    }
}

/// Drops a send that waits.
pub(crate) async fn remove(core: &Core, account: &AccountId, id: i64) -> Result<(), Error> {
    core.backend.dequeue(account, None, &[id]).await?;
    count(core, account).await
}

/// Sends what waits for users who have just written, and drops what has waited too long for anybody. One send of
/// each is left for the answer to what they wrote.
pub(crate) async fn flush(core: &Arc<Core>, account: &AccountId, users: &[UserId]) -> Result<(), Error> {
    let running = core.running.of(account);
    let _alone = running.sends.flushing.lock().await;
    let mut failed: Vec<UserId> = Vec::new();
    let lease = running.lease_while_running();
    for OutboxItem { id, content, .. } in list(core, account).await? {
        if content.expires <= core.now() {
            tracing::warn!(%account, id, "a send that waited too long was dropped");
        } else if !users.contains(&content.user) || failed.contains(&content.user) {
            continue;
        } else if let Err(error) = send_waiting(core, account, &content).await
            && !is_final(&error)
        {
            tracing::warn!(%account, id, %error, "a send waits on");
            // Order: what is behind it waits too.
            failed.push(content.user);
            continue;
        }
        core.backend.dequeue(account, lease.as_ref(), &[id]).await?;
    }
    count(core, account).await
}

async fn send_waiting(core: &Arc<Core>, account: &AccountId, waiting: &NewOutboxItem) -> Result<(), Error> {
    // What cannot be read was not written by this version; it is as good as gone.
    let Ok(item) = serde_json::from_str::<MessageItem>(&waiting.item) else { return Ok(()) };
    let reply = Reply { run: waiting.run.as_deref().map(Into::into), ..Reply::default() };
    let sender = Sender::new(core, account, waiting.user.as_str(), &reply).await?;
    let source = SendSource::Outbox(&waiting.client_id);
    sender.send_item(&item, source, Importance::Block, None).await.map(drop)
}

async fn count(core: &Core, account: &AccountId) -> Result<(), Error> {
    let waiting = core.backend.counts(account).await?.outbox;
    core.update_status(account, |status| status.outbox = waiting);
    Ok(())
}

impl Sender {
    /// Keeps a refused item and the steps behind it, all or none; how many they are, or `None` if there is no outbox or
    /// no room in it. Media among them is uploaded now.
    pub(super) async fn queue(
        &self,
        refused: &Error,
        item: Box<MessageItem>,
        rest: impl Iterator<Item = Step>,
    ) -> Result<Option<usize>, Error> {
        let (Some(policy), Error::Refused { user, .. }) = (&self.core.sends.outbox, refused) else {
            return Ok(None);
        };
        let mut items = vec![item];
        for step in rest {
            items.push(match step {
                Step::Item(item) => item,
                Step::Media(media) => Box::new(upload(&self.core, &self.account, user, media).await?),
            });
        }
        let now = self.core.now();
        let entry = |item: &MessageItem| {
            // The refused send's own client id is spent.
            let request = self.bot.send_item(user, MessageItem::default());
            let client_id = request.message().client_id.clone().unwrap_or_default();
            let json = serde_json::to_string(item).unwrap_or_default();
            let mut waiting = NewOutboxItem::new(user.clone(), client_id, json, now, now + policy.ttl);
            waiting.run = self.run.as_ref().map(|run| run.as_str().to_owned());
            waiting
        };
        let entries: Vec<_> = items.iter().map(|item| entry(item)).collect();
        let lease = self.running.lease_while_running();
        let kept = self.core.backend.enqueue(&self.account, lease.as_ref(), &entries, policy.cap).await?;
        if kept {
            tracing::info!(account = %self.account, sends = entries.len(), "sends wait for their user's next message");
            count(&self.core, &self.account).await?;
        }
        Ok(kept.then_some(entries.len()))
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
