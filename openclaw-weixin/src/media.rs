//! Media through the port: paths and URLs, never bytes.

use std::path::{Path, PathBuf};

use weixin_channel::ilink_client::RunId;
use weixin_channel::{AccountId, Attachment, Reply};

use crate::failure::Failure;
use crate::live::{Live, lock};
use crate::messages::{Fetched, MediaFetch, SendMedia, Sent};

impl Live {
    /// Fetches the media of an open delivery; a piece that cannot be had does not keep the others away.
    pub(crate) async fn fetch_media(&self, fetch: MediaFetch) -> Result<Vec<Fetched>, Failure> {
        let key = (AccountId::new(&fetch.account_id), fetch.delivery_id);
        let items = lock(&self.open).get(&key).map(|delivery| delivery.inbound.media());
        let items = items.ok_or_else(|| {
            Failure::new(
                "unknown-delivery",
                format!("Delivery {} is settled already, or its account has been stopped since.", key.1),
            )
        })?;
        let mut fetched = Vec::with_capacity(items.len());
        for item in &items {
            let saved = self.channel.save_media(&key.0, item, Path::new(&fetch.folder), fetch.max_size).await;
            fetched.push(match saved {
                Ok(saved) => Fetched::File {
                    path: saved.path.display().to_string(),
                    mime: saved.mime.to_string(),
                    name: saved.name,
                },
                Err(error) => Fetched::Failed { error: error.to_string() },
            });
        }
        Ok(fetched)
    }

    /// Sends one file, or what a URL names, its caption first.
    pub(crate) async fn send_media(&self, send: SendMedia) -> Result<Sent, Failure> {
        let media = match (send.path, send.url) {
            (Some(path), None) => Attachment::new(PathBuf::from(path)),
            (None, Some(url)) => Attachment::url(url),
            _ => {
                return Err(Failure::new(
                    "invalid-input",
                    "send.media takes a path or a URL, one of the two.",
                ));
            }
        };
        let media = if send.as_file { media.as_file() } else { media };
        let media = match send.name {
            Some(name) => media.name(name),
            None => media,
        };
        let mut reply = Reply::new();
        if let Some(caption) = send.caption.filter(|caption| !caption.trim().is_empty()) {
            reply = reply.and_text(caption);
        }
        reply = reply.and_media(media);
        if let Some(run) = send.run_id {
            reply = reply.run(RunId::from(run));
        }
        let account = AccountId::new(&send.account_id);
        Ok(self.channel.send(&account, &send.to, reply).await?.into())
    }
}
