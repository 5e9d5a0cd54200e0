//! A part of a quoted text: what is found is in the text, runs from its start to its end, and is what its MD5 says; and a part
//! that phones could have meant is found.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use md5::{Digest as _, Md5};
use weixin_channel::ilink_client::wire::PartialText;
use weixin_channel::quote::partial;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    text: &'a str,
    /// A part that is there, by where it begins and ends, and how much of it is named at either end.
    from: usize,
    to: usize,
    named: (u8, u8),
    /// Whether the end is counted over the whole text, or from the start's end.
    over_all: bool,
    /// Anything else.
    start: Option<&'a str>,
    end: Option<&'a str>,
    index: (Option<u64>, Option<u64>),
    md5: Option<&'a str>,
}

fn md5(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The nearest place between two characters.
fn place(text: &str, at: usize) -> usize {
    let mut at = at % (text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn check<'a>(text: &'a str, part: &PartialText) -> Option<&'a str> {
    let found = partial(text, part)?;
    let (start, end) = (part.start.as_deref().unwrap(), part.end.as_deref().unwrap());
    assert!(found.starts_with(start) && found.ends_with(end) && text.contains(found));
    if let Some(said) = part.quote_md5.as_deref().filter(|said| !said.is_empty()) {
        assert!(md5(found).eq_ignore_ascii_case(said));
    }
    Some(found)
}

fuzz_target!(|input: Input<'_>| {
    let text = input.text;
    let mut part = PartialText::default();
    part.start = input.start.map(str::to_owned);
    part.end = input.end.map(str::to_owned);
    (part.start_index, part.end_index) = input.index;
    part.quote_md5 = input.md5.map(str::to_owned);
    check(text, &part);

    let (a, b) = (place(text, input.from), place(text, input.to));
    let (from, to) = (a.min(b), a.max(b));
    let meant = &text[from..to];
    if meant.is_empty() {
        return;
    }
    let chars = meant.chars().count();
    let head: String = meant.chars().take(1 + usize::from(input.named.0) % chars).collect();
    let tail: String = meant.chars().skip(usize::from(input.named.1) % chars).collect();
    // Which occurrence each is, of those that do not overlap; one that is hidden by an overlap has no number.
    let number = |text: &str, sought: &str, at: usize| {
        text.match_indices(sought).position(|(found, _)| found == at).map(|number| number as u64)
    };
    let (begin, end) = (from + head.len(), to - tail.len());
    let end_number = if input.over_all {
        number(text, &tail, end)
    } else {
        end.checked_sub(begin).and_then(|end| number(&text[begin..], &tail, end))
    };
    let (Some(first), Some(last)) = (number(text, &head, from), end_number) else { return };
    (part.start_index, part.end_index) = (Some(first), Some(last));
    (part.start, part.end, part.quote_md5) = (Some(head), Some(tail), Some(md5(meant).to_uppercase()));
    assert_eq!(check(text, &part), Some(meant), "{part:?}");
});
