//! One send: budget, pace, the request, and what its answer says of the account.

use std::sync::Arc;

use ilink_client::wire::MessageItem;
use ilink_client::{Bot, ClientId, ErrorKind, RunId, Sent, UserId};
use md5::{Digest as _, Md5};
use tokio::time::Instant;

use super::account_sends::{LastSend, SendFingerprint};
use super::policy::Importance;
use super::refusal::Refusal;
use super::reply::Reply;
use crate::access::policy::plain_user_id;
use crate::account::AccountId;
use crate::account::running::RunningAccount;
use crate::backend::{Reservation, Reserve, SendContext, SendRecord};
use crate::core::Core;
use crate::error::Error;

/// Which send of all it is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum SendSource<'a> {
    /// The part of a reply with this number: equal parts of one reply are no repetitions.
    Part(usize),
    /// One that waited, under the name that it was given then.
    Outbox(&'a ClientId),
}

/// Sends from an account to a user.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) core: Arc<Core>,
    pub(crate) account: AccountId,
    pub(crate) running: Arc<RunningAccount>,
    pub(crate) bot: Bot,
    /// As given, without what hosts put before it.
    pub(crate) to: String,
    /// Only where the caller asked for it: they may never have written.
    pub(crate) unknown_user: bool,
    pub(crate) run: Option<RunId>,
}

impl SendSource<'_> {
    fn part(self) -> Option<usize> {
        match self {
            Self::Part(number) => Some(number),
            Self::Outbox(_) => None,
        }
    }
}

impl Sender {
    /// Whether the user is known is seen when something is reserved for them.
    pub(crate) async fn new(
        core: &Arc<Core>,
        account: &AccountId,
        to: &str,
        reply: &Reply,
    ) -> Result<Self, Error> {
        let bot = core.bot(account).await?;
        let to = plain_user_id(to).to_owned();
        let unknown_user = reply.without_context && !to.is_empty();
        let running = core.running.of(account);
        let (core, account, run) = (core.clone(), account.clone(), reply.run.clone());
        Ok(Self { core, account, running, bot, to, unknown_user, run })
    }

    /// The user as spelled on the wire.
    pub(super) fn user(&self, context: &SendContext) -> Result<UserId, Error> {
        match &context.recipient {
            Some(recipient) => Ok(recipient.user.clone()),
            None if self.unknown_user => Ok(UserId::from(self.to.as_str())),
            None => Err(Error::NoContext { account: self.account.clone(), user: self.to.clone() }),
        }
    }

    /// Makes one send. Its `client_id` is the same in all attempts (field note 11). With `reserved`, it has been taken
    /// out of the budget already.
    ///
    /// The user's others wait meanwhile, for the pace and for the server: that is what keeps them in order. Sends to
    /// other users do not.
    pub(crate) async fn send_item(
        &self,
        item: &MessageItem,
        source: SendSource<'_>,
        importance: Importance,
        reserved: Option<&SendContext>,
    ) -> Result<Sent, Error> {
        let policy = &self.core.sends;
        let sends = &self.running.sends;
        let peer = sends.peer(&self.to);
        let mut last = peer.lock().await;

        let mut fingerprint = SendFingerprint {
            digest: Md5::digest(serde_json::to_vec(item).unwrap_or_default()).into(),
            part: source.part(),
            run: self.run.clone(),
            answers: None,
        };
        if let (SendSource::Part(_), Some(last)) = (source, &*last)
            && last.fingerprint.is_content_of(&fingerprint)
            && last.at.elapsed() < policy.repeat_window
        {
            let context = self.core.backend.send_context(&self.account, &self.to).await?;
            let is_theirs = self.user(&context).is_ok_and(|user| user == last.user);
            if is_theirs && context.ledger.last_inbound == last.fingerprint.answers {
                tracing::debug!(account = %self.account, "a repeated send was left out");
                if let Some(reserved) = reserved {
                    self.give_back(reserved, 1, bytes(item)).await;
                }
                return Ok(last.sent.clone());
            }
        }
        let reservation;
        let context = match reserved {
            Some(reserved) => reserved,
            None => {
                reservation = self.reserve_one(item, importance).await?;
                &reservation
            }
        };
        let user = self.user(context)?;
        if importance == Importance::Progress {
            if !sends.pacer.try_take(&policy.pace) {
                self.give_back(context, 1, bytes(item)).await;
                return Err(Error::refused(&self.account, user, Refusal::Throttled, None));
            }
        } else {
            sends.pacer.take(&policy.pace).await;
        }
        if sends.is_closed() {
            return Err(Error::UnknownAccount(self.account.clone()));
        }

        let token = context.recipient.as_ref().map(|recipient| recipient.token.clone());
        let mut request = self.bot.send_item(&user, item.clone()).reply_context(token);
        if let Some(run) = &self.run {
            request = request.run_id(run);
        }
        if let SendSource::Outbox(id) = source {
            request = request.client_id(id);
        }
        let answer = request.await;

        let now = self.core.now();
        if sends.is_closed() {
            return Ok(answer?);
        }
        match answer {
            Ok(sent) => {
                self.note_accepted(context, &user, &sent).await;
                if let Some(id) = sent.message_id {
                    // For quotes of it.
                    self.core.quotes.sent(&self.account, &user, id, item, now).await;
                }
                fingerprint.answers = context.ledger.last_inbound;
                *last = Some(LastSend { user, fingerprint, at: Instant::now(), sent: sent.clone() });
                Ok(sent)
            }
            Err(error) if error.is_refused_for_now() => {
                let recent = sends.pacer.recent(policy.pace.suspect_within);
                let size = item.text().map_or(0, str::len);
                let reason = policy.classify(&context.ledger, size, recent, context.health, now);
                Err(Error::refused(&self.account, user, reason, Some(error)))
            }
            Err(error) => {
                if !may_have_arrived(&error) {
                    self.give_back(context, 1, bytes(item)).await;
                }
                Err(Error::Client(error))
            }
        }
    }

