//! Code between fences, as CommonMark has it, but indented as far as one likes.

use super::SplitLimits;

/// A block of code that is open.
#[derive(Clone, Copy)]
pub(super) struct Fence<'a> {
    /// The line that opens it, without its end.
    pub(super) line: &'a str,
    /// The signs that close it.
    pub(super) marker: &'a str,
}

impl<'a> Fence<'a> {
    /// The fence that a line opens. How far it is indented does not matter: it may stand in a list. A line that would
    /// take up more than an eighth of a piece is ordinary text, or repeating it would leave no room.
    pub(super) fn opened_by(line: &'a str, limits: &SplitLimits) -> Option<Self> {
        let line = line.trim_end();
        let text = line.trim_start();
        let sign = text.chars().next().filter(|sign| matches!(sign, '`' | '~'))?;
        let info = text.trim_start_matches(sign);
        let marker = &text[..text.len() - info.len()];
        let is_fence = marker.len() >= 3 && !(sign == '`' && info.contains('`'));
        let is_short = line.len() <= limits.max_chars.min(limits.max_bytes) / 8;
        (is_fence && is_short).then_some(Self { line, marker })
    }

    pub(super) fn is_closed_by(self, line: &str) -> bool {
        let signs = line.trim();
        signs.starts_with(self.marker) && signs.trim_start_matches(&self.marker[..1]).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_and_what_closes() {
        let limits = SplitLimits::default();
        let opened = |line| Fence::opened_by(line, &limits);
        for (line, marker) in
            [("```", "```"), ("~~~~ sh\n", "~~~~"), ("   - x", ""), ("``` a`b ```", ""), ("    ```rs", "```")]
        {
            assert_eq!(opened(line).map_or("", |fence| fence.marker), marker, "{line}");
        }
        let fence = opened("````sh").unwrap();
        for (line, closes) in
            [("````\n", true), ("  ``````  \n", true), ("```", false), ("```` x", false), ("~~~~", false)]
        {
            assert_eq!(fence.is_closed_by(line), closes, "{line}");
        }
        assert!(
            Fence::opened_by("```rust", &SplitLimits { max_chars: 50, ..limits }).is_none(),
            "too long to repeat"
        );
    }
}
