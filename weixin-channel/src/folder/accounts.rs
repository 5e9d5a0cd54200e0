//! Accounts in the state folder: an index and a file each.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ilink_client::{Credentials, Secret, UserId};
use serde_json::{Value, json};

use super::allow_list::AllowList;
use super::backend::FolderBackend;
use super::files::{self, Sync, keep_aside, read_json, write_json};
use super::lock::lock_file;
use super::state_dir::StateDir;
use crate::account::{Account, AccountId};
use crate::backend::{Accounts, Answer, SavedLogin};
use crate::error::Error;

impl Accounts for FolderBackend {
    fn accounts(&self) -> Answer<'_, Vec<Account>> {
        Box::pin(self.with_files(StateDir::accounts))
    }

    fn account<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Option<Account>> {
        let id = account.clone();
        Box::pin(self.with_files(move |state| state.account(&id)))
    }

    fn save_login<'a>(&'a self, credentials: &'a Credentials, now: SystemTime) -> Answer<'a, SavedLogin> {
        let credentials = credentials.clone();
        Box::pin(self.with_files(move |state| state.save_login(&credentials, now)))
    }

    fn remove_account<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()> {
        let id = account.clone();
        Box::pin(self.with_files(move |state| state.remove_account(&id)))
    }

    fn check_writable(&self) -> Answer<'_, ()> {
        Box::pin(self.with_files(StateDir::prepare))
    }
}

impl StateDir {
    fn index(&self) -> PathBuf {
        self.channel_dir().join("accounts.json")
    }

    /// Held while the index is read, changed and written: a command line may log in while the gateway logs out.
    fn lock_index(&self) -> Result<fs::File, Error> {
        lock_file(&self.channel_dir().join("accounts.lock"))
    }

    /// The accounts, oldest first. Without an index, those that have a file with a token.
    ///
    /// # Errors
    /// If a file cannot be read, or is damaged (it is kept aside).
    pub(crate) fn account_ids(&self) -> Result<Vec<AccountId>, Error> {
        let Some(index) = read_json(&self.index())? else {
            return self.accounts_on_disk();
        };
        let Value::Array(list) = index else {
            let kept = keep_aside(&self.index(), "damaged")?;
            return Err(Error::Corrupt { path: self.index(), kept });
        };
        Ok(named_once(list.iter().filter_map(Value::as_str).map(AccountId::new)))
    }

