//! One send: budget, pace, the request, and what its answer says of the account.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use ilink_client::wire::MessageItem;
use ilink_client::{Bot, ClientId, ErrorKind, RunId, Sent, UserId};
use md5::{Digest as _, Md5};
use tokio::time::Instant;

use super::pacer::Pacer;
use super::policy::{Importance, Refusal};
use crate::account::AccountId;
use crate::account::running::RunningAccount;
use crate::backend::{Reservation, Reserve, SendContext, SendRecord};
use crate::channel::Channel;
use crate::error::Error;

/// What the sends of one account share.
#[derive(Debug, Default)]
pub(crate) struct AccountSends {
    pacer: Pacer,
    peers: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<LastSend>>>>>,
    /// One flush of the outbox at a time, so that no two send the same.
    pub(super) flushing: tokio::sync::Mutex<()>,
    /// The account was logged out.
    closed: AtomicBool,
}

/// The last accepted send to a user, to know its repetition.
#[derive(Debug)]
struct LastSend {
    what: SendFingerprint,
    at: Instant,
    sent: Sent,
}

/// Which send of all it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SendSource<'a> {
    /// The part of a reply with this number: equal parts of one reply are no repetitions.
    Part(usize),
    /// One that waited, under the name that it was given then.
    Outbox(&'a ClientId),
}

/// Equal for a send and its repetition: the content, the run, and the user's message that it answers.
#[derive(Debug)]
struct SendFingerprint {
    digest: [u8; 16],
    part: Option<usize>,
    run: Option<RunId>,
    answers: Option<SystemTime>,
}

impl SendFingerprint {
    /// Equal but for the user's message.
    fn is_content_of(&self, other: &Self) -> bool {
        (self.digest, self.part, &self.run) == (other.digest, other.part, &other.run)
    }
}

/// To whom, from where.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) account: AccountId,
    pub(crate) running: Arc<RunningAccount>,
    pub(crate) bot: Bot,
    /// As given, without what hosts put before it.
    pub(crate) to: String,
    /// Only where the caller asked for it: they may never have written.
    pub(crate) unknown_user: bool,
    pub(crate) run: Option<RunId>,
}

/// So many users' last sends are kept before those that no longer matter are dropped.
const PEERS: usize = 1_024;

