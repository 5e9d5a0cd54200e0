//! Who was allowed, besides the user who scanned: a file of ours, and the host's, in one format.

use std::fs::File;
use std::path::{Path, PathBuf};

use ilink_client::UserId;
use serde_json::{Value, json};

use super::files::{Sync, keep_aside, read_json, write_json};
use super::lock::lock_file;
use super::state_dir::StateDir;
use crate::account::AccountId;
use crate::error::Error;

/// The users that an account's allow-lists name: `openclaw-weixin/accounts/{id}.allow-from.json`, which is ours, and
/// the host's `credentials/openclaw-weixin-{id}-allowFrom.json` (protocol §8), which is read and never written:
/// OpenClaw 2026.9.6 refuses to start beside one that it cannot attribute.
///
/// The files are read at each call, so that whoever is allowed by another process is allowed at once.
#[derive(Clone, Debug)]
pub(crate) struct AllowList {
    state: StateDir,
    path: PathBuf,
    host_path: PathBuf,
}

impl AllowList {
    /// The lists of an account. `oauth_dir` is where the host keeps its own, `$OPENCLAW_OAUTH_DIR`; `None` means
    /// `credentials` below the state folder.
    #[must_use]
    pub(crate) fn new(state: &StateDir, account: &AccountId, oauth_dir: Option<&Path>) -> Self {
        let credentials = oauth_dir.map_or_else(|| state.root().join("credentials"), Path::to_owned);
        let host_name = format!("openclaw-weixin-{account}-allowFrom.json");
        Self {
            state: state.clone(),
            path: state.channel_dir().join("accounts").join(format!("{account}.allow-from.json")),
            host_path: credentials.join(host_name),
        }
    }

    /// All users on both lists, ours first, each once.
    ///
    /// # Errors
    /// If our file cannot be read, or is damaged (it is kept aside). The host's is its own business: if it cannot be
    /// read, that is logged, and it admits nobody.
    pub(crate) fn users(&self) -> Result<Vec<String>, Error> {
        let mut users = self.own()?;
        for user in self.hosts() {
            if !users.contains(&user) {
                users.push(user);
            }
        }
        Ok(users)
    }

    /// Allows a user. False if our list had them.
    ///
    /// # Errors
    /// If our file cannot be read or written.
    pub(crate) fn add(&self, user: &UserId) -> Result<bool, Error> {
        let _held = lock(&self.state)?;
        self.add_locked(user)
    }

    /// As [`add`](Self::add), by a caller who holds the lock.
    pub(super) fn add_locked(&self, user: &UserId) -> Result<bool, Error> {
        let mut users = self.own()?;
        let user = user.as_str().trim();
        let is_new = !user.is_empty() && !users.iter().any(|other| other == user);
        if is_new {
            users.push(user.to_owned());
            self.write(&users)?;
        }
        Ok(is_new)
    }

    /// Allows those whom our list of another account allows.
    pub(crate) fn add_those_of(&self, account: &AccountId) -> Result<(), Error> {
        let _held = lock(&self.state)?;
        for user in Self::new(&self.state, account, None).own()? {
            self.add_locked(&user.into())?;
        }
        Ok(())
    }

    /// Takes a user from our list. False if they were not there; the host's list may name them still.
    ///
    /// # Errors
    /// If our file cannot be read or written.
    pub(crate) fn remove(&self, user: &UserId) -> Result<bool, Error> {
        let _held = lock(&self.state)?;
        let mut users = self.own()?;
        let before = users.len();
        users.retain(|other| other != user.as_str());
        if users.len() == before {
            return Ok(false);
        }
        self.write(&users)?;
        Ok(true)
    }

    fn own(&self) -> Result<Vec<String>, Error> {
        Ok(entries(&read_array(&self.path, "allowFrom")?))
    }

    fn write(&self, users: &[String]) -> Result<(), Error> {
        write_json(&self.path, &json!({ "version": 1, "allowFrom": users }), Sync::Yes)
    }

