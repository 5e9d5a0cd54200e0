//! A message on its way to a handler, and the way back.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;

use crate::account::AccountId;
use crate::conversation::Conversation;
use crate::core::Core;
use crate::error::Error;
use crate::inbound::media;
use crate::inbound::message::Inbound;
use crate::inbound::settler::Settler;
use crate::outbound::reply::Reply;
use crate::outbound::send::SendReport;

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
    /// It did not wait for its user's turn: another message of theirs may be with a handler
    /// ([`InboundPolicy::control`](crate::InboundPolicy::control)).
    pub control: bool,
    /// It was on its way to a handler before and was not acknowledged, in this process or in one that has ended since: a
    /// handler may have had it.
    pub redelivered: bool,
    /// Before `core`: the account runs until it is said what became of the message.
    pub(crate) settler: Settler,
    pub(crate) core: Arc<Core>,
}

impl Delivery {
    /// The message is taken care of: it does not come again.
    ///
    /// # Errors
    /// If the journal cannot be written. It is told again and again while the account runs; if it never can be, the
    /// message comes again after a restart. If this future is dropped before it ends, the message comes again.
    pub async fn ack(mut self) -> Result<(), Error> {
        // First, so that a quote of it in the user's next message is known.
        if self.settler.is_open() {
            self.core.quotes.received(&self.account, &self.inbound, self.core.now()).await;
        }
        self.settler.ack().await
    }

    /// The message is not to be taken care of, because you do not let its sender in: it does not come again, and nothing
    /// of it is remembered. For programs that decide by themselves who may write.
    ///
    /// # Errors
    /// As [`ack`](Self::ack).
    pub async fn dismiss(mut self) -> Result<(), Error> {
        self.settler.ack().await
    }

    /// Fetches the media of the message that is not here yet, once you have decided that its sender may send you any.
    /// What cannot be had is said in the [text](Inbound::text); larger media than `max_size` bytes is not fetched.
    pub async fn fetch_media(&mut self, max_size: u64) {
        media::fetch(&self.core, &self.account, &mut self.inbound, max_size).await;
    }

    /// The message could not be handled: it comes again after a while, and after several attempts it becomes a dead
    /// letter with this reason.
    pub fn nack(mut self, reason: impl Into<String>) {
        self.settler.nack(reason.into());
    }

    /// The message was not handled because the program stops: it comes again, and this attempt does not count.
    pub fn give_back(mut self) {
        self.settler.give_back();
    }

    /// Answers: short for [`conversation`](Self::conversation)`().send(reply)`.
    ///
    /// # Errors
    /// As [`Conversation::send`].
    pub async fn reply(&self, reply: impl Into<Reply>) -> Result<SendReport, Error> {
        self.conversation().send(reply).await
    }

    /// The user who wrote it, to send to, to show "is typing", to begin a [turn](Conversation::turn).
    #[must_use]
    pub fn conversation(&self) -> Conversation {
        Conversation::new(self.core.clone(), &self.account, self.inbound.from.as_str())
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
pub struct Deliveries {
    control: mpsc::Receiver<Delivery>,
    normal: mpsc::Receiver<Delivery>,
}

/// The other end of [`Deliveries`].
#[derive(Clone, Debug)]
pub(crate) struct Lanes {
    control: mpsc::Sender<Delivery>,
    normal: mpsc::Sender<Delivery>,
}

/// Deliveries that wait for the program to ask for them.
const WAITING: usize = 16;

pub(crate) fn lanes() -> (Lanes, Deliveries) {
    let (control, control_end) = mpsc::channel(WAITING);
    let (normal, normal_end) = mpsc::channel(WAITING);
    (Lanes { control, normal }, Deliveries { control: control_end, normal: normal_end })
}

impl Lanes {
    pub(crate) async fn reserve(&self, control: bool) -> Result<mpsc::Permit<'_, Delivery>, SendError<()>> {
        if control { self.control.reserve().await } else { self.normal.reserve().await }
    }
}

impl Deliveries {
    /// The next message, control messages first; `None` once the channel is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            let delivery = tokio::select! {
                biased;
                Some(delivery) = self.control.recv() => delivery,
                Some(delivery) = self.normal.recv() => delivery,
                else => return None,
            };
            // One that waited here while its account was lost is another process's.
            if !delivery.settler.is_lost() {
                return Some(delivery);
            }
        }
    }
}
