//! `sendtyping`: "is typing" on the phone.

use super::into_future;
use crate::bot::Bot;
use crate::endpoint::SEND_TYPING;
use crate::error::Error;
use crate::id::{TypingTicket, UserId};
use crate::wire::{request, response};

/// Shows a user that the bot is typing, or no longer. The phone forgets it by itself: repeat it every 5 s while
/// the work goes on ([protocol §5]).
///
/// [protocol §5]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#5-flows
#[derive(Debug)]
#[must_use = "a request is sent when awaited"]
pub struct SendTyping<'a> {
    bot: &'a Bot,
    user: UserId,
    ticket: TypingTicket,
    typing: bool,
}

impl<'a> SendTyping<'a> {
    pub(crate) fn new(bot: &'a Bot, user: UserId, ticket: TypingTicket, typing: bool) -> Self {
        Self { bot, user, ticket, typing }
    }

    async fn send(self) -> Result<(), Error> {
        let body = request::SendTyping {
            ilink_user_id: &self.user,
            typing_ticket: &self.ticket,
            status: if self.typing { 1 } else { 2 },
            base_info: self.bot.client().base_info(),
        };
        let response::Nothing {} = self.bot.ask(&SEND_TYPING, &body).await?;
        Ok(())
    }
}

into_future!(SendTyping => ());
