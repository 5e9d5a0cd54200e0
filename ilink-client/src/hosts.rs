//! Where the token may go (docs/field-notes.md#note-28).

use url::{Host, Url};

use crate::error::{Error, ErrorKind};
use crate::printable::Printable;

/// The hosts that a client talks to.
///
/// By default https to names that end in `.weixin.qq.com` or `.wechat.com`. Addresses that the **server**
/// names (`baseurl`, `redirect_host`, media URLs) are checked against this. The host of a base URL that **you**
/// give is allowed, since you asked for it.
///
/// ```
/// use ilink_client::{Client, HostPolicy};
///
/// let hosts = HostPolicy::default().allow_host("relay.example.com");
/// let client = Client::builder().hosts(hosts).build()?;
/// # Ok::<(), ilink_client::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HostPolicy {
    suffixes: Vec<String>,
    exact: Vec<String>,
    loopback: bool,
}

impl Default for HostPolicy {
    fn default() -> Self {
        Self {
            suffixes: vec![".weixin.qq.com".into(), ".wechat.com".into()],
            exact: Vec::new(),
            loopback: false,
        }
    }
}

impl HostPolicy {
    /// Also allows https to names that end in this, such as `.example.com`.
    #[must_use]
    pub fn allow_suffix(mut self, suffix: impl Into<String>) -> Self {
        let suffix = suffix.into().to_ascii_lowercase();
        self.suffixes.push(if suffix.starts_with('.') { suffix } else { format!(".{suffix}") });
        self
    }

    /// Also allows this very host by https.
    #[must_use]
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.exact.push(host.into().to_ascii_lowercase());
        self
    }

    /// Also allows this machine, by https or plain http: for a simulator.
    #[must_use]
    pub fn allow_loopback(mut self, allow: bool) -> Self {
        self.loopback = allow;
        self
    }

    /// True if this machine is allowed.
    #[must_use]
    pub fn allows_loopback(&self) -> bool {
        self.loopback
    }

    /// Checks a URL against the policy.
    ///
    /// # Errors
    /// [`ErrorKind::HostNotAllowed`], with the host and what a program's user can do; the query is never shown.
    pub fn check(&self, url: &Url) -> Result<(), Error> {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        if is_loopback(url) {
            return if self.loopback {
                Ok(())
            } else {
                Err(refuse(
                    &host,
                    "it is this machine, which is only used if the base URL in your settings is on it too",
                ))
            };
        }
        if url.scheme() != "https" {
            return Err(refuse(&host, "only https is allowed beyond this machine"));
        }
        if url.port().is_some_and(|port| port != 443) && !self.exact.contains(&host) {
            return Err(refuse(
                &host,
                "only port 443 is used: if you trust it, name it in your settings as a base URL",
            ));
        }
        let known =
            self.exact.contains(&host) || self.suffixes.iter().any(|suffix| host.ends_with(suffix.as_str()));
        if known {
            Ok(())
        } else {
            Err(refuse(
                &host,
                "it is not a WeChat host: if you trust it, name it in your settings as a base URL",
            ))
        }
    }

    /// Takes a base URL that the user gave: its host is allowed from then on.
    pub(crate) fn trust_base(&mut self, url: &Url) -> Result<(), Error> {
        if is_loopback(url) {
            self.loopback = true;
            return Ok(());
        }
        if url.scheme() != "https" {
            return Err(Error::invalid(format!(
                "base URL {}: plain http is accepted for loopback hosts only; use https",
                shown(url)
            )));
        }
        if let Some(host) = url.host_str() {
            self.exact.push(host.to_ascii_lowercase());
        }
        Ok(())
    }
}

/// A base URL as the user wrote it.
pub(crate) fn parse_base_url(text: &str) -> Result<Url, Error> {
    let example = "it has to look like https://ilinkai.weixin.qq.com";
    let named = || shown_text(text);
    let mut url = Url::parse(text.trim())
        .map_err(|error| Error::invalid(format!("base URL {} is no URL ({error}): {example}", named())))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(Error::invalid(format!("base URL {} is neither http nor https: {example}", named())));
    }
    if url.host_str().is_some_and(|host| host.len() > MAX_HOST) {
        return Err(Error::invalid(format!("base URL {}: no host name is that long: {example}", named())));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::invalid(format!(
            "base URL {} carries a user name or password: leave it out",
            shown(&url)
        )));
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// The longest host name that DNS knows.
pub(crate) const MAX_HOST: usize = 253;