    fn accounts_on_disk(&self) -> Result<Vec<AccountId>, Error> {
        let folder = match fs::read_dir(self.accounts_dir()) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::state(self.accounts_dir(), "read")(error)),
        };
        let mut found = Vec::new();
        for entry in folder {
            let entry = entry.map_err(Error::state(self.accounts_dir(), "read"))?;
            let name = entry.file_name();
            let Some(name) = name.to_str().and_then(|name| name.strip_suffix(".json")) else { continue };
            let of_another_kind =
                [".sync", ".context-tokens", ".allow-from"].iter().any(|kind| name.ends_with(kind));
            if !of_another_kind && has_token(&entry.path()) {
                let modified = entry.metadata().and_then(|data| data.modified()).ok();
                found.push((modified, name.to_owned()));
            }
        }
        found.sort();
        Ok(named_once(found.iter().map(|(_, name)| AccountId::new(name))))
    }

    /// One account; `None` if it is not here or has no token. Old file names are read too.
    ///
    /// # Errors
    /// If its file cannot be read, or is damaged (it is kept aside).
    pub(crate) fn account(&self, id: &AccountId) -> Result<Option<Account>, Error> {
        let raw = id.bot_id();
        for path in [self.account_file(id.as_str(), ".json"), self.account_file(raw.as_str(), ".json")] {
            let Some(json) = read_json(&path)? else { continue };
            let Some(token) = text(&json, "token") else { continue };
            let mut account = Account::new(id.clone(), Secret::from(token));
            account.base_url = text(&json, "baseUrl");
            account.user_id = text(&json, "userId").map(UserId::from);
            return Ok(Some(account));
        }
        // The oldest layout knew one account and kept its token apart (protocol §8).
        let old = read_json(&self.root().join("credentials/openclaw-weixin/credentials.json"))?;
        let token = old.as_ref().and_then(|json| text(json, "token"));
        Ok(token.map(|token| Account::new(id.clone(), Secret::from(token))))
    }

    /// All accounts that have a token, oldest first.
    ///
    /// # Errors
    /// As [`account`](Self::account).
    pub(crate) fn accounts(&self) -> Result<Vec<Account>, Error> {
        let ids = self.account_ids()?;
        ids.iter().filter_map(|id| self.account(id).transpose()).collect()
    }

    /// Stores what a login brought: the account's file, with the user who scanned, and the index. Older
    /// accounts of the same user, which the server has unbound, are retired; their names are returned
    /// (protocol §5). Users who were approved for one of them ([`AllowList`]) are for the new one. The host's own
    /// allow-lists are left to the host: some refuse to start beside a file there that they cannot attribute.
    ///
    /// # Errors
    /// If something cannot be written; the account's own file comes first.
    pub(crate) fn save_login(&self, credentials: &Credentials, now: SystemTime) -> Result<SavedLogin, Error> {
        let _held = self.lock_index()?;
        let id = AccountId::from(&credentials.bot_id);
        let now = humantime::format_rfc3339_millis(now);
        let mut file = json!({ "token": credentials.token, "savedAt": now.to_string() });
        if let Some(url) = &credentials.base_url {
            file["baseUrl"] = json!(url);
        }
        if let Some(user) = &credentials.user_id {
            file["userId"] = json!(user);
        }
        write_json(&self.account_file(id.as_str(), ".json"), &file, Sync::Yes)?;

        let mut stale = Vec::new();
        let mut ids = self.account_ids()?;
        ids.retain(|other| *other != id);
        if let Some(user) = &credentials.user_id {
            for other in &ids {
                if self.account(other)?.is_some_and(|account| account.user_id.as_ref() == Some(user)) {
                    stale.push(other.clone());
                }
            }
        }
        for other in &stale {
            // Who was approved there goes on being known; a login must not fail for it.
            if let Err(error) = AllowList::new(self, &id, None).add_those_of(other) {
                tracing::warn!(account = %id, %other, %error, "approvals were not carried over");
            }
        }
        ids.retain(|other| !stale.contains(other));
        ids.push(id.clone());
        write_json(&self.index(), &json!(ids), Sync::Yes)?;
        for other in &stale {
            self.retire(other)?;
        }
        Ok(SavedLogin::new(id, stale))
    }

    /// Forgets an account: its token, cursor and context tokens.
    ///
    /// # Errors
    /// If a file cannot be written or removed.
    pub(crate) fn remove_account(&self, id: &AccountId) -> Result<(), Error> {
        let _held = self.lock_index()?;
        let ids: Vec<_> = self.account_ids()?.into_iter().filter(|other| other != id).collect();
        write_json(&self.index(), &json!(ids), Sync::Yes)?;
        for name in [id.as_str(), id.bot_id().as_str()] {
            for suffix in [".json", ".sync.json", ".context-tokens.json", ".allow-from.json"] {
                files::remove(&self.account_file(name, suffix))?;
            }
        }
        Ok(())
    }

    /// Takes an account out of use and keeps its files under other names (field note 36).
    fn retire(&self, id: &AccountId) -> Result<(), Error> {
        for suffix in [".json", ".sync.json", ".context-tokens.json", ".allow-from.json"] {
            let path = self.account_file(id.as_str(), suffix);
            if path.exists() {
                keep_aside(&path, "retired")?;
            }
        }
        Ok(())
    }
}

