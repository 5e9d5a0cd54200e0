//! One user of one account: sends, turns, typing, ledger.

use ilink_client::{RunId, UserId};

use crate::account::AccountId;
use crate::backend::Ledger;
use crate::channel::Channel;
use crate::error::Error;
use crate::outbound::typing::Typing;
use crate::outbound::{Importance, Reply, SendReport, Turn, bare_user};

/// A user of an account, from [`Channel::conversation`] or [`Delivery::conversation`](crate::Delivery::conversation).
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Conversation {
    channel: Channel,
    account: AccountId,
    user: String,
}

impl Channel {
    /// A user of an account. They are looked up, when something is done for them, among those who have written: upper and
    /// lower case are folded, and what hosts put in front of an id (`user:`, `dm:`) is ignored
    /// ([field note 10](https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-10)).
    #[must_use]
    pub fn conversation(&self, account: &AccountId, user: impl AsRef<str>) -> Conversation {
        let user = bare_user(user.as_ref()).to_owned();
        Conversation { channel: self.clone(), account: account.clone(), user }
    }
}

impl Conversation {
    /// The account.
    #[must_use]
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The user as they were named, without what hosts put in front. On the wire they may be spelled otherwise: see
    /// [`user_id`](Self::user_id).
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The channel that it belongs to.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Sends a reply, with the context token of the user's newest message: Markdown as the policy wants it, long texts in
    /// parts, media by its bytes, in order, within the budget.
    ///
    /// Media that cannot be uploaded does not keep the parts behind it from being sent. If this future is dropped before
    /// it ends, the parts that are not under way yet are not sent.
    ///
    /// # Errors
    /// [`Error::NoContext`] if the user has never written; [`Error::Refused`] if the budget, or the server, allows no
    /// send now; [`Error::Client`] if the server cannot be reached; [`Error::Media`]; [`Error::Partial`], with one of
    /// these inside, if some parts were accepted.
    pub async fn send(&self, reply: impl Into<Reply>) -> Result<SendReport, Error> {
        self.send_as(reply.into(), Importance::Answer).await
    }

    pub(crate) async fn send_as(&self, reply: Reply, importance: Importance) -> Result<SendReport, Error> {
        self.channel.send_as(&self.account, &self.user, reply, importance).await
    }

    pub(crate) async fn send_block(&self, reply: Reply, plenty: bool) -> Result<Option<SendReport>, Error> {
        self.channel.send_block(&self.account, &self.user, reply, plenty).await
    }

    /// Begins to answer bit by bit. All sends of a run carry its id, one of your own.
    pub fn turn(&self, run: impl Into<RunId>) -> Turn {
        Turn::new(self.clone(), run.into())
    }

    /// Shows "is typing" until the returned value is dropped. Where there is no ticket to be had
    /// ([field note 18](https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-18)) nothing is
    /// shown.
    ///
    /// # Errors
    /// If there is no such account.
    pub async fn typing(&self) -> Result<Typing, Error> {
        self.channel.show_typing(&self.account, &self.user).await
    }

    /// How much was sent since the user's last message.
    ///
    /// # Errors
    /// If the backend cannot be read.
    pub async fn ledger(&self) -> Result<Ledger, Error> {
        Ok(self.channel.backend().send_context(&self.account, &self.user).await?.ledger)
    }

    /// The user as spelled on the wire; `None` if they have never written to this account.
    ///
    /// # Errors
    /// If the backend cannot be read.
    pub async fn user_id(&self) -> Result<Option<UserId>, Error> {
        let context = self.channel.backend().send_context(&self.account, &self.user).await?;
        Ok(context.recipient.map(|recipient| recipient.user))
    }
}
