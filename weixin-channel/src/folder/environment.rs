//! Where OpenClaw's folders are, by the variables that it goes by (2026.1.29 to 2026.9.6).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Variables, by a function that has their values, and the home folder that the system says.
pub(crate) struct Environment<V> {
    pub(crate) var: V,
    pub(crate) system_home: Option<PathBuf>,
}

impl Environment<fn(&str) -> Option<OsString>> {
    pub(super) fn of_process() -> Self {
        Self { var: |name| std::env::var_os(name), system_home: std::env::home_dir() }
    }
}

impl<V: Fn(&str) -> Option<OsString>> Environment<V> {
    /// The state folder; `None` if it is to be at home and there is none.
    pub(crate) fn state_dir(&self) -> Option<PathBuf> {
        if let Some(named) = self.set("OPENCLAW_STATE_DIR").or_else(|| self.set("CLAWDBOT_STATE_DIR")) {
            return expanded(&named, || self.home());
        }
        let home = self.home()?;
        let [new, old] = [".openclaw", ".clawdbot"].map(|name| home.join(name));
        Some(if !new.exists() && old.exists() { old } else { new })
    }

    /// Where the host keeps its own allow-lists, if not in the state folder.
    #[cfg(feature = "sqlite")]
    pub(super) fn oauth_dir(&self) -> Option<PathBuf> {
        expanded(&self.set("OPENCLAW_OAUTH_DIR")?, || self.home())
    }

    fn home(&self) -> Option<PathBuf> {
        match self.place("OPENCLAW_HOME") {
            Some(home) => expanded(&home, || self.users_home()),
            None => self.users_home(),
        }
    }

    fn users_home(&self) -> Option<PathBuf> {
        let named = self.place("HOME").or_else(|| self.place("USERPROFILE"));
        absolute(&named.or_else(|| self.system_home.clone())?)
    }

    /// A variable without white space around it; `None` if nothing is left.
    fn set(&self, name: &str) -> Option<PathBuf> {
        let value = (self.var)(name)?;
        let value = value.to_str().map(|text| text.trim().into()).unwrap_or(value);
        (!value.is_empty()).then(|| value.into())
    }

    /// As [`set`](Self::set), but for what JavaScript makes of a variable that was not set when it passes it on.
    fn place(&self, name: &str) -> Option<PathBuf> {
        self.set(name).filter(|value| !["undefined", "null"].map(Path::new).contains(&value.as_path()))
    }
}

/// A folder as a variable names it: `~` stands for the home. `None` if that is needed and not known.
fn expanded(folder: &Path, home: impl Fn() -> Option<PathBuf>) -> Option<PathBuf> {
    match folder.strip_prefix("~") {
        Ok(below) => home().map(|home| home.components().chain(below.components()).collect()),
        Err(_) => absolute(folder),
    }
}

/// What is relative is below the current folder.
fn absolute(folder: &Path) -> Option<PathBuf> {
    std::path::absolute(folder).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The state folder: fixtures/rules/state-folder.json, in rules.rs.

    #[test]
    fn without_a_home_what_needs_none_is_found() {
        let folder = |name: &'static str, value: &'static str| {
            let var = move |asked: &str| (asked == name).then(|| value.into());
            Environment { var, system_home: None }.state_dir()
        };
        assert_eq!(folder("OPENCLAW_STATE_DIR", "/state"), absolute(Path::new("/state")));
        assert_eq!(folder("OPENCLAW_STATE_DIR", "~/state"), None);
        assert_eq!(folder("OTHER", "/state"), None);
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn the_hosts_lists_are_where_the_host_finds_them() {
        let folder = |value: &'static str| {
            let var = move |asked: &str| (asked == "OPENCLAW_OAUTH_DIR").then(|| value.into());
            Environment { var, system_home: Some("/house".into()) }.oauth_dir()
        };
        assert_eq!(folder(" ~/lists "), absolute(Path::new("/house/lists")));
        assert_eq!(folder("/lists"), absolute(Path::new("/lists")));
        assert_eq!(folder(" "), None);
    }
}