impl SendSource<'_> {
    fn part(self) -> Option<usize> {
        match self {
            Self::Part(number) => Some(number),
            Self::Outbox(_) => None,
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

    /// Held during a send: one at a time and user, in order. Spellings that are looked up alike are one user.
    fn peer(&self, to: &str) -> Arc<tokio::sync::Mutex<Option<LastSend>>> {
        let mut peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        let name = to.to_ascii_lowercase();
        if peers.len() >= PEERS && !peers.contains_key(&name) {
            peers.retain(|_, peer| Arc::strong_count(peer) > 1);
        }
        peers.entry(name).or_default().clone()
    }
}

impl Target {
    /// The user as spelled on the wire.
    pub(super) fn user(&self, context: &SendContext) -> Result<UserId, Error> {
        match &context.recipient {
            Some(recipient) => Ok(recipient.user.clone()),
            None if self.unknown_user => Ok(UserId::from(self.to.as_str())),
            None => Err(Error::NoContext { account: self.account.clone(), user: self.to.clone() }),
        }
    }
}

impl Channel {
    /// Makes one send. Its `client_id` is the same in all attempts (field note 11). With `reserved`, it has been taken
    /// out of the budget already.
    ///
    /// The user's others wait meanwhile, for the pace and for the server: that is what keeps them in order. Sends to
    /// other users do not.
    pub(crate) async fn send_item(
        &self,
        target: &Target,
        item: &MessageItem,
        which: SendSource<'_>,
        importance: Importance,
        reserved: Option<&SendContext>,
    ) -> Result<Sent, Error> {
        let policy = self.send_policy();
        let sends = &target.running.sends;
        let peer = sends.peer(&target.to);
        let mut last = peer.lock().await;

        let mut what = SendFingerprint {
            digest: Md5::digest(serde_json::to_vec(item).unwrap_or_default()).into(),
            part: which.part(),
            run: target.run.clone(),
            answers: None,
        };
        if let (SendSource::Part(_), Some(last)) = (which, &*last)
            && last.what.is_content_of(&what)
            && last.at.elapsed() < policy.repeat_window
        {
            let context = self.backend().send_context(&target.account, &target.to).await?;
            if context.ledger.last_inbound == last.what.answers {
                tracing::debug!(account = %target.account, "a repeated send was left out");
                if let Some(reserved) = reserved {
                    self.give_back(target, reserved, 1, bytes(item)).await;
                }
                return Ok(last.sent.clone());
            }
        }
        let reservation;
        let context = match reserved {
            Some(reserved) => reserved,
            None => {
                reservation = self.reserve_one(target, item, importance).await?;
                &reservation
            }
        };
        let user = target.user(context)?;
        if importance == Importance::Progress {
            if !sends.pacer.try_take(&policy.pace) {
                self.give_back(target, context, 1, bytes(item)).await;
                return Err(Error::refused(&target.account, user, Refusal::Throttled, None));
            }
        } else {
            sends.pacer.take(&policy.pace).await;
        }
        if sends.is_closed() {
            return Err(Error::UnknownAccount(target.account.clone()));
        }

        let token = context.recipient.as_ref().map(|recipient| recipient.token.clone());
        let mut request = target.bot.send_item(&user, item.clone()).reply_context(token);
        if let Some(run) = &target.run {
            request = request.run_id(run);
        }
        if let SendSource::Outbox(id) = which {
            request = request.client_id(id);
        }
        let answer = request.await;

        let now = self.now();
        if sends.is_closed() {
            return Ok(answer?);
        }
        match answer {
            Ok(sent) => {
                self.note_accepted(target, context, &user, &sent).await;
                if let Some(id) = sent.message_id {
                    // For quotes of it.
                    self.quotes().sent(&target.account, &user, id, item, now).await;
                }
                what.answers = context.ledger.last_inbound;
                *last = Some(LastSend { what, at: Instant::now(), sent: sent.clone() });
                Ok(sent)
            }
            Err(error) if error.is_refused_for_now() => {
                let recent = sends.pacer.recent(policy.pace.suspect_within);
                let size = item.text().map_or(0, str::len);
                let reason = policy.classify(&context.ledger, size, recent, context.health, now);
                Err(Error::refused(&target.account, user, reason, Some(error)))
            }
            Err(error) => {
                if !may_have_arrived(&error) {
                    self.give_back(target, context, 1, bytes(item)).await;
                }
                Err(Error::Client(error))
            }
        }
    }

    async fn reserve_one(
        &self,
        target: &Target,
        item: &MessageItem,
        importance: Importance,
    ) -> Result<SendContext, Error> {
        let policy = self.send_policy();
        let now = self.now();
        let mut wanted = policy.reserve(&target.to, 1, importance, now);
        wanted.bytes = bytes(item);
        let Reservation { granted, context, .. } = self.reserve(target, &wanted).await?;
        if granted {
            return Ok(context);
        }
        let reason = policy.check(&context.ledger, importance, now).err().unwrap_or(Refusal::QuotaExhausted);
        Err(Error::refused(&target.account, target.user(&context)?, reason, None))
    }

    /// Takes sends out of the budget; an error if nobody knows the user.
    pub(super) async fn reserve(&self, target: &Target, wanted: &Reserve) -> Result<Reservation, Error> {
        let mut wanted = wanted.clone();
        wanted.unknown_user = target.unknown_user;
        let lease = target.running.running_lease();
        let reserved = self.backend().reserve(&target.account, lease.as_ref(), &wanted, self.now()).await?;
        target.user(&reserved.context)?;
        Ok(reserved)
    }

    /// Sends that were reserved and surely not made.
    pub(super) async fn give_back(&self, target: &Target, context: &SendContext, sends: usize, bytes: u64) {
        let Ok(user) = target.user(context) else { return };
        if sends == 0 {
            return;
        }
        let mut record = SendRecord::new(user, context.ledger.last_inbound);
        (record.unused, record.unused_bytes) = (u32::try_from(sends).unwrap_or(u32::MAX), bytes);
        let lease = target.running.running_lease();
        let noted = self.backend().record_send(&target.account, lease.as_ref(), &record, self.now()).await;
        if let Err(error) = noted {
            tracing::warn!(account = %target.account, %error, "more is counted than was sent");
        }
    }

    /// Field note 1: where the server used to name what it accepts and no longer does, it may not show it.
    async fn note_accepted(&self, target: &Target, context: &SendContext, user: &UserId, sent: &Sent) {
        let (now, named) = (self.now(), sent.message_id.is_some());
        let mut health = context.health.after(named, now);
        // Most sends change nothing.
        if health != context.health {
            let mut record = SendRecord::new(user.clone(), context.ledger.last_inbound);
            record.accepted = Some(named);
            let lease = target.running.running_lease();
            match self.backend().record_send(&target.account, lease.as_ref(), &record, now).await {
                Ok(since) => health = since,
                // What was sent was sent.
                Err(error) => {
                    tracing::warn!(account = %target.account, %error, "the account's health was not stored");
                }
            }
        }
        if health.suppressed_since.is_some() && context.health.suppressed_since.is_none() {
            tracing::warn!(account = %target.account, "the server no longer names what it accepts: it may not be shown");
        }
        self.update_status(&target.account, |status| {
            status.last_outbound = Some(now);
            status.suppressed_since = health.suppressed_since;
        });
    }
}

/// The size of an item, in bytes of text.
fn bytes(item: &MessageItem) -> u64 {
    item.text().map_or(0, str::len) as u64
}

/// False if the request surely did not reach the server.
fn may_have_arrived(error: &ilink_client::Error) -> bool {
    !matches!(error.kind(), ErrorKind::Connect | ErrorKind::InvalidInput | ErrorKind::HostNotAllowed)
}
