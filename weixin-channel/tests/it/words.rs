//! Errors are read by people who know no Rust: a plugin's user, for one.

use std::collections::BTreeSet;
use std::path::Path;

/// The text of each file under a folder, up to its unit tests.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            // SQL is no text for people.
            if !text.contains("rusqlite") && !text.contains("tokio_postgres::types") {
                found.push(text.replace("\\\"", "'").replace("'\"'", "''"));
            }
        }
    }
}

/// The sentences among a line's string literals: those of several words.
fn sentences(line: &str) -> impl Iterator<Item = &str> {
    let code = !line.trim_start().starts_with("//") && !line.trim_start().starts_with("#[");
    line.split('"').skip(1).step_by(2).filter(move |text| code && text.trim().contains(' '))
}

/// What in a sentence only somebody who writes Rust can follow.
fn rust_in<'a>(sentence: &'a str, methods: &BTreeSet<&str>) -> Option<&'a str> {
    let plain = |c: char| !c.is_ascii_alphanumeric() && c != '_';
    sentence
        .split(plain)
        .find(|word| word.contains('_') && methods.contains(word))
        .or_else(|| ["()", "::", "Some(", "None "].into_iter().find(|text| sentence.contains(text)))
}

#[test]
fn no_error_names_a_rust_method() {
    let mut texts = Vec::new();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for name in ["ilink-client", "weixin-media", "weixin-channel"] {
        sources(&workspace.join(name).join("src"), &mut texts);
    }
    let methods: BTreeSet<&str> = texts
        .iter()
        .flat_map(|text| text.split("pub fn ").chain(text.split("pub async fn ")).skip(1))
        .filter_map(|rest| rest.split(['(', '<']).next())
        .collect();
    assert!(methods.contains("allow_loopback") && methods.contains("base_url"), "{methods:?}");
    assert_eq!(rust_in("refused: call allow_loopback", &methods), Some("allow_loopback"));
    let said: Vec<&str> = texts
        .iter()
        .flat_map(|text| text.lines().flat_map(sentences))
        .filter(|sentence| rust_in(sentence, &methods).is_some())
        .collect();
    assert!(said.is_empty(), "say it in the words of somebody who knows no Rust: {said:#?}");
}
