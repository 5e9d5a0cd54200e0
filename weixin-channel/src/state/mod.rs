//! The state folder that existing installations have (protocol §8): read and written in their layout.

mod accounts;
mod files;
mod lock;

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) use files::{Sync, keep_aside, make_dir, read_json, write_json};
use ilink_client::Cursor;
pub(crate) use lock::{AccountLock, lock_file};

use crate::account::AccountId;
use crate::error::Error;

/// An OpenClaw state folder. Files are 0600, folders 0700; a file is written beside its place and moved there
/// (field note 29).
#[derive(Clone, Debug)]
pub struct StateDir {
    root: PathBuf,
}

impl StateDir {
    /// A folder, which is made when something is first written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// `$OPENCLAW_STATE_DIR`, else `$CLAWDBOT_STATE_DIR`, else `~/.openclaw`. `None` without
    /// any of these and without a home.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        let var = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let root = var("OPENCLAW_STATE_DIR")
            .or_else(|| var("CLAWDBOT_STATE_DIR"))
            .or_else(|| std::env::home_dir().map(|home| home.join(".openclaw")))?;
        Some(Self { root })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where this channel's files are.
    #[must_use]
    pub fn channel_dir(&self) -> PathBuf {
        self.root.join("openclaw-weixin")
    }

    /// Where the journal is.
    #[must_use]
    pub fn journal_path(&self) -> PathBuf {
        self.channel_dir().join("channel.sqlite")
    }

    /// Where fetched media of an account lies: below the folder that OpenClaw's agents may read.
    pub(crate) fn media_dir(&self, id: &AccountId) -> PathBuf {
        self.root.join("media/inbound/openclaw-weixin").join(id.as_str())
    }

    fn accounts_dir(&self) -> PathBuf {
        self.channel_dir().join("accounts")
    }

    fn account_file(&self, id: &str, suffix: &str) -> PathBuf {
        self.accounts_dir().join(format!("{id}{suffix}"))
    }

    /// Makes the channel's folder and shows that it can be written.
    ///
    /// # Errors
    /// [`Error::State`], naming the folder.
    pub fn prepare(&self) -> Result<(), Error> {
        files::make_dir(&self.accounts_dir())?;
        let probe = tempfile::Builder::new().prefix(".probe").tempfile_in(self.channel_dir());
        probe.map(drop).map_err(Error::state(self.channel_dir(), "write to"))
    }

    /// The cursor as the official plugin stored it, and when.
    pub(crate) fn read_cursor(&self, id: &AccountId) -> Result<Option<(Cursor, SystemTime)>, Error> {
        let raw = id.bot_id();
        let old = self.root.join("agents/default/sessions/.openclaw-weixin-sync/default.json");
        for path in
            [self.account_file(id.as_str(), ".sync.json"), self.account_file(raw.as_str(), ".sync.json"), old]
        {
            if let Some(json) = files::read_json(&path)? {
                let modified = std::fs::metadata(&path).and_then(|data| data.modified());
                let cursor = json["get_updates_buf"].as_str().filter(|text| !text.is_empty());
                return Ok(cursor.map(|text| (Cursor::from(text), modified.unwrap_or(UNIX_EPOCH))));
            }
        }
        Ok(None)
    }

    /// Keeps the official plugin's file up to date, so that one can go back to it.
    pub(crate) fn write_cursor(&self, id: &AccountId, cursor: &Cursor) -> Result<(), Error> {
        let path = self.account_file(id.as_str(), ".sync.json");
        files::write_json(&path, &serde_json::json!({ "get_updates_buf": cursor }), files::Sync::No)
    }

    /// User id to context token, as the official plugin stored them.
    pub(crate) fn read_context_tokens(&self, id: &AccountId) -> Result<Vec<(String, String)>, Error> {
        let json = files::read_json(&self.account_file(id.as_str(), ".context-tokens.json"))?;
        let tokens = json.as_ref().and_then(serde_json::Value::as_object).into_iter().flatten();
        Ok(tokens.filter_map(|(user, token)| Some((user.clone(), token.as_str()?.to_owned()))).collect())
    }

    /// Keeps the official plugin's file up to date.
    pub(crate) fn write_context_tokens(
        &self,
        id: &AccountId,
        tokens: &[(String, String)],
    ) -> Result<(), Error> {
        let json: serde_json::Map<_, _> =
            tokens.iter().map(|(user, token)| (user.clone(), token.clone().into())).collect();
        files::write_json(
            &self.account_file(id.as_str(), ".context-tokens.json"),
            &json.into(),
            files::Sync::No,
        )
    }
}
