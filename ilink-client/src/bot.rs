//! A client with credentials: what a logged-in bot can do.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::client::{Call, Client, header_value, to_json};
use crate::decode::Answer;
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::hosts::{parse_base_url, shown_text};
use crate::id::{BotId, Cursor, TypingTicket, UserId};
use crate::request::{GetConfig, GetUpdates, GetUploadUrl, NotifyStart, NotifyStop, SendMessage, SendTyping};
use crate::secret::Secret;
use crate::updates::Updates;
use crate::wire::{MediaType, MessageItem};

/// What a login brings: who the bot is and its token. Store it; it serialises with the token as plain text.
///
/// ```
/// use ilink_client::Credentials;
///
/// let stored = r#"{"bot_id":"b0f5860fdecb@im.bot","token":"b0f5860fdecb@im.bot:0123"}"#;
/// let credentials: Credentials = serde_json::from_str(stored)?;
/// assert_eq!(serde_json::to_string(&credentials)?, stored);
/// assert!(!format!("{credentials:?}").contains(":0123"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Credentials {
    /// The bot.
    pub bot_id: BotId,
    /// Its token.
    pub token: Secret,
    /// Where its requests go, if the login named a base URL; else the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Who scanned the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
}

impl Credentials {
    /// A bot id and its token.
    pub fn new(bot_id: impl Into<BotId>, token: impl Into<Secret>) -> Self {
        Self { bot_id: bot_id.into(), token: token.into(), base_url: None, user_id: None }
    }

    /// Where the requests go.
    #[must_use]
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Who scanned the code.
    #[must_use]
    pub fn user_id(mut self, user: impl Into<UserId>) -> Self {
        self.user_id = Some(user.into());
        self
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("bot_id", &self.bot_id)
            .field("token", &self.token)
            .field("base_url", &self.base_url.as_deref().map(shown_text))
            .field("user_id", &self.user_id)
            .finish()
    }
}

/// A logged-in bot: one method per endpoint. Cheap to clone.
///
/// Each method returns a request. Options can be set on it, and awaiting it sends it.
#[derive(Clone)]
pub struct Bot {
    inner: Arc<Inner>,
}

struct Inner {
    client: Client,
    credentials: Credentials,
    base: Url,
}

impl Bot {
    pub(crate) fn new(client: Client, credentials: Credentials) -> Result<Self, Error> {
        if credentials.token.is_empty() {
            return Err(Error::invalid("the bot token is empty: log in by QR code"));
        }
        // Better known now than at each poll.
        if header_value("the bot token", credentials.token.expose()).is_err() {
            let advice = "cut line ends off, or log in by QR code";
            return Err(Error::invalid(format!(
                "the bot token holds characters that no HTTP header can carry: {advice}"
            )));
        }
        let base = match credentials.base_url.as_deref().filter(|url| !url.trim().is_empty()) {
            Some(url) => {
                let url = parse_base_url(url)?;
                client.hosts().check(&url)?;
                url
            }
            None => client.base_url().clone(),
        };
        Ok(Self { inner: Arc::new(Inner { client, credentials, base }) })
    }

    /// Who the bot is.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.inner.credentials
    }

    /// The client below.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// Where the requests go.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.inner.base
    }

    /// Asks once for new messages. For a bot that runs, [`updates`](Self::updates) is better.
    pub fn get_updates(&self, cursor: impl Into<Cursor>) -> GetUpdates<'_> {
        GetUpdates::new(self, cursor.into())
    }

    /// New messages for as long as you ask, from a cursor on: the empty one at first, then the one of the
    /// last batch that you have stored.
    pub fn updates(&self, cursor: impl Into<Cursor>) -> Updates {
        Updates::new(self.clone(), cursor.into())
    }

    /// Sends a text, up to about 4,000 characters ([field note 23]).
    ///
    /// ```no_run
    /// # async fn run(bot: ilink_client::Bot, message: ilink_client::wire::WeixinMessage) -> Result<(), ilink_client::Error> {
    /// let Some(user) = message.from_user_id else { return Ok(()) };
    /// let sent = bot.send_text(user, "你好").reply_context(message.context_token).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [field note 23]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-23
    pub fn send_text(&self, to: impl Into<UserId>, text: impl Into<String>) -> SendMessage<'_> {
        self.send_item(to, MessageItem::from_text(text))
    }

    /// Sends one item of any kind.
    pub fn send_item(&self, to: impl Into<UserId>, item: MessageItem) -> SendMessage<'_> {
        SendMessage::new(self, to.into(), item)
    }

    /// Asks for the typing ticket of a user.
    pub fn get_config(&self, user: impl Into<UserId>) -> GetConfig<'_> {
        GetConfig::new(self, user.into())
    }

    /// Shows a user that the bot is typing, or no longer.
    pub fn send_typing(&self, user: impl Into<UserId>, ticket: TypingTicket, typing: bool) -> SendTyping<'_> {
        SendTyping::new(self, user.into(), ticket, typing)
    }

    /// Asks where to upload media of the given kind; the digest and sizes are set on the request.
    pub fn get_upload_url(&self, to: impl Into<UserId>, kind: MediaType) -> GetUploadUrl<'_> {
        GetUploadUrl::new(self, to.into(), kind)
    }

    /// Tells the server that this installation starts to poll. A failure can be ignored.
    pub fn notify_start(&self) -> NotifyStart<'_> {
        NotifyStart::new(self)
    }

    /// Tells the server that this installation stops polling. A failure can be ignored.
    pub fn notify_stop(&self) -> NotifyStop<'_> {
        NotifyStop::new(self)
    }

    pub(crate) fn call<'a>(
        &'a self,
        endpoint: &'a Endpoint,
        body: &impl Serialize,
    ) -> Result<Call<'a>, Error> {
        Ok(Call {
            endpoint,
            base: &self.inner.base,
            token: Some(&self.inner.credentials.token),
            query: &[],
            body: to_json(body).map_err(|error| error.at(endpoint.name, 0))?,
            timeout: None,
            retry: None,
        })
    }

    /// A call whose answer is read as a whole.
    pub(crate) async fn ask<T: for<'de> Deserialize<'de> + Send + 'static>(
        &self,
        endpoint: &Endpoint,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let call = self.call(endpoint, body)?;
        self.client().call(call, read_answer).await
    }
}

/// Envelope, then content.
pub(crate) fn read_answer<T: for<'de> Deserialize<'de>>(
    status: StatusCode,
    body: &Bytes,
) -> Result<T, Error> {
    Answer::check(status, body)?.read()
}

impl fmt::Debug for Bot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bot").field("bot_id", &self.inner.credentials.bot_id).finish_non_exhaustive()
    }
}
