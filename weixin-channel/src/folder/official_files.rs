//! The official plugin's own files of an account.

use ilink_client::Cursor;

use super::files;
use super::state_dir::StateDir;
use crate::account::AccountId;
use crate::error::Error;

impl StateDir {
    /// Makes the channel's folder and shows that it can be written.
    ///
    /// # Errors
    /// [`Error::State`], naming the folder.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        super::state_dir::make_dir(&self.accounts_dir())?;
        for folder in [self.channel_dir(), self.accounts_dir()] {
            super::state_dir::close_to_others(&folder);
        }
        super::state_dir::tell_if_others_write(self.root());
        let probe = tempfile::Builder::new().prefix(".probe").tempfile_in(self.channel_dir());
        probe.map(drop).map_err(Error::state(self.channel_dir(), "write to"))
    }

    /// The cursor as the official plugin stored it.
    pub(crate) fn read_cursor(&self, id: &AccountId) -> Result<Option<Cursor>, Error> {
        let raw = id.bot_id();
        let old = self.root().join("agents/default/sessions/.openclaw-weixin-sync/default.json");
        for path in
            [self.account_file(id.as_str(), ".sync.json"), self.account_file(raw.as_str(), ".sync.json"), old]
        {
            if let Some(json) = files::read_json(&path)? {
                let cursor = json["get_updates_buf"].as_str().filter(|text| !text.is_empty());
                return Ok(cursor.map(Cursor::from));
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
