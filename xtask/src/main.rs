//! Tasks of this workspace: `cargo xtask help`.
#![forbid(unsafe_code)]

mod archive;
mod audit;
mod bench;
mod ci;
mod demo;
mod e2e;
mod fixtures;
mod fuzz;
mod old_glibc;
mod package;
mod peers;
mod platform;
mod portable;
mod process;
mod sbom;
mod semver;
mod tidy;
mod tls;
mod tools;
mod types;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use lexopt::prelude::*;

const HELP: &str = "\
Usage: cargo xtask TASK

  demo [ARGS]                 simulator and echo agent in one process; --auto plays a chat by itself
  demo --openclaw [--model-url URL [--model NAME]]
                              the plugin on a real OpenClaw with the simulator's phone in the browser; the model is a
                              stub, or an OpenAI-compatible one with its key in OPENAI_API_KEY
  package [--name NAME] [--profile PROFILE] [--registry] [--auditable]
                              the npm package for this platform, below target/package/; on x86-64 Linux its addon loads
                              with glibc 2.28, unless PROFILE is dev, which is for this machine alone; --registry
                              makes those for a registry: the plugin, this platform's addon and the installer;
                              --auditable installs cargo-auditable, by which the addon says of which crates it is made;
                              where that is installed, it does so anyway
  sbom                        of what each shipped package is made, in CycloneDX's format, below target/package/sbom/
  audit [--db FOLDER]         what the RustSec database, or a git clone of it, says of the crates in each Cargo.lock; ends
                              with 3 where the database cannot be reached
  e2e [--host VERSION | --matrix] [--crash KILLS] [--profile PROFILE]
                              package, then install, login, message and reply on a real OpenClaw, or on each of
                              openclaw-weixin/e2e/hosts.json; --crash kills the gateway so often in mid-turn instead
  ci [--fast] [--fuzz]        everything that must pass; --fast leaves out the package and the real OpenClaw,
                              --fuzz adds a minute for each fuzz target (needs a nightly toolchain)
  bench NAME [ARGS]           a benchmark beside published peers: client, media, silk; or beside the
                              official plugin: markdown, quotes; silk --compare: beside the reference, bit by bit,
                              --encoder: what our encoder and the reference's leave of the signal;
                              or of the channel: crash [--disk-faults] (killed 1,000 times; the disk fails too), channel (speed, memory), idle (memory), faults,
                              fleet [--short] (processes over PostgreSQL that are killed, stopped, cut off);
                              or of the plugin: host [--runs N] [--network loopback], what it costs a real OpenClaw, beside the official one;
                              over TLS if not said
  fuzz [--seconds N | --inputs N]
                              every fuzz target for N seconds (default 60), or until all have run N inputs together, those of
                              earlier runs counted: it can be ended and goes on where it was
  old-glibc                   the packed addon and its tests under the glibc of Debian 11 (needs apt-get, Debian's archive)
  miri                        the pure parts of ilink-client under miri (needs a nightly toolchain)
  semver                      the public API beside that of the last release
  types                       TypeScript checks the plugin's JavaScript against the declarations of real hosts
  tidy                        the house rules of CONTRIBUTING.md
  tls                         whether each shipped package, built alone as it is shipped, opens an https URL
  fixtures record [ARGS]      a proxy that records exchanges with a server, without their secrets
  fixtures reach              other people's clients, unpatched, reach the simulator under the real names: one in Python
                              (needs python3) and the official plugin on the newest OpenClaw
  help                        this text
";

/// What a task returns; the error is one sentence for a person.
type Outcome<T = ()> = Result<T, String>;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<ExitCode> {
    let mut args = lexopt::Parser::from_env();
    let task = match args.next().map_err(usage)? {
        Some(Value(task)) => task.to_string_lossy().into_owned(),
        None | Some(Short('h') | Long("help")) => "help".into(),
        Some(other) => return Err(usage(other.unexpected())),
    };
    match task.as_str() {
        "demo" => demo::run(args.raw_args().map_err(usage)?)?,
        "package" => package_task(&mut args)?,
        "e2e" => e2e_task(&mut args)?,
        "ci" => {
            let (mut fast, mut fuzz) = (false, false);
            while let Some(arg) = args.next().map_err(usage)? {
                match arg {
                    Long("fast") => fast = true,
                    Long("fuzz") => fuzz = true,
                    other => return Err(usage(other.unexpected())),
                }
            }
            return ci::run(fast, fuzz);
        }
        "bench" => {
            let name = text(&mut args)?;
            let rest = args.raw_args().map_err(usage)?.map(|arg| arg.to_string_lossy().into_owned());
            bench::run(&name, &rest.collect::<Vec<_>>())?;
        }
        "fuzz" => {
            let mut until = fuzz::Until::default();
            while let Some(arg) = args.next().map_err(usage)? {
                until = match arg {
                    Long("seconds") => fuzz::Until::Seconds(number(&mut args)?),
                    Long("inputs") => fuzz::Until::Inputs(number(&mut args)?),
                    other => return Err(usage(other.unexpected())),
                };
            }
            fuzz::run(until)?;
        }
        "audit" => {
            let mut copy = None;
            while let Some(arg) = args.next().map_err(usage)? {
                match arg {
                    Long("db") => copy = Some(PathBuf::from(args.value().map_err(usage)?)),
                    other => return Err(usage(other.unexpected())),
                }
            }
            return audit::run(copy.as_deref());
        }
        "sbom" => {
            end(&mut args)?;
            sbom::run()?;
        }
        "old-glibc" => {
            end(&mut args)?;
            old_glibc::run()?;
        }
        "miri" => {
            end(&mut args)?;
            semver::miri()?;
        }
        "semver" => {
            end(&mut args)?;
            semver::run()?;
        }
        "fixtures" => match args.next().map_err(usage)? {
            Some(Value(what)) if what == "record" => fixtures::record(args.raw_args().map_err(usage)?)?,
            Some(Value(what)) if what == "reach" => {
                end(&mut args)?;
                fixtures::reach()?;
            }
            _ => return Err("fixtures knows `record` and `reach`; see `cargo xtask help`".into()),
        },
        "types" => {
            end(&mut args)?;
            types::run()?;
        }
        "tidy" => {
            end(&mut args)?;
            tidy::run()?;
        }
        "tls" => {
            end(&mut args)?;
            tls::run()?;
        }
        "help" => print!("{HELP}"),
        other => return Err(format!("there is no task {other:?}; see `cargo xtask help`")),
    }
    Ok(ExitCode::SUCCESS)
}

fn package_task(args: &mut lexopt::Parser) -> Outcome {
    let (mut name, mut profile) = (package::NAME.to_owned(), package::PROFILE.to_owned());
    let (mut registry, mut auditable) = (false, false);
    while let Some(arg) = args.next().map_err(usage)? {
        match arg {
            Long("name") => name = text(args)?,
            Long("registry") => registry = true,
            Long("auditable") => auditable = true,
            Long("profile") => profile = text(args)?,
            other => return Err(usage(other.unexpected())),
        }
    }
    if auditable {
        tools::auditable()?;
    }
    if registry {
        package::registry(&name, &profile)?;
    } else {
        package::run(&name, &profile)?;
    }
    Ok(())
}

fn e2e_task(args: &mut lexopt::Parser) -> Outcome {
    let (mut host, mut matrix, mut profile) = (None, false, package::PROFILE.to_owned());
    let mut crash = None;
    while let Some(arg) = args.next().map_err(usage)? {
        match arg {
            Long("host") => host = Some(text(args)?),
            Long("matrix") => matrix = true,
            Long("crash") => {
                crash = Some(args.value().and_then(|value| value.parse()).map_err(usage)?);
            }
            Long("profile") => profile = text(args)?,
            other => return Err(usage(other.unexpected())),
        }
    }
    // Before minutes of building.
    let host = host.map_or_else(e2e::newest, |version| e2e::host(&version))?;
    let package = package::run(package::NAME, &profile)?;
    if let Some(kills) = crash {
        e2e::crash(&host, &package, kills)?;
    } else if matrix {
        e2e::matrix(&package)?;
    } else {
        e2e::run(&host, &package, &profile)?;
    }
    Ok(())
}

fn text(args: &mut lexopt::Parser) -> Outcome<String> {
    args.value().and_then(ValueExt::string).map_err(usage)
}

fn number<T: std::str::FromStr<Err = std::num::ParseIntError>>(args: &mut lexopt::Parser) -> Outcome<T> {
    args.value().and_then(|value| value.parse()).map_err(usage)
}

fn end(args: &mut lexopt::Parser) -> Outcome {
    args.next().map_err(usage)?.map_or(Ok(()), |arg| Err(usage(arg.unexpected())))
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn usage(error: lexopt::Error) -> String {
    format!("{error}; see `cargo xtask help`")
}
