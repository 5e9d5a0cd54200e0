//! `cargo xtask package`: one npm package for this platform, the addon inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{self, cargo, output, root, target};
use crate::{Outcome, archive, platform, portable, tools};

/// The package's usual name; registries that serve it under another one build with `--name`.
pub(crate) const NAME: &str = "openclaw-weixin";
/// All our packages have it.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What is shipped: fat LTO, stripped.
pub(crate) const PROFILE: &str = "dist";

/// Builds the addon and packs it with its JavaScript; returns the tgz, which installs without a registry.
pub(crate) fn run(name: &str, profile: &str) -> Outcome<PathBuf> {
    let built = portable::addon(profile)?;
    let folder = target().join("package").join("openclaw-weixin");
    javascript(&folder)?;
    copy(&built, &folder.join(native()))?;
    edit(&folder.join("package.json"), |description| {
        describe(description, name);
        restrict(description);
    })?;
    let tgz = pack(&folder)?;
    // npm names only the version; another platform's package must not overwrite this one.
    let named = tgz.with_file_name(format!("openclaw-weixin-{VERSION}-{}.tgz", platform::addon()));
    fs::rename(&tgz, &named).map_err(|error| format!("{}: {error}", named.display()))?;
    println!("{}", named.display());
    Ok(named)
}

/// The addon out of a packed package, unpacked below `target/`: what users get, not what was meant to be packed.
pub(crate) fn packed_addon(tgz: &Path) -> Outcome<PathBuf> {
    let folder = target().join("package").join("unpacked");
    archive::unpack_tgz(tgz, &folder)?;
    Ok(folder.join(native()))
}

/// The packages for a registry, in the order in which they are to be published: the addon of this platform, the plugin
/// that names the addons as optional dependencies, the installer. Beside each tgz lies a folder with what is in it.
pub(crate) fn registry(name: &str, profile: &str) -> Outcome<Vec<PathBuf>> {
    let built = portable::addon(profile)?;
    let out = target().join("package").join("registry");
    archive::clear(&out)?;
    let sources = root().join("openclaw-weixin");
    let template = read(&sources.join("npm").join("package.json"))?;
    let template: Value =
        serde_json::from_str(&template).map_err(|error| format!("npm/package.json: {error}"))?;

    let oldest = template["openclaw"]["install"]["minHostVersion"].as_str().unwrap_or_default();
    let oldest = oldest.trim_start_matches(">=");

    let native = out.join("platform");
    let mut description = json!({
        "name": format!("{name}-{}", platform::addon()),
        "version": VERSION,
        "description": format!("The native addon of {name} for {}.", platform::addon()),
        "license": template["license"],
        "repository": template["repository"],
        "main": "openclaw-weixin.node",
        "files": ["openclaw-weixin.node", "LICENSE"],
    });
    restrict(&mut description);
    if let Some(libc) = platform::libc() {
        description["libc"] = json!([libc]);
    }
    copy(&built, &native.join("openclaw-weixin.node"))?;
    copy(&root().join("LICENSE"), &native.join("LICENSE"))?;
    write_json(&native.join("package.json"), &description)?;

    let plugin = out.join("plugin");
    javascript(&plugin)?;
    edit(&plugin.join("package.json"), |description| {
        describe(description, name);
        for addon in platform::ADDONS {
            description["optionalDependencies"][format!("{name}-{addon}")] = VERSION.into();
        }
    })?;

    let installer = out.join("cli");
    let cli = sources.join("cli");
    for file in shipped(&cli)? {
        copy(&cli.join(&file), &installer.join(&file))?;
    }
    copy(&root().join("LICENSE"), &installer.join("LICENSE"))?;
    edit(&installer.join("package.json"), |description| {
        describe(description, &format!("{name}-cli"));
        description["openclawWeixin"]["plugin"] = name.into();
        description["openclawWeixin"]["addons"] = platform::ADDONS.as_slice().into();
        description["openclawWeixin"]["minHostVersion"] = oldest.into();
    })?;

    let packed = [native, plugin, installer].map(|folder| {
        let tgz = pack(&folder)?;
        archive::unpack_tgz(&tgz, &folder)?;
        Ok(tgz)
    });
    packed.into_iter().collect()
}

