//! Media of a message: from the CDN into a file.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use weixin_media::MediaRef;
use weixin_media::codec::{MediaKind, Sniffed, convert_voice};

use crate::account::AccountId;
use crate::blocking::blocking;
use crate::core::Core;
use crate::error::Error;
use crate::folder::state_dir::{make_dir, write_private};
use crate::inbound::message::{Inbound, SavedMedia};

/// Fetches one piece of media into a folder, under a safe name of its own; a voice message in SILK becomes WAV, so
/// that an agent can hear it. What is there already is not fetched again.
///
/// # Errors
/// [`Error::Media`] if it cannot be had, or is larger than `max_size` bytes; [`Error::State`] if the folder cannot
/// be written.
pub(crate) async fn save(
    core: &Core,
    account: &AccountId,
    media: &MediaRef,
    folder: &Path,
    max_size: u64,
) -> Result<SavedMedia, Error> {
    let service = core.media(account).await?;
    let path = new_name(folder).await?;
    if media.kind() == MediaKind::Voice {
        let bytes = service.download(media).max_size(max_size).to_bytes().await?;
        let (media, longest) = (media.clone(), core.inbound.max_voice_bytes);
        // An error means that the semaphore was closed, which nobody does.
        let _turn = core.decoders.acquire().await;
        return blocking(move || save_voice(&media, &bytes, &path, longest)).await;
    }
    let saved = service.download(media).max_size(max_size).to_file(&path).await?;
    let name = media.file_name(&saved.sniffed);
    let (path, sniffed) = (saved.path, saved.sniffed.clone());
    let path = blocking(move || with_extension(path, &sniffed)).await?;
    Ok(SavedMedia { path, mime: saved.sniffed.mime, name, size: saved.size })
}

/// Fetches the media of a message. What cannot be had is said in the text, and does not hold up the message.
pub(crate) async fn fetch(core: &Core, account: &AccountId, inbound: &mut Inbound, max_size: u64) {
    let folder = core.media_dir(account, &inbound.from);
    let (most, mut left) = (core.inbound.max_media, core.inbound.max_media_bytes);
    for (place, attachment) in inbound.attachments.iter_mut().enumerate() {
        if attachment.saved.is_some() {
            continue;
        }
        let saved = if place < most {
            let saved = save(core, account, &attachment.media, &folder, max_size.min(left)).await;
            saved.map_err(|error| error.to_string())
        } else {
            Err(format!("its message has more than {most} pieces of media (max_media)"))
        };
        match &saved {
            Ok(saved) => left = left.saturating_sub(saved.size),
            Err(error) => tracing::warn!(%account, error, "media could not be fetched"),
        }
        attachment.saved = Some(saved);
    }
    inbound.retell();
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
            write_private(&path, bytes).map_err(Error::state(&path, "write"))?;
            return Ok(SavedMedia {
                name: media.file_name(&found),
                path,
                mime: found.mime,
                size: bytes.len() as u64,
            });
        }
    };
    let path = path.with_extension(&voice.extension);
    write_private(&path, &voice.bytes).map_err(Error::state(&path, "write"))?;
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
