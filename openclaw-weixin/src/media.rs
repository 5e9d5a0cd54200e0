//! Media of messages through the port: paths, never bytes.

use std::path::Path;

use weixin_channel::AccountId;

use crate::failure::Failure;
use crate::messages::{Fetched, MediaFetch};
use crate::session::{Session, lock};

impl Session {
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
}
