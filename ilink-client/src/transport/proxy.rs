//! The proxy that is given, or that the environment names: for https, since nothing else leaves this machine.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use http::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::error::Error;

/// In this order; the first that can be used is.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// What reqwest can speak to.
const SCHEMES: [&str; 6] = ["http", "https", "socks5", "socks5h", "socks4", "socks4a"];

/// The values of variables.
pub(crate) type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A proxy and the hosts that it is not used for.
pub(crate) struct Proxy {
    /// Who names it: a variable or a setting.
    named_by: &'static str,
    url: Url,
    /// The hosts that it is not used for.
    except: String,
    matcher: Matcher,
}

/// A variable that names no proxy that can be used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Unusable {
    variable: &'static str,
    why: String,
}

impl Proxy {
    fn new(named_by: &'static str, url: Url, except: String) -> Self {
        let matcher = Matcher::builder().https(url.as_str()).no(except.as_str()).build();
        Self { named_by, url, except, matcher }
    }

    /// The one that a program names.
    pub(crate) fn given(url: &str) -> Result<Self, Error> {
        let url =
            parse(url.trim()).map_err(|why| Error::invalid(format!("the proxy cannot be used: {why}")))?;
        Ok(Self::new("the settings", url, String::new()))
    }

    /// The proxy of the environment, this process's unless another is given. What cannot be used is named in the log, once, and ignored.
    pub(crate) fn from_env(variable: Option<&Environment>) -> Option<Self> {
        let (found, unusable) = match variable {
            Some(variable) => Self::read(|name| variable(name)),
            None => Self::read(|name| std::env::var(name).ok()),
        };
        for Unusable { variable, why } in unsaid(unusable) {
            tracing::warn!("{variable} is ignored: {why}");
        }
        found
    }

    fn read(variable: impl Fn(&str) -> Option<String>) -> (Option<Self>, Vec<Unusable>) {
        let mut unusable = Vec::new();
        let no_proxy = || variable("NO_PROXY").or_else(|| variable("no_proxy")).unwrap_or_default();
        for name in VARIABLES {
            let Some(text) = variable(name).filter(|text| !text.trim().is_empty()) else { continue };
            match parse(text.trim()) {
                Ok(url) => {
                    return (Some(Self::new(name, url, no_proxy())), unusable);
                }
                Err(why) => unusable.push(Unusable { variable: name, why }),
            }
        }
        (None, unusable)
    }

    /// As reqwest takes it.
    pub(crate) fn to_reqwest(&self) -> Result<reqwest::Proxy, Error> {
        let proxy = reqwest::Proxy::https(self.url.clone()).map_err(|error| {
            Error::invalid(format!("{self} cannot be used")).with_source(error.without_url())
        })?;
        Ok(proxy.no_proxy(reqwest::NoProxy::from_string(&self.except)))
    }

    /// True if it takes neither IPv6 addresses nor names: names have to be looked up first.
    pub(crate) fn is_socks4(&self) -> bool {
        self.url.scheme() == "socks4"
    }

    /// True if requests to this URL go through it.
    pub(crate) fn stands_before(&self, uri: &Uri) -> bool {
        self.matcher.intercept(uri).is_some()
    }
}

/// Warnings that this process has not logged yet.
fn unsaid(unusable: Vec<Unusable>) -> Vec<Unusable> {
    static SAID: Mutex<BTreeSet<Unusable>> = Mutex::new(BTreeSet::new());
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    unusable.into_iter().filter(|unusable| said.insert(unusable.clone())).collect()
}

/// Scheme, host and port, and who named it; never the password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = self.url.host_str().unwrap_or_default();
        write!(f, "the proxy {}://{host}{port} (from {})", self.url.scheme(), self.named_by)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The proxy's URL, or why there is none. The text may hold a password, so none of it is shown but the scheme.
