//! Where sentences end, and white space without what combines with it.

use unicode_segmentation::UnicodeSegmentation as _;

/// True after 。！？… with what closes them, and after `.`, `!`, `?` or `;` where white space follows or has followed.
pub(super) fn ends_sentence(before: &str, after: &str) -> bool {
    let spaced = before.ends_with(char::is_whitespace) || after.starts_with(char::is_whitespace);
    let text = before.trim_end().trim_end_matches(['”', '’', '」', '』', '）', '"', '\'', ')']);
    let next_closes = after.starts_with(['”', '’', '」', '』', '）', '。', '！', '？', '…']);
    text.ends_with(['。', '！', '？', '…', '；']) && !next_closes
        || spaced && text.ends_with(['.', '!', '?', ';'])
}

/// Without the graphemes at the end that are white space.
pub(super) fn trim_end(text: &str) -> &str {
    let spaces = text.graphemes(true).rev().take_while(|grapheme| grapheme.trim().is_empty());
    &text[..text.len() - spaces.map(str::len).sum::<usize>()]
}

/// Without the graphemes at the beginning that are white space.
pub(super) fn trim_start(text: &str) -> &str {
    let spaces = text.graphemes(true).take_while(|grapheme| grapheme.trim().is_empty());
    &text[spaces.map(str::len).sum()..]
}

/// Without the lines at the beginning that are white space; what follows keeps its indentation.
pub(super) fn skip_blank_lines(text: &str) -> &str {
    let blank = text.split_inclusive('\n').take_while(|line| line.trim().is_empty());
    &text[blank.map(str::len).sum()..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences() {
        for (before, after, ends) in [
            ("好。", "他", true),
            ("“好。", "”他", false),
            ("“好。”", "他", true),
            ("Yes.", " No", true),
            ("Yes. ", "No", true),
            ("(Yes.) ", "No", true),
            ("example.", "com", false),
            ("1", ".5", false),
        ] {
            assert_eq!(ends_sentence(before, after), ends, "{before}|{after}");
        }
    }

    #[test]
    fn a_space_that_carries_a_mark_is_no_white_space() {
        assert_eq!(trim_start("  \u{301}a"), " \u{301}a");
        assert_eq!(trim_end("a \u{301} "), "a \u{301}");
    }
}
