//! Media of an account: through the CDN that its settings name.

use ilink_client::RunId;
use weixin_media::{Media, Source};

use crate::account::AccountId;
use crate::channel::Channel;
use crate::error::Error;
use crate::outbound::SendReport;

impl Channel {
    /// Uploads and downloads of an account.
    ///
    /// ```no_run
    /// # async fn run(delivery: weixin_channel::Delivery) -> Result<(), weixin_channel::Error> {
    /// let media = delivery.channel().media(&delivery.account).await?;
    /// for (n, item) in delivery.inbound.media().iter().enumerate() {
    ///     media.download(item).max_size(25 << 20).to_file(format!("inbound-{n}")).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If there is no such account, or its CDN's URL is unusable.
    pub async fn media(&self, account: &AccountId) -> Result<Media, Error> {
        let (bot, config) = self.bot_and_config(account).await?;
        let media = Media::new(bot)?;
        Ok(match &config.cdn_base_url {
            Some(url) => media.cdn_base_url(url)?,
            None => media,
        })
    }

    /// Sends media to a user: image, video or file, by its bytes. A caption goes first, as a text of its own
    /// (protocol §5), so that it arrives even where the media does not.
    ///
    /// # Errors
    /// As [`send_text`](Self::send_text), and [`Error::Media`] if the upload fails.
    pub async fn send_media(
        &self,
        account: &AccountId,
        to: &str,
        source: impl Into<Source>,
        caption: &str,
        run: Option<&RunId>,
    ) -> Result<SendReport, Error> {
        let mut report = SendReport { parts: Vec::new() };
        if !caption.trim().is_empty() {
            report = self.send_text(account, to, caption, run).await?;
        }
        let (user, token) = self.context(account, to).await?;
        let media = self.media(account).await?;
        let uploaded = media.upload(&user, source).await?;
        let bot = self.bot(account).await?;
        let mut request = bot.send_item(&user, uploaded.to_item()).context_token(token);
        if let Some(run) = run {
            request = request.run_id(run);
        }
        report.parts.push(request.await?);
        self.note_outbound(account);
        Ok(report)
    }
}
