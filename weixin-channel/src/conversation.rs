//! One user of one account: sends, turns, typing, ledger.

use std::sync::Arc;

use ilink_client::{RunId, UserId};

use weixin_media::Media;

use crate::access::policy::plain_user_id;
use crate::account::AccountId;
use crate::backend::Ledger;
use crate::core::Core;
use crate::error::Error;
use crate::outbound::policy::{Importance, SendPolicy};
use crate::outbound::reply::Reply;
use crate::outbound::send::SendReport;
use crate::outbound::sender::Sender;
use crate::outbound::turn::Turn;
use crate::outbound::typing::{self, Typing};

/// A user of an account, from [`Channel::conversation`](crate::Channel::conversation) or [`Delivery::conversation`](crate::Delivery::conversation).
/// Cheap to clone.
#[derive(Clone, Debug)]
pub struct Conversation {
    core: Arc<Core>,
    account: AccountId,
    user: String,
}

impl Conversation {
    pub(crate) fn new(core: Arc<Core>, account: &AccountId, user: &str) -> Self {
        Self { core, account: account.clone(), user: plain_user_id(user).to_owned() }
    }

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
        self.sender(&reply).await?.send(reply, importance).await
    }

    pub(crate) async fn send_block(&self, reply: Reply, plenty: bool) -> Result<Option<SendReport>, Error> {
        self.sender(&reply).await?.send_block(reply, plenty).await
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
        typing::start(&self.core, &self.account, &self.user).await
    }

    /// How much was sent since the user's last message.
    ///
    /// # Errors
    /// If the backend cannot be read.
    pub async fn ledger(&self) -> Result<Ledger, Error> {
        Ok(self.core.backend.send_context(&self.account, &self.user).await?.ledger)
    }

    /// The user as spelled on the wire; `None` if they have never written to this account.
    ///
    /// # Errors
    /// If the backend cannot be read.
    pub async fn user_id(&self) -> Result<Option<UserId>, Error> {
        let context = self.core.backend.send_context(&self.account, &self.user).await?;
        Ok(context.recipient.map(|recipient| recipient.user))
    }

    /// Uploads and downloads of the account: what the user's messages carry is fetched by
    /// [`Media::download`].
    ///
    /// ```no_run
    /// # async fn run(delivery: weixin_channel::Delivery) -> Result<(), weixin_channel::Error> {
    /// let media = delivery.conversation().media().await?;
    /// for (n, item) in delivery.inbound.media().iter().enumerate() {
    ///     media.download(item).max_size(25 << 20).to_file(format!("inbound-{n}")).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If there is no such account, or its CDN's URL is unusable.
    pub async fn media(&self) -> Result<Media, Error> {
        self.core.media(&self.account).await
    }

    /// Where media of the user's messages is kept that is fetched before they are handed out
    /// ([`MediaPolicy::Eager`](crate::MediaPolicy::Eager)): a folder for this user of this account alone. An agent that
    /// answers several users should be able to read, and to send from, the folder of the one whom it answers and no other:
    /// [`Source::beneath`](weixin_media::Source::beneath) sees to that.
    #[must_use]
    pub fn media_dir(&self) -> std::path::PathBuf {
        self.core.media_dir(&self.account, &UserId::from(self.user.as_str()))
    }

    pub(crate) fn send_policy(&self) -> &SendPolicy {
        &self.core.sends
    }

    async fn sender(&self, reply: &Reply) -> Result<Sender, Error> {
        Sender::new(&self.core, &self.account, &self.user, reply).await
    }
}
