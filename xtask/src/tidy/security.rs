//! The table of SECURITY.md: no cell that says who is kept from what is empty, and each test that it names is there.

use std::collections::HashSet;
use std::path::Path;

const TABLE: &str = "SECURITY.md";

/// Cells of a row.
const CELLS: usize = 5;

/// What a look at all files finds, one after the other.
#[derive(Default)]
pub(super) struct Tests {
    /// Functions of Rust files, and JavaScript tests.
    known: HashSet<String>,
}

impl Tests {
    pub(super) fn see(&mut self, path: &str, text: &str) {
        if path.ends_with(".test.mjs") {
            self.known.extend(path.rsplit('/').next().map(str::to_owned));
        }
        if Path::new(path).extension().is_some_and(|extension| extension == "rs") {
            let functions = text.split("fn ").skip(1);
            let name =
                |rest: &str| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(str::to_owned);
            self.known.extend(functions.filter_map(name));
        }
    }

    /// All findings in the table.
    pub(super) fn check(&self, table: &str) -> Vec<String> {
        let mut findings = Vec::new();
        let rows = table.lines().enumerate().filter(|(_, line)| line.starts_with('|'));
        // Behind the head and its rule.
        for (number, line) in rows.skip(2) {
            let mut find = |what: String| findings.push(format!("{TABLE}:{}: {what}", number + 1));
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [_, _, must_not, stopped_by, shown_by] = cells[..] else {
                find(format!("a row has {CELLS} cells"));
                continue;
            };
            if [must_not, stopped_by, shown_by].contains(&"") {
                find(
                    "says nothing of what is kept from happening, by what, or which test shows it".to_owned(),
                );
            }
            let tests: Vec<&str> = shown_by.split('`').skip(1).step_by(2).collect();
            if tests.is_empty() {
                find("names no test".to_owned());
            }
            for test in tests.into_iter().filter(|test| !self.known.contains(*test)) {
                find(format!("there is no test {test}"));
            }
        }
        findings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_its_test_is_found() {
        let mut tests = Tests::default();
        tests.see("a/tests/it/x.rs", "async fn it_holds<B: Backend>() {}");
        tests.see("b/test/files.test.mjs", "");
        let head = "text\n| who | may | may not | what stops it | shown by |\n|---|---|---|---|---|\n";
        let findings = |row: &str| tests.check(&format!("{head}{row}\n"));
        assert!(findings("| a | b | c | d | `it_holds`, `files.test.mjs` |").is_empty());
        assert!(findings("| | | c | d | `it_holds` |").is_empty(), "who is said above");
        assert_eq!(findings("| a | b | c | d | `it` |"), ["SECURITY.md:4: there is no test it"]);
        for row in ["| a | b | c | | `it_holds` |", "| a | b | c | d | |", "| a | b | c | `it_holds` |"] {
            assert!(!findings(row).is_empty(), "{row}");
        }
    }
}
