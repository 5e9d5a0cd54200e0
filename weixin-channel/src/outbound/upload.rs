//! Media on its way out.

use ilink_client::UserId;
use ilink_client::wire::MessageItem;
use weixin_media::{Remote, RemoteBuilder};

use super::reply::{Attachment, Origin};
use crate::account::AccountId;
use crate::blocking::blocking;
use crate::core::Core;
use crate::error::Error;

/// Uploads what a reply carries.
pub(super) async fn upload(
    core: &Core,
    account: &AccountId,
    user: &UserId,
    attachment: Attachment,
) -> Result<MessageItem, Error> {
    let media = core.media(account).await?;
    let mut name = attachment.name;
    // Held until the upload is over.
    let mut downloaded = None;
    let source = match attachment.origin {
        Origin::Source(source) => source,
        Origin::Url(url) => {
            let make = || tempfile::tempdir().map_err(Error::state(std::env::temp_dir(), "write to"));
            let folder = blocking(make).await?;
            let file = remote(core)?.download(url).to_file(folder.path().join("media")).await?;
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
fn remote(core: &Core) -> Result<&Remote, Error> {
    if let Some(remote) = core.remote.get() {
        return Ok(remote);
    }
    let roots = core.clients.roots().iter().cloned();
    let remote = roots.fold(Remote::builder(), RemoteBuilder::root_certificates).build()?;
    Ok(core.remote.get_or_init(|| remote))
}
