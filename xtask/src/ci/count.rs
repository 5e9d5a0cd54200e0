//! What the test runners say at their end, added up.

/// Passed and failed tests.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }

    /// `test result: ok. 3 passed; 0 failed; …`, once per binary or crate.
    pub(crate) fn read_cargo_test(&mut self, line: &str) {
        let line = plain(line);
        if line.starts_with("test result:") {
            self.passed += number_before(&line, " passed");
            self.failed += number_before(&line, " failed");
        }
    }

    /// `     Summary [   0.8s] 5 tests run: 4 passed (1 slow), 1 failed, 0 skipped`
    pub(crate) fn read_nextest(&mut self, line: &str) {
        let line = plain(line);
        if line.trim_start().starts_with("Summary [") {
            self.passed += number_before(&line, " passed");
            self.failed += number_before(&line, " failed") + number_before(&line, " timed out");
        }
    }

    /// `ℹ pass 5` and `ℹ fail 0`
    pub(crate) fn read_node(&mut self, line: &str) {
        let line = plain(line);
        let count = |word: &str| line.strip_prefix(word).and_then(|rest| rest.trim().parse::<u64>().ok());
        self.passed += count("ℹ pass ").unwrap_or(0);
        self.failed += count("ℹ fail ").unwrap_or(0) + count("ℹ cancelled ").unwrap_or(0);
    }
}

/// The number right before `word`, else 0.
fn number_before(line: &str, word: &str) -> u64 {
    let Some((before, _)) = line.split_once(word) else { return 0 };
    before.rsplit(|c: char| !c.is_ascii_digit()).next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// Without colours.
fn plain(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            text.push(c);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(read: fn(&mut Counts, &str), lines: &[&str]) -> (u64, u64) {
        let mut counts = Counts::default();
        for line in lines {
            read(&mut counts, line);
        }
        (counts.passed, counts.failed)
    }

    #[test]
    fn cargo_test_is_added_up_over_crates() {
        let lines = [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
            "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        ];
        assert_eq!(count(Counts::read_cargo_test, &lines), (4, 2));
    }

    #[test]
    fn nextest_says_it_once_with_colours_or_without() {
        let plain = "     Summary [   0.812s] 14 tests run: 14 passed (2 slow), 0 skipped";
        assert_eq!(count(Counts::read_nextest, &[plain]), (14, 0));
        let coloured = "\u{1b}[32;1m     Summary\u{1b}[0m [   0.812s] \u{1b}[1m9\u{1b}[0m tests run: \
                        \u{1b}[1m6\u{1b}[0m passed, 2 failed, 1 timed out, 0 skipped";
        assert_eq!(count(Counts::read_nextest, &[coloured]), (6, 3));
    }

    #[test]
    fn node_says_pass_and_fail_on_lines_of_their_own() {
        let lines = ["✔ pass 9 lines", "ℹ tests 7", "ℹ pass 5", "ℹ fail 1", "ℹ cancelled 1", "ℹ skipped 0"];
        assert_eq!(count(Counts::read_node, &lines), (5, 2));
    }
}
