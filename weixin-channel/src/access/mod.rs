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
pub(crate) mod allow_list;
pub(crate) mod pairing;
pub(crate) mod policy;

pub use pairing::{PairingCode, PairingLimits, PairingPolicy, PairingRequest, pairing_code};
pub use policy::{Policy, Verdict, decide, plain_user_id};
