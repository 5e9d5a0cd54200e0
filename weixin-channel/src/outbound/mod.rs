//! From a reply to sends.

mod outbox;
mod pacer;
mod plan;
mod policy;
mod reply;
mod sender;
mod turn;

use ilink_client::{MessageId, RunId, Sent, UserId};
pub(crate) use policy::Importance;
pub use policy::{OutboxPolicy, Pace, Refusal, SendPolicy};
pub(crate) use reply::Origin;
pub use reply::{Attachment, Reply};
pub(crate) use sender::{AccountSends, Target, Which};
pub use turn::{ToolStatus, Turn};
use weixin_media::Source;

use self::plan::{Step, plan};
use crate::account::AccountId;
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
    /// The server's id of the last part. `None` means accepted without an id: it may never be shown (field note 1).
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
    /// Sends a reply to a user, with the context token of their newest message: Markdown as the policy wants it, long
    /// texts in parts, media by its bytes, in order, within the budget.
    ///
    /// `to` is looked up among those who have written, upper and lower case folded and a `user:` in front ignored
    /// (field note 10). Media that cannot be uploaded does not keep the parts behind it from being sent. If this future
    /// is dropped before it ends, the parts that are not under way yet are not sent.
    ///
    /// # Errors
    /// [`Error::NoContext`] if the user has never written; [`Error::Refused`] if the budget, or the server, allows no
    /// send now; [`Error::Client`] if the server cannot be reached; [`Error::Media`]; [`Error::Partial`], with one of
    /// these inside, if some parts were accepted.
    pub async fn send(
        &self,
        account: &AccountId,
        to: &str,
        reply: impl Into<Reply>,
    ) -> Result<SendReport, Error> {
        self.send_as(account, to, reply.into(), Importance::Answer).await
    }

    /// Sends a text; see [`send`](Self::send). `run` ties the messages of one agent run together.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_text(
        &self,
        account: &AccountId,
        to: &str,
        text: &str,
        run: Option<&RunId>,
    ) -> Result<SendReport, Error> {
        let mut reply = Reply::text(text);
        reply.run = run.cloned();
        self.send(account, to, reply).await
    }

    /// Sends media: image, video or file, by its bytes. A caption goes first, as a text of its own (protocol §5), so
    /// that it arrives even where the media does not.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub async fn send_media(
        &self,
        account: &AccountId,
        to: &str,
        source: impl Into<Source>,
        caption: &str,
        run: Option<&RunId>,
    ) -> Result<SendReport, Error> {
        let mut reply = Reply::text(caption).and_media(source.into());
        reply.run = run.cloned();
        self.send(account, to, reply).await
    }

    pub(crate) async fn send_as(
        &self,
        account: &AccountId,
        to: &str,
        reply: Reply,
        importance: Importance,
    ) -> Result<SendReport, Error> {
        let target = self.target(account, to, reply.run.clone(), reply.without_context).await?;
        let steps = plan(reply, self.send_policy())?;
        let of = steps.len();
        if importance == Importance::Block {
            self.check_room(&target, of).await?;
        }
        let mut report = SendReport::default();
        let mut failed = None;
        let mut steps = steps.into_iter().enumerate();
        while let Some((number, step)) = steps.next() {
            let error = match self.run_step(&target, step, number, importance).await {
                Ok(sent) => {
                    report.parts.push(sent);
                    continue;
                }
                Err(Stopped { error, item }) => match item {
                    Some(item) if importance == Importance::Answer && waits(&error) => {
                        match self.queue(&target, item, steps.by_ref().map(|(_, step)| step)).await {
                            Ok(Some(queued)) => {
                                report.queued = queued;
                                break;
                            }
                            Ok(None) => error,
                            Err(failure) => {
                                tracing::warn!(%account, error = %failure, "a refused send cannot wait");
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
    ) -> Result<Sent, Stopped> {
        let item = match step {
            Step::Item(item) => item,
            Step::Media(media) => {
                // Nothing is uploaded that may not be sent, unless it can wait.
                if self.send_policy().outbox.is_none() {
                    self.check_budget(target, importance).await?;
                }
                Box::new(self.upload(target, media).await?)
            }
        };
        match self.send_item(target, &item, Which::Part(number), importance).await {
            Ok(sent) => Ok(sent),
            Err(error) => Err(Stopped { error, item: Some(item) }),
        }
    }

    async fn check_budget(&self, target: &Target, importance: Importance) -> Result<(), Error> {
        let ledger = self.store().ledger(&target.account, &target.user).await?;
        let checked = self.send_policy().check(&ledger, importance, self.now());
        checked.map_err(|reason| Error::refused(target, reason, None))
    }

    /// A block goes as a whole, or waits as a whole.
    async fn check_room(&self, target: &Target, sends: usize) -> Result<(), Error> {
        let policy = self.send_policy();
        let ledger = self.store().ledger(&target.account, &target.user).await?;
        let room = policy.remaining(&ledger).saturating_sub(policy.reserve);
        if usize::try_from(room).is_ok_and(|room| room < sends) {
            return Err(Error::refused(target, Refusal::QuotaExhausted, None));
        }
        Ok(())
    }

    /// Where a reply goes.
    pub(crate) async fn target(
        &self,
        account: &AccountId,
        to: &str,
        run: Option<RunId>,
        without_context: bool,
    ) -> Result<Target, Error> {
        let bot = self.bot(account)?;
        let name = bare_user(to);
        let (user, token) = match self.store().context_token(account, name).await? {
            Some((user, token)) => (user, Some(token)),
            None if without_context && !name.is_empty() => (UserId::from(name), None),
            None => return Err(Error::NoContext { account: account.clone(), user: name.to_owned() }),
        };
        let slot = self.slots().of(account);
        Ok(Target { account: account.clone(), slot, bot, user, token, run })
    }

    /// The account to write to a user from: the one that they have written to, or the only one there is
    /// (field note 4).
    ///
    /// # Errors
    /// [`Error::NoAccounts`]; [`Error::AmbiguousAccount`], which lists the candidates.
    pub async fn account_for(&self, to: &str) -> Result<AccountId, Error> {
        let all: Vec<AccountId> = self.accounts()?.into_iter().map(|account| account.id).collect();
        let mut known = Vec::new();
        for id in &all {
            if self.resolve_user(id, to).await?.is_some() {
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

    /// A user as spelled on the wire, if they have written to this account.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn resolve_user(&self, account: &AccountId, to: &str) -> Result<Option<UserId>, Error> {
        let known = self.store().context_token(account, bare_user(to)).await?;
        Ok(known.map(|(user, _)| user))
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
