//! Media that an agent or the host names: a URL, or a file below folders that it may be sent from.

use std::io;
use std::path::Path;

use weixin_channel::weixin_media::{Error, ErrorKind, Source};
use weixin_channel::{AccountId, Attachment};

use crate::failure::Failure;
use crate::messages::MediaSource;
use crate::session::{Session, lock};

impl Session {
    /// What is to be sent. A file is open from here on: whatever becomes of its path, this file is sent.
    pub(crate) async fn attachment(
        &self,
        media: MediaSource,
        account: &AccountId,
        to: &str,
    ) -> Result<Attachment, Failure> {
        let attachment = match (media.path, media.url) {
            (Some(path), None) => {
                let file = open(&path, &media.roots).await?;
                if !self.may_have(&file, account, to).await? {
                    return Err(Failure::new(
                        "source-unreadable",
                        format!(
                            "{path} is not sent: it is a file that another WeChat user has sent to this bot. Only they and \
                             whoever has logged the bot in can be sent it, unless \
                             channels.openclaw-weixin.shareReceivedMedia is true."
                        ),
                    ));
                }
                Attachment::new(file)
            }
            (None, Some(url)) => Attachment::url(url),
            _ => return Err(Failure::new("invalid-input", "Media is a path or a URL, one of the two.")),
        };
        Ok(if media.as_file { attachment.as_file() } else { attachment })
    }

    /// False for what another user has sent here, unless it is for the account's owner.
    async fn may_have(&self, source: &Source, account: &AccountId, to: &str) -> Result<bool, Failure> {
        if self.share_received_media {
            return Ok(true);
        }
        // As spelled on the wire: hosts lower-case ids.
        let known = self.channel.conversation(account, to).user_id().await?;
        let user = known.map_or_else(|| to.to_owned(), |user| user.as_str().to_owned());
        let (received, source) = (self.received.clone(), source.clone());
        let (of, whose) = (account.clone(), user.clone());
        let look = move || {
            let Some(file) = source.as_file() else { return Ok(false) };
            lock(&received).is_of_another(file, &of, &[&whose])
        };
        let is_of_another = tokio::task::spawn_blocking(look).await.map_err(|_| Failure::closed())?;
        let is_of_another = is_of_another.map_err(|error| {
            Failure::new("source-unreadable", format!("a file to be sent cannot be read: {error}"))
        })?;
        if !is_of_another {
            return Ok(true);
        }
        let accounts = self.channel.accounts().await?;
        let owner = accounts.into_iter().find(|found| found.id == *account).and_then(|found| found.user_id);
        Ok(owner.is_some_and(|owner| owner.as_str() == user))
    }
}

/// The file, from the first folder that it lies in. An agent can be talked into naming any.
async fn open(path: &str, roots: &[String]) -> Result<Source, Failure> {
    let mut unusable = None;
    for root in roots.iter().filter(|root| is_narrow(Path::new(root))) {
        match Source::beneath(root, path).await {
            Ok(source) => return Ok(source),
            Err(error) if is_elsewhere(&error) => {}
            Err(error) => drop(unusable.get_or_insert(error)),
        }
    }
    Err(match unusable {
        Some(error) => Failure::new(error.code(), format!("{path} is not sent: {error}.")),
        None => Failure::new(
            "source-unreadable",
            format!(
                "{path} is not sent: there is no such file in the folders that this agent may send from ({}).",
                roots.join(", ")
            ),
        ),
    })
}

/// Below the root of all files would be any file; the host refuses that too.
fn is_narrow(root: &Path) -> bool {
    root.is_absolute() && root.parent().is_some()
}

/// Not in this folder, perhaps in another.
fn is_elsewhere(error: &Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    error.kind() == ErrorKind::InvalidInput
        || source.is_some_and(|error| {
            matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        })
}
