//! `cargo xtask bench`: benchmarks beside peers, each a crate of its own outside the workspace.

use crate::Outcome;
use crate::process::{cargo, root, run as run_command, target};

/// Name and manifest of each benchmark.
const BENCHES: [(&str, &str); 2] =
    [("client", "ilink-client/bench/Cargo.toml"), ("media", "weixin-media/bench-peers/Cargo.toml")];

/// Builds and runs one benchmark with optimisation.
pub(crate) fn run(name: &str) -> Outcome {
    let known = || BENCHES.map(|(name, _)| name).join(", ");
    let (_, manifest) = BENCHES
        .iter()
        .find(|(known, _)| *known == name)
        .ok_or_else(|| format!("there is no benchmark {name:?}; known are: {}", known()))?;
    run_command(
        cargo(["run", "--release", "--quiet", "--manifest-path"])
            .arg(root().join(manifest))
            .env("CARGO_TARGET_DIR", target().join("bench")),
    )
}
