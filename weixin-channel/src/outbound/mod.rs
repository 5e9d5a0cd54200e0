//! From a reply to sends.

mod outbox;
mod pacer;
mod plan;
mod policy;
mod reply;
mod sender;
mod turn;
pub(crate) mod typing;

use ilink_client::{MessageId, Sent, UserId};
pub(crate) use policy::Importance;
pub use policy::{OutboxPolicy, Pace, Refusal, SendPolicy};
pub(crate) use reply::Origin;
pub use reply::{Attachment, Reply};
pub(crate) use sender::{AccountSends, SendSource, Target};
pub use turn::{ToolStatus, Turn};
pub use typing::Typing;

use self::plan::{Step, plan};
use crate::account::AccountId;
use crate::backend::SendContext;
use crate::channel::Channel;
use crate::error::Error;

/// What became of a reply, send by send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendReport {
    /// The sends that were made, in order, each accepted with an id or without one. Refusals are errors.
    pub parts: Vec<Sent>,
    /// How many more wait in the outbox for the user's next message.
    pub queued: usize,
}

impl SendReport {
    /// The server's id of the last part. `None` means accepted without an id: it may never be shown ([field note 1]).
    ///
    /// [field note 1]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-1
    #[must_use]
    pub fn message_id(&self) -> Option<MessageId> {
        self.parts.last().and_then(|sent| sent.message_id)
    }

    /// True if every part was accepted with an id, and none waits.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.queued == 0 && self.parts.iter().all(|sent| sent.message_id.is_some())
    }
}

impl Channel {
    pub(crate) async fn send_as(
        &self,
        account: &AccountId,
        to: &str,
        reply: Reply,
        importance: Importance,
    ) -> Result<SendReport, Error> {
        let target = self.target(account, to, &reply).await?;
        let steps = plan(reply, self.send_policy())?;
        self.make_steps(&target, steps, importance, None).await
    }

    /// Sends a text whole, or nothing of it: its sends are taken out of the budget before the first is made. With
    /// `plenty` only while no more than half of what the user's message allows is used up. `None` if it is not granted.
    pub(crate) async fn send_block(
        &self,
        account: &AccountId,
        to: &str,
        reply: Reply,
        plenty: bool,
    ) -> Result<Option<SendReport>, Error> {
        let target = self.target(account, to, &reply).await?;
        let policy = self.send_policy();
        let steps = plan(reply, policy)?;
        let sends = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        let mut wanted = policy.reserve(&target.to, sends, Importance::Block, self.now());
        if plenty {
            // So many may be used up before.
            let half = policy.per_inbound - policy.per_inbound / 2;
            let most = half.saturating_sub(1).saturating_add(sends);
            wanted.max_sends = Some(wanted.max_sends.map_or(most, |max| max.min(most)));
        }
        wanted.bytes = steps.iter().map(Step::bytes).sum();
        let reservation = self.reserve(&target, &wanted).await?;
        if !reservation.granted {
            return Ok(None);
        }
        self.make_steps(&target, steps, Importance::Block, Some(reservation.context)).await.map(Some)
    }

    /// `reserved` is what is known of the user if the sends have been taken out of the budget.
    async fn make_steps(
        &self,
        target: &Target,
        steps: Vec<Step>,
        importance: Importance,
        reserved: Option<SendContext>,
    ) -> Result<SendReport, Error> {
        let of = steps.len();
        let mut report = SendReport::default();
        let mut failed = None;
        let mut steps = steps.into_iter().enumerate();
        while let Some((number, step)) = steps.next() {
            let error = match self.run_step(target, step, number, importance, reserved.as_ref()).await {
                Ok(sent) => {
                    report.parts.push(sent);
                    continue;
                }
                Err(Stopped { error, item }) => match item {
                    Some(item) if importance == Importance::Answer && waits(&error) => {
                        match self.queue(target, &error, item, steps.by_ref().map(|(_, step)| step)).await {
                            Ok(Some(queued)) => {
                                report.queued = queued;
                                break;
                            }
                            Ok(None) => error,
                            Err(failure) => {
                                tracing::warn!(account = %target.account, error = %failure, "a refused send cannot wait");
                                error
                            }
                        }
                    }
                    _ => error,
                },
            };
            let media_only = matches!(error, Error::Media(_));
            failed.get_or_insert(error);
            // What follows media is worth sending without it; what follows a refusal would be refused too.
            if !media_only {
                break;
            }
        }
        if let Some(context) = &reserved {
            let rest: Vec<Step> = steps.map(|(_, step)| step).collect();
            self.give_back(target, context, rest.len(), rest.iter().map(Step::bytes).sum()).await;
        }
        match failed {
            None => Ok(report),
            Some(error) if report.parts.is_empty() => Err(error),
            Some(source) => {
                Err(Error::Partial { accepted: report.parts.len(), of, source: Box::new(source) })
            }
        }
    }