/// A text of a file; `None` if it is blank.
fn text(json: &Value, key: &str) -> Option<String> {
    json[key].as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Only looked at: a damaged file is kept aside when its account is asked for.
fn has_token(file: &Path) -> bool {
    let json = fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    json.is_some_and(|json: Value| text(&json, "token").is_some())
}

/// Each account once, in its first place.
fn named_once(ids: impl Iterator<Item = AccountId>) -> Vec<AccountId> {
    let mut known = HashSet::new();
    ids.filter(|id| !id.as_str().is_empty() && known.insert(id.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(bot: &str, user: &str) -> Credentials {
        Credentials::new(bot, "token").base_url("https://ilinkai.weixin.qq.com").user_id(user)
    }

    impl StateDir {
        fn save(&self, credentials: &Credentials) -> (AccountId, Vec<AccountId>) {
            let saved = self.save_login(credentials, SystemTime::now()).unwrap();
            (saved.account, saved.retired)
        }
    }

    fn names(ids: &[AccountId]) -> Vec<&str> {
        ids.iter().map(AccountId::as_str).collect()
    }

    #[test]
    fn a_login_is_stored_as_the_official_plugin_does() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        let (id, retired) = state.save(&login("0afa4e1ab5c0@im.bot", "o9cq8user@im.wechat"));
        assert!(retired.is_empty());
        let json = read_json(&folder.path().join("openclaw-weixin/accounts/0afa4e1ab5c0-im-bot.json"))
            .unwrap()
            .unwrap();
        assert_eq!(json["token"], "token");
        assert_eq!(json["userId"], "o9cq8user@im.wechat");
        assert!(json["savedAt"].as_str().unwrap().ends_with('Z'));
        assert_eq!(state.account(&id).unwrap().unwrap().credentials().bot_id.as_str(), "0afa4e1ab5c0@im.bot");
    }

    #[cfg(unix)]
    #[test]
    fn files_are_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path().join("state"));
        state.save(&login("0afa4e1ab5c0@im.bot", "u@im.wechat"));
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(state.account_file("0afa4e1ab5c0-im-bot", ".json")), 0o600);
        assert_eq!(mode(state.index()), 0o600);
        assert_eq!(mode(state.accounts_dir()), 0o700);
    }

    #[test]
    fn an_older_account_of_the_same_user_is_retired_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        state.save(&login("aaaaaaaaaaaa@im.bot", "one@im.wechat"));
        state.save(&login("bbbbbbbbbbbb@im.bot", "two@im.wechat"));
        let (_, retired) = state.save(&login("cccccccccccc@im.bot", "one@im.wechat"));
        assert_eq!(names(&retired), ["aaaaaaaaaaaa-im-bot"]);
        assert_eq!(names(&state.account_ids().unwrap()), ["bbbbbbbbbbbb-im-bot", "cccccccccccc-im-bot"]);
        let kept = fs::read_dir(state.accounts_dir())
            .unwrap()
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok());
        assert_eq!(kept.filter(|name| name.starts_with("aaaaaaaaaaaa-im-bot.json.retired-")).count(), 1);
    }

    #[test]
    fn two_processes_lose_no_account() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let state = StateDir::new(folder.path());
                scope.spawn(move || {
                    for m in 0..5 {
                        let bot = format!("{n}a{m}@im.bot");
                        let (id, _) = state.save(&login(&bot, &format!("{n}-{m}")));
                        if m % 2 == 0 {
                            state.remove_account(&id).unwrap();
                        }
                    }
                });
            }
        });
        assert_eq!(StateDir::new(folder.path()).account_ids().unwrap().len(), 16);
    }

    #[test]
    fn a_damaged_index_is_kept_aside_and_the_accounts_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        state.save(&login("aaaaaaaaaaaa@im.bot", "one@im.wechat"));
        fs::write(state.account_file("aaaaaaaaaaaa-im-bot", ".allow-from.json"), "{}").unwrap();
        fs::write(state.index(), "[\"aaaaaaaaaaaa-im-").unwrap();
        let Error::Corrupt { kept, .. } = state.account_ids().unwrap_err() else { panic!("another error") };
        assert_eq!(fs::read_to_string(kept).unwrap(), "[\"aaaaaaaaaaaa-im-");
        assert_eq!(names(&state.account_ids().unwrap()), ["aaaaaaaaaaaa-im-bot"]);
    }

    #[test]
    fn accounts_that_cannot_be_listed_are_not_no_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        assert_eq!(state.account_ids().unwrap(), []);
        fs::create_dir_all(state.channel_dir()).unwrap();
        fs::write(state.accounts_dir(), "in the way").unwrap();
        assert_eq!(state.account_ids().unwrap_err().code(), "state-unusable");
    }

    #[test]
    fn old_names_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        fs::create_dir_all(state.accounts_dir()).unwrap();
        fs::write(state.accounts_dir().join("aaaaaaaaaaaa@im.bot.json"), r#"{"token":"old"}"#).unwrap();
        fs::write(state.accounts_dir().join("aaaaaaaaaaaa@im.bot.sync.json"), r#"{"get_updates_buf":"c1"}"#)
            .unwrap();
        let id = AccountId::new("aaaaaaaaaaaa@im.bot");
        assert_eq!(state.account_ids().unwrap(), std::slice::from_ref(&id));
        assert_eq!(state.account(&id).unwrap().unwrap().token.expose(), "old");
        assert_eq!(state.read_cursor(&id).unwrap().unwrap().as_str(), "c1");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state");
        fs::write(&file, "in the way").unwrap();
        let error = StateDir::new(&file).prepare().unwrap_err().to_string();
        assert!(
            error.contains("state/openclaw-weixin/accounts") && error.contains("OPENCLAW_STATE_DIR"),
            "{error}"
        );
    }

    #[test]
    fn the_second_process_says_who_holds_the_account() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::new(folder.path());
        let id = AccountId::new("aaaaaaaaaaaa@im.bot");
        let held = state.lock(&id, "this test").unwrap();
        let error = state.lock(&id, "this test").unwrap_err().to_string();
        assert!(error.contains("this test"), "{error}");
        drop(held);
        state.lock(&id, "this test").unwrap();
    }
}