fn parse(text: &str) -> Result<Url, String> {
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let mut url = Url::parse(&text).map_err(|error| {
        format!("it is no proxy address ({error}); it has to look like http://proxy.example:8080")
    })?;
    if !SCHEMES.contains(&url.scheme()) {
        return Err(format!(
            "a proxy of the kind {:?} is not known; {} are",
            url.scheme(),
            SCHEMES.join(", ")
        ));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it names no host; it has to look like http://proxy.example:8080".into());
    }
    // Else the connection would go to the port of http.
    if url.scheme().starts_with("socks") && url.port().is_none() {
        let _ = url.set_port(Some(1080));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> (Option<Proxy>, Vec<Unusable>) {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Proxy::read(|name| find(name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn which_variable_counts() {
        let cases: [(&[(&str, &str)], &str); 11] = [
            (&[("HTTPS_PROXY", "http://a:1"), ("ALL_PROXY", "http://b:1")], "http://a:1/ from HTTPS_PROXY"),
            (&[("https_proxy", "http://a:1"), ("all_proxy", "http://b:1")], "http://a:1/ from https_proxy"),
            (&[("all_proxy", "socks5h://b:1")], "socks5h://b:1 from all_proxy"),
            (&[("ALL_PROXY", "socks5://b")], "socks5://b:1080 from ALL_PROXY"),
            (&[("ALL_PROXY", "SOCKS4A://b")], "socks4a://b:1080 from ALL_PROXY"),
            (&[("HTTPS_PROXY", ""), ("https_proxy", " a:1 ")], "http://a:1/ from https_proxy"),
            (&[("HTTPS_PROXY", "localhost:8080")], "http://localhost:8080/ from HTTPS_PROXY"),
            (&[("HTTPS_PROXY", "foo://a:1"), ("ALL_PROXY", "http://b:1")], "http://b:1/ from ALL_PROXY"),
            (&[("ALL_PROXY", "socks9://a:1")], "none"),
            (&[("HTTP_PROXY", "http://a:1")], "none"),
            (&[], "none"),
        ];
        for (variables, expected) in cases {
            let found = read(variables).0;
            let found =
                found.map_or_else(|| "none".into(), |found| format!("{} from {}", found.url, found.named_by));
            assert_eq!(found, expected, "{variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_without_its_password() {
        let values = [
            "foo://user:CANARY@a:1",
            "socks9://user:CANARY@a:1",
            "http://user:CANARY@",
            "http://a:CANARY",
            "x y",
        ];
        let said = values.map(|value| {
            let (found, mut unusable) = read(&[("HTTPS_PROXY", value)]);
            assert!(found.is_none(), "{value}");
            unusable.remove(0).why
        });
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn each_is_named_once_however_many_clients_there_are() {
        let unusable = || read(&[("HTTPS_PROXY", "once://a:1"), ("ALL_PROXY", "once://a:1")]).1;
        let variables: Vec<_> = unsaid(unusable()).into_iter().map(|unusable| unusable.variable).collect();
        assert_eq!(variables, ["HTTPS_PROXY", "ALL_PROXY"]);
        assert_eq!(unsaid(unusable()), []);
    }

    #[test]
    fn passwords_are_passed_on_and_never_shown() {
        let uri = Uri::from_static("https://ilinkai.weixin.qq.com/");
        let of =
            |value: &str| read(&[("HTTPS_PROXY", value), ("NO_PROXY", "localhost,.corp.example")]).0.unwrap();
        let proxy = of("http://user:p%40ss%20CANARY@proxy.example:8080");
        let basic = proxy.matcher.intercept(&uri).unwrap().basic_auth().unwrap().to_str().unwrap().to_owned();
        // user:p@ss CANARY
        assert_eq!(basic, "Basic dXNlcjpwQHNzIENBTkFSWQ==");
        assert_eq!(format!("{proxy:?}"), "the proxy http://proxy.example:8080 (from HTTPS_PROXY)");
        let socks = of("socks5h://user:p%40ss@proxy.example:1080");
        assert_eq!(socks.matcher.intercept(&uri).unwrap().raw_auth(), Some(("user", "p@ss")));
        // Not escaped, as many write it.
        let plain = of("http://user:p@ss@proxy.example:8080");
        let basic = plain.matcher.intercept(&uri).unwrap().basic_auth().unwrap().to_str().unwrap().to_owned();
        assert_eq!(basic, "Basic dXNlcjpwQHNz");
        for (host, proxied) in [("https://a.corp.example/", false), ("https://corp.example.org/", true)] {
            assert_eq!(proxy.stands_before(&Uri::from_static(host)), proxied, "{host}");
        }
        proxy.to_reqwest().unwrap();
    }
}