    async fn run_step(
        &self,
        target: &Target,
        step: Step,
        number: usize,
        importance: Importance,
        reserved: Option<&SendContext>,
    ) -> Result<Sent, Stopped> {
        let item = match step {
            Step::Item(item) => item,
            Step::Media(media) => {
                let user = self.user_for_media(target, importance).await?;
                Box::new(self.upload(&target.account, &user, media).await?)
            }
        };
        match self.send_item(target, &item, SendSource::Part(number), importance, reserved).await {
            Ok(sent) => Ok(sent),
            Err(error) => Err(Stopped { error, item: Some(item) }),
        }
    }

    /// Whom media is uploaded for. Nothing is uploaded that may not be sent, unless it can wait.
    async fn user_for_media(&self, target: &Target, importance: Importance) -> Result<UserId, Error> {
        let context = self.backend().send_context(&target.account, &target.to).await?;
        let user = target.user(&context)?;
        let policy = self.send_policy();
        if policy.outbox.is_none()
            && let Err(reason) = policy.check(&context.ledger, importance, self.now())
        {
            return Err(Error::refused(&target.account, user, reason, None));
        }
        Ok(user)
    }

    /// Where a reply goes. Whether its user is known is seen when something is reserved for them.
    pub(crate) async fn target(&self, account: &AccountId, to: &str, reply: &Reply) -> Result<Target, Error> {
        let bot = self.bot(account).await?;
        let to = bare_user(to).to_owned();
        let unknown_user = reply.without_context && !to.is_empty();
        let running = self.running().of(account);
        Ok(Target { account: account.clone(), running, bot, to, unknown_user, run: reply.run.clone() })
    }

    /// The account to write to a user from: the one that they have written to, or the only one there is
    /// ([field note 4]).
    ///
    /// # Errors
    /// [`Error::NoAccounts`]; [`Error::AmbiguousAccount`], which lists the candidates.
    ///
    /// [field note 4]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-4
    pub async fn account_for(&self, to: &str) -> Result<AccountId, Error> {
        let all: Vec<AccountId> = self.accounts().await?.into_iter().map(|account| account.id).collect();
        let mut known = Vec::new();
        for id in &all {
            if self.conversation(id, to).user_id().await?.is_some() {
                known.push(id.clone());
            }
        }
        let candidates = if known.is_empty() { all } else { known };
        match candidates.as_slice() {
            [] => Err(Error::NoAccounts),
            [only] => Ok(only.clone()),
            _ => Err(Error::AmbiguousAccount { user: bare_user(to).to_owned(), candidates }),
        }
    }
}

/// Why a step was not made, and its item if it got that far.
struct Stopped {
    error: Error,
    item: Option<Box<ilink_client::wire::MessageItem>>,
}

impl From<Error> for Stopped {
    fn from(error: Error) -> Self {
        Self { error, item: None }
    }
}

/// True if the user's next message makes it possible.
fn waits(error: &Error) -> bool {
    matches!(error, Error::Refused { reason, .. } if reason.ends_with_next_message())
}

/// What hosts put before a user id does not belong to it (field note 10).
pub(crate) fn bare_user(to: &str) -> &str {
    let mut name = to.trim();
    while let Some((prefix, rest)) = name.split_once(':') {
        if !matches!(
            prefix.to_ascii_lowercase().as_str(),
            "user" | "openclaw-weixin" | "weixin" | "dm" | "direct"
        ) {
            break;
        }
        name = rest.trim();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::bare_user;

    #[test]
    fn note_10_prefixes_of_hosts_are_stripped() {
        for (to, user) in [
            ("user:o9@im.wechat", "o9@im.wechat"),
            ("openclaw-weixin:user: O9@im.wechat", "O9@im.wechat"),
            ("o9@im.wechat", "o9@im.wechat"),
            ("other:o9@im.wechat", "other:o9@im.wechat"),
        ] {
            assert_eq!(bare_user(to), user);
        }
    }
}
