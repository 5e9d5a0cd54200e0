//! Strangers who ask to be let in, and the codes by which an owner does so.

use std::path::PathBuf;
use std::time::SystemTime;

use ilink_client::UserId;
use serde_json::{Value, json};

use super::allow_list::{AllowList, lock, read_array};
use super::files::{Sync, write_json};
use super::state_dir::StateDir;
use crate::access::{PairingCode, PairingLimits, PairingRequest, pairing_code};
use crate::account::AccountId;
use crate::error::Error;

/// The open requests of all accounts, in `openclaw-weixin/pairing.json`. Read at each call: a command line and a
/// gateway may use them at the same time.
#[derive(Clone, Debug)]
pub(crate) struct PairingRequests {
    state: StateDir,
    path: PathBuf,
    limits: PairingLimits,
}

impl PairingRequests {
    /// The requests of a state folder.
    #[must_use]
    pub(crate) fn new(state: &StateDir, limits: PairingLimits) -> Self {
        Self { state: state.clone(), path: state.channel_dir().join("pairing.json"), limits }
    }

    /// A code for a stranger; the same one while it is good. `None` if the account has as many open requests as it
    /// may. The code is
    /// that of the number, or of one behind it.
    ///
    /// # Errors
    /// If the file cannot be read or written, or is damaged (it is kept aside).
    pub(crate) fn request(
        &self,
        account: &AccountId,
        user: &UserId,
        now: SystemTime,
        mut number: u64,
    ) -> Result<Option<PairingCode>, Error> {
        let _held = lock(&self.state)?;
        let mut open = self.open(now)?;
        let mut of_account = open.iter().filter(|request| request.account == *account);
        if let Some(request) = of_account.clone().find(|request| request.user == *user) {
            return Ok(Some(PairingCode { code: request.code.clone(), created: false }));
        }
        if user.is_empty() || of_account.by_ref().count() >= self.limits.max_open {
            return Ok(None);
        }
        // One in 2^40 is taken.
        while open.iter().any(|request| request.code == pairing_code(number)) {
            number = number.wrapping_add(1);
        }
        let code = pairing_code(number);
        let (account, user) = (account.clone(), user.clone());
        open.push(PairingRequest { account, user, code: code.clone(), created_at: now });
        self.write(&open)?;
        Ok(Some(PairingCode { code, created: true }))
    }

    /// The requests that are open, the oldest first.
    ///
    /// # Errors
    /// If the file cannot be read, or is damaged (it is kept aside).
    pub(crate) fn list(&self, now: SystemTime) -> Result<Vec<PairingRequest>, Error> {
        self.open(now)
    }

    /// Moves a user from the requests to our allow-list of their account. Upper and lower case of the code do not
    /// matter. `None` if no open request has it.
    ///
    /// # Errors
    /// If a file cannot be read or written; the request is still there then.
    pub(crate) fn approve(&self, code: &str, now: SystemTime) -> Result<Option<PairingRequest>, Error> {
        let _held = lock(&self.state)?;
        let mut open = self.open(now)?;
        let Some(request) = take(&mut open, code) else { return Ok(None) };
        AllowList::new(&self.state, &request.account, None).add_locked(&request.user)?;
        self.write(&open)?;
        Ok(Some(request))
    }

    /// Removes a request without approving it; its user may ask again. `None` if no open request has the code.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub(crate) fn remove(&self, code: &str, now: SystemTime) -> Result<Option<PairingRequest>, Error> {
        let _held = lock(&self.state)?;
        let mut open = self.open(now)?;
        let Some(request) = take(&mut open, code) else { return Ok(None) };
        self.write(&open)?;
        Ok(Some(request))
    }

    fn open(&self, now: SystemTime) -> Result<Vec<PairingRequest>, Error> {
        let requests = read_array(&self.path, "requests")?;
        let mut open: Vec<_> = requests.iter().filter_map(read).collect();
        // A time to come is that of a clock which was set back since.
        open.retain(|request| {
            now.duration_since(request.created_at).is_ok_and(|age| age < self.limits.lifetime)
                || request.created_at > now
        });
        open.sort_by_key(|request| request.created_at);
        Ok(open)
    }

    fn write(&self, open: &[PairingRequest]) -> Result<(), Error> {
        let requests: Vec<_> = open
            .iter()
            .map(|request| {
                json!({
                    "account": request.account,
                    "id": request.user,
                    "code": request.code,
                    "createdAt": humantime::format_rfc3339_millis(request.created_at).to_string(),
                })
            })
            .collect();
        write_json(&self.path, &json!({ "version": 1, "requests": requests }), Sync::Yes)
    }
}

/// `None` for an element that is no request.
fn read(json: &Value) -> Option<PairingRequest> {
    let text = |key: &str| json[key].as_str().filter(|text| !text.is_empty());
    Some(PairingRequest {
        account: AccountId::new(text("account")?),
        user: UserId::from(text("id")?),
        code: text("code")?.to_owned(),
        created_at: humantime::parse_rfc3339(text("createdAt")?).ok()?,
    })
}

