//! Media of messages through the port: paths, never bytes.

use std::path::{Path, PathBuf};

use weixin_channel::{AccountId, InboundPolicy};

use crate::failure::Failure;
use crate::messages::{Fetched, MediaFetch};
use crate::session::{Session, lock};

impl Session {
    /// Fetches the media of an open delivery; a piece that cannot be had does not keep the others away.
    pub(crate) async fn fetch_media(&self, fetch: MediaFetch) -> Result<Vec<Fetched>, Failure> {
        let key = (AccountId::new(&fetch.account_id), fetch.delivery_id);
        let found = lock(&self.open)
            .get(&key)
            .map(|delivery| (delivery.inbound.media(), delivery.inbound.from.as_str().to_owned()));
        let (items, from) = found.ok_or_else(|| {
            Failure::new(
                "unknown-delivery",
                format!("Delivery {} is settled already, or its account has been stopped since.", key.1),
            )
        })?;
        // As many and as much as the channel itself would fetch.
        let policy = InboundPolicy::default();
        let mut left = policy.max_media_bytes;
        let mut fetched = Vec::with_capacity(items.len().min(policy.max_media + 1));
        for item in items.iter().take(policy.max_media) {
            let most = fetch.max_size.min(left);
            let saved = self.channel.save_media(&key.0, item, Path::new(&fetch.folder), most).await;
            fetched.push(match saved {
                Ok(saved) => {
                    left = left.saturating_sub(saved.size);
                    self.note_received(saved.path.clone(), &key.0, &from).await;
                    Fetched::File {
                        path: saved.path.display().to_string(),
                        mime: saved.mime.to_string(),
                        name: saved.name,
                    }
                }
                Err(error) => Fetched::Failed { error: Failure::from(error).message },
            });
        }
        if let Some(more) = items.len().checked_sub(policy.max_media).filter(|more| *more > 0) {
            let error = format!("{more} more pieces of media are in the message than are fetched of one");
            fetched.push(Fetched::Failed { error });
        }
        Ok(fetched)
    }

    /// The file is this user's from now on.
    async fn note_received(&self, file: PathBuf, account: &AccountId, from: &str) {
        let (received, account, from) = (self.received.clone(), account.clone(), from.to_owned());
        let noted = tokio::task::spawn_blocking(move || lock(&received).note(&file, &account, &from));
        // It fails only if the port is being closed.
        drop(noted.await);
    }
}
