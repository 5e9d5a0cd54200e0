//! Allow-lists and pairing requests, in files that a command line may change at any time.

use std::time::SystemTime;

use ilink_client::UserId;

use super::allow_list::AllowList;
use super::backend::FolderBackend;
use super::pairing::PairingRequests;
use crate::access::{PairingCode, PairingLimits, PairingRequest};
use crate::account::AccountId;
use crate::backend::{Access, Answer};
use crate::error::Error;

impl Access for FolderBackend {
    fn allowed<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<String>> {
        self.with_list(account, AllowList::users)
    }

    fn allow<'a>(&'a self, account: &'a AccountId, user: &'a UserId) -> Answer<'a, bool> {
        let user = user.clone();
        self.with_list(account, move |list| list.add(&user))
    }

    fn disallow<'a>(&'a self, account: &'a AccountId, user: &'a UserId) -> Answer<'a, bool> {
        let user = user.clone();
        self.with_list(account, move |list| list.remove(&user))
    }

    fn request_pairing<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a UserId,
        number: u64,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Option<PairingCode>> {
        let (id, user) = (account.clone(), user.clone());
        self.with_requests(limits, move |requests| requests.request(&id, &user, now, number))
    }

    fn pairing_requests<'a>(
        &'a self,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Vec<PairingRequest>> {
        self.with_requests(limits, move |requests| requests.list(now))
    }

    fn approve<'a>(
        &'a self,
        code: &'a str,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Option<PairingRequest>> {
        let code = code.to_owned();
        self.with_requests(limits, move |requests| requests.approve(&code, now))
    }

    fn remove_request<'a>(
        &'a self,
        code: &'a str,
        limits: &'a PairingLimits,
        now: SystemTime,
    ) -> Answer<'a, Option<PairingRequest>> {
        let code = code.to_owned();
        self.with_requests(limits, move |requests| requests.remove(&code, now))
    }
}

impl FolderBackend {
    fn with_list<'a, T: Send + 'static>(
        &'a self,
        account: &AccountId,
        work: impl FnOnce(&AllowList) -> Result<T, Error> + Send + 'static,
    ) -> Answer<'a, T> {
        let (id, oauth_dir) = (account.clone(), self.inner.oauth_dir.clone());
        Box::pin(self.with_files(move |state| work(&AllowList::new(state, &id, oauth_dir.as_deref()))))
    }

    fn with_requests<'a, T: Send + 'static>(
        &'a self,
        limits: &PairingLimits,
        work: impl FnOnce(&PairingRequests) -> Result<T, Error> + Send + 'static,
    ) -> Answer<'a, T> {
        let limits = *limits;
        Box::pin(self.with_files(move |state| work(&PairingRequests::new(state, limits))))
    }
}
