//! An answer that comes bit by bit.

use ilink_client::RunId;
pub use ilink_client::wire::ToolStatus;

use super::policy::Importance;
use super::reply::{Part, Reply};
use super::send::{SendReport, waits};
use crate::conversation::Conversation;
use crate::error::Error;

/// Between blocks that become one message.
const BETWEEN: &str = "\n\n";

/// One agent run that answers bit by bit: blocks, signs of tools at work, then the final answer.
///
/// Sends are scarce ([field note 3]): once half of those that the user's message allows are used up, blocks wait until
/// together they fill a message, and the last send is kept for the final answer. What waits is put before it:
/// [`finish`](Self::finish) must be called, or it is not sent.
///
/// [field note 3]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-3
#[derive(Debug)]
#[must_use = "blocks that wait are sent by finish()"]
pub struct Turn {
    conversation: Conversation,
    run: RunId,
    held: Vec<String>,
}

impl Turn {
    pub(crate) fn new(conversation: Conversation, run: RunId) -> Self {
        Self { conversation, run, held: Vec::new() }
    }

    /// A part of the answer. `None` if it waits.
    ///
    /// # Errors
    /// As [`Conversation::send`], but for a refusal: the block then waits.
    pub async fn block(&mut self, text: impl Into<String>) -> Result<Option<SendReport>, Error> {
        let text = text.into();
        if text.trim().is_empty() {
            return Ok(None);
        }
        let room = self.conversation.send_policy().split.max_chars;
        let chars = self.held.iter().chain([&text]).map(|block| block.chars().count() + 2).sum::<usize>();
        if chars <= room || self.held.is_empty() {
            self.held.push(text);
            return self.send_held(true).await;
        }
        let sent = self.send_held(false).await;
        self.held.push(text);
        sent
    }

    /// Whatever becomes of it but a refusal, it is not sent again.
    async fn send_held(&mut self, plenty: bool) -> Result<Option<SendReport>, Error> {
        let reply = Reply::text(self.held.join(BETWEEN)).run(&self.run);
        match self.conversation.send_block(reply, plenty).await {
            Ok(None) => Ok(None),
            Err(error) if waits(&error) => Ok(None),
            sent => {
                self.held.clear();
                sent
            }
        }
    }

    /// Shows that a tool starts; `call` is the same at its end. False if it is not shown: it never costs the answer
    /// its send ([field note 37]), and a failure of it is nobody's business.
    ///
    /// [field note 37]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-37
    pub async fn tool_started(&self, tool: &str, call: &str) -> bool {
        self.progress(Reply::tool_started(tool, call)).await
    }

    /// Shows how a tool ended.
    pub async fn tool_ended(&self, tool: &str, call: &str, status: ToolStatus) -> bool {
        self.progress(Reply::tool_ended(tool, call, status)).await
    }

    async fn progress(&self, sign: Reply) -> bool {
        let sent = self.conversation.send_as(sign.run(&self.run), Importance::Progress).await;
        if let Err(error) = &sent {
            tracing::debug!(account = %self.conversation.account(), %error, "tool progress is not shown");
        }
        sent.is_ok()
    }

    /// The final answer, with the blocks that wait before it. Nothing at all is no error here: there may have been
    /// blocks enough.
    ///
    /// # Errors
    /// As [`Conversation::send`].
    pub async fn finish(self, reply: impl Into<Reply>) -> Result<SendReport, Error> {
        let mut reply = reply.into();
        reply.run.get_or_insert(self.run);
        if !self.held.is_empty() {
            let mut text = self.held.join(BETWEEN);
            if let Some(Part::Text(first)) = reply.parts.first_mut() {
                text.push_str(BETWEEN);
                first.insert_str(0, &text);
            } else {
                reply.parts.insert(0, Part::Text(text));
            }
        }
        if reply.is_empty() {
            return Ok(SendReport::default());
        }
        self.conversation.send(reply).await
    }
}
