//! Strangers who ask to be let in, and the codes that approve them.

use std::time::{Duration, SystemTime};

use ilink_client::UserId;

use crate::account::AccountId;

/// How strangers ask to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PairingPolicy {
    /// How long a code is good, and how many may be open at once.
    pub limits: PairingLimits,
    /// What a stranger is sent; `{code}` and `{user}` stand for the code and for their id.
    pub message: String,
}

impl Default for PairingPolicy {
    fn default() -> Self {
        let message = "你还没有获得使用权限。请把配对码发给管理员批准: {code}\n\
                       You are not allowed to write here yet. Give this pairing code to the owner: {code}\n\
                       ({user})";
        Self { limits: PairingLimits::default(), message: message.to_owned() }
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

/// What a stranger is answered.
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
    fn codes_have_no_look_alikes() {
        assert_eq!(pairing_code(0), "AAAAAAAA");
        assert_eq!(pairing_code(u64::MAX), "99999999");
        assert_eq!(pairing_code(0b00001_00000), "ABAAAAAA");
        assert!(!ALPHABET.iter().any(|c| b"01OI".contains(c)));
    }
}
