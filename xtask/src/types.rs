//! `cargo xtask types`: the plugin's JavaScript, type-checked by TypeScript against the declarations of real hosts.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::process::{root, run as run_command, target};
use crate::{Outcome, e2e, tools};

/// The newest host and the oldest one that ships declarations.
pub(crate) fn run() -> Outcome {
    let hosts = e2e::hosts()?;
    let mut with_declarations = hosts.iter().filter(|host| host.declarations);
    let ends = [with_declarations.next(), with_declarations.next_back()];
    let (typescript, node_types) = (tools::typescript()?, tools::node_types()?);
    let node = tools::node()?;
    for host in ends.into_iter().flatten() {
        println!("against OpenClaw {}", host.version);
        let install = tools::openclaw(&host.version, &tools::node_version(&host.node)?, &host.npm)?;
        let sdk = install.join("node_modules/openclaw/dist/plugin-sdk");
        let sources = root().join("openclaw-weixin");
        let project = json!({
            "extends": sources.join("types/tsconfig.json"),
            "compilerOptions": {
                "typeRoots": [node_types.join("node_modules/@types")],
                "paths": { "openclaw/plugin-sdk/*": [sdk.join("*")] },
            },
            "include": [sources.join("npm/*.js"), sources.join("cli/*.js"), sources.join("types/contract.ts")],
        });
        let folder = target().join("types").join(&host.version);
        let file = folder.join("tsconfig.json");
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&file, project.to_string()))
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let compiler = typescript.join("node_modules/typescript/bin/tsc");
        run_command(Command::new(&node).arg(compiler).arg("-p").arg(&file))?;
    }
    Ok(())
}
