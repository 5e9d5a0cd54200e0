//! "Is typing", for as long as somebody works on an answer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ilink_client::{Bot, TypingTicket, UserId};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use crate::account::AccountId;
use crate::backend::Recipient;
use crate::channel::Channel;
use crate::error::Error;

/// The phone forgets the sign by itself; it is renewed at this pace (protocol §5).
const RENEW: Duration = Duration::from_secs(5);

/// An agent that works longer than this is no longer "typing".
const LONGEST: Duration = Duration::from_secs(10 * 60);

/// A ticket lives up to 24 h; a fresh one is asked for a little earlier.
const TICKET_LIFE: Duration = Duration::from_secs(23 * 3600);

/// So many tickets are kept; another one then costs all of them, which costs a request each.
const TICKETS: usize = 4_096;

/// Shows "is typing" until it is dropped, or for ten minutes. A failure is never the sender's business.
#[derive(Debug)]
#[must_use = "typing ends when this is dropped"]
pub struct Typing {
    stop: oneshot::Sender<()>,
}

impl Typing {
    /// False once it has ended by itself: after ten minutes, or because it failed.
    #[must_use]
    pub fn is_shown(&self) -> bool {
        !self.stop.is_closed()
    }
}

/// Tickets by account and user.
#[derive(Debug, Default)]
pub(crate) struct Tickets(Mutex<HashMap<(AccountId, UserId), (TypingTicket, Instant)>>);

impl Tickets {
    fn get(&self, key: &(AccountId, UserId)) -> Option<TypingTicket> {
        let tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.get(key).filter(|(_, made)| made.elapsed() < TICKET_LIFE).map(|(ticket, _)| ticket.clone())
    }

    fn put(&self, key: (AccountId, UserId), ticket: TypingTicket) {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tickets.len() >= TICKETS && !tickets.contains_key(&key) {
            tickets.retain(|_, (_, made)| made.elapsed() < TICKET_LIFE);
        }
        if tickets.len() >= TICKETS && !tickets.contains_key(&key) {
            tickets.clear();
        }
        tickets.insert(key, (ticket, Instant::now()));
    }

    /// The account is no longer here.
    pub(crate) fn forget(&self, account: &AccountId) {
        let mut tickets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tickets.retain(|(of, _), _| of != account);
    }
}

impl Channel {
    /// See [`Conversation::typing`](crate::Conversation::typing).
    pub(crate) async fn show_typing(&self, account: &AccountId, to: &str) -> Result<Typing, Error> {
        let bot = self.bot(account).await?;
        let (stop, stopped) = oneshot::channel();
        let (channel, account, to) = (self.clone(), account.clone(), to.to_owned());
        tokio::spawn(async move {
            if let Err(error) = show(&channel, &bot, account, &to, stopped).await {
                tracing::debug!(%error, "typing is not shown");
            }
        });
        Ok(Typing { stop })
    }
}

async fn show(
    channel: &Channel,
    bot: &Bot,
    account: AccountId,
    to: &str,
    mut stopped: oneshot::Receiver<()>,
) -> Result<(), Error> {
    let context = channel.backend().send_context(&account, crate::outbound::bare_user(to)).await?;
    let Some(Recipient { user, token, .. }) = context.recipient else { return Ok(()) };
    let key = (account, user.clone());
    let ticket = match channel.tickets().get(&key) {
        Some(ticket) => ticket,
        None => {
            let Some(ticket) = bot.get_config(&user).context_token(token).await? else { return Ok(()) };
            channel.tickets().put(key, ticket.clone());
            ticket
        }
    };
    let keep = async {
        loop {
            bot.send_typing(&user, ticket.clone(), true).await?;
            sleep(RENEW).await;
        }
    };
    let kept: Result<(), ilink_client::Error> = tokio::select! {
        kept = timeout(LONGEST, keep) => kept.unwrap_or(Ok(())),
        _ = &mut stopped => Ok(()),
    };
    // Always taken back, after a failure too: the first sign may have been shown.
    bot.send_typing(&user, ticket, false).await?;
    Ok(kept?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tickets_are_no_more_than_so_many() {
        let tickets = Tickets::default();
        let key = |account: &str, n: usize| (AccountId::new(account), UserId::from(n.to_string()));
        for n in 0..TICKETS + 10 {
            tickets.put(key("a", n), TypingTicket::from("t"));
        }
        assert!(tickets.0.lock().unwrap().len() <= TICKETS);
        assert!(tickets.get(&key("a", TICKETS + 9)).is_some());
        tickets.put(key("b", 1), TypingTicket::from("t"));
        tickets.forget(&AccountId::new("a"));
        assert_eq!(tickets.0.lock().unwrap().len(), 1);
        tokio::time::advance(TICKET_LIFE).await;
        assert!(tickets.get(&key("b", 1)).is_none());
    }
}
