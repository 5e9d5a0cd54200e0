//! "Is typing", for as long as somebody works on an answer.

use std::sync::Arc;
use std::time::Duration;

use ilink_client::Bot;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::account::AccountId;
use crate::backend::Recipient;
use crate::core::Core;
use crate::error::Error;

/// The phone forgets the sign by itself; it is renewed at this pace (protocol §5).
const RENEW: Duration = Duration::from_secs(5);

/// An agent that works longer than this is no longer "typing".
const LONGEST: Duration = Duration::from_secs(10 * 60);

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

/// See [`Conversation::typing`](crate::Conversation::typing).
pub(crate) async fn start(core: &Arc<Core>, account: &AccountId, to: &str) -> Result<Typing, Error> {
    let bot = core.bot(account).await?;
    let (stop, stopped) = oneshot::channel();
    let (core, account, to) = (core.clone(), account.clone(), to.to_owned());
    tokio::spawn(async move {
        if let Err(error) = show(&core, &bot, account, &to, stopped).await {
            tracing::debug!(%error, "typing is not shown");
        }
    });
    Ok(Typing { stop })
}

async fn show(
    core: &Core,
    bot: &Bot,
    account: AccountId,
    to: &str,
    mut stopped: oneshot::Receiver<()>,
) -> Result<(), Error> {
    let context = core.backend.send_context(&account, to).await?;
    let Some(Recipient { user, token, .. }) = context.recipient else { return Ok(()) };
    let key = (account, user.clone());
    let ticket = match core.tickets.get(&key) {
        Some(ticket) => ticket,
        None => {
            let Some(ticket) = bot.get_config(&user).context_token(token).await? else { return Ok(()) };
            core.tickets.put(key, ticket.clone());
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
