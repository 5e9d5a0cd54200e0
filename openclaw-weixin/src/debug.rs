//! `debug-mode.json`: the accounts whose replies are followed by how long they took. The file is the official
//! plugin's (protocol §8).

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;

/// The file of one state folder.
pub(crate) struct DebugMode(PathBuf);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    #[serde(default)]
    accounts: BTreeMap<String, bool>,
}

impl DebugMode {
    pub(crate) fn new(state_dir: &str) -> Self {
        Self(Path::new(state_dir).join("openclaw-weixin").join("debug-mode.json"))
    }

    pub(crate) fn is_on(&self, account: &str) -> bool {
        self.read().accounts.get(account).copied().unwrap_or_default()
    }

    /// Switches an account; tells how it is now.
    pub(crate) fn toggle(&self, account: &str) -> Result<bool, Failure> {
        let mut content = self.read();
        let on = content.accounts.entry(account.to_owned()).or_default();
        *on = !*on;
        let on = *on;
        // Written beside and renamed: a half-written file would forget the other accounts.
        let beside = self.0.with_extension("json.new");
        serde_json::to_vec_pretty(&content)
            .map_err(std::io::Error::from)
            .and_then(|json| write_private(&beside, &json))
            .and_then(|()| fs::rename(&beside, &self.0))
            .map_err(|error| {
                Failure::new(
                    "state-unusable",
                    format!(
                        "cannot write {}: {error}; check its permissions and the free space",
                        self.0.display()
                    ),
                )
            })?;
        Ok(on)
    }

    /// A missing or damaged file means: nowhere.
    fn read(&self) -> Content {
        fs::read(&self.0).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default()
    }
}

/// Writes a file that nobody else can read, also where one was left behind.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_switched_one_by_one_whatever_the_file_held() {
        let folder = std::env::temp_dir().join(format!("weixin-debug-{}", std::process::id()));
        fs::create_dir_all(folder.join("openclaw-weixin")).unwrap();
        let state = folder.to_str().unwrap();
        let debug = DebugMode::new(state);
        assert!(!debug.is_on("a"));
        fs::write(folder.join("openclaw-weixin/debug-mode.json"), "{ half").unwrap();
        assert_eq!(debug.toggle("a"), Ok(true));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let found = fs::metadata(folder.join("openclaw-weixin/debug-mode.json")).unwrap();
            assert_eq!(found.permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(debug.toggle("b"), Ok(true));
        assert_eq!(debug.toggle("a"), Ok(false));
        let again = DebugMode::new(state);
        assert_eq!((again.is_on("a"), again.is_on("b")), (false, true));
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(debug.toggle("a").unwrap_err().code, "state-unusable");
    }
}