    fn hosts(&self) -> Vec<String> {
        let read = || -> Result<Vec<Value>, String> {
            let bytes = match std::fs::read(&self.host_path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error.to_string()),
            };
            let mut json: Value = serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
            match json.get_mut("allowFrom").map(Value::take) {
                Some(Value::Array(list)) => Ok(list),
                _ => Err("it has no list allowFrom".to_owned()),
            }
        };
        let list = read().unwrap_or_else(|error| {
            tracing::warn!(path = %self.host_path.display(), error, "the host's allow-list cannot be read");
            Vec::new()
        });
        entries(&list)
    }
}

/// Held while allow-lists and requests are read, changed and written: a command line may approve a request while the
/// gateway takes another. The system lets go of it when the process ends, however it ends.
pub(super) fn lock(state: &StateDir) -> Result<File, Error> {
    lock_file(&state.channel_dir().join("access.lock"))
}

/// The array that a file has under a key; empty without a file. Any other file is kept aside.
pub(super) fn read_array(path: &Path, key: &str) -> Result<Vec<Value>, Error> {
    match read_json(path)?.map(|mut json| json.get_mut(key).map(Value::take)) {
        None => Ok(Vec::new()),
        Some(Some(Value::Array(list))) => Ok(list),
        Some(_) => {
            let kept = keep_aside(path, "damaged")?;
            Err(Error::Corrupt { path: path.to_owned(), kept })
        }
    }
}

/// The texts of a list, without white space around them.
fn entries(list: &[Value]) -> Vec<String> {
    let texts = list.iter().filter_map(Value::as_str).map(str::trim);
    texts.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn lists(folder: &Path, oauth_dir: Option<&Path>) -> AllowList {
        AllowList::new(&StateDir::new(folder), &AccountId::new("b0f5@im.bot"), oauth_dir)
    }

    #[test]
    fn ours_is_in_the_hosts_format() {
        let folder = tempfile::tempdir().unwrap();
        let list = lists(folder.path(), None);
        assert!(list.users().unwrap().is_empty());
        assert!(list.add(&"o9Ab@im.wechat".into()).unwrap());
        assert!(!list.add(&" o9Ab@im.wechat".into()).unwrap());
        assert!(!list.add(&"".into()).unwrap());
        let path = folder.path().join("openclaw-weixin/accounts/b0f5-im-bot.allow-from.json");
        let json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(json, json!({ "version": 1, "allowFrom": ["o9Ab@im.wechat"] }));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(list.remove(&"o9Ab@im.wechat".into()).unwrap());
        assert!(!list.remove(&"o9Ab@im.wechat".into()).unwrap());
        assert!(list.users().unwrap().is_empty());
    }

    #[test]
    fn the_hosts_is_read_and_never_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credentials/openclaw-weixin-b0f5-im-bot-allowFrom.json");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let list = lists(folder.path(), None);
        list.add(&"own@im.wechat".into()).unwrap();
        for (content, users) in [
            (
                r#"{"version":1,"allowFrom":["host@im.wechat", 5, " ", "own@im.wechat"]}"#,
                &["own@im.wechat", "host@im.wechat"][..],
            ),
            ("{", &["own@im.wechat"]),
            ("[]", &["own@im.wechat"]),
        ] {
            fs::write(&path, content).unwrap();
            assert_eq!(list.users().unwrap(), users);
            list.add(&"host@im.wechat".into()).unwrap();
            list.remove(&"host@im.wechat".into()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn the_hosts_may_be_elsewhere() {
        let (folder, oauth) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::write(oauth.path().join("openclaw-weixin-b0f5-im-bot-allowFrom.json"), r#"{"allowFrom":["a"]}"#)
            .unwrap();
        assert_eq!(lists(folder.path(), Some(oauth.path())).users().unwrap(), ["a"]);
    }

    #[test]
    fn a_damaged_list_is_kept_aside_and_admits_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let list = lists(folder.path(), None);
        for damage in ["{\"allowFrom\"", "[\"a\"]", r#"{"allowFrom":"a"}"#] {
            list.add(&"a".into()).unwrap();
            fs::write(&list.path, damage).unwrap();
            let Error::Corrupt { kept, .. } = list.users().unwrap_err() else { panic!("{damage}") };
            assert_eq!(fs::read_to_string(kept).unwrap(), damage);
            assert!(list.users().unwrap().is_empty());
        }
    }
}
