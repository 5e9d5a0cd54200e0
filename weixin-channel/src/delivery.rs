//! A message on its way to a handler, and the way back.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;
use weixin_media::Source;

use crate::account::AccountId;
use crate::channel::Channel;
use crate::error::Error;
use crate::inbound::Inbound;
use crate::open::OpenDeliveries;
use crate::outbound::SendReport;
use crate::store::Store;

/// A message that waits for its acknowledgement.
///
/// [`ack`](Self::ack) it once it is taken care of for good. Until then it is in the journal and comes again: after a
/// failure, after the delivery is dropped, and after a restart. The next message of the same user comes only then.
#[must_use = "a delivery that is dropped comes again"]
pub struct Delivery {
    /// Which account it came to.
    pub account: AccountId,
    /// Its number in the journal.
    pub id: i64,
    /// The message.
    pub inbound: Inbound,
    pub(crate) channel: Channel,
    pub(crate) settler: Option<Settler>,
}

/// The way back: the journal, and the monitor if there is one.
pub(crate) struct Settler {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) open: Arc<OpenDeliveries>,
}

impl Delivery {
    /// The message is taken care of: it does not come again.
    ///
    /// # Errors
    /// If the journal cannot be written; then it may come again after a restart.
    pub async fn ack(mut self) -> Result<(), Error> {
        let Some(settler) = self.settler.take() else { return Ok(()) };
        let result = settler.store.done(&self.account, self.id).await;
        settler.open.done(self.id);
        result
    }

    /// The message could not be handled: it comes again after a while, and after several attempts it becomes a dead
    /// letter with this reason.
    pub fn fail(mut self, reason: impl Into<String>) {
        self.give_back(reason.into());
    }

    /// Answers with a text.
    ///
    /// # Errors
    /// As [`Channel::send_text`].
    pub async fn reply(&self, text: &str) -> Result<SendReport, Error> {
        self.channel.send_text(&self.account, self.inbound.from.as_str(), text, None).await
    }

    /// Answers with media; the caption goes first, as a text of its own.
    ///
    /// # Errors
    /// As [`Channel::send_media`].
    pub async fn reply_media(&self, source: impl Into<Source>, caption: &str) -> Result<SendReport, Error> {
        self.channel.send_media(&self.account, self.inbound.from.as_str(), source, caption, None).await
    }

    /// The channel that it came from.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    fn give_back(&mut self, reason: String) {
        if let Some(settler) = self.settler.take() {
            settler.open.failed(self.id, reason);
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.give_back("the handler ended without acknowledging it".to_owned());
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("account", &self.account)
            .field("id", &self.id)
            .field("message_id", &self.inbound.message_id)
            .finish_non_exhaustive()
    }
}

/// The messages of all accounts that run in a channel; from [`ChannelBuilder::build`](crate::ChannelBuilder::build).
#[derive(Debug)]
pub struct Deliveries(pub(crate) mpsc::Receiver<Delivery>);

impl Deliveries {
    /// The next message; `None` once the channel is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        self.0.recv().await
    }
}
