//! Who may talk to a bot: decided before anything else is done with a message (field note 27).
//!
//! ```
//! # fn main() -> Result<(), weixin_channel::Error> {
//! # let folder = tempfile::tempdir().unwrap();
//! use std::time::SystemTime;
//! use weixin_channel::access::{AllowList, PairingLimits, PairingRequests, Policy, Verdict, decide};
//! use weixin_channel::{AccountId, StateDir, ilink_client::UserId};
//!
//! let state = StateDir::new(folder.path());
//! let account = AccountId::new("b0f5860fdecb@im.bot");
//! let allowed = AllowList::new(&state, &account, None);
//! let pairing = PairingRequests::new(&state, PairingLimits::default());
//!
//! let stranger = UserId::from("o9cq8Stranger@im.wechat");
//! assert_eq!(decide(Policy::Pairing, &stranger, None, &allowed.users()?), Verdict::Pair);
//! # let random = || 7;
//! let asked = pairing.request(&account, &stranger, SystemTime::now(), random)?.unwrap();
//! // The code goes to the stranger, and from there to whoever owns the bot:
//! pairing.approve(&asked.code, SystemTime::now())?;
//! assert_eq!(decide(Policy::Pairing, &stranger, None, &allowed.users()?), Verdict::Allowed { owner: false });
//! # Ok(())
//! # }
//! ```

mod allow_list;
mod pairing;

use std::fs::File;
use std::path::Path;
use std::str::FromStr;

pub use allow_list::AllowList;
use ilink_client::UserId;
pub use pairing::{PairingCode, PairingLimits, PairingRequest, PairingRequests};
use serde_json::Value;

use crate::error::Error;
use crate::state::{StateDir, keep_aside, lock_file, read_json};

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
/// only one whom an empty list admits (field note 27). Ids are compared as they are spelled, but for white space
/// around those of the list; `*` in the list is everybody.
///
/// OpenClaw counts users who were approved by pairing under [`Policy::Pairing`] only: who wants the same gives the
/// others the configured list alone.
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

/// Held while files of this module are read, changed and written: a command line may approve a request while the
/// gateway takes another. The system lets go of it when the process ends, however it ends.
fn lock(state: &StateDir) -> Result<File, Error> {
    lock_file(&state.channel_dir().join("access.lock"))
}

/// The array that a file has under a key; empty without a file. Any other file is kept aside.
fn read_array(path: &Path, key: &str) -> Result<Vec<Value>, Error> {
    match read_json(path)?.map(|mut json| json.get_mut(key).map(Value::take)) {
        None => Ok(Vec::new()),
        Some(Some(Value::Array(list))) => Ok(list),
        Some(_) => {
            let kept = keep_aside(path, "damaged")?;
            Err(Error::Corrupt { path: path.to_owned(), kept })
        }
    }
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
}
