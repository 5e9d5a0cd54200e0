//! The link that a login code is drawn from.

use url::Url;

/// More does not fit into a QR code that a phone reads from a screen. Real links have about 100 characters.
const MAX_LINK: usize = 2048;

/// The link as programs may print it: as it came if it is visible ASCII without a space, else as the URL that it is, whose
/// other characters are percent-encoded; `None` if it is no link.
pub(super) fn usable(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > MAX_LINK {
        return None;
    }
    let link = if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        text.to_owned()
    } else {
        Url::parse(text).ok()?.into()
    };
    (!link.is_empty() && link.len() <= MAX_LINK).then_some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_visible_and_short() {
        let link = "https://liteapp.weixin.qq.com/q/7GiQu1?qrcode=a%2B&bot_type=3";
        assert_eq!(usable(link).as_deref(), Some(link));
        assert_eq!(usable(&format!(" {link}\n")).as_deref(), Some(link));
        assert_eq!(usable("weixin:anything").as_deref(), Some("weixin:anything"));
        let hostile = usable("https://a.example/\u{1b}]8;;x\u{7}\u{202e}\u{9b}你?\u{2028}").unwrap();
        assert!(
            hostile.starts_with("https://a.example/%1B]8;;x%07%E2%80%AE") && hostile.is_ascii(),
            "{hostile}"
        );
        for bad in ["", " ", "\u{1b}[2J", "two words", &"x".repeat(MAX_LINK + 1), &"字".repeat(20 << 20)] {
            assert_eq!(usable(bad), None, "{} bytes", bad.len());
        }
    }
}
