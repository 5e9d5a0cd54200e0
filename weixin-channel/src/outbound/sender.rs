//! One send: budget, pace, the request, and what its answer says of the account.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use ilink_client::wire::MessageItem;
use ilink_client::{Bot, ClientId, ContextToken, ErrorKind, MessageId, RunId, Sent, UserId};
use md5::{Digest as _, Md5};
use tokio::time::Instant;

use super::pacer::Pacer;
use super::policy::Importance;
use crate::account::AccountId;
use crate::channel::Channel;
use crate::error::Error;
use crate::slot::Slot;
use crate::store::Health;

/// What the sends of one account share.
#[derive(Debug, Default)]
pub(crate) struct AccountSends {
    pacer: Pacer,
    peers: Mutex<HashMap<UserId, Arc<tokio::sync::Mutex<Option<Last>>>>>,
    /// One flush of the outbox at a time, so that no two send the same.
    pub(super) flushing: tokio::sync::Mutex<()>,
    /// The account was logged out.
    closed: AtomicBool,
}

/// The last accepted send to a user, to know its repetition.
#[derive(Debug)]
struct Last {
    what: What,
    at: Instant,
    sent: Sent,
}

/// Which send of all it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    /// The part of a reply with this number: equal parts of one reply are no repetitions.
    Part(usize),
    /// One that waited, under the name that it was given then.
    Waiting(&'a ClientId),
}

/// Equal for a send and its repetition: the content, the run, and the user's message that it answers.
#[derive(Debug, PartialEq, Eq)]
struct What {
    digest: [u8; 16],
    part: Option<usize>,
    run: Option<RunId>,
    answers: Option<SystemTime>,
}

/// To whom, from where.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) account: AccountId,
    pub(crate) slot: Arc<Slot>,
    pub(crate) bot: Bot,
    pub(crate) user: UserId,
    /// `None` only where the caller asked for it.
    pub(crate) token: Option<ContextToken>,
    pub(crate) run: Option<RunId>,
}

/// So many users' last sends are kept before those that no longer matter are dropped.
const PEERS: usize = 1_024;

impl Which<'_> {
    fn part(self) -> Option<usize> {
        match self {
            Self::Part(number) => Some(number),
            Self::Waiting(_) => None,
        }
    }
}

impl AccountSends {
    /// Lets no more sends out, and notes nothing of those that are under way.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    /// Held during a send: one at a time and user, in order.
    fn peer(&self, user: &UserId) -> Arc<tokio::sync::Mutex<Option<Last>>> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        if peers.len() >= PEERS && !peers.contains_key(user) {
            peers.retain(|_, peer| Arc::strong_count(peer) > 1);
        }
        peers.entry(user.clone()).or_default().clone()
    }
}

impl Channel {
    /// Makes one send. Its `client_id` is the same in all attempts (field note 11).
    ///
    /// The user's others wait meanwhile, for the pace and for the server: that is what keeps them in order. Sends to
    /// other users do not.
    pub(crate) async fn send_item(
        &self,
        target: &Target,
        item: &MessageItem,
        which: Which<'_>,
        importance: Importance,
    ) -> Result<Sent, Error> {
        let policy = self.send_policy();
        let sends = &target.slot.sends;
        let peer = sends.peer(&target.user);
        let mut last = peer.lock().await;

        let now = self.now();
        let mut ledger = self.store().ledger(&target.account, &target.user).await?;
        let what = What {
            digest: Md5::digest(serde_json::to_vec(item).unwrap_or_default()).into(),
            part: which.part(),
            run: target.run.clone(),
            answers: ledger.last_inbound,
        };
        if let (Which::Part(_), Some(last)) = (which, &*last)
            && last.what == what
            && last.at.elapsed() < policy.repeat_window
        {
            tracing::debug!(account = %target.account, "a repeated send was left out");
            return Ok(last.sent.clone());
        }
        if let Err(reason) = policy.check(&ledger, importance, now) {
            return Err(Error::refused(target, reason, None));
        }
        if importance == Importance::Progress {
            if !sends.pacer.try_take(&policy.pace) {
                return Err(Error::refused(target, super::Refusal::Throttled, None));
            }
        } else {
            sends.pacer.take(&policy.pace).await;
        }
        if sends.is_closed() {
            return Err(Error::UnknownAccount(target.account.clone()));
        }

        let request = target.bot.send_item(&target.user, item.clone());
        let mut request = request.reply_context(target.token.clone());
        if let Some(run) = &target.run {
            request = request.run_id(run);
        }
        if let Which::Waiting(id) = which {
            request = request.client_id(id);
        }
        let answer = request.await;

        let bytes = item.text().map_or(0, str::len);
        let now = self.now();
        if sends.is_closed() {
            return Ok(answer?);
        }
        if answer.as_ref().map_or_else(may_have_arrived, |_| true) {
            ledger.sends += 1;
            let noted = self.store().note_send(&target.account, &target.user, bytes as u64, now).await;
            if let Err(error) = noted {
                // What was sent was sent.
                tracing::warn!(account = %target.account, %error, "a send was not counted");
            }
        }
        match answer {
            Ok(sent) => {
                self.note_outbound(&target.account, &sent).await;
                self.remember(target, item, sent.message_id, now);
                *last = Some(Last { what, at: Instant::now(), sent: sent.clone() });
                Ok(sent)
            }
            Err(error) if error.is_refused_for_now() => {
                let recent = sends.pacer.recent(policy.pace.suspect_within);
                let health = self.health(&target.account).await;
                let reason = policy.classify(&ledger, bytes, recent, health, now);
                Err(Error::refused(target, reason, Some(error)))
            }
            Err(error) => Err(Error::Client(error)),
        }
    }

    /// Field note 1: where the server used to name what it accepts and no longer does, it may not show it.
    async fn note_outbound(&self, account: &AccountId, sent: &Sent) {
        let before = self.health(account).await;
        let now = self.now();
        let mut health = before;
        if sent.message_id.is_some() {
            health = Health { ids_seen: true, suppressed_since: None };
        } else if health.ids_seen && health.suppressed_since.is_none() {
            health.suppressed_since = Some(now);
            tracing::warn!(%account, "the server no longer names what it accepts: it may not be shown");
        }
        if health != before
            && let Err(error) = self.store().set_health(account, health).await
        {
            tracing::warn!(%account, %error, "the account's health was not stored");
        }
        self.update_status(account, |status| {
            status.last_outbound = Some(now);
            status.suppressed_since = health.suppressed_since;
        });
    }

    async fn health(&self, account: &AccountId) -> Health {
        // A journal that cannot be read must not keep an accepted send from being reported.
        self.store().health(account).await.unwrap_or_default()
    }

    /// Keeps what was sent, for quotes of it.
    fn remember(&self, target: &Target, item: &MessageItem, id: Option<MessageId>, now: SystemTime) {
        if let Some(id) = id {
            self.quotes().sent(&target.account, &target.user, id, item, now);
        }
    }
}

/// False if the request surely did not reach the server.
fn may_have_arrived(error: &ilink_client::Error) -> bool {
    !matches!(error.kind(), ErrorKind::Connect | ErrorKind::InvalidInput | ErrorKind::HostNotAllowed)
}
