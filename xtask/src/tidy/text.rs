//! Rules about single files. Each takes a path relative to the root and the file's text.

use std::ffi::OsStr;
use std::path::Path;

const LONGEST: usize = 400;

/// All findings in one file.
pub(super) fn check(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut find = |line: usize, what: &str| {
        let line = if line == 0 { String::new() } else { format!(":{line}") };
        findings.push(format!("{path}{line}: {what}"));
    };
    let extension = Path::new(path).extension().and_then(OsStr::to_str).unwrap_or_default();
    let rust = extension == "rs";
    let script = matches!(extension, "js" | "mjs");
    // The rules name what they forbid.
    let rules = path.starts_with("xtask/src/tidy/");

    if (rust || script)
        && text.lines().count() > LONGEST
        && !text.lines().any(|line| line.starts_with("// Long because: "))
    {
        find(0, "has more than 400 lines; split it, or say why in a line `// Long because: …`");
    }
    if is_library_root(path) && !text.contains("#![forbid(unsafe_code)]") {
        find(0, "lacks #![forbid(unsafe_code)]");
    }
    for (number, line) in text.lines().enumerate().filter(|_| !rules) {
        let number = number + 1;
        if rust {
            for unfinished in ["todo!(", "unimplemented!(", "dbg!(", "#[ignore"] {
                if line.contains(unfinished) {
                    find(number, &format!("{unfinished} is for drafts; finish it"));
                }
            }
        }
        if (rust || script) && (line.contains("TODO") || line.contains("FIXME") || line.contains("XXX:")) {
            find(number, "is unfinished; finish it, or file an issue");
        }
        if path != "Cargo.lock" && has_private_path(line) {
            find(number, "names a folder of one machine");
        }
        if has_secret(line) {
            find(number, "looks like a secret; scrub it");
        }
        if path.starts_with("openclaw-weixin/e2e/") && script {
            for source in ["../npm/", "../cli/", "WEIXIN_ADDON"] {
                if line.contains(source) {
                    find(number, &format!("uses {source}, not what is in the packed tgz; take E2E_PACKAGE"));
                }
            }
        }
        // Tests are not packed.
        if path.starts_with("openclaw-weixin/npm/") && !path.contains("/test/") && script {
            for import in ["child_process", "openclaw/plugin-sdk"] {
                if line.contains(import) {
                    find(number, &format!("mentions {import}, which hosts refuse or remove"));
                }
            }
        }
    }
    if path.starts_with("fixtures/wire/") && extension == "json" && !has_provenance(text) {
        find(0, "has no \"provenance\"; say where the exchange comes from");
    }
    findings
}

/// The crates that others depend on; the addon crate alone may allow unsafe code.
fn is_library_root(path: &str) -> bool {
    ["ilink-client", "weixin-media", "weixin-media/silk", "weixin-channel", "fixtures"]
        .iter()
        .any(|krate| path.strip_prefix(krate) == Some("/src/lib.rs"))
}

fn has_private_path(line: &str) -> bool {
    ["/work/", "/root/"].iter().any(|folder| starts_a_path(line, folder))
        || ["/home/", "/Users/"].iter().any(|folder| {
            starts_a_path(line, folder)
                && line
                    .split(folder)
                    .skip(1)
                    .any(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
        })
}

/// `folder` at the start of an absolute path, not in the middle of a URL or a relative one.
fn starts_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        !line[..at]
            .ends_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '*' | '}' | '~'))
    })
}

/// Shapes of real credentials: iLink bot tokens with a long hex part, registry and forge tokens, private keys.
fn has_secret(line: &str) -> bool {
    let long_token = |prefix: &str, length: usize, alphabet: fn(char) -> bool| {
        line.split(prefix).skip(1).any(|rest| rest.chars().take_while(|&c| alphabet(c)).count() >= length)
    };
    long_token("@im.bot:", 32, |c| c.is_ascii_hexdigit()) && !line.contains("@im.bot:0000")
        || long_token("npm_", 36, |c| c.is_ascii_alphanumeric())
        || long_token("ghp_", 36, |c| c.is_ascii_alphanumeric())
        || line.contains("-----BEGIN") && line.contains("PRIVATE KEY-----")
}

fn has_provenance(text: &str) -> bool {
    serde_json::from_str::<serde_json::Value>(text)
        .is_ok_and(|value| value["provenance"].as_str().is_some_and(|line| !line.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn long_files_need_a_reason() {
        let long = "x\n".repeat(401);
        assert_eq!(check("a/src/b.rs", &long).len(), 1);
        assert_eq!(check("a/src/b.rs", &format!("// Long because: a table.\n{long}")), [""; 0]);
        assert_eq!(check("a/table.json", &long), [""; 0]);
    }

    #[test]
    fn drafts_are_found_with_their_line() {
        assert_eq!(check("a/src/b.rs", "\ntodo!()\n"), ["a/src/b.rs:2: todo!( is for drafts; finish it"]);
        assert_eq!(check("a/src/b.rs", "#[ignore = \"slow\"]").len(), 1);
        assert_eq!(check("e2e/a.mjs", "// TODO: more").len(), 1);
    }

    #[test]
    fn private_paths_are_absolute_ones_only() {
        assert_eq!(check("README.md", "see /work/shared").len(), 1);
        assert_eq!(check("README.md", "in /home/alice/x").len(), 1);
        assert_eq!(check("README.md", "target/work/x, https://host/work/y, /home/$USER"), [""; 0]);
    }

    #[test]
    fn tokens_are_found_and_made_up_ones_are_not() {
        let token = format!("2a4d413230a5@im.bot:{}", "0123456789abcdef".repeat(2));
        assert_eq!(check("fixtures/x.txt", &token).len(), 1);
        assert_eq!(check("fixtures/x.txt", "2a4d413230a5@im.bot:00001111"), [""; 0]);
        assert_eq!(check("a.txt", &format!("npm_{}", "a".repeat(36))).len(), 1);
    }

    #[test]
    fn libraries_forbid_unsafe_code() {
        assert_eq!(check("ilink-client/src/lib.rs", "//! Docs.").len(), 1);
        assert_eq!(check("ilink-client/src/lib.rs", "#![forbid(unsafe_code)]"), [""; 0]);
    }

    #[test]
    fn the_plugin_imports_nothing_that_hosts_refuse() {
        assert_eq!(check("openclaw-weixin/npm/a.js", "import x from \"node:child_process\";").len(), 1);
        assert_eq!(check("openclaw-weixin/e2e/a.mjs", "import x from \"node:child_process\";"), [""; 0]);
        assert_eq!(check("openclaw-weixin/npm/test/a.mjs", "import x from \"node:child_process\";"), [""; 0]);
    }

    #[test]
    fn end_to_end_tests_run_what_is_packed() {
        let own = "import { loadAddon } from \"../npm/loader.js\";";
        assert_eq!(check("openclaw-weixin/e2e/a.mjs", own).len(), 1);
        assert_eq!(check("openclaw-weixin/npm/test/a.mjs", own), [""; 0]);
        assert_eq!(check("openclaw-weixin/e2e/a.mjs", "import { Host } from \"./host.mjs\";"), [""; 0]);
    }

    #[test]
    fn recorded_exchanges_say_where_they_come_from() {
        assert_eq!(check("fixtures/wire/getconfig/ok.json", "{}").len(), 1);
        assert_eq!(check("fixtures/wire/getconfig/ok.json", r#"{"provenance":"recorded 2026-11"}"#), [""; 0]);
    }
}
