//! Allow-lists and pairing.

use std::time::Duration;

use ilink_client::UserId;

use super::Lab;
use crate::access::{PairingLimits, pairing_code};
use crate::backend::Backend;

pub(super) async fn lists<B: Backend>(lab: Lab<B>) {
    let user = UserId::from("o9Ab@im.wechat");
    let allow = async |user: &str| lab.backend.allow(&lab.a, &UserId::from(user)).await.expect("allow");
    assert!(lab.backend.allowed(&lab.a).await.expect("allowed").is_empty());
    assert!(allow("o9Ab@im.wechat").await);
    assert!(!allow(" o9Ab@im.wechat ").await, "once");
    assert!(!allow(" ").await, "nobody is not a user");
    assert_eq!(lab.backend.allowed(&lab.a).await.expect("allowed"), ["o9Ab@im.wechat"]);
    assert!(lab.backend.allowed(&lab.b).await.expect("allowed").is_empty());
    assert!(lab.backend.disallow(&lab.a, &user).await.expect("disallow"));
    assert!(!lab.backend.disallow(&lab.a, &user).await.expect("disallow"));
    assert!(lab.backend.allowed(&lab.a).await.expect("allowed").is_empty());
}

pub(super) async fn pairing<B: Backend>(lab: Lab<B>) {
    let limits = PairingLimits { lifetime: Duration::from_secs(3600), max_open: 2 };
    let ask = async |user: &str, number, now| {
        let asked = lab.backend.request_pairing(&lab.a, &UserId::from(user), number, &limits, now).await;
        asked.expect("request").map(|asked| (asked.code, asked.created))
    };
    let open = async |now| {
        let open = lab.backend.pairing_requests(&limits, now).await.expect("requests");
        open.into_iter().map(|request| request.user.to_string()).collect::<Vec<_>>()
    };
    let approve = async |code: &str, now| lab.backend.approve(code, &limits, now).await.expect("approve");
    let soon = lab.now + Duration::from_secs(60);
    assert_eq!(ask("x", 7, lab.now).await, Some((pairing_code(7), true)));
    assert_eq!(ask("x", 9, soon).await, Some((pairing_code(7), false)), "the same while it is good");
    assert_eq!(ask("y", 7, soon).await, Some((pairing_code(8), true)), "no code twice");
    assert_eq!(ask("z", 10, soon).await, None, "no more than may be open");
    assert_eq!(ask("", 11, soon).await, None);
    let other = lab.backend.request_pairing(&lab.b, &UserId::from("z"), 12, &limits, soon).await;
    assert!(other.expect("request").is_some(), "the limit is one of each account");
    assert_eq!(open(soon).await, ["x", "y", "z"], "oldest first");
    let lower = format!(" {} ", pairing_code(7).to_ascii_lowercase());
    let approved = approve(&lower, soon).await.expect("the request");
    assert_eq!(
        (approved.user.as_str(), approved.account, approved.created_at),
        ("x", lab.a.clone(), lab.now)
    );
    assert_eq!(lab.backend.allowed(&lab.a).await.expect("allowed"), ["x"]);
    assert!(approve(&lower, soon).await.is_none(), "once");
    let removed = lab.backend.remove_request(&pairing_code(8), &limits, soon).await.expect("remove");
    assert_eq!(removed.expect("the request").user.as_str(), "y");
    assert_eq!(open(soon).await, ["z"]);
    assert!(open(soon + limits.lifetime).await.is_empty(), "a code that is no longer good is none");
    assert!(approve(&pairing_code(12), soon + limits.lifetime).await.is_none());
}
