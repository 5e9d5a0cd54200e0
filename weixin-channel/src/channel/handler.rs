//! A program as one function.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::account::AccountConfig;
use crate::channel::builder::ChannelBuilder;
use crate::conversation::Conversation;
use crate::error::Error;
use crate::inbound::delivery::{Deliveries, Delivery};
use crate::inbound::message::Inbound;

/// How often the accounts in the state folder are looked at.
const RECONCILE: Duration = Duration::from_secs(5);

impl ChannelBuilder {
    /// Runs all accounts of the state folder, those that log in later included, and gives each message to a handler:
    /// `Ok` acknowledges it, `Err` has it come again, and after several attempts makes it a dead letter. Messages of
    /// one user come one at a time; users do not wait for each other.
    ///
    /// Runs until it is dropped; with `tokio::select!` and `tokio::signal::ctrl_c`, for instance. What was not
    /// acknowledged then comes again at the next start. What goes wrong meanwhile is said through `tracing`: subscribe to
    /// it. A program that also wants [status events](crate::Channel::status_events), or to log in, takes the parts:
    /// [`build`](Self::build), [`Channel::reconcile`](crate::Channel::reconcile), [`Deliveries::handle`].
    ///
    /// # Errors
    /// As [`build`](Self::build); [`Error::NoAccounts`] if nobody is logged in; why the first account cannot be started,
    /// [`Error::Locked`] for instance, if none can.
    pub async fn run<H, F, E>(self, handler: H) -> Result<(), Error>
    where
        H: Fn(Inbound, Conversation) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        let (channel, deliveries) = self.build().await?;
        let started = channel.start_all(|_| AccountConfig::default()).await?;
        if !started.iter().any(Result::is_ok) {
            return Err(started.into_iter().find_map(Result::err).unwrap_or(Error::NoAccounts));
        }
        let look = async {
            let mut look = interval(RECONCILE);
            look.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                look.tick().await;
                if let Err(error) = channel.reconcile(|_| AccountConfig::default()).await {
                    tracing::warn!(%error, "the accounts could not be looked at");
                }
            }
        };
        tokio::select! {
            () = deliveries.handle(handler) => {}
            () = look => {}
        }
        Ok(())
    }
}

impl Deliveries {
    /// Gives each message to a handler, as [`ChannelBuilder::run`] does, for as long as the channel lives: for programs
    /// that start the accounts themselves.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), weixin_channel::Error> {
    /// use weixin_channel::{AccountConfig, Channel, Conversation, Error, Inbound};
    ///
    /// let (channel, deliveries) = Channel::builder().build().await?;
    /// let mut events = channel.status_events();
    /// channel.reconcile(|_| AccountConfig::default()).await?;
    /// let echo = async |message: Inbound, user: Conversation| {
    ///     user.send(format!("echo: {}", message.text)).await.map(drop)
    /// };
    /// let status = async {
    ///     while let Ok(status) = events.recv().await {
    ///         println!("{} is {}", status.account, status.state.as_str());
    ///     }
    /// };
    /// tokio::join!(deliveries.handle(echo), status);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn handle<H, F, E>(mut self, handler: H)
    where
        H: Fn(Inbound, Conversation) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>> + 'static,
    {
        let handler = Arc::new(handler);
        // Dropped with this future, and with it all that is being handled.
        let mut handling = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                delivery = self.next() => match delivery {
                    Some(delivery) => drop(handling.spawn(handle(delivery, handler.clone()))),
                    None => break,
                },
                Some(_) = handling.join_next() => {}
            }
        }
        while handling.join_next().await.is_some() {}
    }
}

/// A delivery whose handler has not ended. If that is dropped before, the program stops, and the message is not to blame;
/// if it panics, that is an attempt which has failed.
struct Unfinished(Option<Delivery>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(delivery) = self.0.take().filter(|_| !std::thread::panicking()) {
            delivery.give_back();
        }
    }
}

async fn handle<H, F, E>(delivery: Delivery, handler: Arc<H>)
where
    H: Fn(Inbound, Conversation) -> F + Send + Sync,
    F: Future<Output = Result<(), E>> + Send,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    let (inbound, conversation) = (delivery.inbound.clone(), delivery.conversation());
    let mut unfinished = Unfinished(Some(delivery));
    let result = handler(inbound, conversation).await;
    let Some(delivery) = unfinished.0.take() else { return };
    match result.map_err(|error| error.into().to_string()) {
        Ok(()) => {
            if let Err(error) = delivery.ack().await {
                tracing::warn!(%error, "a handled message was not journalled as done");
            }
        }
        Err(reason) => delivery.nack(reason),
    }
}
