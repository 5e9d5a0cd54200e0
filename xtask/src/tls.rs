//! `cargo xtask tls`: what is shipped can open an https URL.
//!
//! A build of the whole workspace cannot tell: features unify, so that one crate's TLS stack is everybody's. Neither can
//! tests against a server on plain http. So each shipped package is looked at alone, with the features it is shipped with,
//! and each library is used by a program outside of the workspace, which calls Tencent's real host and gets no further
//! than to us.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{cargo, output, root, run as run_command, target};
use crate::workspace::{self, Member};
use crate::{Outcome, process};

/// The programs that use our libraries: below this folder, each with the name of its library.
const PROBES: &str = "xtask/probes";

/// A request that has not come by then does not come: the slowest retry is over.
const PATIENCE: Duration = Duration::from_secs(60);

/// Checks all that is shipped; one finding does not hide the others.
pub(crate) fn run() -> Outcome {
    let members = workspace::members()?;
    process::each(members.iter().filter(|member| member.shipped()), |member| {
        let tree = tree_of(member)?;
        if !connects(&tree) {
            println!("{}: opens no connection", member.name);
            return Ok(());
        }
        let stack = stack_of(member, &tree)?;
        if member.loaded {
            // Its tests make it call: openclaw-weixin/tests/.
            println!("{}: {stack}", member.name);
            return Ok(());
        }
        let host = call(member)?;
        println!("{}: {stack}; a program with its default features calls {host} by TLS", member.name);
        Ok(())
    })
}

/// What a package depends on with its default features, one in a line, itself first.
fn tree_of(member: &Member) -> Outcome<String> {
    output(&mut cargo([
        "tree",
        "--locked",
        "--package",
        &member.name,
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]))
}

/// Whether a package can open a connection at all: a codec has no HTTP client among its dependencies.
fn connects(tree: &str) -> bool {
    let mut packages = tree.lines().filter_map(|line| line.split(' ').next());
    packages.any(|package| ["ilink-client", "reqwest"].contains(&package))
}

/// The TLS stack that a package brings by itself.
fn stack_of(member: &Member, tree: &str) -> Outcome<&'static str> {
    stack(tree).ok_or_else(|| {
        format!(
            "{} has no TLS stack with its default features, so that it reaches no WeChat; have `default` of its \
             Cargo.toml bring `rustls-ring`",
            member.name
        )
    })
}

/// The TLS stack among packages as `cargo tree` lists them, one in a line.
fn stack(tree: &str) -> Option<&'static str> {
    let packages: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let has = |name| packages.contains(name);
    // rustls alone has no cryptography.
    match () {
        () if has("rustls") && has("ring") => Some("rustls with ring"),
        () if has("rustls") && has("aws-lc-rs") => Some("rustls with aws-lc"),
        () if has("native-tls") => Some("native-tls"),
        () => None,
    }
}

/// Has a program that uses only this library make its first request; returns the host that it greeted by TLS.
fn call(member: &Member) -> Outcome<String> {
    let probe = probe(member)?;
    let state = target().join("probes").join("state");
    greeted(Command::new(&probe).arg(state)).map_err(|why| {
        format!("a program that uses {} as it comes cannot open an https URL: {why}", member.name)
    })
}

/// Builds that program, as a stranger's: in a workspace of its own, where no feature comes from anybody else.
fn probe(member: &Member) -> Outcome<PathBuf> {
    let name = &member.name;
    let source = root().join(PROBES).join(format!("{name}.rs"));
    if !source.is_file() {
        return Err(format!(
            "{name} is published, and {PROBES}/{name}.rs is not there; write a program that makes its first request"
        ));
    }
    let folder = target().join("probes").join(name);
    let file = |path: PathBuf, text: &str| {
        fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
    };
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    file(folder.join("Cargo.toml"), &manifest(name, &root().join(name), &source))?;
    // The versions that everything else is tested with.
    fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut command = cargo(["build", "--quiet"]);
    // The library's dependencies are built already if it was built by itself.
    run_command(command.current_dir(&folder).env("CARGO_TARGET_DIR", target()))?;
    Ok(target().join("debug").join(format!("probe-{name}{}", std::env::consts::EXE_SUFFIX)))
}

/// Default features, and beside them only what such a program needs to run at all.
fn manifest(name: &str, library: &Path, source: &Path) -> String {
    // A path in single quotes is taken as it is, backslashes too.
    format!(
        "[package]\nname = \"probe-{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [workspace]\n\n\
         [[bin]]\nname = \"probe-{name}\"\npath = '{}'\n\n\
         [dependencies]\n{name} = {{ path = '{}' }}\nserde_json = \"1\"\n\
         tokio = {{ version = \"1\", default-features = false, features = [\"rt\"] }}\n\n\
         [profile.dev]\ndebug = \"line-tables-only\"\n\n\
         [profile.dev.package.\"*\"]\ndebug = false\nopt-level = 1\n",
        source.display(),
        library.display(),
    )
}

