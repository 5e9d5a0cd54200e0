//! From a reply to sends.

use ilink_client::{ContextToken, MessageId, RunId, Sent, UserId};

use crate::account::AccountId;
use crate::channel::Channel;
use crate::error::Error;
use crate::split::{SplitLimits, split};

/// What became of a message that was sent, part by part.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SendReport {
    /// The parts, in order, each accepted with an id or without one. Refusals are errors.
    pub parts: Vec<Sent>,
}

impl SendReport {
    /// The server's id of the last part. `None` means accepted without an id: it may never be shown (field note 1).
    #[must_use]
    pub fn message_id(&self) -> Option<MessageId> {
        self.parts.last().and_then(|sent| sent.message_id)
    }

    /// True if every part was accepted with an id.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        self.parts.iter().all(|sent| sent.message_id.is_some())
    }
}

impl Channel {
    /// Sends a text to a user, in parts of at most 4,000 characters, with the context token of their newest message.
    ///
    /// `to` is looked up among those who have written, upper and lower case folded and a `user:` in front ignored
    /// (field note 10). `run` ties the messages of one agent run together.
    ///
    /// # Errors
    /// [`Error::NoContext`] if the user has never written; [`Error::Client`] if the first part is refused or the server
    /// cannot be reached; [`Error::Partial`] if a later one is.
    pub async fn send_text(
        &self,
        account: &AccountId,
        to: &str,
        text: &str,
        run: Option<&RunId>,
    ) -> Result<SendReport, Error> {
        let bot = self.bot(account).await?;
        let (user, token) = self.context(account, to).await?;
        let pieces = split(text, &SplitLimits::default());
        let mut report = SendReport { parts: Vec::with_capacity(pieces.len()) };
        for piece in &pieces {
            let mut request = bot.send_text(&user, piece.as_str()).context_token(token.clone());
            if let Some(run) = run {
                request = request.run_id(run);
            }
            match request.await {
                Ok(sent) => report.parts.push(sent),
                Err(source) if report.parts.is_empty() => return Err(Error::Client(source)),
                Err(source) => {
                    return Err(Error::Partial { accepted: report.parts.len(), of: pieces.len(), source });
                }
            }
        }
        self.note_outbound(account);
        Ok(report)
    }

    /// Who is meant, as spelled on the wire, and the context token of their newest message.
    pub(crate) async fn context(
        &self,
        account: &AccountId,
        to: &str,
    ) -> Result<(UserId, ContextToken), Error> {
        let name = bare_user(to);
        let known = self.store().context_token(account, name).await?;
        known.ok_or_else(|| Error::NoContext { account: account.clone(), user: name.to_owned() })
    }

    /// A user as spelled on the wire, if they have written to this account.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub async fn resolve_user(&self, account: &AccountId, to: &str) -> Result<Option<UserId>, Error> {
        Ok(self.store().context_token(account, bare_user(to)).await?.map(|(user, _)| user))
    }
}

/// Hosts put a channel or a kind in front of a user id (field note 10).
pub(crate) fn bare_user(to: &str) -> &str {
    let mut name = to.trim();
    while let Some((prefix, rest)) = name.split_once(':') {
        if !matches!(
            prefix.to_ascii_lowercase().as_str(),
            "user" | "openclaw-weixin" | "weixin" | "dm" | "direct"
        ) {
            break;
        }
        name = rest.trim();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::bare_user;

    #[test]
    fn prefixes_of_hosts_are_stripped() {
        for (to, user) in [
            ("user:o9@im.wechat", "o9@im.wechat"),
            ("openclaw-weixin:user: O9@im.wechat", "O9@im.wechat"),
            ("o9@im.wechat", "o9@im.wechat"),
            ("other:o9@im.wechat", "other:o9@im.wechat"),
        ] {
            assert_eq!(bare_user(to), user);
        }
    }
}
