//! Who may talk to a bot: decided before anything else is done with a message ([field note 27]).
//!
//! ```
//! use weixin_channel::access::{Policy, Verdict, decide};
//! use weixin_channel::ilink_client::UserId;
//!
//! let (owner, stranger) = (UserId::from("o9cq8Owner@im.wechat"), UserId::from("o9cq8Stranger@im.wechat"));
//! let approved = ["o9cq8Friend@im.wechat"];
//! assert_eq!(decide(Policy::Pairing, &owner, Some(&owner), &approved), Verdict::Allowed { owner: true });
//! assert_eq!(decide(Policy::Pairing, &stranger, Some(&owner), &approved), Verdict::Pair);
//! ```
//!
//! [field note 27]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-27

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use ilink_client::UserId;

use crate::account::AccountId;

/// Who may write, by the names that OpenClaw's `dmPolicy` has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Those on the allow-list; a stranger is given a code that the owner can approve.
    #[default]
    Pairing,
    /// Those on the allow-list.
    Allowlist,
    /// Those on the allow-list, which says `*` to mean everybody: as in OpenClaw, this policy alone opens nothing.
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

/// Decides about a sender. `owner` is the user who scanned: allowed by every policy but [`Policy::Disabled`], and the
/// only one whom an empty list admits ([field note 27]). Ids are compared as they are spelled, but for white space
/// around those of the list; `*` in the list is everybody.
///
/// OpenClaw counts users who were approved by pairing under [`Policy::Pairing`] only: who wants the same gives the
/// others the configured list alone.
///
/// [field note 27]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-27
#[must_use]
pub fn decide(
    policy: Policy,
    sender: &UserId,
    owner: Option<&UserId>,
    allow_from: &[impl AsRef<str>],
) -> Verdict {
    if policy == Policy::Disabled || sender.is_empty() {
        return Verdict::Refused;
    }
    let owner = owner == Some(sender);
    let is_listed = || {
        let mut entries = allow_from.iter().map(|entry| entry.as_ref().trim());
        entries.any(|entry| entry == "*" || entry == sender.as_str())
    };
    if owner || is_listed() {
        Verdict::Allowed { owner }
    } else if policy == Policy::Pairing {
        Verdict::Pair
    } else {
        Verdict::Refused
    }
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

    const ALLOWED: Verdict = Verdict::Allowed { owner: false };

    #[test]
    fn policies_have_the_hosts_names() {
        for policy in [Policy::Pairing, Policy::Allowlist, Policy::Open, Policy::Disabled] {
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        assert_eq!(Policy::default(), Policy::Pairing);
        assert!("public".parse::<Policy>().unwrap_err().contains("pairing, allowlist, open or disabled"));
    }

    #[test]
    fn an_empty_list_admits_the_owner_only() {
        let (owner, other) = (UserId::from("o@im.wechat"), UserId::from("x@im.wechat"));
        let none: [&str; 0] = [];
        for (policy, stranger) in [
            (Policy::Pairing, Verdict::Pair),
            (Policy::Allowlist, Verdict::Refused),
            (Policy::Open, Verdict::Refused),
        ] {
            assert_eq!(decide(policy, &owner, Some(&owner), &none), Verdict::Allowed { owner: true });
            assert_eq!(decide(policy, &other, Some(&owner), &none), stranger);
            assert_eq!(decide(policy, &other, None, &none), stranger, "nobody is known to have scanned");
        }
    }

    #[test]
    fn the_list_admits_who_is_spelled_there() {
        let user = UserId::from("o9Ab@im.wechat");
        for policy in [Policy::Pairing, Policy::Allowlist, Policy::Open] {
            assert_eq!(decide(policy, &user, None, &["x", " o9Ab@im.wechat "]), ALLOWED);
            assert_eq!(decide(policy, &user, None, &["*"]), ALLOWED);
            assert_ne!(decide(policy, &user, None, &["o9ab@im.wechat", "o9Ab*"]), ALLOWED);
        }
    }

    #[test]
    fn disabled_admits_nobody_and_nobody_is_never_admitted() {
        let owner = UserId::from("o@im.wechat");
        assert_eq!(decide(Policy::Disabled, &owner, Some(&owner), &["*"]), Verdict::Refused);
        assert_eq!(
            decide(Policy::Open, &UserId::default(), Some(&UserId::default()), &["*"]),
            Verdict::Refused
        );
    }

    #[test]
    fn codes_have_no_look_alikes() {
        assert_eq!(pairing_code(0), "AAAAAAAA");
        assert_eq!(pairing_code(u64::MAX), "99999999");
        assert_eq!(pairing_code(0b00001_00000), "ABAAAAAA");
        assert!(!ALPHABET.iter().any(|c| b"01OI".contains(c)));
    }
}
