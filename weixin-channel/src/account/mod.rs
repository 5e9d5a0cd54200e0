//! Accounts: one logged-in bot each.

pub(crate) mod lease_cell;
pub(crate) mod lifecycle;
pub(crate) mod login;
pub(crate) mod reconcile;
pub(crate) mod running;
pub(crate) mod status;

use std::fmt;

use ilink_client::{BotId, Credentials, Secret, UserId};
use serde::{Deserialize, Serialize};

use crate::access::policy::Policy;
use ilink_client::Printable;

/// The local name of an account: the bot id in lower case, with `@` and `.` replaced by `-` ([protocol §7]), safe as a file name.
///
/// ```
/// use weixin_channel::AccountId;
/// assert_eq!(AccountId::new("b0f5860fdecb@im.bot").as_str(), "b0f5860fdecb-im-bot");
/// ```
///
/// [protocol §7]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#7-what-an-agent-gets
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct AccountId(String);

impl AccountId {
    /// From a bot id or from the local name. OpenClaw's own rule, so that its ids and these never differ: lower case,
    /// `-` for each run of other characters than `a`–`z`, `0`–`9`, `_` and `-`, none of them at the ends, and 64
    /// characters at most. A text that none of these are in gives an empty name, which is no account's.
    #[must_use]
    pub fn new(text: &str) -> Self {
        const LONGEST: usize = 64;
        let text = text.trim().to_lowercase();
        let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
        let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if starts_well && text.len() <= LONGEST && text.chars().all(is_allowed) {
            return Self(text);
        }
        let mut id = String::new();
        let mut in_run = false;
        for c in text.chars() {
            if is_allowed(c) {
                id.push(c);
            } else if !in_run {
                id.push('-');
            }
            in_run = !is_allowed(c);
        }
        Self(id.trim_matches('-').chars().take(LONGEST).collect())
    }

    /// The local name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The bot id, where the name is made from one.
    #[must_use]
    pub fn bot_id(&self) -> BotId {
        let suffixes = [("-im-bot", "@im.bot"), ("-im-wechat", "@im.wechat")];
        let raw =
            suffixes.iter().find_map(|(suffix, raw)| Some(self.0.strip_suffix(suffix)?.to_owned() + raw));
        BotId::from(raw.unwrap_or_else(|| self.0.clone()))
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountId({})", self.0)
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for AccountId {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

impl From<&BotId> for AccountId {
    fn from(bot: &BotId) -> Self {
        Self::new(bot.as_str())
    }
}

/// An account as it is stored.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Its local name.
    pub id: AccountId,
    /// Its token.
    pub token: Secret,
    /// Where the login said its requests go.
    pub base_url: Option<String>,
    /// Who scanned the code.
    pub user_id: Option<UserId>,
}

impl Account {
    /// An account with its token; where its requests go and who scanned is not known.
    #[must_use]
    pub fn new(id: AccountId, token: Secret) -> Self {
        Self { id, token, base_url: None, user_id: None }
    }

    /// What the client needs.
    #[must_use]
    pub fn credentials(&self) -> Credentials {
        let mut credentials = Credentials::new(self.id.bot_id(), self.token.clone());
        credentials.base_url.clone_from(&self.base_url);
        credentials.user_id.clone_from(&self.user_id);
        credentials
    }
}

/// Settings of one account, beside what its login brought.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountConfig {
    /// Where its requests go, instead of the place that the login named.
    pub base_url: Option<String>,
    /// Where its media lies, instead of the default CDN.
    pub cdn_base_url: Option<String>,
    /// `SKRouteTag` ([protocol §2]).
    ///
    /// [protocol §2]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#2-headers
    pub route_tag: Option<String>,
    /// Who is talking.
    pub bot_agent: Option<String>,
    /// Whose messages are let in.
    pub access: Policy,
    /// Users who are let in beside the one who scanned; `*` is everybody, unless [`access`](Self::access) is
    /// [`Policy::Disabled`].
    pub allow_from: Vec<String>,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("id", &self.id)
            .field("token", &self.token)
            .field("base_url", &self.base_url.as_deref().map(without_secrets))
            .field("user_id", &self.user_id)
            .finish()
    }
}

impl fmt::Debug for AccountConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountConfig")
            .field("base_url", &self.base_url.as_deref().map(without_secrets))
            .field("cdn_base_url", &self.cdn_base_url.as_deref().map(without_secrets))
            .field("route_tag", &self.route_tag)
            .field("bot_agent", &self.bot_agent)
            .field("access", &self.access)
            .field("allow_from", &self.allow_from)
            .finish()
    }
}

/// What of a URL may be shown: no name and password before the host, no query, no fragment.
fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    Printable::new(format_args!("{scheme}{host}{path}")).to_string()
}

impl AccountConfig {
    /// Lets everybody in: for bots that are meant for that, and for hosts that decide themselves.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.access = Policy::Open;
        self.allow_from = vec!["*".to_owned()];
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_show_neither_passwords_nor_queries() {
        let config = AccountConfig {
            base_url: Some("https://me:hunter2@weixin.example/a?key=hunter2#hunter2".to_owned()),
            cdn_base_url: Some("hunter2@cdn.example".to_owned()),
            ..AccountConfig::default()
        };
        let mut account = Account::new(AccountId::new("a"), Secret::from("hunter2"));
        account.base_url.clone_from(&config.base_url);
        for shown in
            [format!("{config:?}"), format!("{account:?}"), format!("{:?}", crate::Channel::builder())]
        {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
        assert!(format!("{config:?}").contains("https://weixin.example/a"), "{config:?}");
    }
}