fn take(open: &mut Vec<PairingRequest>, code: &str) -> Option<PairingRequest> {
    let place = open.iter().position(|request| request.code.eq_ignore_ascii_case(code.trim()))?;
    Some(open.remove(place))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use std::time::Duration;

    use super::*;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    struct Lab {
        folder: TempDir,
        pairing: PairingRequests,
        account: AccountId,
        now: SystemTime,
        random: u64,
    }

    fn lab() -> Lab {
        let folder = tempfile::tempdir().unwrap();
        let pairing = PairingRequests::new(&StateDir::new(folder.path()), PairingLimits::default());
        let now = humantime::parse_rfc3339("2026-11-22T20:00:00Z").unwrap();
        Lab { folder, pairing, account: AccountId::new("b0f5@im.bot"), now, random: 0 }
    }

    impl Lab {
        fn ask(&mut self, user: &str) -> Option<PairingCode> {
            self.random += 0x0123_4567_89ab;
            let random = self.random;
            self.pairing.request(&self.account, &user.into(), self.now, random).unwrap()
        }

        fn users(&self) -> Vec<String> {
            AllowList::new(&StateDir::new(self.folder.path()), &self.account, None).users().unwrap()
        }
    }

    #[test]
    fn who_asks_again_has_the_same_code() {
        let mut lab = lab();
        let first = lab.ask("a@im.wechat").unwrap();
        assert!(first.created && first.code.len() == 8);
        lab.now += Duration::from_secs(59 * 60 + 59);
        assert_eq!(lab.ask("a@im.wechat").unwrap(), PairingCode { created: false, ..first.clone() });
        lab.now += Duration::from_secs(1);
        let second = lab.ask("a@im.wechat").unwrap();
        assert!(second.created && second.code != first.code, "the first one has expired");
        assert_eq!(lab.pairing.list(lab.now).unwrap().len(), 1);
    }

    #[test]
    fn the_fourth_stranger_waits() {
        let mut lab = lab();
        for user in ["a", "b", "c"] {
            assert!(lab.ask(user).unwrap().created);
            lab.now += Duration::from_secs(60);
        }
        assert_eq!(lab.ask("d"), None);
        assert!(!lab.ask("a").unwrap().created, "the oldest was not pushed out");
        let users: Vec<_> =
            lab.pairing.list(lab.now).unwrap().into_iter().map(|request| request.user).collect();
        assert_eq!(users, ["a", "b", "c"].map(UserId::from));
        let another = AccountId::new("another");
        assert!(lab.pairing.request(&another, &"d".into(), lab.now, 5).unwrap().is_some());
        lab.now += Duration::from_secs(57 * 60);
        assert!(lab.ask("d").unwrap().created, "the first has expired");
        assert_eq!(lab.ask(""), None);
    }

    #[test]
    fn a_code_is_never_given_twice() {
        let lab = lab();
        let ask =
            |user: &str| lab.pairing.request(&lab.account, &user.into(), lab.now, 7).unwrap().unwrap().code;
        assert_ne!(ask("a"), ask("b"));
    }

    #[test]
    fn approved_means_allowed() {
        let mut lab = lab();
        let code = lab.ask("o9Ab@im.wechat").unwrap().code;
        assert_eq!(lab.pairing.approve("AAAAAAA2", lab.now).unwrap(), None);
        assert!(lab.users().is_empty());
        let approved = lab.pairing.approve(&format!(" {} ", code.to_lowercase()), lab.now).unwrap().unwrap();
        assert_eq!((approved.user.as_str(), approved.account), ("o9Ab@im.wechat", lab.account.clone()));
        assert_eq!(lab.users(), ["o9Ab@im.wechat"]);
        assert_eq!(lab.pairing.approve(&code, lab.now).unwrap(), None, "a code is good once");
    }

    #[test]
    fn neither_expired_nor_removed_codes_approve() {
        let mut lab = lab();
        let [expired, removed] = ["a", "b"].map(|user| lab.ask(user).unwrap().code);
        assert_eq!(lab.pairing.remove(&removed, lab.now).unwrap().unwrap().user.as_str(), "b");
        assert_eq!(lab.pairing.approve(&removed, lab.now).unwrap(), None);
        assert_eq!(lab.pairing.approve(&expired, lab.now + HOUR).unwrap(), None);
        assert!(lab.users().is_empty());
    }

    #[test]
    fn requests_survive_a_clock_that_is_set_back() {
        let mut lab = lab();
        let code = lab.ask("a").unwrap().code;
        assert!(lab.pairing.approve(&code, lab.now - 5 * HOUR).unwrap().is_some());
    }

    #[test]
    fn a_damaged_file_is_kept_aside() {
        let mut lab = lab();
        lab.ask("a").unwrap();
        let path = lab.folder.path().join("openclaw-weixin/pairing.json");
        fs::write(&path, "{").unwrap();
        let Error::Corrupt { kept, .. } = lab.pairing.list(lab.now).unwrap_err() else {
            panic!("not corrupt")
        };
        assert_eq!(fs::read_to_string(kept).unwrap(), "{");
        assert!(lab.ask("a").unwrap().created);
        fs::write(&path, r#"{"requests":[5,{"id":"x"}]}"#).unwrap();
        assert!(lab.pairing.list(lab.now).unwrap().is_empty());
    }

    #[test]
    fn two_processes_lose_nothing() {
        let lab = lab();
        let limits = PairingLimits { max_open: 100, ..PairingLimits::default() };
        std::thread::scope(|scope| {
            for n in 0..8_u64 {
                let pairing = PairingRequests::new(&StateDir::new(lab.folder.path()), limits);
                let (account, now) = (&lab.account, lab.now);
                scope.spawn(move || {
                    for m in 0..5 {
                        let user = UserId::from(format!("{n}-{m}"));
                        let asked = pairing.request(account, &user, now, n * 100 + m).unwrap().unwrap();
                        if m % 2 == 0 {
                            pairing.approve(&asked.code, now).unwrap().unwrap();
                        }
                    }
                });
            }
        });
        assert_eq!((lab.users().len(), lab.pairing.list(lab.now).unwrap().len()), (24, 16));
    }
}
