//! Media of an account: through the CDN that its settings name.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use ilink_client::UserId;
use ilink_client::wire::MessageItem;
use weixin_media::codec::{MediaKind, Sniffed, convert_voice};
use weixin_media::{Media, MediaRef, Remote, RemoteBuilder};

use crate::account::AccountId;
use crate::blocking::blocking;
use crate::channel::Channel;
use crate::error::Error;
use crate::folder::make_dir;
use crate::inbound::{Inbound, InboundMedia, SavedMedia};
use crate::outbound::{Attachment, Origin};

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

    /// Fetches one piece of media into a folder, under a safe name of its own; a voice message in SILK becomes WAV, so
    /// that an agent can hear it. What is there already is not fetched again.
    ///
    /// # Errors
    /// [`Error::Media`] if it cannot be had, or is larger than `max_size` bytes; [`Error::State`] if the folder cannot
    /// be written.
    pub async fn save_media(
        &self,
        account: &AccountId,
        media: &MediaRef,
        folder: &Path,
        max_size: u64,
    ) -> Result<SavedMedia, Error> {
        let service = self.media(account).await?;
        let path = new_name(folder).await?;
        if media.kind() == MediaKind::Voice {
            let bytes = service.download(media).max_size(max_size).to_bytes().await?;
            let (media, longest) = (media.clone(), self.inbound_policy().max_voice_bytes);
            // An error means that the semaphore was closed, which nobody does.
            let _turn = self.inner().decoders.acquire().await;
            return blocking(move || save_voice(&media, &bytes, &path, longest)).await;
        }
        let saved = service.download(media).max_size(max_size).to_file(&path).await?;
        let name = media.file_name(&saved.sniffed);
        let (path, sniffed) = (saved.path, saved.sniffed.clone());
        let path = blocking(move || with_extension(path, &sniffed)).await?;
        Ok(SavedMedia { path, mime: saved.sniffed.mime, name, size: saved.size })
    }

    /// Fetches the media of a message. What cannot be had is said in the text, and does not hold up the message.
    pub(crate) async fn fetch_media(&self, account: &AccountId, inbound: &mut Inbound, max_size: u64) {
        let folder = self.quotes().media_dir(account).unwrap_or_else(|| self.state().media_dir(account));
        for attachment in inbound.attachments.iter_mut().filter(|attachment| attachment.saved.is_none()) {
            let saved = self.save_media(account, &attachment.media, &folder, max_size).await;
            if let Err(error) = &saved {
                tracing::warn!(%account, %error, "media could not be fetched");
            }
            attachment.saved = Some(saved.map_err(|error| error.to_string()));
        }
        inbound.retell();
    }

    /// Uploads what a reply carries.
    pub(crate) async fn upload(
        &self,
        account: &AccountId,
        user: &UserId,
        attachment: Attachment,
    ) -> Result<MessageItem, Error> {
        let media = self.media(account).await?;
        let mut name = attachment.name;
        // Held until the upload is over.
        let mut downloaded = None;
        let source = match attachment.origin {
            Origin::Source(source) => source,
            Origin::Url(url) => {
                let make = || tempfile::tempdir().map_err(Error::state(std::env::temp_dir(), "write to"));
                let folder = blocking(make).await?;
                let file = self.remote()?.download(url).to_file(folder.path().join("media")).await?;
                name = name.or(Some(file.name));
                downloaded = Some(folder);
                file.path.into()
            }
        };
        let mut upload = media.upload(user, source);
        if let Some(name) = name {
            upload = upload.name(name);
        }
        if attachment.as_file {
            upload = upload.as_file();
        }
        let uploaded = upload.await?;
        if let Some(folder) = downloaded {
            // Nobody waits for it to be gone.
            tokio::task::spawn_blocking(move || drop(folder));
        }
        Ok(uploaded.to_item())
    }

    /// For URLs that an agent gave.
    fn remote(&self) -> Result<&Remote, Error> {
        let inner = self.inner();
        if let Some(remote) = inner.remote.get() {
            return Ok(remote);
        }
        let roots = inner.settings.roots().iter().cloned();
        let remote = roots.fold(Remote::builder(), RemoteBuilder::root_certificates).build()?;
        Ok(inner.remote.get_or_init(|| remote))
    }
}

/// A path in a folder that nothing has yet.
async fn new_name(folder: &Path) -> Result<PathBuf, Error> {
    let folder = folder.to_owned();
    blocking(move || {
        make_dir(&folder)?;
        let file = tempfile::Builder::new().prefix("").rand_bytes(12).tempfile_in(&folder);
        let file = file.map_err(Error::state(&folder, "write to"))?;
        Ok(file.into_temp_path().to_path_buf())
    })
    .await
}

/// Decoding takes seconds for a voice message of some minutes, so this is no work for the runtime.
fn save_voice(media: &MediaRef, bytes: &Bytes, path: &Path, longest: u64) -> Result<SavedMedia, Error> {
    let voice = if bytes.len() as u64 > longest {
        Err(format!("it has {} bytes, more than {longest} (max_voice_bytes)", bytes.len()))
    } else {
        convert_voice(bytes.clone()).map_err(|error| error.to_string())
    };
    let voice = match voice {
        Ok(voice) => voice,
        Err(error) => {
            // An agent may still know what to do with the original.
            tracing::warn!(error, "a voice message stays as it came");
            let found = weixin_media::codec::sniff(bytes, None);
            let path = with_extension(path.to_owned(), &found)?;
            std::fs::write(&path, bytes).map_err(Error::state(&path, "write"))?;
            return Ok(SavedMedia {
                name: media.file_name(&found),
                path,
                mime: found.mime,
                size: bytes.len() as u64,
            });
        }
    };
    let path = path.with_extension(&voice.extension);
    std::fs::write(&path, &voice.bytes).map_err(Error::state(&path, "write"))?;
    let name = format!("voice.{}", voice.extension);
    Ok(SavedMedia { path, mime: voice.mime, name, size: voice.bytes.len() as u64 })
}

/// Programs that open the file go by its extension.
fn with_extension(path: PathBuf, sniffed: &Sniffed) -> Result<PathBuf, Error> {
    let Some(extension) = &sniffed.extension else { return Ok(path) };
    let named = path.with_extension(extension);
    if path.exists() {
        std::fs::rename(&path, &named).map_err(Error::state(&path, "rename"))?;
    }
    Ok(named)
}

impl InboundMedia {
    /// What stands for it in the text if it could not be fetched.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        let failed = matches!(self.saved, Some(Err(_)));
        failed.then(|| match self.media.kind() {
            MediaKind::Image => "[图片: 下载失败]",
            MediaKind::Video => "[视频: 下载失败]",
            MediaKind::Voice => "[语音: 下载失败]",
            _ => "[文件: 下载失败]",
        })
    }
}
