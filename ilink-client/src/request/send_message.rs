//! `sendmessage`: one message of one item.

use std::time::UNIX_EPOCH;

use super::into_future;
use crate::bot::Bot;
use crate::endpoint::SEND_MESSAGE;
use crate::error::Error;
use crate::id::{ClientId, ContextToken, MessageId, RunId, UserId};
use crate::retry::RetryPolicy;
use crate::wire::{ItemKind, MessageItem, MessageState, MessageType, WeixinMessage, request, response};

/// Sends one message of one item ([protocol §5]).
///
/// It is repeated after transport errors and 5xx with the **same** `client_id`, so that the phone can show it
/// once; `ret:-2` and `-3` are not repeated.
///
/// [protocol §5]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#5-flows
#[derive(Debug)]
#[must_use = "a request is sent when awaited"]
pub struct SendMessage<'a> {
    bot: &'a Bot,
    message: WeixinMessage,
    retry: Option<RetryPolicy>,
}

/// An accepted send. A refused one is an [`Error`] with [`is_rejected`](Error::is_rejected).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// The server's id of the message. `None` means accepted **without** an id: often such a message is never
    /// shown ([field note 1]), so treat its delivery as unknown. Nothing is made up in its place.
    ///
    /// [field note 1]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-1
    pub message_id: Option<MessageId>,
    /// The id that this client gave it.
    pub client_id: ClientId,
}

impl<'a> SendMessage<'a> {
    pub(crate) fn new(bot: &'a Bot, to: UserId, item: MessageItem) -> Self {
        let message = WeixinMessage {
            from_user_id: Some(UserId::default()),
            to_user_id: Some(to),
            client_id: Some(new_client_id(bot)),
            message_type: Some(MessageType::Bot),
            message_state: Some(MessageState::Finish),
            item_list: Some(vec![item]),
            ..WeixinMessage::default()
        };
        Self { bot, message, retry: None }
    }

    /// The context token of the user's newest message. Without one, messages tend not to arrive
    /// ([field note 4]). An empty one is none.
    ///
    /// [field note 4]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-4
    pub fn context_token(self, token: impl Into<ContextToken>) -> Self {
        self.reply_context(Some(token.into()))
    }

    /// As [`context_token`](Self::context_token), if there is one.
    pub fn reply_context(mut self, token: Option<ContextToken>) -> Self {
        self.message.context_token = token.filter(|token| !token.is_empty());
        self
    }

    /// The agent run that this belongs to.
    pub fn run_id(mut self, run: impl Into<RunId>) -> Self {
        self.message.run_id = Some(run.into());
        self
    }

    /// An id of your own. If you do not know how a send ended, repeat it with the same id.
    pub fn client_id(mut self, id: impl Into<ClientId>) -> Self {
        self.message.client_id = Some(id.into());
        self
    }

    /// How this send is repeated, instead of the client's policy.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// The message as it will be sent.
    #[must_use]
    pub fn message(&self) -> &WeixinMessage {
        &self.message
    }

    async fn send(self) -> Result<Sent, Error> {
        if self.message.to_user_id.as_ref().is_none_or(UserId::is_empty) {
            return Err(Error::invalid("the receiver is empty: give the user id that came with a message"));
        }
        if self.message.client_id.as_ref().is_none_or(ClientId::is_empty) {
            return Err(Error::invalid("the client id is empty: leave it out to have one made"));
        }
        let items = self.message.item_list.as_deref().unwrap_or_default();
        let is_empty = |item: &MessageItem| matches!(item.kind(), ItemKind::Text(text) if text.text.as_deref().is_none_or(str::is_empty));
        if items.iter().any(is_empty) {
            return Err(Error::invalid("the text is empty: there is nothing to send"));
        }
        let body = request::SendMessage { msg: &self.message, base_info: self.bot.client().base_info() };
        let mut call = self.bot.call(&SEND_MESSAGE, &body)?;
        call.retry = self.retry.as_ref();
        let sent: response::Sent = self.bot.client().call(call, crate::bot::read_answer).await?;
        Ok(Sent {
            // 0 is what a missing number looks like to a server in Go; no message has it.
            message_id: sent.message_id.filter(|id| id.0 != 0),
            client_id: self.message.client_id.unwrap_or_default(),
        })
    }
}

into_future!(SendMessage => Sent);

/// `ilink-client:{Unix milliseconds}-{8 hex}`
fn new_client_id(bot: &Bot) -> ClientId {
    let client = bot.client();
    let millis = client.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    ClientId::from(format!("ilink-client:{millis}-{:08x}", client.random().next_u32()))
}
