//! An upstream's address.

use midstate_stratum::may_reconnect;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A pool's address: `stratum+tcp://HOST:PORT`, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

/// A text that is no such address.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("url: {0:?}; expected stratum+tcp://HOST:PORT")]
pub struct UrlError(String);

impl FromStr for UpstreamUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<UpstreamUrl, UrlError> {
        // What stands before an @ may be a password.
        let wrong = || UrlError(text.rsplit_once('@').map_or_else(|| text.to_owned(), |(_, host)| format!("…@{host}")));
        let address = text.strip_prefix("stratum+tcp://").unwrap_or(text);
        let (host, port) = address.trim_end_matches('/').rsplit_once(':').ok_or_else(wrong)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['/', '@', '[', ']', ' ']) {
            return Err(wrong());
        }
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        Ok(UpstreamUrl { host: host.to_owned(), port })
    }
}

impl fmt::Display for UpstreamUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UpstreamUrl { host, port } = self;
        if host.contains(':') {
            write!(f, "stratum+tcp://[{host}]:{port}")
        } else {
            write!(f, "stratum+tcp://{host}:{port}")
        }
    }
}

impl UpstreamUrl {
    /// Where `client.reconnect` leads, if that may be followed ([`may_reconnect`]).
    pub(super) fn redirected(&self, host: Option<&str>, port: Option<u16>) -> Option<UpstreamUrl> {
        let host = host.unwrap_or(&self.host);
        may_reconnect(&self.host, host).then(|| UpstreamUrl { host: host.to_owned(), port: port.unwrap_or(self.port) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn texts() {
        for url in ["stratum+tcp://pool.example:3333", "stratum+tcp://[::1]:1"] {
            assert_eq!(url.parse::<UpstreamUrl>().unwrap().to_string(), url);
        }
        assert_eq!("h:1/".parse::<UpstreamUrl>().unwrap().to_string(), "stratum+tcp://h:1");
        for wrong in ["", "h", "h:0", "h:x", ":1", "stratum+ssl://h:1", "a/b:1", "me:horse@h:1"] {
            let error = wrong.parse::<UpstreamUrl>().unwrap_err().to_string();
            assert!(error.contains("expected stratum+tcp://HOST:PORT") && !error.contains("horse"), "{error}");
        }
    }

    #[test]
    fn only_the_same_host_or_domain_is_followed() {
        let from = |text: &str| UpstreamUrl { host: text.to_owned(), port: 1 };
        for (to, is_followed) in [("us.pool.example", true), ("eu.evil.example", false)] {
            assert_eq!(from("eu.pool.example").redirected(Some(to), None).is_some(), is_followed, "{to}");
        }
        assert_eq!(from("a").redirected(None, Some(7)).unwrap(), UpstreamUrl { host: "a".to_owned(), port: 7 });
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*", host in "[a-z.\\[\\]:]{0,12}") {
            if let Ok(url) = text.parse::<UpstreamUrl>() {
                let _ = url.redirected(Some(&host), None);
            }
        }
    }
}
