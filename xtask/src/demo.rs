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

/// `[--model-url URL --model NAME]`: any OpenAI-compatible server, its key in `OPENAI_API_KEY`; a stub otherwise.
fn openclaw(mut args: impl Iterator<Item = OsString>) -> Outcome {
    let package = package::run(package::NAME, "dev")?;
    let mut command = e2e::prepare(&e2e::newest()?, &package)?;
    while let Some(arg) = args.next() {
        let name = match arg.to_str() {
            Some("--model-url") => "DEMO_MODEL_URL",
            Some("--model") => "DEMO_MODEL",
            _ => return Err("demo --openclaw takes --model-url URL and --model NAME".into()),
        };
        command.env(name, args.next().ok_or_else(|| format!("{} wants a value", arg.display()))?);
    }
    process::run(command.arg("openclaw-weixin/e2e/demo.mjs"))
}
