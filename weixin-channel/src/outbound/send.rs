//! A reply, step by step, and what became of it.

use ilink_client::{MessageId, Sent, UserId};

use super::plan::{Step, plan};
use super::policy::Importance;
use super::reply::Reply;
use super::sender::{SendSource, Sender};
use super::upload::upload;
use crate::backend::SendContext;
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

impl Sender {
    /// Sends a reply.
    pub(crate) async fn send(&self, reply: Reply, importance: Importance) -> Result<SendReport, Error> {
        let steps = plan(reply, &self.core.sends)?;
        self.make_steps(steps, importance, None).await
    }

    /// Sends a text whole, or nothing of it: its sends are taken out of the budget before the first is made. With
    /// `plenty` only while no more than half of what the user's message allows is used up. `None` if it is not granted.
    pub(crate) async fn send_block(&self, reply: Reply, plenty: bool) -> Result<Option<SendReport>, Error> {
        let policy = &self.core.sends;
        let steps = plan(reply, policy)?;
        let sends = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        let mut wanted = policy.reserve(&self.to, sends, Importance::Block, self.core.now());
        if plenty {
            // All may be used up before.
            let half = policy.per_inbound - policy.per_inbound / 2;
            let most = half.saturating_sub(1).saturating_add(sends);
            wanted.max_sends = Some(wanted.max_sends.map_or(most, |max| max.min(most)));
        }
        wanted.bytes = steps.iter().map(Step::bytes).sum();
        let reservation = self.reserve(&wanted).await?;
        if !reservation.granted {
            return Ok(None);
        }
        self.make_steps(steps, Importance::Block, Some(reservation.context)).await.map(Some)
    }

    /// `reserved` is what is known of the user if the sends have been taken out of the budget.
    async fn make_steps(
        &self,
        steps: Vec<Step>,
        importance: Importance,
        reserved: Option<SendContext>,
    ) -> Result<SendReport, Error> {
        let of = steps.len();
        let mut report = SendReport::default();
        let mut failed = None;
        let mut steps = steps.into_iter().enumerate();
        while let Some((number, step)) = steps.next() {
            let error = match self.run_step(step, number, importance, reserved.as_ref()).await {
                Ok(sent) => {
                    report.parts.push(sent);
                    continue;
                }
                Err(Stopped { error, item }) => match item {
                    Some(item) if importance == Importance::Answer && waits(&error) => {
                        match self.queue(&error, item, steps.by_ref().map(|(_, step)| step)).await {
                            Ok(Some(queued)) => {
                                report.queued = queued;
                                break;
                            }
                            Ok(None) => error,
                            Err(failure) => {
                                tracing::warn!(account = %self.account, error = %failure, "a refused send cannot wait");
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
            self.give_back(context, rest.len(), rest.iter().map(Step::bytes).sum()).await;
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
        step: Step,
        number: usize,
        importance: Importance,
        reserved: Option<&SendContext>,
    ) -> Result<Sent, Stopped> {
        let item = match step {
            Step::Item(item) => item,
            Step::Media(media) => {
                let user = self.user_for_media(importance).await?;
                Box::new(upload(&self.core, &self.account, &user, media).await?)
            }
        };
        match self.send_item(&item, SendSource::Part(number), importance, reserved).await {
            Ok(sent) => Ok(sent),
            Err(error) => Err(Stopped { error, item: Some(item) }),
        }
    }

    /// Whom media is uploaded for. Nothing is uploaded that may not be sent, unless it can wait.
    async fn user_for_media(&self, importance: Importance) -> Result<UserId, Error> {
        let context = self.core.backend.send_context(&self.account, &self.to).await?;
        let user = self.user(&context)?;
        let policy = &self.core.sends;
        if policy.outbox.is_none()
            && let Err(reason) = policy.check(&context.ledger, importance, self.core.now())
        {
            return Err(Error::refused(&self.account, user, reason, None));
        }
        Ok(user)
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
pub(super) fn waits(error: &Error) -> bool {
    matches!(error, Error::Refused { reason, .. } if reason.ends_with_next_message())
}
