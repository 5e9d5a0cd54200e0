//! `cargo xtask package`: one npm package for this platform, the addon inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::{self, cargo, output, root, target};
use crate::{Outcome, platform, tools};

/// The package's usual name; registries that serve it under another one build with `--name`.
pub(crate) const NAME: &str = "openclaw-weixin";
/// What is shipped: fat LTO, stripped.
pub(crate) const PROFILE: &str = "dist";

/// Builds the addon and packs it with its JavaScript; returns the tgz.
pub(crate) fn run(name: &str, profile: &str) -> Outcome<PathBuf> {
    let npm = tools::npm()?;
    let built = addon(profile)?;

    let out = target().join("package");
    let folder = out.join("openclaw-weixin");
    clear(&folder)?;
    let sources = root().join("openclaw-weixin").join("npm");
    for file in shipped(&sources)? {
        copy(&sources.join(&file), &folder.join(&file))?;
    }
    copy(&root().join("LICENSE"), &folder.join("LICENSE"))?;
    copy(&built, &folder.join("native").join(format!("openclaw-weixin.{}.node", platform::addon())))?;
    let description = read(&folder.join("package.json"))?;
    write(&folder.join("package.json"), &describe(&description, name, env!("CARGO_PKG_VERSION"))?)?;

    let packed =
        output(Command::new(npm).args(["pack", "--json", "--pack-destination", ".."]).current_dir(&folder))?;
    let packed: Value = serde_json::from_str(&packed).map_err(|error| format!("npm pack --json: {error}"))?;
    let report = &packed[0];
    let file = report["filename"].as_str().ok_or("npm pack --json names no file; update npm")?;
    // npm names only the version; another platform's package must not overwrite this one.
    let tgz = out.join(file.replace(".tgz", &format!("-{}.tgz", platform::addon())));
    fs::rename(out.join(file), &tgz).map_err(|error| format!("{}: {error}", tgz.display()))?;
    println!(
        "{} ({} packed, {} unpacked)",
        tgz.display(),
        megabytes(report["size"].as_u64()),
        megabytes(report["unpackedSize"].as_u64()),
    );
    Ok(tgz)
}

/// Builds the addon; returns it under a name that Node.js loads.
pub(crate) fn addon(profile: &str) -> Outcome<PathBuf> {
    process::run(&mut cargo(["build", "--quiet", "--package", "openclaw-weixin", "--profile", profile]))?;
    let folder = target().join(if profile == "dev" { "debug" } else { profile });
    let addon = folder.join("openclaw-weixin.node");
    copy(&folder.join(platform::library("openclaw_weixin")), &addon)?;
    Ok(addon)
}

/// Every file directly in `npm/`: tests lie in a folder below it.
fn shipped(sources: &Path) -> Outcome<Vec<String>> {
    let error = |error| format!("{}: {error}", sources.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(sources).map_err(error)? {
        let entry = entry.map_err(error)?;
        if entry.path().is_file() {
            files.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(files)
}

/// `package.json` with the name to publish under and the workspace's version.
fn describe(template: &str, name: &str, version: &str) -> Outcome<String> {
    let mut description: Value =
        serde_json::from_str(template).map_err(|error| format!("npm/package.json: {error}"))?;
    description["name"] = name.into();
    description["version"] = version.into();
    description["openclaw"]["install"]["npmSpec"] = name.into();
    description["os"] = [platform::os()].as_slice().into();
    description["cpu"] = [platform::arch()].as_slice().into();
    serde_json::to_string_pretty(&description).map_err(|error| error.to_string())
}

fn megabytes(bytes: Option<u64>) -> String {
    let tenths = bytes.unwrap_or(0) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

fn clear(folder: &Path) -> Outcome {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Outcome {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    fs::copy(from, to).map_err(|error| format!("{}: {error}", from.display()))?;
    Ok(())
}

fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}

fn write(file: &Path, text: &str) -> Outcome {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_a_parameter_and_the_version_is_the_workspaces() {
        let template = include_str!("../../openclaw-weixin/npm/package.json");
        let description: Value =
            serde_json::from_str(&describe(template, "@someone/weixin", "1.2.3").unwrap()).unwrap();
        assert_eq!(description["name"], "@someone/weixin");
        assert_eq!(description["version"], "1.2.3");
        assert_eq!(description["openclaw"]["install"]["npmSpec"], "@someone/weixin");
        assert_eq!(description["openclaw"]["channel"]["id"], "openclaw-weixin");
    }

    #[test]
    fn sizes_are_shown_in_megabytes() {
        assert_eq!(megabytes(Some(3_470_000)), "3.4 MB");
    }
}
