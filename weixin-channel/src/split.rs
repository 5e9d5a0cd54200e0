//! Long texts in pieces that the server takes (field note 23).

mod fence;
mod text;

use unicode_segmentation::UnicodeSegmentation as _;

use self::fence::Fence;
use self::text::{ends_sentence, skip_blank_lines, trim_end, trim_start};

/// How long one message may be. Both numbers were measured by users, not promised by Tencent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SplitLimits {
    /// Unicode scalar values per message: 4,000 ([protocol §5]).
    ///
    /// [protocol §5]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#5-flows
    pub max_chars: usize,
    /// UTF-8 bytes per message: 16,000; more than 16,384 are refused ([field note 23]).
    ///
    /// [field note 23]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-23
    pub max_bytes: usize,
}

impl Default for SplitLimits {
    fn default() -> Self {
        Self { max_chars: 4_000, max_bytes: 16_000 }
    }
}

/// Cuts a text into pieces within the limits: between paragraphs, else lines, else sentences, else words, else
/// wherever a reader sees two characters. A lesser place is better than a piece of less than half the size.
///
/// Code between fences (three or more backticks or tildes) that is cut is closed at the end of the piece and opened
/// again, as it was opened, in the next one; both count. Nothing is lost but white space at cuts. Where one grapheme
/// alone is too long it is cut between its scalar values, of which a piece has one at least. A text without
/// anything to see is one empty piece: what the server makes of it is its business.
///
/// ```
/// use weixin_channel::split::{SplitLimits, split};
/// let limits = SplitLimits { max_chars: 40, ..SplitLimits::default() };
/// let text = "Echoes, for a test of cuts:\n\n```sh\necho 1 2 3 4 5 6\necho 7 8 9\necho 10\n```";
/// assert_eq!(split(text, &limits), [
///     "Echoes, for a test of cuts:",
///     "```sh\necho 1 2 3 4 5 6\necho 7 8 9\n```",
///     "```sh\necho 10\n```",
/// ]);
/// ```
#[must_use]
pub fn split(text: &str, limits: &SplitLimits) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut open: Option<Fence<'_>> = None;
    loop {
        let head = open.map_or_else(String::new, |fence| format!("{}\n", fence.line));
        if whole_fits(&head, rest, limits) {
            pieces.push(head + rest);
            return pieces;
        }
        let mut cut = Cut::find(rest, open, &head, limits);
        let (mut piece, mut closing) = (head, cut.open.map_or("", |fence| fence.marker));
        if cut.at == 0 {
            // Not one character fits between the fences: it goes without them.
            cut = Cut { at: first(rest, limits), open };
            (piece, closing) = (String::new(), "");
        }
        let (content, tail) = rest.split_at(cut.at);
        if !content.trim().is_empty() {
            // Code keeps the white space of its lines, text does not need it.
            let in_code = open.is_some() || cut.open.is_some();
            piece.push_str(if in_code { content.trim_end_matches('\n') } else { trim_end(content) });
            if !closing.is_empty() {
                piece.extend(["\n", closing]);
            }
            pieces.push(piece);
        }
        (rest, open) = (tail, cut.open);
        let mut at_line = content.ends_with('\n');
        if !at_line && let Some(next) = rest.strip_prefix("\r\n").or_else(|| rest.strip_prefix('\n')) {
            (rest, at_line) = (next, true);
        }
        if let Some(fence) = open.filter(|_| at_line) {
            // The piece has just been closed: the end that the code has anyway is not needed any more.
            let line = rest.split_inclusive('\n').next().unwrap_or_default();
            if fence.is_closed_by(line) {
                (rest, open) = (&rest[line.len()..], None);
            }
        }
        if open.is_none() {
            rest = if at_line { skip_blank_lines(rest) } else { trim_start(rest) };
        }
        if rest.trim().is_empty() {
            if pieces.is_empty() {
                pieces.push(String::new());
            }
            return pieces;
        }
    }
}

fn whole_fits(head: &str, rest: &str, limits: &SplitLimits) -> bool {
    // A scalar value has at most four bytes: long texts need not be counted again and again.
    rest.len() <= limits.max_chars.saturating_mul(4) && Size::of(head).plus(rest).fits(limits)
}

#[derive(Clone, Copy, Default)]
struct Size {
    chars: usize,
    bytes: usize,
}

impl Size {
    fn of(text: &str) -> Self {
        Self { chars: text.chars().count(), bytes: text.len() }
    }

    fn plus(self, text: &str) -> Self {
        let more = Self::of(text);
        Self { chars: self.chars + more.chars, bytes: self.bytes + more.bytes }
    }

    fn fits(self, limits: &SplitLimits) -> bool {
        self.chars <= limits.max_chars && self.bytes <= limits.max_bytes
    }
}

/// Where a piece ends, and the code that is open there.
struct Cut<'a> {
    at: usize,
    open: Option<Fence<'a>>,
}

