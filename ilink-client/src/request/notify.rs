//! `notifystart` and `notifystop`: this installation begins or ends to poll.

use super::into_future;
use crate::bot::Bot;
use crate::endpoint::{Endpoint, NOTIFY_START, NOTIFY_STOP};
use crate::error::Error;
use crate::wire::{request, response};

async fn notify(bot: &Bot, endpoint: &Endpoint) -> Result<(), Error> {
    let body = request::Notify { base_info: bot.client().base_info() };
    let response::Nothing {} = bot.ask(endpoint, &body).await?;
    Ok(())
}

/// Tells the server that this installation starts to poll. The official client logs a failure and goes on.
#[derive(Debug)]
#[must_use = "a request is sent when awaited"]
pub struct NotifyStart<'a>(&'a Bot);

impl<'a> NotifyStart<'a> {
    pub(crate) fn new(bot: &'a Bot) -> Self {
        Self(bot)
    }

    async fn send(self) -> Result<(), Error> {
        notify(self.0, &NOTIFY_START).await
    }
}

into_future!(NotifyStart => ());

/// Tells the server that this installation stops polling.
#[derive(Debug)]
#[must_use = "a request is sent when awaited"]
pub struct NotifyStop<'a>(&'a Bot);

impl<'a> NotifyStop<'a> {
    pub(crate) fn new(bot: &'a Bot) -> Self {
        Self(bot)
    }

    async fn send(self) -> Result<(), Error> {
        notify(self.0, &NOTIFY_STOP).await
    }
}

into_future!(NotifyStop => ());
