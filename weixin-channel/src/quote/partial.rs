//! A selected part of a quoted text, found again (protocol §7).

use ilink_client::wire::PartialText;
use weixin_media::codec::Fingerprint;

/// The part of a text that a partial quote names; `None` if it is not in there, or its MD5 says that it is another.
///
/// It runs from an occurrence of `start` to an occurrence of `end`, whose number counts over the whole text or from
/// the end of `start`: phones differ. The reading with the right MD5 is taken; without an MD5, the first one that
/// makes sense. An occurrence number that is missing is 0.
#[must_use]
pub fn partial<'a>(text: &'a str, part: &PartialText) -> Option<&'a str> {
    let (start, end) = (part.start.as_deref()?, part.end.as_deref()?);
    let (start_index, end_index) = (part.start_index.unwrap_or(0), part.end_index.unwrap_or(0));
    let from = occurrence(text, start, start_index)?;
    let after_start = from + start.len();
    let over_whole_text =
        occurrence(text, end, end_index).filter(|&at| at >= from && at + end.len() >= after_start);
    let after = occurrence(&text[after_start..], end, end_index).map(|at| after_start + at);
    let mut readings = [over_whole_text, after].into_iter().flatten().map(|at| &text[from..at + end.len()]);
    match part.quote_md5.as_deref().filter(|md5| !md5.is_empty()) {
        None => readings.next(),
        Some(md5) => {
            readings.find(|reading| Fingerprint::of(reading.as_bytes()).md5_hex().eq_ignore_ascii_case(md5))
        }
    }
}

/// Where an occurrence begins; occurrences do not overlap.
fn occurrence(text: &str, sought: &str, number: u64) -> Option<usize> {
    if sought.is_empty() {
        return None;
    }
    text.match_indices(sought).nth(usize::try_from(number).ok()?).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a1b a2b a3b";

    fn part(start: &str, start_index: u64, end: &str, end_index: u64) -> PartialText {
        PartialText {
            start: Some(start.to_owned()),
            end: Some(end.to_owned()),
            start_index: Some(start_index),
            end_index: Some(end_index),
            ..PartialText::default()
        }
    }

    fn md5(text: &str) -> String {
        Fingerprint::of(text.as_bytes()).md5_hex().to_uppercase()
    }

    #[test]
    fn both_readings_of_the_end() {
        let mut quoted = part("a", 1, "b", 1);
        assert_eq!(partial(TEXT, &quoted), Some("a2b"), "without MD5, over the whole text");
        quoted.quote_md5 = Some(md5("a2b a3b"));
        assert_eq!(partial(TEXT, &quoted), Some("a2b a3b"), "counted from the end of the start");
        quoted.quote_md5 = Some(md5("a2b"));
        assert_eq!(partial(TEXT, &quoted), Some("a2b"));
        quoted.quote_md5 = Some(md5("something else"));
        assert_eq!(partial(TEXT, &quoted), None);
    }

    #[test]
    fn one_reading_may_make_no_sense() {
        // The first `b` of the text comes before the third `a`.
        assert_eq!(partial(TEXT, &part("a", 2, "b", 0)), Some("a3b"));
        assert_eq!(partial("一个字", &part("个", 0, "个", 0)), Some("个"), "one sign, start and end");
        // Nor does one that ends within its own start.
        assert_eq!(partial("abcab", &part("abc", 0, "ab", 0)), Some("abcab"));
    }

    #[test]
    fn what_is_not_there() {
        for quoted in [part("x", 0, "b", 0), part("a", 3, "b", 0), part("", 0, "b", 0), part("a", 0, "", 0)] {
            assert_eq!(partial(TEXT, &quoted), None, "{quoted:?}");
        }
        assert_eq!(partial(TEXT, &PartialText::default()), None);
        assert_eq!(partial(TEXT, &part("a", u64::MAX, "b", 0)), None);
    }
}
