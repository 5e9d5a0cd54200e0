//! Whose files are whose: what one user has sent to the bot is not sent to another because somebody names it.
//!
//! Files are known by their content. A path would not do: hosts copy a file before they hand it over to be sent. What is
//! kept is a digest of the content and one of account and user, nothing that could be read.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use weixin_channel::AccountId;

/// The most that are remembered, the newest.
const FILES: usize = 10_000;

/// How long: the host has removed them from its store long before. Seconds.
const KEPT: u64 = 30 * 24 * 60 * 60;

/// What is known of files, in memory and in `openclaw-weixin/received-media.jsonl`.
pub(crate) struct Received {
    path: PathBuf,
    /// By content: who has sent it.
    known: HashMap<Content, Vec<String>>,
}

/// Size and MD5.
type Content = (u64, String);

/// A line of the file.
#[derive(Serialize, Deserialize)]
struct Line {
    size: u64,
    md5: String,
    from: String,
    at: u64,
}

impl Received {
    /// What an earlier process has written. What cannot be read is as good as not there: it is only lines of ours.
    pub(crate) fn open(state_dir: &str) -> Self {
        let path = Path::new(state_dir).join("openclaw-weixin").join("received-media.jsonl");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let oldest = now().saturating_sub(KEPT);
        let lines: Vec<Line> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let kept: Vec<&Line> = lines.iter().rev().filter(|line| line.at >= oldest).take(FILES / 2).collect();
        let mut received = Self { path, known: HashMap::new() };
        for line in kept.iter().rev() {
            received.remember((line.size, line.md5.clone()), line.from.clone());
        }
        if kept.len() < text.lines().count() {
            let lines = kept.iter().rev().filter_map(|line| serde_json::to_string(line).ok());
            received.replace(&lines.fold(String::new(), |text, line| text + &line + "\n"));
        }
        received
    }

    /// Remembers who has sent a file. Blocks.
    pub(crate) fn note(&mut self, file: &Path, account: &AccountId, user: &str) {
        let noted = File::open(file).and_then(|file| content(&file)).and_then(|content| {
            let from = digest(account, user);
            let line = Line { size: content.0, md5: content.1.clone(), from: from.clone(), at: now() };
            if self.known.len() >= FILES {
                // The file has more of them; the next start brings back the newest.
                self.known.clear();
            }
            self.remember(content, from);
            let mut text = serde_json::to_string(&line)?;
            text.push('\n');
            private(OpenOptions::new().create(true).append(true)).open(&self.path)?.write_all(text.as_bytes())
        });
        if let Err(error) = noted {
            tracing::warn!(%error, "who has sent a file is not remembered");
        }
    }

    /// Whether a file is another user's: received here, and from none of these. Blocks.
    pub(crate) fn is_of_another(&self, file: &File, account: &AccountId, users: &[&str]) -> io::Result<bool> {
        let size = file.metadata()?.len();
        if size == 0 || !self.known.keys().any(|(known, _)| *known == size) {
            return Ok(false);
        }
        let Some(senders) = self.known.get(&content(file)?) else { return Ok(false) };
        let theirs: Vec<String> = users.iter().map(|user| digest(account, user)).collect();
        Ok(!senders.iter().any(|sender| theirs.contains(sender)))
    }

    fn remember(&mut self, content: Content, from: String) {
        let senders = self.known.entry(content).or_default();
        if !senders.contains(&from) {
            senders.push(from);
        }
    }

    fn replace(&self, text: &str) {
        let beside = self.path.with_extension("new");
        let written = private(OpenOptions::new().create(true).truncate(true).write(true))
            .open(&beside)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .and_then(|()| std::fs::rename(&beside, &self.path));
        if let Err(error) = written {
            tracing::warn!(%error, path = %self.path.display(), "the list of received files was not shortened");
        }
    }
}

fn content(mut file: &File) -> io::Result<Content> {
    let (mut md5, mut size, mut buffer) = (Md5::new(), 0, vec![0; 64 << 10]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((size, hex(&md5.finalize())));
        }
        md5.update(&buffer[..read]);
        size += read as u64;
    }
}

fn digest(account: &AccountId, user: &str) -> String {
    hex(&Md5::digest(format!("{account}\n{user}")))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Unix seconds.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_senders_whatever_it_is_called_and_over_restarts() {
        let folder = std::env::temp_dir().join(format!("weixin-received-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("openclaw-weixin")).unwrap();
        let state = folder.to_str().unwrap();
        let (a, b) = (AccountId::new("a"), AccountId::new("b"));
        let (file, copy, other) = (folder.join("file"), folder.join("copy"), folder.join("other"));
        for (path, bytes) in [(&file, "of B"), (&copy, "of B"), (&other, "mine")] {
            std::fs::write(path, bytes).unwrap();
        }
        Received::open(state).note(&file, &a, "B");
        for received in [Received::open(state), Received::open(state)] {
            let is_of_another = |path: &Path, account: &AccountId, users: &[&str]| {
                received.is_of_another(&File::open(path).unwrap(), account, users).unwrap()
            };
            assert!(is_of_another(&copy, &a, &["A"]));
            assert!(is_of_another(&copy, &b, &["B"]), "another account's user of that name");
            assert!(!is_of_another(&copy, &a, &["A", "B"]));
            assert!(!is_of_another(&other, &a, &["A"]), "of the same size");
        }
        let mut received = Received::open(state);
        received.note(&copy, &a, "A");
        assert!(
            !received.is_of_another(&File::open(&file).unwrap(), &a, &["A"]).unwrap(),
            "both have sent it"
        );
        let text = std::fs::read_to_string(&received.path).unwrap();
        assert!(text.lines().count() == 2 && !text.contains("of B"), "{text}");
        std::fs::write(&received.path, "{ half\n".repeat(3) + &text).unwrap();
        assert_eq!(Received::open(state).known.len(), 1);
        assert_eq!(std::fs::read_to_string(&received.path).unwrap(), text);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