/// Scheme, host, port and path: what of a URL may be logged.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let shown = format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path());
    Printable::new(shown).to_string()
}

/// The same of a text that should be a URL. If it is none, nobody knows where in it a password is; those that have no `@`
/// have none, and are shown up to their query.
pub(crate) fn shown_text(text: &str) -> String {
    match Url::parse(text.trim()) {
        Ok(url) if url.has_host() => shown(&url).trim_end_matches('/').to_owned(),
        _ if text.contains('@') => {
            format!("({} characters, which may hold a password)", text.chars().count())
        }
        _ => format!("{:?}", Printable::new(text.split(['?', '#']).next().unwrap_or_default())),
    }
}

/// True for `localhost`, 127.0.0.0/8 and `[::1]`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(is_loopback_host)
}

/// The same for a host alone, as it stands in a URL.
pub(crate) fn is_loopback_host(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        Ok(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Err(_) => false,
    }
}

fn refuse(host: &str, why: &str) -> Error {
    let host = Printable::new(host);
    Error::new(ErrorKind::HostNotAllowed, format!("host {host:?} refused: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &HostPolicy, url: &str) -> Result<(), String> {
        policy.check(&Url::parse(url).unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn only_wechat_hosts_by_https() {
        let policy = HostPolicy::default();
        for good in
            ["https://ilinkai.weixin.qq.com/x", "https://novac2c.cdn.weixin.qq.com", "https://a.WECHAT.com"]
        {
            check(&policy, good).unwrap();
        }
        for bad in [
            "http://ilinkai.weixin.qq.com",
            "https://weixin.qq.com.evil.example",
            "https://evilweixin.qq.com",
            "https://ilinkai.weixin.qq.com@evil.example",
            "https://10.0.0.1",
            "https://ilinkai.weixin.qq.com:8443",
            "http://127.0.0.1:80",
            "https://localhost",
        ] {
            check(&policy, bad).unwrap_err();
        }
    }

    #[test]
    fn the_query_is_not_shown() {
        let error = check(&HostPolicy::default(), "https://evil.example/?CANARY").unwrap_err();
        insta::assert_snapshot!(error, @r#"host "evil.example" refused: it is not a WeChat host: if you trust it, name it in your settings as a base URL"#);
    }

    #[test]
    fn a_base_url_that_is_none_says_what_it_should_be() {
        let error = |text| parse_base_url(text).unwrap_err().to_string();
        insta::assert_snapshot!(error("ilinkai"), @r#"base URL "ilinkai" is no URL (relative URL without a base): it has to look like https://ilinkai.weixin.qq.com"#);
        insta::assert_snapshot!(error("ftp://x"), @"base URL ftp://x is neither http nor https: it has to look like https://ilinkai.weixin.qq.com");
    }

    #[test]
    fn no_password_or_query_is_shown_of_what_should_be_a_url() {
        for text in [
            "https://user:CANARY@host.example/path?CANARY",
            "https://user:CAN?ARY@host.example",
            "https//user:CANARY@host.example",
            "user:CANARY@host.example",
            "ftp://user:CANARY@host.example",
            "mailto:CANARY@host.example",
            "CANARY@",
            "host.example/?token=CANARY",
            "https://host.example:99999/#CANARY",
            "b0f5860fdecb@im.bot:CANARY",
        ] {
            let error = parse_base_url(text).unwrap_err().to_string();
            assert!(!error.contains("CANARY") && !error.contains("ARY@"), "{error}");
            assert!(!shown_text(text).contains("CANARY"), "{text}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only() {
        let mut policy = HostPolicy::default();
        policy.trust_base(&Url::parse("http://127.0.0.1:8080/").unwrap()).unwrap();
        assert!(policy.allows_loopback());
        policy.trust_base(&Url::parse("http://example.com/").unwrap()).unwrap_err();
    }
}
