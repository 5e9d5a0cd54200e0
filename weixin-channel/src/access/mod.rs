//! Who may talk to a bot: decided before anything else is done with a message ([field note 27]).
//!
//! ```
//! use weixin_channel::access::{Policy, Verdict, decide};
//! use weixin_channel::ilink_client::UserId;
//!
//! let (owner, stranger) = (UserId::from("o9cq8Owner@im.wechat"), UserId::from("o9cq8Stranger@im.wechat"));
//! let listed = ["o9cq8Friend@im.wechat".to_owned()];
//! assert_eq!(decide(Policy::Pairing, &owner, Some(&owner), &listed, &[]), Verdict::Allowed { owner: true });
//! assert_eq!(decide(Policy::Pairing, &stranger, Some(&owner), &listed, &[]), Verdict::Pair);
//! ```
//!
//! [field note 27]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-27

pub(crate) mod admission;

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use ilink_client::UserId;

pub use self::admission::{AllowList, PairingPolicy};
use crate::account::AccountId;

/// Who may write, by the names that OpenClaw's `dmPolicy` has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Those on the allow-list; a stranger is given a code that the owner can approve.
    #[default]
    Pairing,
    /// Those on the allow-list.
    Allowlist,
    /// Those on the allow-list: as in OpenClaw, what lets everybody in is the `*` there, and this policy alone opens
    /// nothing.
    Open,
    /// Nobody.
    Disabled,
}

impl Policy {
    /// Its name in settings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pairing => "pairing",
            Self::Allowlist => "allowlist",
            Self::Open => "open",
            Self::Disabled => "disabled",
        }
    }
}

impl FromStr for Policy {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Self::Pairing, Self::Allowlist, Self::Open, Self::Disabled]
            .into_iter()
            .find(|policy| policy.as_str() == name)
            .ok_or_else(|| format!("{name:?} is no access policy: use pairing, allowlist, open or disabled"))
    }
}

/// What is to be done with a message of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is handled.
    Allowed {
        /// True for the user who scanned the login code.
        owner: bool,
    },
    /// The sender is offered a pairing code, and nothing else.
    Pair,
    /// Nothing.
    Refused,
}

/// Decides about a sender, as OpenClaw 2026.9.6 does.
///
/// - `owner` is the user who scanned: allowed by every policy but [`Policy::Disabled`], and the only one whom empty lists
///   admit ([field note 27]).
/// - `allow_from` is the configured list. `*` there is everybody, under every policy but [`Policy::Disabled`]. Its users
///   may be written with a prefix ([`plain_user_id`]); ids are case-sensitive.
/// - `approved` are the users who were approved by pairing. They count under [`Policy::Pairing`] only, and `*` there is
///   nobody.
///
/// [field note 27]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-27
#[must_use]
pub fn decide(
    policy: Policy,
    sender: &UserId,
    owner: Option<&UserId>,
    allow_from: &[String],
    approved: &[String],
) -> Verdict {
    if policy == Policy::Disabled || sender.is_empty() {
        return Verdict::Refused;
    }
    let owner = owner == Some(sender);
    let names_sender = |list: &[String]| list.iter().any(|entry| plain_user_id(entry) == sender.as_str());
    let everybody = || allow_from.iter().any(|entry| entry.trim() == EVERYBODY);
    let is_approved = || policy == Policy::Pairing && names_sender(approved);
    if owner || everybody() || names_sender(allow_from) || is_approved() {
        Verdict::Allowed { owner }
    } else if policy == Policy::Pairing {
        Verdict::Pair
    } else {
        Verdict::Refused
    }
}

/// What a configured list says for everybody.
const EVERYBODY: &str = "*";

/// What hosts and people call the channel when they write a user's id.
const CHANNELS: [&str; 3] = ["openclaw-weixin", "weixin", "wechat"];

/// What hosts call a user, or a chat with one.
const KINDS: [&str; 3] = ["user", "dm", "direct"];

/// A user id without what hosts and people put before it: names of the channel, then one kind, in upper or lower case.
/// Empty if it names nobody.
///
/// ```
/// use weixin_channel::access::plain_user_id;
/// assert_eq!(plain_user_id(" openclaw-weixin:user:o9cq8@im.wechat"), "o9cq8@im.wechat");
/// assert_eq!(plain_user_id("WeChat: o9cq8@im.wechat"), "o9cq8@im.wechat");
/// ```
#[must_use]
pub fn plain_user_id(text: &str) -> &str {
    let given = text.trim();
    let mut id = given;
    while let Some(rest) = without_prefix(id, &CHANNELS) {
        id = rest;
    }
    let id = without_prefix(id, &KINDS).unwrap_or(id);
    // Everybody is written `*` and no other way, as for the host.
    if id == EVERYBODY && id != given { "" } else { id }
}

fn without_prefix<'a>(text: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    let (prefix, rest) = text.split_once(':')?;
    prefixes.iter().any(|known| known.eq_ignore_ascii_case(prefix)).then(|| rest.trim_start())
}

/// How long and how many; the defaults are OpenClaw's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairingLimits {
    /// How long a code is good: 1 h.
    pub lifetime: Duration,
    /// Requests that an account may have open: 3. Further strangers get no code until one is approved, removed or
    /// has expired.
    pub max_open: usize,
}

impl Default for PairingLimits {
    fn default() -> Self {
        Self { lifetime: Duration::from_secs(60 * 60), max_open: 3 }
    }
}

/// A stranger who has asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingRequest {
    /// Whom they wrote to.
    pub account: AccountId,
    /// Who they are, spelled as on the wire.
    pub user: UserId,
    /// What approves them.
    pub code: String,
    /// When they first asked.
    pub created_at: SystemTime,
}

/// What a stranger is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairingCode {
    /// Eight upper-case letters and digits.
    pub code: String,
    /// False if they have it already: telling them once is enough.
    pub created: bool,
}

/// Letters and digits that nobody takes for one another, as OpenClaw's codes: no 0, O, 1 or I.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Characters of a code; OpenClaw's have as many.
const CODE_LENGTH: usize = 8;

/// The code of a number: five bits a character, the lowest first. It need not be secret, for only whoever has the
/// backend can approve.
#[must_use]
pub fn pairing_code(number: u64) -> String {
    let bytes = (0..CODE_LENGTH).map(|n| (number >> (5 * n)).to_le_bytes()[0]);
    bytes.map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_policy_is_named_with_those_that_are() {
        assert!("public".parse::<Policy>().unwrap_err().contains("pairing, allowlist, open or disabled"));
    }

    #[test]
    fn only_who_scanned_is_the_owner() {
        let (owner, other) = (UserId::from("o@im.wechat"), UserId::from("x@im.wechat"));
        let everybody = ["*".to_owned()];
        for policy in [Policy::Pairing, Policy::Allowlist, Policy::Open] {
            let decide = |sender| decide(policy, sender, Some(&owner), &everybody, &[]);
            assert_eq!(decide(&owner), Verdict::Allowed { owner: true });
            assert_eq!(decide(&other), Verdict::Allowed { owner: false });
        }
    }

    #[test]
    fn codes_have_no_look_alikes() {
        assert_eq!(pairing_code(0), "AAAAAAAA");
        assert_eq!(pairing_code(u64::MAX), "99999999");
        assert_eq!(pairing_code(0b00001_00000), "ABAAAAAA");
        assert!(!ALPHABET.iter().any(|c| b"01OI".contains(c)));
    }
}
