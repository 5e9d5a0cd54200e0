//! Answers through the port: whole, or bit by bit while the agent works.

use weixin_channel::ilink_client::RunId;
use weixin_channel::{AccountId, Reply, SendReport, ToolStatus};

use crate::failure::Failure;
use crate::messages::{Block, Outcome, Outgoing, Sent, ToolSign, TurnEnd};
use crate::session::{Session, lock};

impl Session {
    /// The answer, or one of a run's answers, with the blocks that wait before it.
    pub(crate) async fn send(&self, send: Outgoing) -> Result<Sent, Failure> {
        let mut reply = Reply::new();
        if let Some(text) = send.text.filter(|text| !text.trim().is_empty()) {
            reply = reply.and_text(text);
        }
        let account = AccountId::new(&send.account_id);
        let mut refused = None;
        // All files are opened before anything leaves: what is looked at is what is sent.
        for media in send.media {
            match self.attachment(media, &account, &send.to).await {
                Ok(media) => reply = reply.and_media(media),
                Err(failure) => drop(refused.get_or_insert(failure)),
            }
        }
        if reply.is_empty()
            && let Some(failure) = refused
        {
            return Err(failure);
        }
        let report = self.send_reply(account, &send.to, send.run_id, reply).await?;
        Ok(Sent { refused: refused.map(|failure| failure.message), ..Sent::from(report) })
    }

    async fn send_reply(
        &self,
        account: AccountId,
        to: &str,
        run: Option<String>,
        reply: Reply,
    ) -> Result<SendReport, Failure> {
        let Some(run) = run else {
            return Ok(self.channel.conversation(&account, to).send(reply).await?);
        };
        let key = (account, run);
        let turn = lock(&self.turns).remove(&key);
        Ok(match turn {
            Some(turn) => turn.finish(reply).await?,
            None => self.channel.conversation(&key.0, to).send(reply.run(RunId::from(key.1))).await?,
        })
    }

    /// A block of an answer; calls of one run come one after the other.
    pub(crate) async fn block(&self, block: Block) -> Result<Sent, Failure> {
        let key = (AccountId::new(&block.account_id), block.run_id);
        let kept = lock(&self.turns).remove(&key);
        let mut turn =
            kept.unwrap_or_else(|| self.channel.conversation(&key.0, &block.to).turn(RunId::from(&*key.1)));
        let sent = turn.block(block.text).await;
        lock(&self.turns).insert(key, turn);
        Ok(sent?.map_or(Sent { outcome: Outcome::Waiting, message_id: None, refused: None }, Sent::from))
    }

    /// False if the sign is not shown; that is never a failure.
    pub(crate) async fn tool(&self, sign: ToolSign) -> Result<bool, Failure> {
        let turn = self
            .channel
            .conversation(&AccountId::new(&sign.account_id), &sign.to)
            .turn(RunId::from(sign.run_id));
        Ok(match sign.status {
            None => turn.tool_started(&sign.name, &sign.call).await,
            Some(status) => turn.tool_ended(&sign.name, &sign.call, ToolStatus::from(&*status)).await,
        })
    }

    /// Sends the blocks that still wait.
    pub(crate) async fn end_turn(&self, end: TurnEnd) -> Result<Sent, Failure> {
        let turn = lock(&self.turns).remove(&(AccountId::new(&end.account_id), end.run_id));
        let report = match turn {
            Some(turn) => turn.finish(Reply::new()).await?,
            None => SendReport::default(),
        };
        Ok(report.into())
    }
}

impl From<SendReport> for Sent {
    fn from(report: SendReport) -> Self {
        let outcome = match report {
            _ if report.queued > 0 => Outcome::Waiting,
            _ if report.is_confirmed() => Outcome::Accepted,
            _ => Outcome::Unconfirmed,
        };
        Self { outcome, message_id: report.message_id().map(|id| id.to_string()), refused: None }
    }
}
