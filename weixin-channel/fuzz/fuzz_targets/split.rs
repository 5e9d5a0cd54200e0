//! No piece is over the limits, and together they say what the text says.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use weixin_channel::split::{SplitLimits, split};

const PIECES: [&str; 24] = [
    "a", "word ", "Ends. ", "字", "句子。", "，", "\n", "\n\n", "\r\n", "  ", "\n```rust\n", "\n```\n", "\n~~~\n", "````", "~~~~",
    "👨‍👩‍👧‍👦", "e\u{301}", "🇩🇪", "\u{600}", " \u{301}", "x = y;\n", "\n- item ", "\u{200d}", "”",
];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    max_chars: u16,
    max_bytes: u16,
    text: &'a str,
    pieces: &'a [u8],
}

/// What has to survive: white space may go at cuts, and fences are closed and opened again.
fn content(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '`' | '~'))
}

fuzz_target!(|input: Input<'_>| {
    let pieces = input.pieces.iter().map(|piece| PIECES[usize::from(*piece) % PIECES.len()]);
    let text = pieces.collect::<String>() + input.text;
    let limits = SplitLimits {
        // Of a long text, no more pieces than there ever are of one.
        max_chars: 1 + usize::from(input.max_chars) % 4_000 + text.len() / 512,
        max_bytes: 4 + usize::from(input.max_bytes) % 16_000,
    };
    let pieces = split(&text, &limits);
    assert!(!pieces.is_empty());
    for piece in &pieces {
        let chars = piece.chars().count();
        assert!(chars <= limits.max_chars && piece.len() <= limits.max_bytes, "{chars} of {limits:?}: {piece:?}");
        assert!(pieces.len() == 1 || !piece.trim().is_empty());
    }
    let has_fences = text.contains("```") || text.contains("~~~");
    let mut said = pieces.iter().flat_map(|piece| content(piece));
    for c in content(&text) {
        if has_fences {
            // How code was opened is said again.
            assert!(said.any(|other| other == c), "{c:?} is lost");
        } else {
            assert_eq!(said.next(), Some(c));
        }
    }
    assert!(has_fences || said.next().is_none(), "something is added");
});
