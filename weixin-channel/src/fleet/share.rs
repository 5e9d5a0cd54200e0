//! Which process runs which account, by rendezvous hashing: all come to the same answer from the same list, and one
//! that comes or goes moves its own share only.

use super::Member;
use crate::account::AccountId;

/// The accounts of one member.
pub(super) fn share(members: &[Member], me: i64, accounts: &[AccountId]) -> Vec<AccountId> {
    let members: Vec<(u64, i64)> = members.iter().map(|member| (hash(&member.name), member.id)).collect();
    let is_mine = |account: &&AccountId| owner(&members, hash(account.as_str())) == Some(me);
    accounts.iter().filter(is_mine).cloned().collect()
}

/// The member with the highest score. Of two with one name, the one that came later: the other has just ended.
fn owner(members: &[(u64, i64)], account: u64) -> Option<i64> {
    members.iter().max_by_key(|(name, id)| (mix(name ^ account), *id)).map(|(_, id)| *id)
}

/// FNV-1a: the same in every version of this crate, or two versions would not agree.
fn hash(text: &str) -> u64 {
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    mix(text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Every bit of the result depends on every bit of the number (the finish of SplitMix64).
fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn members(names: &[&str]) -> Vec<Member> {
        (1..).zip(names).map(|(id, name)| Member { id, name: (*name).to_owned() }).collect()
    }

    fn accounts() -> Vec<AccountId> {
        (0..30_000).map(|n| AccountId::new(&format!("{n:012x}@im.bot"))).collect()
    }

    /// Who has which, by name.
    fn owners(members: &[Member]) -> HashMap<AccountId, String> {
        let accounts = accounts();
        let of = |member: &Member| {
            share(members, member.id, &accounts)
                .into_iter()
                .map(|id| (id, member.name.clone()))
                .collect::<Vec<_>>()
        };
        members.iter().flat_map(of).collect()
    }

    #[test]
    fn each_account_has_one_owner_and_shares_are_alike() {
        let members = members(&["a", "b", "c"]);
        let shares: Vec<usize> =
            members.iter().map(|member| share(&members, member.id, &accounts()).len()).collect();
        assert_eq!(shares.iter().sum::<usize>(), 30_000);
        assert!(shares.iter().all(|share| (9_500..10_500).contains(share)), "{shares:?}");
    }

    #[test]
    fn one_that_goes_moves_its_own_share_only() {
        let (before, after) = (owners(&members(&["a", "b", "c"])), owners(&members(&["a", "c"])));
        let moved = before.iter().filter(|(id, owner)| after[*id] != **owner);
        assert!(moved.clone().all(|(_, owner)| owner == "b"));
        let taken = moved.filter(|(id, _)| after[*id] == "a").count();
        assert!((4_500..5_500).contains(&taken), "the others share it: {taken}");
    }

    /// Names count, not numbers: a process that comes back under its name has its accounts again.
    #[test]
    fn order_and_numbers_do_not_matter() {
        let (one, mut two) = (members(&["a", "b", "c"]), members(&["c", "a", "b"]));
        assert_eq!(owners(&one), owners(&two));
        two[0].id = 99;
        assert_eq!(owners(&one), owners(&two));
    }

    #[test]
    fn of_two_with_one_name_the_later_has_all() {
        let members = members(&["a", "a"]);
        assert!(share(&members, 1, &accounts()).is_empty());
        assert_eq!(share(&members, 2, &accounts()).len(), 30_000);
    }

    /// What other versions compute too.
    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash(""), mix(0xcbf2_9ce4_8422_2325));
        assert_eq!(mix(1), 0x5692_161d_100b_05e5);
    }
}