impl<'a> Cut<'a> {
    /// The best place for the first cut in a text that is too long. 0 if no character fits.
    fn find(text: &'a str, open: Option<Fence<'a>>, head: &str, limits: &SplitLimits) -> Self {
        let mut reserve = String::new();
        loop {
            let graphemes = graphemes(text, Size::of(head).plus(&reserve), limits);
            let cut = Self::within(text, open, &graphemes, limits);
            let closing = cut.open.map_or_else(String::new, |fence| format!("\n{}", fence.marker));
            if closing.len() <= reserve.len()
                || Size::of(head).plus(&text[..cut.at]).plus(&closing).fits(limits)
            {
                return cut;
            }
            // Once more, with room for the fence; this grows, so it ends.
            reserve = closing;
        }
    }

    /// The best place among the ends of graphemes.
    fn within(text: &'a str, open: Option<Fence<'a>>, graphemes: &[usize], limits: &SplitLimits) -> Self {
        let end = graphemes.last().copied().unwrap_or_default();
        let early = end / 2;
        let mut fence = open;
        let mut at = 0;
        // The last end of a paragraph, the last end of a line, the last line of code.
        let [mut paragraph, mut line_end, mut code] = [0; 3];
        let mut code_fence = None;
        for line in text.split_inclusive('\n') {
            let begin = at;
            at += line.len();
            if at > end || !line.ends_with('\n') {
                // The line that does not fit: a cut within it is in this state.
                at = begin;
                break;
            }
            match fence {
                Some(open) if open.is_closed_by(line) => fence = None,
                Some(_) => (code, code_fence) = (at, fence),
                None => {
                    fence = Fence::opened_by(line, limits);
                    if fence.is_some() {
                        // Before code is as good as after a line, and better than right after its first fence.
                        line_end = begin;
                        continue;
                    }
                }
            }
            if fence.is_none() {
                line_end = at;
                if line.trim().is_empty() {
                    paragraph = at;
                }
            }
        }
        let good = |at: usize| at > 0 && at >= early;
        if let Some(&at) = [paragraph, line_end].iter().find(|&&at| good(at)) {
            return Cut { at, open: None };
        }
        if good(code) {
            return Cut { at: code, open: code_fence };
        }
        // All of the second half is one line.
        let line = &text[at..end];
        let ends = |is: fn(&str, &str) -> bool| {
            let ok = |&&cut: &&usize| cut > at && good(cut) && is(&text[at..cut], &text[cut..]);
            graphemes.iter().rev().find(ok).copied()
        };
        let sentence = if fence.is_none() { ends(ends_sentence) } else { None };
        let word = || {
            let bounds = line.split_word_bound_indices().rev().map(|(n, _)| at + n);
            bounds.into_iter().find(|cut| good(*cut) && *cut > at && graphemes.binary_search(cut).is_ok())
        };
        let cut = sentence
            .or_else(|| ends(|before, _| before.ends_with(char::is_whitespace)))
            .or_else(word)
            .unwrap_or(end);
        Cut { at: cut, open: fence }
    }
}

/// The ends of the graphemes that fit beside what is taken.
fn graphemes(text: &str, taken: Size, limits: &SplitLimits) -> Vec<usize> {
    let mut size = taken;
    let mut ends = Vec::new();
    for (at, grapheme) in text.grapheme_indices(true) {
        size = size.plus(grapheme);
        if !size.fits(limits) {
            break;
        }
        ends.push(at + grapheme.len());
    }
    ends
}

