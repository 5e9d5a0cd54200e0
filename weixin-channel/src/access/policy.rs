//! The decision itself: a policy, the lists, and the ways in which a user's id is written.

use std::str::FromStr;

use ilink_client::UserId;

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
/// - A sender whose id would be read as something else is refused: `*`, one with white space or a prefix, an empty one or
///   one of more than 256 bytes. The server gives out none of them.
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
    if policy == Policy::Disabled || !is_user_id(sender) {
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

/// The longest id that is taken for one, in bytes; WeChat's have some forty.
const LONGEST_ID: usize = 256;

/// Whether a sender is called like somebody: not like everybody, like a list's way to write another, or like nobody.
fn is_user_id(sender: &UserId) -> bool {
    let id = sender.as_str();
    let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '*';
    !id.is_empty() && id.len() <= LONGEST_ID && !id.contains(is_odd) && plain_user_id(id) == id
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
}
