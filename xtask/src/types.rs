//! `cargo xtask types`: the plugin's JavaScript, type-checked by TypeScript against the declarations of real hosts.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::process::{root, run as run_command, target};
use crate::{Outcome, e2e, tools};

/// Installs what a run needs.
pub(crate) fn install() -> Outcome {
    tools::typescript()?;
    tools::node_types()?;
    hosts()?.iter().try_for_each(|host| e2e::install(host).map(drop))
}

/// The oldest host that ships declarations and the newest one.
fn hosts() -> Outcome<Vec<e2e::Host>> {
    let mut with_declarations = e2e::hosts()?.into_iter().filter(|host| host.declarations);
    let ends = [with_declarations.next(), with_declarations.next_back()];
    Ok(ends.into_iter().flatten().collect())
}

/// Checks against each of them.
pub(crate) fn run() -> Outcome {
    let (typescript, node_types) = (tools::typescript()?, tools::node_types()?);
    let node = tools::node()?;
    for host in hosts()? {
        println!("against OpenClaw {}", host.version);
        let (_, install) = e2e::install(&host)?;
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
