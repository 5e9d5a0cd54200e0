//! `getconfig`: the typing ticket of a user.

use super::into_future;
use crate::bot::Bot;
use crate::endpoint::GET_CONFIG;
use crate::error::Error;
use crate::id::{ContextToken, TypingTicket, UserId};
use crate::wire::{request, response};

/// Asks for the typing ticket of a user; `None` if the server gives none.
///
/// Before the user's first message the server answers `ret:-4` ([field note 18]): then there is nothing to show.
///
/// [field note 18]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-18
#[derive(Debug)]
#[must_use = "a request is sent when awaited"]
pub struct GetConfig<'a> {
    bot: &'a Bot,
    user: UserId,
    context_token: Option<ContextToken>,
}

impl<'a> GetConfig<'a> {
    pub(crate) fn new(bot: &'a Bot, user: UserId) -> Self {
        Self { bot, user, context_token: None }
    }

    /// The context token of the user's newest message, if known.
    pub fn context_token(mut self, token: impl Into<Option<ContextToken>>) -> Self {
        self.context_token = token.into();
        self
    }

    async fn send(self) -> Result<Option<TypingTicket>, Error> {
        let body = request::GetConfig {
            ilink_user_id: &self.user,
            context_token: self.context_token.as_ref(),
            base_info: self.bot.client().base_info(),
        };
        let config: response::Config = self.bot.ask(&GET_CONFIG, &body).await?;
        Ok(config.typing_ticket.filter(|ticket| !ticket.is_empty()))
    }
}

into_future!(GetConfig => Option<TypingTicket>);