/// The end of the first grapheme, or of what fits of it, which is one scalar value at least.
fn first(text: &str, limits: &SplitLimits) -> usize {
    let grapheme = text.graphemes(true).next().unwrap_or_default();
    if Size::of(grapheme).fits(limits) {
        return grapheme.len();
    }
    let ends = grapheme.char_indices().map(|(at, c)| at + c.len_utf8());
    let mut fitting = ends.take_while(|&end| Size::of(&grapheme[..end]).fits(limits));
    let least = grapheme.chars().next().map_or(0, char::len_utf8);
    fitting.by_ref().last().unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chars(max_chars: usize) -> SplitLimits {
        SplitLimits { max_chars, max_bytes: usize::MAX }
    }

    #[test]
    fn short_texts_stay_as_they_are() {
        let limits = SplitLimits::default();
        assert_eq!(split("", &limits), [""]);
        assert_eq!(split(" \n", &limits), [" \n"]);
        assert_eq!(split(&" ".repeat(5_000), &limits), [""]);
        assert_eq!(split(&"字".repeat(4_000), &limits).len(), 1);
        assert_eq!(split(&"🙂".repeat(4_001), &limits).len(), 2);
        // 16,000 bytes are fewer characters where these are long.
        assert_eq!(split(&"🙂".repeat(4_000), &SplitLimits { max_bytes: 15_999, ..limits }).len(), 2);
    }

    #[test]
    fn paragraphs_before_lines_before_sentences_before_words() {
        let [a, b] = ["a".repeat(60), "b".repeat(30)];
        for (better, lesser) in
            [("\n\n", "\n"), ("\n", "。"), ("。", " "), (". ", " "), (" ", "，"), ("，", "")]
        {
            let text = format!("{a}{better}{b}{lesser}{b}");
            assert_eq!(split(&text, &chars(95))[0], format!("{a}{}", better.trim_end()), "{better:?}");
        }
        let early = format!("a\n\n{} {}", "b".repeat(60), "c".repeat(60));
        assert!(split(&early, &chars(100))[0].ends_with('b'), "a cut too early is none");
        assert_eq!(split("他说：“你好。”我说好。", &chars(10)), ["他说：“你好。”", "我说好。"]);
    }

    #[test]
    fn lists_keep_their_shape() {
        let text = "- one two three\n  - four five six\n  - seven eight nine";
        assert_eq!(split(text, &chars(40)), ["- one two three\n  - four five six", "  - seven eight nine"]);
    }

    #[test]
    fn code_is_closed_and_opened_again() {
        let code: String = ["    line();\n", "  }\n"].repeat(40).concat();
        let text = format!("Before.\n\n~~~~rust ignore\n{code}~~~~\nAfter.");
        let pieces = split(&text, &chars(200));
        assert!(pieces.len() > 2 && pieces.last().unwrap().ends_with("~~~~\nAfter."), "{pieces:#?}");
        let mut lines = String::new();
        for piece in &pieces {
            let (_, block) = piece.split_once("~~~~rust ignore\n").unwrap();
            let (block, _) = block.split_once("~~~~").unwrap();
            lines.push_str(block);
        }
        assert_eq!(lines, code);
    }

    #[test]
    fn no_empty_code() {
        let code = "x".repeat(70);
        let before = format!("{}\n```\n{code}\n```\nAfter.", "b".repeat(60));
        assert_eq!(
            split(&before, &chars(80)),
            ["b".repeat(60), format!("```\n{code}\n```"), "After.".to_owned()]
        );
    }

    #[test]
    fn a_grapheme_is_cut_only_if_it_fills_a_piece() {
        let family = "👨‍👩‍👧‍👦";
        let limits = chars(family.chars().count() * 2 + 1);
        assert!(split(&family.repeat(9), &limits).iter().all(|piece| piece.replace(family, "").is_empty()));
        let zalgo = format!("a{}", "\u{301}".repeat(25));
        assert_eq!(split(&zalgo, &chars(10)).concat(), zalgo);
        assert_eq!(split("🙂🙂", &SplitLimits { max_chars: 1, max_bytes: 1 }), ["🙂", "🙂"]);
    }

    fn texts() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "a",
            "word ",
            "Ends. ",
            "字",
            "句子。",
            "，",
            "\n",
            "\n\n",
            "\r\n",
            "  ",
            "\n```rust\n",
            "\n```\n",
            "\n~~~\n",
            "👨‍👩‍👧‍👦",
            "e\u{301}",
            "🇩🇪",
            "각",
            "\u{600}",
            " \u{301}",
            "x = y;\n",
            "\n- item ",
        ]);
        prop::collection::vec(pieces, 0..120).prop_map(|pieces| pieces.concat())
    }

    /// What has to survive: everything but white space and lines of fences.
    fn content(text: &str) -> String {
        let is_fence = |line: &&str| ["```", "~~~"].iter().any(|sign| line.trim_start().starts_with(sign));
        let lines = text.lines().filter(|line| !is_fence(line));
        lines.flat_map(str::chars).filter(|c| !c.is_whitespace()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        #[test]
        fn pieces_fit_and_lose_nothing(text in texts(), max_chars in 64..200_usize, max_bytes in 64..300_usize) {
            let limits = SplitLimits { max_chars, max_bytes };
            let pieces = split(&text, &limits);
            prop_assert_eq!(content(&pieces.join("\n")), content(&text));
            for piece in &pieces {
                prop_assert!(Size::of(piece).fits(&limits), "{:?}", piece);
                prop_assert!(pieces.len() == 1 || !piece.trim().is_empty());
            }
        }

        #[test]
        fn small_limits_hold_too(text in texts(), max_chars in 1..40_usize) {
            for piece in split(&text, &chars(max_chars)) {
                prop_assert!(piece.chars().count() <= max_chars, "{:?}", piece);
            }
        }

        #[test]
        fn graphemes_stay_whole(text in texts(), max_bytes in 64..300_usize) {
            let limits = SplitLimits { max_bytes, ..SplitLimits::default() };
            let visible = |text: &str| -> Vec<String> {
                text.graphemes(true).filter(|g| !g.trim().is_empty()).map(str::to_owned).collect()
            };
            let plain = text.replace(['`', '~'], "");
            let pieces = split(&plain, &limits);
            prop_assert_eq!(pieces.iter().flat_map(|piece| visible(piece)).collect::<Vec<_>>(), visible(&plain));
        }

        #[test]
        fn code_is_balanced(code in "[a-z ;\n]{0,600}", max in 64..200_usize) {
            let text = format!("text\n```js\n{code}\n```\ntext");
            for piece in split(&text, &chars(max)) {
                let fences = piece.lines().filter(|line| line.starts_with("```")).count();
                prop_assert!(fences.is_multiple_of(2), "{:?}", piece);
            }
        }
    }
}
