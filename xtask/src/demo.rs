//! `cargo xtask demo`: the demo is an example of `weixin-channel`, so that it shows what a library user writes; with
//! `--openclaw` it is the plugin on a real OpenClaw.

use std::ffi::OsString;

use crate::Outcome;
use crate::{e2e, package, process};

/// Passes its arguments on, unless they begin with `--openclaw`.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> Outcome {
    let mut args = args.peekable();
    if args.next_if(|arg| arg == "--openclaw").is_some() {
        return openclaw(args);
    }
    process::run(
        process::cargo(["run", "--quiet", "--package", "weixin-channel", "--example", "demo", "--"])
            .args(args),
    )
}

/// `[--model-url URL [--model NAME]]`: any OpenAI-compatible server, its key in `OPENAI_API_KEY`; a stub otherwise.
fn openclaw(mut args: impl Iterator<Item = OsString>) -> Outcome {
    let mut variables = Vec::new();
    while let Some(arg) = args.next() {
        let name = match arg.to_str() {
            Some("--model-url") => "DEMO_MODEL_URL",
            Some("--model") => "DEMO_MODEL",
            _ => return Err("demo --openclaw takes --model-url URL and --model NAME".into()),
        };
        let value = args.next().ok_or_else(|| format!("{} wants a value", arg.display()))?;
        variables.push((name, value));
    }
    // Before minutes of building.
    if variables.iter().any(|(name, _)| *name == "DEMO_MODEL")
        && !variables.iter().any(|(name, _)| *name == "DEMO_MODEL_URL")
    {
        return Err("--model names a model of the server that --model-url names; give both".into());
    }
    let package = package::run(package::NAME, "dev")?;
    let mut command = e2e::prepare(&e2e::newest()?, &package)?;
    command.envs(variables);
    // Ctrl-C is for the demo alone, and the shell waits until it has put everything away.
    process::replace(command.arg("openclaw-weixin/e2e/demo.mjs"))
}
