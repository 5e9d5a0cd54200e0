//! Rules about packages: who may depend on whom, and on what.

use std::collections::BTreeSet;

use serde_json::Value;

/// The layers, top first; each may use those below it. Packages of one layer do not know each other.
const LAYERS: [&[&str]; 4] = [
    &["openclaw-weixin", "official-comparison"],
    &["weixin-channel"],
    &["weixin-media"],
    &["ilink-client", "weixin-silk"],
];
const FIXTURES: &str = "ilink-fixtures";

/// Arrows between our packages that the design does not know.
pub(super) fn arrows(metadata: &Value) -> Vec<String> {
    let members: Vec<&Value> = members(metadata).collect();
    let names: BTreeSet<&str> = members.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut findings = Vec::new();
    for package in &members {
        let from = package["name"].as_str().unwrap_or_default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let to = dependency["name"].as_str().unwrap_or_default();
            if !names.contains(to) || from == to {
                continue;
            }
            let kind = dependency["kind"].as_str();
            if to == FIXTURES && kind == Some("dev") {
                continue;
            }
            let layer = |name| LAYERS.iter().position(|layer| layer.contains(&name));
            let downwards = matches!((layer(from), layer(to)), (Some(upper), Some(lower)) if upper < lower);
            if !downwards {
                findings.push(format!(
                    "{from}/Cargo.toml: must not depend on {to} ({})",
                    kind.unwrap_or("normal")
                ));
            }
        }
    }
    findings
}

/// Dependencies that need a newer Rust than we promise.
pub(super) fn rust_versions(metadata: &Value) -> Vec<String> {
    let ours = members(metadata).filter_map(|package| package["rust_version"].as_str()).map(version).max();
    let Some(ours) = ours else { return vec!["Cargo.toml: has no rust-version".into()] };
    let packages = metadata["packages"].as_array().into_iter().flatten();
    packages
        .filter(|package| package["rust_version"].as_str().is_some_and(|theirs| version(theirs) > ours))
        .map(|package| {
            let field = |name: &str| package[name].as_str().unwrap_or_default().to_owned();
            format!(
                "Cargo.toml: {} {} needs Rust {}, our rust-version is {}.{}",
                field("name"),
                field("version"),
                field("rust_version"),
                ours.0,
                ours.1
            )
        })
        .collect()
}

/// Dependencies without a reason in DEPS.md, and reasons without a dependency.
pub(super) fn reasons(manifest: &str, reasons: &str) -> Vec<String> {
    let used: BTreeSet<&str> = workspace_dependencies(manifest).collect();
    let explained: BTreeSet<&str> = reasons
        .lines()
        .filter_map(|line| line.strip_prefix("- ")?.split_once(':'))
        .map(|(name, _)| name.trim_matches('`'))
        .collect();
    let missing = used.difference(&explained).map(|name| format!("DEPS.md: lacks a line `- {name}: reason`"));
    let left = explained.difference(&used).map(|name| format!("DEPS.md: {name} is no dependency any more"));
    missing.chain(left).collect()
}

/// Dependencies that no package uses.
pub(super) fn unused(manifest: &str, metadata: &Value) -> Vec<String> {
    let used: BTreeSet<&str> = members(metadata)
        .flat_map(|package| package["dependencies"].as_array().into_iter().flatten())
        .filter_map(|dependency| dependency["name"].as_str())
        .collect();
    workspace_dependencies(manifest)
        .filter(|name| !used.contains(name))
        .map(|name| format!("Cargo.toml: no package uses {name}"))
        .collect()
}

fn members(metadata: &Value) -> impl Iterator<Item = &Value> {
    let ids = metadata["workspace_members"].as_array().cloned().unwrap_or_default();
    metadata["packages"].as_array().into_iter().flatten().filter(move |package| ids.contains(&package["id"]))
}

/// `1.89` and `1.89.2` are the same promise: `(1, 89)`.
fn version(text: &str) -> (u64, u64) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Names in `[workspace.dependencies]` that are not our own packages.
fn workspace_dependencies(manifest: &str) -> impl Iterator<Item = &str> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.trim_start().starts_with('#') && !line.contains("path ="))
        .filter_map(|line| Some(line.split_once('=')?.0.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn workspace(arrows: &[(&str, &str, Option<&str>)]) -> Value {
        let names: BTreeSet<&str> = arrows.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        let packages: Vec<Value> = names
            .iter()
            .map(|name| {
                let dependencies: Vec<Value> = arrows
                    .iter()
                    .filter(|(from, ..)| from == name)
                    .map(|(_, to, kind)| json!({ "name": to, "kind": kind }))
                    .collect();
                json!({ "id": name, "name": name, "rust_version": "1.89", "dependencies": dependencies })
            })
            .collect();
        json!({ "workspace_members": names, "packages": packages })
    }

    #[test]
    fn layers_point_downwards_only() {
        let good = workspace(&[
            ("openclaw-weixin", "weixin-channel", None),
            ("weixin-channel", "ilink-client", None),
            ("weixin-media", "weixin-silk", None),
            ("weixin-channel", "ilink-fixtures", Some("dev")),
        ]);
        assert_eq!(arrows(&good), [""; 0]);
        let bad = workspace(&[
            ("ilink-client", "weixin-media", None),
            ("weixin-media", "ilink-fixtures", None),
            ("ilink-fixtures", "ilink-client", Some("dev")),
            ("ilink-client", "weixin-silk", None),
            ("weixin-silk", "ilink-client", Some("dev")),
        ]);
        assert_eq!(arrows(&bad).len(), 5);
    }

    #[test]
    fn no_dependency_is_newer_than_our_promise() {
        let mut metadata = workspace(&[("weixin-channel", "ilink-client", None)]);
        let others = [("old", "1.56"), ("same", "1.89.1"), ("new", "1.90")].map(
            |(name, rust)| json!({ "id": name, "name": name, "version": "1.0.0", "rust_version": rust }),
        );
        metadata["packages"].as_array_mut().unwrap().extend(others);
        assert_eq!(
            rust_versions(&metadata),
            ["Cargo.toml: new 1.0.0 needs Rust 1.90, our rust-version is 1.89"]
        );
    }

    #[test]
    fn unused_dependencies_are_found() {
        let metadata = workspace(&[("ilink-client", "bytes", None)]);
        let manifest = "[workspace.dependencies]\nbytes = \"1\"\nhttp = \"1\"\n";
        assert_eq!(unused(manifest, &metadata), ["Cargo.toml: no package uses http"]);
    }

    #[test]
    fn each_dependency_has_a_reason_and_each_reason_a_dependency() {
        let manifest = "[workspace.dependencies]\nours = { path = \"ours\" }\n# Why.\nbytes = \"1\"\nhttp = \"1\"\n[x]\n";
        assert_eq!(
            reasons(manifest, "# Dependencies\n\n- bytes: bodies\n- `url`: gone\n"),
            ["DEPS.md: lacks a line `- http: reason`", "DEPS.md: url is no dependency any more"]
        );
    }
}
