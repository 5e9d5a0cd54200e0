//! Our own packages, as Cargo's metadata describe them: a new crate or feature is in every check without being added to
//! a list.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::Outcome;
use crate::process::{cargo, output};

/// The choices of a TLS stack. They exclude each other, so that no build takes all features.
const TLS: [&str; 3] = ["rustls-ring", "rustls-aws-lc", "native-tls"];

/// One of our packages.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// A library that goes to a registry.
    pub(crate) published: bool,
    /// A library that other programs load: the addon.
    pub(crate) loaded: bool,
    /// Whether its documentation has examples that Cargo runs.
    pub(crate) examples_in_docs: bool,
    /// What a user may turn on beside the default features, other TLS stacks apart.
    pub(crate) optional: Vec<String>,
    /// Those of them whose code a test with default features does not reach.
    pub(crate) untested: Vec<String>,
}

impl Member {
    /// Whether anybody but us runs it.
    pub(crate) fn shipped(&self) -> bool {
        self.published || self.loaded
    }
}

/// What `cargo metadata` says.
pub(crate) fn metadata() -> Outcome<Value> {
    let text = output(&mut cargo(["metadata", "--format-version", "1", "--locked", "--quiet"]))?;
    serde_json::from_str(&text).map_err(|error| format!("cargo metadata: {error}"))
}

/// Our packages, by name.
pub(crate) fn members() -> Outcome<Vec<Member>> {
    Ok(read(&metadata()?))
}

/// The names of those that a registry gets.
pub(crate) fn published() -> Outcome<Vec<String>> {
    Ok(members()?.into_iter().filter(|member| member.published).map(|member| member.name).collect())
}

/// Where the manifest of one of them is.
pub(crate) fn manifest(metadata: &Value, name: &str) -> Outcome<PathBuf> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let ours = packages.filter(|package| package["source"].is_null());
    let mut manifests = ours
        .filter(|package| package["name"] == name)
        .filter_map(|package| package["manifest_path"].as_str());
    manifests.next().map(PathBuf::from).ok_or_else(|| format!("there is no package {name}"))
}

fn read(metadata: &Value) -> Vec<Member> {
    let ours = metadata["workspace_members"].as_array().cloned().unwrap_or_default();
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let mut members: Vec<Member> =
        packages.filter(|package| ours.contains(&package["id"])).map(member).collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    members
}

fn member(package: &Value) -> Member {
    let name = package["name"].as_str().unwrap_or_default();
    let library = |kind: &str| {
        let targets = package["targets"].as_array().into_iter().flatten();
        targets.flat_map(|target| strings(&target["kind"])).any(|own| own == kind)
    };
    let targets = package["targets"].as_array().into_iter().flatten();
    let optional = optional(package);
    let untested = optional.iter().filter(|feature| !reached(package, name, feature)).cloned().collect();
    Member {
        name: name.to_owned(),
        // `publish = false` is an empty list of registries.
        published: package["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
        loaded: library("cdylib"),
        examples_in_docs: targets.into_iter().any(|target| target["doctest"] == true),
        optional,
        untested,
    }
}

/// All features but the default ones, what those bring, and the TLS stacks.
fn optional(package: &Value) -> Vec<String> {
    let features = &package["features"];
    let mut default = BTreeSet::from(["default"]);
    let mut next = vec!["default"];
    while let Some(feature) = next.pop() {
        next.extend(strings(&features[feature]).filter(|&brought| default.insert(brought)));
    }
    let names = features.as_object().into_iter().flat_map(|features| features.keys());
    names.filter(|name| !default.contains(name.as_str()) && !TLS.contains(&name.as_str())).cloned().collect()
}

/// Whether the tests of a package turn a feature on by a dev-dependency on itself, or the feature is none of its own but
/// another package's, which has tests of its own.
fn reached(package: &Value, name: &str, feature: &str) -> bool {
    let dependencies = package["dependencies"].as_array().into_iter().flatten();
    let by_tests = dependencies
        .filter(|dependency| dependency["name"] == name)
        .any(|dependency| strings(&dependency["features"]).any(|own| own == feature));
    by_tests
        || strings(&package["features"][feature]).all(|brought| brought.contains('/'))
            && strings(&package["features"][feature]).next().is_some()
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sample() -> Value {
        let library = json!([{ "kind": ["lib"], "doctest": true }]);
        json!({
            "workspace_members": ["client", "channel", "addon", "tool"],
            "packages": [
                { "id": "tokio", "name": "tokio" },
                { "id": "client", "name": "client", "publish": null, "targets": library, "features": {
                    "default": ["rustls-ring"], "rustls-ring": ["dep:rustls"], "native-tls": [], "qr": ["dep:qrcode"],
                } },
                { "id": "channel", "name": "channel", "publish": null, "targets": library, "features": {
                    "default": ["rustls-ring"], "rustls-ring": ["client/rustls-ring"], "qr": ["client/qr"],
                    "conformance": [], "more": [],
                }, "dependencies": [{ "name": "channel", "kind": "dev", "features": ["conformance"] }] },
                { "id": "addon", "name": "addon", "publish": [],
                    "targets": [{ "kind": ["cdylib"], "doctest": false }], "features": {} },
                { "id": "tool", "name": "tool", "publish": [], "targets": [{ "kind": ["bin"] }], "features": {} },
            ],
        })
    }

    #[test]
    fn what_is_shipped_is_what_metadata_say() {
        let members = read(&sample());
        let shipped = members.iter().filter(|member| member.shipped());
        assert_eq!(
            shipped.map(|member| member.name.as_str()).collect::<Vec<_>>(),
            ["addon", "channel", "client"]
        );
        let published = members.iter().filter(|member| member.published);
        assert_eq!(published.map(|member| member.name.as_str()).collect::<Vec<_>>(), ["channel", "client"]);
        assert_eq!(members.len(), 4);
    }

    #[test]
    fn optional_features_are_tested_where_their_code_is() {
        let members = read(&sample());
        let named = |name: &str| members.iter().find(|member| member.name == name).unwrap();
        assert_eq!(named("client").optional, ["qr"]);
        assert_eq!(named("client").untested, ["qr"]);
        assert_eq!(named("channel").optional, ["conformance", "more", "qr"]);
        assert_eq!(named("channel").untested, ["more"]);
    }
}