/// Runs a program behind a proxy that leads nowhere, until it greets a host by TLS through it; returns that host.
fn greeted(command: &mut Command) -> Outcome<String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| format!("no port: {error}"))?;
    let address = listener.local_addr().map_err(|error| format!("no port: {error}"))?;
    let (sender, receiver) = mpsc::channel();
    // Ends with this process: nobody else knows the port.
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if sender.send(greeting(&stream).unwrap_or_else(|error| Err(error.to_string()))).is_err() {
                return;
            }
        }
    });
    for variable in ["http_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(variable);
    }
    let proxy = format!("http://{address}");
    command.env("HTTPS_PROXY", &proxy).env("https_proxy", &proxy).stdout(Stdio::piped());
    let mut program = command.spawn().map_err(|error| format!("it cannot be started: {error}"))?;
    let start = Instant::now();
    let greeting = loop {
        match receiver.recv_timeout(Duration::from_millis(50)) {
            Ok(greeting) => break greeting,
            Err(RecvTimeoutError::Disconnected) => break Err("the proxy has ended".into()),
            Err(RecvTimeoutError::Timeout) => {
                let ended = program.try_wait().map_err(|error| error.to_string())?.is_some();
                if ended || start.elapsed() > PATIENCE {
                    break Err("it has sent nothing".into());
                }
            }
        }
    };
    // Whether it has ended already or not.
    let _ = program.kill();
    let said = program.wait_with_output().map_err(|error| error.to_string())?;
    greeting.map_err(|why| format!("{why}; it said {}", String::from_utf8_lossy(&said.stdout).trim()))
}

/// Takes a request for a tunnel, says that it is there, and reads the first record that comes through it.
fn greeting(stream: &TcpStream) -> std::io::Result<Outcome<String>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let Some(host) = tunnel_to(&request) else {
        return Ok(Err(format!("it asked for no tunnel but for {:?}", request.trim_end())));
    };
    let mut header = String::new();
    while reader.read_line(&mut header)? > 2 {
        header.clear();
    }
    (&*stream).write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
    let mut head = [0; 5];
    reader.read_exact(&mut head)?;
    let mut record = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    reader.read_exact(&mut record)?;
    Ok(if is_client_hello(head, &record, host) {
        Ok(host.to_owned())
    } else {
        Err(format!("it sent {head:02x?} to {host}, which is no greeting of TLS"))
    })
}

/// The host of `CONNECT host:443 HTTP/1.1`.
fn tunnel_to(request: &str) -> Option<&str> {
    request.strip_prefix("CONNECT ")?.split(' ').next()?.strip_suffix(":443")
}

/// RFC 8446, sections 5.1 and 4: a record of type handshake, in it a message of type client_hello, which names the host.
fn is_client_hello(head: [u8; 5], record: &[u8], host: &str) -> bool {
    head[0] == 0x16
        && head[1] == 3
        && record.first() == Some(&1)
        && record.windows(host.len()).any(|window| window == host.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_is_a_protocol_and_its_cryptography() {
        let bare = "openclaw-weixin v0.1.0 (/somewhere)\nreqwest v0.13.5\nhyper v1.8.0\nurl v2.5.8 (*)\n";
        assert_eq!(stack(bare), None);
        assert_eq!(stack(&format!("{bare}rustls v0.23.46\n")), None);
        assert_eq!(stack(&format!("{bare}rustls-native-certs v0.8.5\nring v0.17.14\n")), None);
        assert_eq!(stack(&format!("{bare}rustls v0.23.46\nring v0.17.14 (*)\n")), Some("rustls with ring"));
        assert_eq!(stack(&format!("{bare}native-tls v0.2.14\n")), Some("native-tls"));
    }

    #[test]
    fn what_has_no_http_client_needs_no_stack() {
        assert!(!connects("weixin-silk v0.1.0 (/somewhere)\nhound v3.5.1\n"));
        assert!(connects("ilink-client v0.1.0 (/somewhere)\nurl v2.5.8\n"));
        assert!(connects("weixin-media v0.1.0 (/somewhere)\nreqwest v0.13.5 (*)\n"));
    }

    #[test]
    fn the_addon_has_a_stack_with_the_features_it_is_shipped_with_and_none_without() {
        let tree = |features: &[&str]| {
            let mut command = cargo(["tree", "--offline", "--package", "openclaw-weixin"]);
            command.args(["--edges", "normal", "--prefix", "none"]).args(features);
            output(&mut command).unwrap()
        };
        assert_eq!(stack(&tree(&[])), Some("rustls with ring"));
        assert_eq!(stack(&tree(&["--no-default-features"])), None);
    }

    #[test]
    fn a_probe_takes_a_library_as_it_comes() {
        let manifest = manifest("ilink-client", Path::new("/lib"), Path::new("/main.rs"));
        assert!(manifest.contains("ilink-client = { path = '/lib' }\n"), "{manifest}");
    }

    #[test]
    fn a_greeting_is_known_by_its_bytes() {
        assert_eq!(tunnel_to("CONNECT weixin.example:443 HTTP/1.1\r\n"), Some("weixin.example"));
        assert_eq!(tunnel_to("GET http://weixin.example/ HTTP/1.1\r\n"), None);
        let hello = b"\x01\x00\x00\x20..weixin.example..";
        assert!(is_client_hello([0x16, 3, 1, 0, 20], hello, "weixin.example"));
        assert!(!is_client_hello([0x16, 3, 1, 0, 20], hello, "other.example"));
        assert!(!is_client_hello(*b"GET /", b"\x01weixin.example", "weixin.example"));
    }
}
