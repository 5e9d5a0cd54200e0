//! The codes of errors: each is in the list that users read.

use std::ffi::OsStr;
use std::path::Path;

/// Codes of a file's `fn code` that `docs/errors.md` does not name.
pub(super) fn unlisted(path: &str, text: &str, list: &str) -> Vec<String> {
    if Path::new(path).extension() != Some(OsStr::new("rs")) || path.starts_with("xtask/") {
        return Vec::new();
    }
    let functions = text.split("fn code(").skip(1);
    let functions =
        functions.filter(|rest| rest.lines().next().is_some_and(|line| line.contains("-> &'static str {")));
    let bodies = functions.filter_map(|rest| rest.split("\n    }\n").next());
    let lines = bodies.flat_map(str::lines).filter(|line| !line.trim_start().starts_with("#["));
    let codes = lines.flat_map(|line| line.split('"').skip(1).step_by(2));
    codes
        .filter(|code| !list.contains(&format!("`{code}`")))
        .map(|code| format!("{path}: the error code {code:?} is not in docs/errors.md"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_nobody_can_look_up_is_found() {
        let text = "impl E {\n    pub fn code(&self) -> &'static str {\n        match self {\n            A => \"a-b\",\n            \
                    B => \"c\",\n        }\n    }\n\n    fn other() -> &'static str {\n        \"d\"\n    }\n}\n";
        let found = unlisted("a/src/error.rs", text, "| `c` | |");
        assert_eq!(found, ["a/src/error.rs: the error code \"a-b\" is not in docs/errors.md"]);
        assert!(unlisted("a/src/error.rs", text, "`c`, `a-b`").is_empty());
    }
}
