//! Names of the platform that we build on and for.

use std::env::consts::{ARCH, OS};

/// Node's name of the operating system.
pub(crate) fn os() -> &'static str {
    match OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    }
}

/// Node's name of the processor.
pub(crate) fn arch() -> &'static str {
    match ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The name that `npm/loader.js` looks for, such as `linux-x64-gnu`.
pub(crate) fn addon() -> String {
    let suffix = match OS {
        "linux" if cfg!(target_env = "musl") => "-musl",
        "linux" => "-gnu",
        "windows" => "-msvc",
        _ => "",
    };
    format!("{}-{}{suffix}", os(), arch())
}

/// The platforms that a release has an addon for.
pub(crate) const ADDONS: [&str; 7] = [
    "linux-x64-gnu",
    "linux-arm64-gnu",
    "linux-x64-musl",
    "linux-arm64-musl",
    "darwin-x64",
    "darwin-arm64",
    "win32-x64-msvc",
];

/// npm's name of the C library, where it knows one.
pub(crate) fn libc() -> Option<&'static str> {
    match OS {
        "linux" if cfg!(target_env = "musl") => Some("musl"),
        "linux" => Some("glibc"),
        _ => None,
    }
}

/// What Cargo calls the built addon.
pub(crate) fn library(name: &str) -> String {
    format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX)
}
