//! How this client names itself (docs/protocol.md §2, §3).

use std::fmt;
use std::str::FromStr;

use crate::error::Error;

/// The version that a client announces: `iLink-App-ClientVersion` and `channel_version`.
///
/// ```
/// use ilink_client::ClientVersion;
/// let official: ClientVersion = "2.4.9".parse()?;
/// assert_eq!(official.to_header(), 132_105);
/// # Ok::<(), ilink_client::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientVersion {
    /// Up to 65,535.
    pub major: u16,
    /// Up to 255: it has eight bits on the wire.
    pub minor: u8,
    /// Up to 255.
    pub patch: u8,
}

impl ClientVersion {
    /// The version of this crate.
    #[must_use]
    pub fn own() -> Self {
        env!("CARGO_PKG_VERSION").parse().unwrap_or(Self { major: 0, minor: 1, patch: 0 })
    }

    /// `major << 16 | minor << 8 | patch`
    #[must_use]
    pub const fn to_header(self) -> u32 {
        (self.major as u32) << 16 | (self.minor as u32) << 8 | self.patch as u32
    }
}

impl fmt::Display for ClientVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for ClientVersion {
    type Err = Error;

    /// Reads `major.minor.patch`; a pre-release or build suffix is ignored.
    fn from_str(text: &str) -> Result<Self, Error> {
        let plain = text.split(['-', '+']).next().unwrap_or_default();
        let mut parts = plain.split('.');
        let parsed = (|| {
            let version = Self {
                major: parts.next()?.parse().ok()?,
                minor: parts.next()?.parse().ok()?,
                patch: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(version)
        })();
        parsed.ok_or_else(|| {
            Error::invalid(format!(
                "client version {text:?} is not major.minor.patch (minor and patch up to 255)"
            ))
        })
    }
}

/// The `bot_agent` of every request: `Name/Version` products, each with an optional comment.
///
/// What does not parse is dropped, at most 256 bytes are kept (whole trailing products go), and if nothing is
/// left it is `OpenClaw`, as in the official client.
///
/// ```
/// use ilink_client::BotAgent;
/// assert_eq!(BotAgent::new("my-bot/1.0 (demo) br*ken").as_str(), "my-bot/1.0 (demo)");
/// assert_eq!(BotAgent::new("").as_str(), "OpenClaw");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BotAgent(String);

impl BotAgent {
    /// Keeps what the grammar of [protocol §3] allows.
    ///
    /// [protocol §3]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#3-endpoints
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut kept = String::new();
        for product in products(text) {
            if kept.len() + usize::from(!kept.is_empty()) + product.len() > 256 {
                break;
            }
            if !kept.is_empty() {
                kept.push(' ');
            }
            kept.push_str(&product);
        }
        if kept.is_empty() {
            kept.push_str("OpenClaw");
        }
        Self(kept)
    }

    /// The text that is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for BotAgent {
    fn default() -> Self {
        Self::new(concat!("ilink-client/", env!("CARGO_PKG_VERSION")))
    }
}

/// The well-formed products of a text, each with its comment if that is well-formed too.
fn products(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut last_is_product = false;
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(comment) = rest.strip_prefix('(') {
            let end = comment.find(')').unwrap_or(comment.len());
            let body = &comment[..end];
            let good = (1..=64).contains(&body.len())
                && end < comment.len()
                && body.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'(');
            if let (true, true, Some(product)) = (good, last_is_product, found.last_mut()) {
                *product = format!("{product} ({body})");
            }
            last_is_product = false;
            rest = comment.get(end + 1..).unwrap_or_default().trim_start();
        } else {
            let end = rest.find([' ', '(']).unwrap_or(rest.len());
            let word = &rest[..end];
            last_is_product = is_product(word);
            if last_is_product {
                found.push(word.to_owned());
            }
            rest = rest[end..].trim_start();
        }
    }
    found
}

fn is_product(word: &str) -> bool {
    let part = |text: &str, extra: &str| {
        (1..=32).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    word.split_once('/').is_some_and(|(name, version)| part(name, "_.-") && part(version, "_.+-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!("2.4.9".parse::<ClientVersion>().unwrap().to_header(), 132_105);
        assert_eq!("1.2.3-rc.1".parse::<ClientVersion>().unwrap().to_string(), "1.2.3");
        for bad in ["", "1.2", "1.2.3.4", "1.256.0", "a.b.c"] {
            bad.parse::<ClientVersion>().unwrap_err();
        }
    }

    #[test]
    fn agent_grammar() {
        let cases = [
            ("OpenClaw/2026.9.6 (linux; x64) probe/1+a", "OpenClaw/2026.9.6 (linux; x64) probe/1+a"),
            ("plain", "OpenClaw"),
            ("a/1 () b/2", "a/1 b/2"),
            ("(lonely) a/1", "a/1"),
            ("a/1 (open", "a/1"),
            ("a/1 (x) (y) b/2", "a/1 (x) b/2"),
            ("名/1 b/2", "b/2"),
        ];
        for (input, kept) in cases {
            assert_eq!(BotAgent::new(input).as_str(), kept, "{input}");
        }
    }

    #[test]
    fn whole_products_go_to_fit() {
        let long = (0..40).map(|n| format!("product{n}/1.0")).collect::<Vec<_>>().join(" ");
        let kept = BotAgent::new(&long);
        assert!(kept.as_str().len() <= 256 && long.starts_with(kept.as_str()));
        assert!(is_product(kept.as_str().split(' ').next_back().unwrap()));
    }
}