/// Everything of the plugin but the addon.
fn javascript(folder: &Path) -> Outcome {
    archive::clear(folder)?;
    let sources = root().join("openclaw-weixin").join("npm");
    for file in shipped(&sources)? {
        copy(&sources.join(&file), &folder.join(&file))?;
    }
    copy(&root().join("LICENSE"), &folder.join("LICENSE"))
}

/// Packs a folder next to itself.
fn pack(folder: &Path) -> Outcome<PathBuf> {
    let out = folder.parent().unwrap_or(folder);
    let npm = tools::npm()?;
    let packed =
        output(Command::new(npm).args(["pack", "--json", "--pack-destination", ".."]).current_dir(folder))?;
    let packed: Value = serde_json::from_str(&packed).map_err(|error| format!("npm pack --json: {error}"))?;
    let report = &packed[0];
    let file = report["filename"].as_str().ok_or("npm pack --json names no file; update npm")?;
    println!(
        "{file}: {} packed, {} unpacked",
        megabytes(report["size"].as_u64()),
        megabytes(report["unpackedSize"].as_u64()),
    );
    Ok(out.join(file))
}

/// Builds the addon for this machine.
pub(crate) fn addon(profile: &str) -> Outcome<PathBuf> {
    process::run(&mut build(profile))?;
    loadable(&target().join(if profile == "dev" { "debug" } else { profile }))
}

/// What builds the addon. Where cargo-auditable is installed, the addon of a release says itself of which crates it is made.
pub(crate) fn build(profile: &str) -> Command {
    let args = ["build", "--quiet", "--package", "openclaw-weixin", "--profile", profile];
    let Some(tool) = tools::auditable_here().filter(|_| profile != "dev") else { return cargo(args) };
    println!("the addon will say of which crates it is made");
    let mut command = Command::new(tool);
    command.arg("auditable").args(args).current_dir(root());
    command
}

/// Gives the addon that was built into `folder` a name that Node.js loads.
pub(crate) fn loadable(folder: &Path) -> Outcome<PathBuf> {
    let addon = folder.join("openclaw-weixin.node");
    copy(&folder.join(platform::library("openclaw_weixin")), &addon)?;
    Ok(addon)
}

/// Where in the package `npm/loader.js` looks for the addon.
fn native() -> PathBuf {
    Path::new("native").join(format!("openclaw-weixin.{}.node", platform::addon()))
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

/// The name to publish under and the workspace's version.
fn describe(description: &mut Value, name: &str) {
    description["name"] = name.into();
    description["version"] = VERSION.into();
    if description["openclaw"].is_object() {
        description["openclaw"]["install"]["npmSpec"] = name.into();
    }
}

/// For this platform only.
fn restrict(description: &mut Value) {
    description["os"] = json!([platform::os()]);
    description["cpu"] = json!([platform::arch()]);
}

fn edit(file: &Path, change: impl FnOnce(&mut Value)) -> Outcome {
    let mut value: Value =
        serde_json::from_str(&read(file)?).map_err(|error| format!("{}: {error}", file.display()))?;
    change(&mut value);
    write_json(file, &value)
}

fn write_json(file: &Path, value: &Value) -> Outcome {
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    write(file, &(text + "\n"))
}

fn megabytes(bytes: Option<u64>) -> String {
    let tenths = bytes.unwrap_or(0) / 100_000;
    format!("{}.{} MB", tenths / 10, tenths % 10)
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
        let mut description: Value = serde_json::from_str(template).unwrap();
        describe(&mut description, "@someone/weixin");
        assert_eq!(description["name"], "@someone/weixin");
        assert_eq!(description["version"], VERSION);
        assert_eq!(description["openclaw"]["install"]["npmSpec"], "@someone/weixin");
        assert_eq!(description["openclaw"]["channel"]["id"], "openclaw-weixin");
    }

    #[test]
    fn this_platform_is_among_the_published_ones() {
        assert!(platform::ADDONS.contains(&platform::addon().as_str()), "{}", platform::addon());
    }

    #[test]
    fn sizes_are_shown_in_megabytes() {
        assert_eq!(megabytes(Some(3_470_000)), "3.4 MB");
    }
}
