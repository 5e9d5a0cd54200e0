//! `cargo xtask audit`: what the RustSec database says of every crate that a Cargo.lock of ours names.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::process::{each, output, root, run as run_command, target};
use crate::{Outcome, archive, tools};

const DATABASE: &str = "https://github.com/rustsec/advisory-db";

/// What this ends with where nothing could be found out: neither a pass nor a finding.
const UNKNOWN: u8 = 3;

/// Asks the database, or a copy of it, a git clone, for each Cargo.lock.
pub(crate) fn run(copy: Option<&Path>) -> Outcome<ExitCode> {
    let deny = tools::deny()?;
    let folder = target().join("audit");
    let error = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(error)?;
    let copy = match copy {
        None => None,
        Some(copy) => match copy.canonicalize().ok().filter(|copy| copy.join("crates").is_dir()) {
            Some(found) => Some(format!("file://{}", found.display())),
            None => return Ok(unknown(&format!("{} is no copy of the RustSec database", copy.display()))),
        },
    };
    // What an earlier run has got may be of another copy.
    let cache = folder.join("db");
    archive::clear(&cache)?;
    let settings =
        fs::read_to_string(root().join("deny.toml")).map_err(|error| format!("deny.toml: {error}"))?;
    let config = folder.join("deny.toml");
    fs::write(&config, with_database(&settings, &cache)).map_err(error)?;

    let from = copy.as_deref().unwrap_or(DATABASE);
    let cargo_deny = || {
        let mut command = Command::new(&deny);
        if copy.is_some() {
            // It takes no folder for a database, but the git that it runs does.
            command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", format!("url.{from}.insteadOf"));
            command.env("GIT_CONFIG_VALUE_0", DATABASE);
        }
        command.current_dir(root());
        command
    };
    let mut fetch = cargo_deny();
    fetch.args(["--log-level", "error", "--config"]).arg(&config).args(["fetch", "db"]);
    if run_command(&mut fetch).is_err() {
        return Ok(unknown(&format!("the RustSec database cannot be had from {from}")));
    }
    let locks =
        output(Command::new("git").args(["ls-files", "Cargo.lock", "*/Cargo.lock"]).current_dir(root()))?;
    let locks: Vec<&str> = locks.lines().collect();
    each(&locks, |lock| {
        println!("{lock}");
        let manifest = root().join(lock).with_file_name("Cargo.toml");
        let mut check = cargo_deny();
        check
            .args(["--all-features", "--locked", "--manifest-path"])
            .arg(manifest)
            .arg("--config")
            .arg(&config);
        check.args(["check", "--hide-inclusion-graph", "advisories"]);
        run_command(&mut check)
    })?;
    println!("{} lock files were checked against {from}", locks.len());
    Ok(ExitCode::SUCCESS)
}

fn unknown(why: &str) -> ExitCode {
    eprintln!(
        "nothing was audited: {why}; where it can be reached, `git clone {DATABASE}`, bring that folder here and say \
         `cargo xtask audit --db FOLDER`"
    );
    ExitCode::from(UNKNOWN)
}

/// The settings of cargo-deny, of which those for advisories come last, with where the database is.
fn with_database(settings: &str, cache: &Path) -> String {
    format!("{settings}db-path = {:?}\ndb-urls = [{DATABASE:?}]\n", cache.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::{DATABASE, with_database};

    #[test]
    fn the_database_is_named_among_the_settings_of_advisories() {
        let settings = include_str!("../../deny.toml");
        let last = settings.lines().rfind(|line| line.starts_with('['));
        assert_eq!(last, Some("[advisories]"), "what is added would belong to another table");
        let settings = with_database(settings, "a b".as_ref());
        let added = format!("\ndb-path = \"a b\"\ndb-urls = [\"{DATABASE}\"]\n");
        assert!(settings.ends_with(&added), "{settings}");
    }
}
