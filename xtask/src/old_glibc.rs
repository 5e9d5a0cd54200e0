//! `cargo xtask old-glibc`: the addon out of the package, and all of its tests, under the loader and the C library of
//! Debian 11. Everything it needs of that system lies below `target/`; nothing of this machine's is changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{find, output, run as run_command, target};
use crate::{Outcome, archive, e2e, package, tools};

/// A system that people still run, and the version of its glibc.
const SUITE: &str = "bullseye";
const GLIBC: &str = "2.31";

/// What Node.js and the addon load.
const PACKAGES: [&str; 3] = ["libc6", "libgcc-s1", "libstdc++6"];

/// Packs the addon and runs its tests there.
pub(crate) fn run() -> Outcome {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        return Err("old-glibc is about x86-64 Linux with glibc; run it there".into());
    }
    let node = old_node(&sysroot()?)?;
    let mut version = Command::new(&node);
    let version = output(version.args(["-p", "process.report.getReport().header.glibcVersionRuntime"]))?;
    println!("Node.js runs with glibc {}", version.trim());
    if version.trim() != GLIBC {
        return Err(format!("Node.js was to run with glibc {GLIBC} of Debian's {SUITE}"));
    }
    let addon = package::packed_addon(&package::run(package::NAME, package::PROFILE)?)?;
    run_command(&mut e2e::addon_tests(&node, &addon)?)
}

/// A Node.js that starts under the old loader, and takes itself for the program to start when tests start Node.js.
fn old_node(sysroot: &Path) -> Outcome<PathBuf> {
    let node = tools::node()?;
    let folder = target().join("old-glibc");
    let (wrapper, preload) = (folder.join("node"), folder.join("preload.cjs"));
    let libraries = sysroot.join("lib/x86_64-linux-gnu");
    let more = sysroot.join("usr/lib/x86_64-linux-gnu");
    let script = format!(
        "#!/bin/sh\nexec '{}' --library-path '{}:{}' '{}' --require '{}' \"$@\"\n",
        libraries.join("ld-linux-x86-64.so.2").display(),
        libraries.display(),
        more.display(),
        node.display(),
        preload.display(),
    );
    let name = serde_json::Value::from(wrapper.to_string_lossy());
    fs::write(&preload, format!("process.execPath = {name};\n"))
        .and_then(|()| fs::write(&wrapper, script))
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    run_command(Command::new("chmod").arg("+x").arg(&wrapper))?;
    Ok(wrapper)
}

/// The packages of the old system, unpacked; once.
fn sysroot() -> Outcome<PathBuf> {
    let folder = target().join("old-glibc");
    let sysroot = folder.join(SUITE);
    if sysroot.exists() {
        return Ok(sysroot);
    }
    for program in ["apt-get", "dpkg-deb"] {
        if find(program).is_none() {
            return Err(format!(
                "{program} is not installed; run old-glibc on a Debian, or in a container of one"
            ));
        }
    }
    let apt = folder.join("apt");
    let lists = apt.join("lists").join("partial");
    archive::clear(&apt)?;
    fs::create_dir_all(&lists).map_err(|error| format!("{}: {error}", lists.display()))?;
    let (sources, status) = (apt.join("sources.list"), apt.join("status"));
    fs::write(&status, "").map_err(|error| format!("{}: {error}", status.display()))?;
    fs::write(&sources, format!("deb {} {SUITE} main\n", archive_of_debian()?))
        .map_err(|error| format!("{}: {error}", sources.display()))?;
    let apt_get = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        // Its own lists and cache, and no other sources: this machine's stay as they are.
        let set = |name: &str, value: &Path| format!("-o{name}={}", value.display());
        command.args([
            set("Dir::Etc::sourcelist", &sources),
            set("Dir::Etc::sourceparts", Path::new("/dev/null")),
            set("Dir::State::lists", &apt.join("lists")),
            // Nothing is installed: what is would win, being newer.
            set("Dir::State::status", &status),
            set("Dir::Cache", &apt),
            // Else apt gives its rights away, and the user that it becomes may not write here.
            "-oAPT::Sandbox::User=root".into(),
            "--quiet=2".into(),
        ]);
        command.args(args).current_dir(&apt);
        run_command(&mut command).map_err(|error| {
            format!("{error}: the archive that this machine is set up for does not have Debian's {SUITE}, or cannot be reached")
        })
    };
    apt_get(&["update"])?;
    apt_get(&[&["download"][..], &PACKAGES].concat())?;
    let partial = folder.join("partial");
    archive::clear(&partial)?;
    let packages = fs::read_dir(&apt).map_err(|error| format!("{}: {error}", apt.display()))?;
    let packages = packages.filter_map(|entry| Some(entry.ok()?.path()));
    for package in packages.filter(|path| path.extension().is_some_and(|extension| extension == "deb")) {
        run_command(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&partial))?;
    }
    fs::rename(&partial, &sysroot).map_err(|error| format!("{}: {error}", partial.display()))?;
    Ok(sysroot)
}

/// Where this machine gets Debian's packages from.
fn archive_of_debian() -> Outcome<String> {
    let mut list = Command::new("apt-get");
    list.args(["indextargets", "--format", "$(REPO_URI) $(SUITE)", "Created-By: Packages", "Origin: Debian"]);
    let list = output(&mut list)?;
    // Security updates and backports have archives or suites of their own.
    let main = list.lines().filter_map(|line| line.split_once(' ')).find(|(_, suite)| !suite.contains('-'));
    main.map(|(uri, _)| uri.to_owned()).ok_or_else(|| {
        "apt-get knows no archive of Debian; run `apt-get update` on a Debian first, then old-glibc".into()
    })
}
