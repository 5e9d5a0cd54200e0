//! `cargo xtask tidy`: the house rules of CONTRIBUTING.md, as far as a program can tell.

mod errors;
mod layers;
mod security;
mod text;

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{output, root};
use crate::{Outcome, workspace};

/// Bytes of the largest file in the repository: whoever clones it has them for ever.
const LARGEST: u64 = 1 << 20;

/// Checks everything and reports every finding, one line each.
pub(crate) fn run() -> Outcome {
    let root = root();
    let mut findings = Vec::new();
    let codes = read(&root.join("docs/errors.md"))?;
    let mut tests = security::Tests::default();
    for name in tracked(&root)? {
        let size = fs::metadata(root.join(&name)).map_or(0, |found| found.len());
        if size > LARGEST {
            findings.push(format!("{name}: has {size} bytes; what is downloaded belongs below target/"));
        }
        // Binary files and files that are deleted but not yet committed have no text to check.
        if let Ok(text) = fs::read_to_string(root.join(&name)) {
            findings.extend(text::check(&name, &text));
            tests.see(&name, &text);
            findings.extend(errors::unlisted(&name, &text, &codes));
        }
    }
    findings.extend(tests.check(&read(&root.join("SECURITY.md"))?));
    let metadata = workspace::metadata()?;
    findings.extend(layers::arrows(&metadata));
    findings.extend(layers::rust_versions(&metadata));
    let manifest = read(&root.join("Cargo.toml"))?;
    findings.extend(layers::unused(&manifest, &metadata));
    let reasons = read(&root.join("DEPS.md"))?;
    findings.extend(layers::reasons(&manifest, &reasons));

    if findings.is_empty() {
        return Ok(());
    }
    for finding in &findings {
        println!("{finding}");
    }
    Err(format!("the house rules are broken in {} places, see above", findings.len()))
}

/// Files that are, or are about to be, in the repository.
fn tracked(root: &Path) -> Outcome<Vec<String>> {
    let list = output(
        Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root),
    )?;
    Ok(list.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn read(file: &Path) -> Outcome<String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))
}
