//! The addon for other people's machines: on Linux it loads with glibc 2.28, which Node.js itself wants.
//!
//! A plain build takes the newest symbols of the machine that it is made on: made on Debian 12 it needs glibc 2.34, and
//! loads on none of Debian 10 and 11, Ubuntu 20.04 and RHEL 8. So it is compiled and linked by the gcc of napi-rs, an npm
//! package with the headers and libraries of glibc 2.17. The other way, zig as a compiler, comes from Python's registry,
//! and a machine with npm need not have a client for that.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use object::elf::{FileHeader64, SHT_DYNSYM};
use object::read::elf::{FileHeader, Sym};
use object::{Endianness, SymbolIndex};

use crate::process::{run as run_command, target};
use crate::{Outcome, package, tools};

/// The newest glibc that the addon may need: what Node.js 22 and 24 need.
const GLIBC: (u32, u32) = (2, 28);

/// Where there is an old glibc to build against.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const HERE: bool = cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));

/// Builds the addon against the old glibc and checks what came out of it. The profile `dev` is for this machine only, and
/// so are, as yet, builds on other systems.
pub(crate) fn addon(profile: &str) -> Outcome<PathBuf> {
    if !HERE || profile == "dev" {
        return package::addon(profile);
    }
    let gcc = tools::old_gcc()?;
    let tool = |name: &str| gcc.join("bin").join(format!("{TARGET}-{name}"));
    let mut command = package::build(profile);
    command
        .args(["--target", TARGET])
        .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER", tool("gcc"))
        .env("CC_x86_64_unknown_linux_gnu", tool("gcc"))
        .env("AR_x86_64_unknown_linux_gnu", tool("ar"))
        // Rust since 1.90 links with its own lld, of which this gcc has never heard; its own linker is new enough.
        .env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "-Clinker-features=-lld")
        // They would win over the line above.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    run_command(&mut command)?;
    let addon = package::loadable(&target().join(TARGET).join(profile))?;
    check(&addon)?;
    Ok(addon)
}

/// Fails if a library wants a newer glibc than we promise.
fn check(library: &Path) -> Outcome {
    let error = |cause: &dyn std::fmt::Display| format!("{}: {cause}", library.display());
    let bytes = fs::read(library).map_err(|cause| error(&cause))?;
    let needed = needed(&bytes).map_err(|cause| error(&cause))?;
    match &*too_new(&needed).join(", ") {
        "" => Ok(()),
        symbols => Err(error(&format!(
            "needs a newer glibc than {}.{}, for {symbols}; it was not linked against the old one",
            GLIBC.0, GLIBC.1
        ))),
    }
}

/// The symbols, with their versions, that an ELF file wants from other libraries. A version that goes without a symbol,
/// such as that of a kind of relocation, comes without a name.
fn needed(elf: &[u8]) -> Result<BTreeSet<(String, String)>, object::Error> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let header = FileHeader64::<Endianness>::parse(elf)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, elf)?;
    let symbols = sections.symbols(endian, elf, SHT_DYNSYM)?;
    let mut needed = BTreeSet::new();
    if let Some(versions) = sections.versions(endian, elf)? {
        for (number, symbol) in symbols.iter().enumerate().filter(|(_, symbol)| symbol.is_undefined(endian)) {
            let index = versions.version_index(endian, SymbolIndex(number));
            if let Some(version) = versions.version(index.into())? {
                let name = symbol.name(endian, symbols.strings())?;
                needed.insert((text(version.name()), text(name)));
            }
        }
    }
    if let Some((mut libraries, strings)) = sections.gnu_verneed(endian, elf)? {
        let strings = sections.strings(endian, elf, strings)?;
        while let Some((_, mut versions)) = libraries.next()? {
            while let Some(version) = versions.next()? {
                let version = text(version.name(endian, strings)?);
                if needed
                    .range((version.clone(), String::new())..)
                    .next()
                    .is_none_or(|(own, _)| *own != version)
                {
                    needed.insert((version, String::new()));
                }
            }
        }
    }
    Ok(needed)
}

/// Those of them that glibc has only since a newer version; names such as `GLIBC_ABI_DT_RELR` are all newer.
fn too_new(needed: &BTreeSet<(String, String)>) -> Vec<String> {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok()).unwrap_or(u32::MAX);
    let of_glibc = needed.iter().filter_map(|entry| Some((entry, entry.0.strip_prefix("GLIBC_")?)));
    of_glibc
        .filter(|(_, version)| {
            let mut parts = version.split('.');
            (number(parts.next()), number(parts.next())) > GLIBC
        })
        .map(
            |((version, symbol), _)| {
                if symbol.is_empty() { version.clone() } else { format!("{symbol} ({version})") }
            },
        )
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_newer_glibc_has_is_named() {
        let entries = [
            ("GCC_3.0", "_Unwind_Resume"),
            ("GLIBC_2.2.5", "free"),
            ("GLIBC_2.28", "fcntl64"),
            ("GLIBC_2.29", "pow"),
            ("GLIBC_2.34", "pthread_create"),
            ("GLIBC_3.0", "future"),
            ("GLIBC_ABI_DT_RELR", ""),
        ];
        let needed = entries.map(|(version, symbol)| (version.to_owned(), symbol.to_owned())).into();
        let expected =
            ["pow (GLIBC_2.29)", "pthread_create (GLIBC_2.34)", "future (GLIBC_3.0)", "GLIBC_ABI_DT_RELR"];
        assert_eq!(too_new(&needed), expected);
    }

    #[cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]
    #[test]
    fn this_program_needs_a_glibc() {
        let own = fs::read(std::env::current_exe().unwrap()).unwrap();
        let needed = needed(&own).unwrap();
        assert!(
            needed.iter().any(|(version, symbol)| version.starts_with("GLIBC_2.") && symbol == "memcpy"),
            "{needed:?}"
        );
        assert!(super::needed(b"no ELF").is_err());
    }
}
