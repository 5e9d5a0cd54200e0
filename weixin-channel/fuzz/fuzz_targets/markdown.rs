//! However a text is cut, its reduction is that of the whole; as plain text it stays in bounds and loses no words.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use weixin_channel::markdown::{Filter, Mode, render};

/// What the filter and the parser look at.
const PIECES: [&str; 32] = [
    "*", "**", "***", "_", "__", "___", "`", "``", "```", "~~~", "#", "##### ", "![", "](", "]", ")", "!", "\n", "\n\n", " ", "    ",
    "字", "x", "---", "> ", "- ", "1. ", "|", "|--|", "<b>", "[x]", "&amp;",
];

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    text: &'a str,
    pieces: &'a [u8],
    cuts: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    let pieces = input.pieces.iter().map(|piece| PIECES[usize::from(*piece) % PIECES.len()]);
    let text = pieces.collect::<String>() + input.text;
    let mut filter = Filter::default();
    let whole = filter.push(&text) + &filter.finish();

    let (mut out, mut rest) = (String::new(), text.as_str());
    for cut in input.cuts {
        let mut at = usize::from(*cut).min(rest.len());
        while !rest.is_char_boundary(at) {
            at -= 1;
        }
        out.push_str(&filter.push(&rest[..at]));
        rest = &rest[at..];
    }
    out.push_str(&filter.push(rest));
    out.push_str(&filter.finish());
    assert_eq!(out, whole, "cut by {:?}", input.cuts);
    assert_eq!(render(&text, Mode::Filtered), whole);
    assert_eq!(render(&text, Mode::Native), text);
    assert!(whole.len() <= text.len(), "nothing is added");

    let plain = render(&text, Mode::Plain);
    // Each line may be indented; and the parser makes up so many cells of tables, and repeats so much of what links to.
    assert!(plain.len() <= 64 * text.len() + (1 << 20), "{} bytes of {}", plain.len(), text.len());
});