    async fn reserve_one(&self, item: &MessageItem, importance: Importance) -> Result<SendContext, Error> {
        let policy = &self.core.sends;
        let now = self.core.now();
        let mut wanted = policy.reserve(&self.to, 1, importance, now);
        wanted.bytes = bytes(item);
        let Reservation { granted, context, .. } = self.reserve(&wanted).await?;
        if granted {
            return Ok(context);
        }
        let reason = policy.check(&context.ledger, importance, now).err().unwrap_or(Refusal::QuotaExhausted);
        Err(Error::refused(&self.account, self.user(&context)?, reason, None))
    }

    /// Takes sends out of the budget; an error if nobody knows the user.
    pub(super) async fn reserve(&self, wanted: &Reserve) -> Result<Reservation, Error> {
        let mut wanted = wanted.clone();
        wanted.unknown_user = self.unknown_user;
        let lease = self.running.lease_while_running();
        let reserved =
            self.core.backend.reserve(&self.account, lease.as_ref(), &wanted, self.core.now()).await?;
        self.user(&reserved.context)?;
        Ok(reserved)
    }

    /// Sends that were reserved and surely not made.
    pub(super) async fn give_back(&self, context: &SendContext, sends: usize, bytes: u64) {
        let Ok(user) = self.user(context) else { return };
        if sends == 0 {
            return;
        }
        let mut record = SendRecord::new(user, context.ledger.last_inbound);
        (record.unused, record.unused_bytes) = (u32::try_from(sends).unwrap_or(u32::MAX), bytes);
        let lease = self.running.lease_while_running();
        let noted =
            self.core.backend.record_send(&self.account, lease.as_ref(), &record, self.core.now()).await;
        if let Err(error) = noted {
            tracing::warn!(account = %self.account, %error, "more is counted than was sent");
        }
    }

    /// Field note 1: where the server used to name what it accepts and no longer does, it may not show it.
    async fn note_accepted(&self, context: &SendContext, user: &UserId, sent: &Sent) {
        let (now, named) = (self.core.now(), sent.message_id.is_some());
        let mut health = context.health.after(named, now);
        // Most sends change nothing.
        if health != context.health {
            let mut record = SendRecord::new(user.clone(), context.ledger.last_inbound);
            record.accepted = Some(named);
            let lease = self.running.lease_while_running();
            match self.core.backend.record_send(&self.account, lease.as_ref(), &record, now).await {
                Ok(since) => health = since,
                // What was sent was sent.
                Err(error) => {
                    tracing::warn!(account = %self.account, %error, "the account's health was not stored");
                }
            }
        }
        if health.suppressed_since.is_some() && context.health.suppressed_since.is_none() {
            tracing::warn!(account = %self.account, "the server no longer names what it accepts: it may not be shown");
        }
        self.core.update_status(&self.account, |status| {
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
