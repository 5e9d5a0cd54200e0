//! A program as one function.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::account::AccountConfig;
use crate::builder::ChannelBuilder;
use crate::channel::Channel;
use crate::delivery::Delivery;
use crate::error::Error;
use crate::inbound::Inbound;
use crate::outbound::{Reply, SendReport, Turn};

/// How often the accounts in the state folder are looked at.
const RECONCILE: Duration = Duration::from_secs(5);

/// The way back to the sender of a message, for a handler of [`ChannelBuilder::run`].
#[derive(Clone, Debug)]
pub struct Responder {
    channel: Channel,
    account: crate::AccountId,
    to: String,
}

impl Responder {
    /// Answers.
    ///
    /// # Errors
    /// As [`Channel::send`].
    pub async fn send(&self, reply: impl Into<Reply>) -> Result<SendReport, Error> {
        self.channel.send(&self.account, &self.to, reply).await
    }

    /// Answers bit by bit, in a run with an id of your own.
    pub fn turn(&self, run: impl Into<ilink_client::RunId>) -> Turn {
        self.channel.turn(&self.account, &self.to, run)
    }

    /// Shows "is typing" until the returned value is dropped.
    ///
    /// # Errors
    /// As [`Channel::typing`].
    pub async fn typing(&self) -> Result<crate::Typing, Error> {
        self.channel.typing(&self.account, &self.to).await
    }

    /// Which account the message came to.
    #[must_use]
    pub fn account(&self) -> &crate::AccountId {
        &self.account
    }

    /// The channel that it came from.
    #[must_use]
    pub fn channel(&self) -> &Channel {
        &self.channel
    }
}

impl ChannelBuilder {
    /// Runs all accounts of the state folder, those that log in later included, and gives each message to a handler:
    /// `Ok` acknowledges it, `Err` has it come again, and after several attempts makes it a dead letter. Messages of
    /// one user come one at a time; users do not wait for each other.
    ///
    /// Runs until it is dropped; with `tokio::select!` and `tokio::signal::ctrl_c`, for instance. What was not
    /// acknowledged then comes again at the next start.
    ///
    /// # Errors
    /// As [`build`](Self::build); [`Error::NoAccounts`] if nobody is logged in.
    pub async fn run<H, F, E>(self, handler: H) -> Result<(), Error>
    where
        H: Fn(Inbound, Responder) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        let (channel, mut deliveries) = self.build()?;
        channel.reconcile(|_| AccountConfig::default()).await?;
        if channel.accounts()?.is_empty() {
            return Err(Error::NoAccounts);
        }
        let handler = Arc::new(handler);
        // Dropped with this future, and with it all that is being handled.
        let mut handling = tokio::task::JoinSet::new();
        let mut look = interval(RECONCILE);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(delivery) = deliveries.next() => {
                    handling.spawn(handle(delivery, handler.clone()));
                }
                Some(_) = handling.join_next() => {}
                _ = look.tick() => {
                    if let Err(error) = channel.reconcile(|_| AccountConfig::default()).await {
                        tracing::warn!(%error, "the accounts could not be looked at");
                    }
                }
            }
        }
    }
}

/// A handler that panics drops its delivery, which then comes again.
async fn handle<H, F, E>(delivery: Delivery, handler: Arc<H>)
where
    H: Fn(Inbound, Responder) -> F + Send + Sync,
    F: Future<Output = Result<(), E>> + Send,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    let responder = Responder {
        channel: delivery.channel().clone(),
        account: delivery.account.clone(),
        to: delivery.inbound.from.as_str().to_owned(),
    };
    let result = handler(delivery.inbound.clone(), responder).await;
    match result.map_err(|error| error.into().to_string()) {
        Ok(()) => {
            if let Err(error) = delivery.ack().await {
                tracing::warn!(%error, "a handled message was not journalled as done");
            }
        }
        Err(reason) => delivery.fail(reason),
    }
}
