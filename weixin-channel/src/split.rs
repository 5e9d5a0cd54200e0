//! Long texts in parts that the server takes (field note 23).

/// Characters per message (protocol §5).
const MAX_CHARS: usize = 4_000;

/// UTF-8 bytes per message: 16,384 are refused.
const MAX_BYTES: usize = 16_000;

/// Cuts a text at paragraphs, else lines, else sentences, else words, else anywhere between characters. An empty
/// text is one empty part: what the server makes of it is its business.
pub(crate) fn split(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let limit = limit(rest);
        if limit == rest.len() {
            parts.push(rest);
            return parts;
        }
        let head = &rest[..limit];
        let cut = ["\n\n", "\n", "。", ". ", " "].iter().find_map(|mark| {
            let at = head.rfind(mark)? + mark.len();
            // A part of less than half the size is worse than a cut in a lesser place.
            (at >= limit / 2).then_some(at)
        });
        let (part, tail) = rest.split_at(cut.unwrap_or(limit));
        parts.push(part.trim_end());
        rest = tail.trim_start_matches('\n');
    }
}

/// Where the longest allowed part ends.
fn limit(text: &str) -> usize {
    text.char_indices()
        .enumerate()
        .find(|&(n, (at, c))| n >= MAX_CHARS || at + c.len_utf8() > MAX_BYTES)
        .map_or(text.len(), |(_, (at, _))| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_texts_stay_whole() {
        assert_eq!(split(""), [""]);
        assert_eq!(split(&"字".repeat(4_000)).len(), 1);
    }

    #[test]
    fn long_texts_fit_and_lose_nothing_but_line_feeds_at_cuts() {
        let paragraph = format!("{}\n\n", "Satz eins. 第二句。".repeat(60));
        for text in [paragraph.repeat(12), "字".repeat(9_001), "🙂".repeat(9_000), "a b ".repeat(3_000)] {
            let parts = split(&text);
            assert!(parts.len() > 1);
            for part in &parts {
                assert!(part.chars().count() <= MAX_CHARS && part.len() <= MAX_BYTES && !part.is_empty());
            }
            let bare = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(bare(&parts.concat()), bare(&text));
        }
    }

    #[test]
    fn a_paragraph_is_the_first_choice() {
        let text = format!("{}\n\n{}\n{}", "a".repeat(3_000), "b".repeat(500), "c".repeat(1_000));
        assert_eq!(split(&text)[0], "a".repeat(3_000));
    }
}
