//! `cargo xtask sbom`: of what each shipped package is made, as CycloneDX wants it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::process::{root, run as run_command, target};
use crate::{Outcome, archive, tools, workspace};

/// What the tool calls each file, beside the manifest of each of our packages.
const WRITTEN: &str = "sbom-by-xtask.cdx";

/// One file for each shipped package, the addon included, below `target/package/sbom`: with what is built for any
/// platform, without what only tests need.
pub(crate) fn run() -> Outcome {
    let out = target().join("package").join("sbom");
    archive::clear(&out)?;
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let mut command = Command::new(tools::cyclonedx()?);
    command.args(["cyclonedx", "--format", "json", "--target", "all", "--quiet"]);
    let made = run_command(command.args(["--override-filename", WRITTEN]).current_dir(root()));
    let metadata = workspace::metadata()?;
    for member in workspace::members()? {
        let written = workspace::manifest(&metadata, &member.name)?.with_file_name(format!("{WRITTEN}.json"));
        if made.is_ok() && member.shipped() {
            let file = out.join(format!("{}-{}.cdx.json", member.name, env!("CARGO_PKG_VERSION")));
            keep(&written, &file).map_err(|error| format!("{}: {error}", written.display()))?;
            println!("{}", file.display());
        }
        if written.exists() {
            fs::remove_file(&written).map_err(|error| format!("{}: {error}", written.display()))?;
        }
    }
    made
}

/// Without the folder of the machine that it was made on.
fn keep(written: &Path, file: &Path) -> std::io::Result<()> {
    let text = fs::read_to_string(written)?;
    fs::write(file, text.replace(&root().display().to_string(), ""))
}
