//! A pool's address, as `--url` takes it.

use std::fmt;
use std::str::FromStr;
use thiserror::Error;

const SCHEME: &str = "stratum+tcp://";

/// Where a Stratum V1 pool listens: `stratum+tcp://HOST:PORT`, an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolUrl {
    /// A name or an address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// What is wrong with a URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// Another protocol, or none.
    #[error("url: {0:?} does not begin with {SCHEME}; expected {SCHEME}HOST:PORT")]
    Scheme(String),
    /// No host.
    #[error("url: {0:?} names no host; expected {SCHEME}HOST:PORT")]
    Host(String),
    /// No port, or none that can be.
    #[error("url: {0:?} has no port from 1 to 65535; expected {SCHEME}HOST:PORT")]
    Port(String),
}

impl FromStr for PoolUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<PoolUrl, UrlError> {
        let rest = url.strip_prefix(SCHEME).ok_or_else(|| UrlError::Scheme(url.to_owned()))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| UrlError::Port(url.to_owned()))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || host.contains(['/', '@', '[', ']', ' ']) {
            return Err(UrlError::Host(url.to_owned()));
        }
        match port.parse() {
            Ok(port) if port != 0 => Ok(PoolUrl { host: host.to_owned(), port }),
            _ => Err(UrlError::Port(url.to_owned())),
        }
    }
}

impl fmt::Display for PoolUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PoolUrl { host, port } = self;
        if host.contains(':') { write!(f, "{SCHEME}[{host}]:{port}") } else { write!(f, "{SCHEME}{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_round_trip() {
        for url in ["stratum+tcp://pool.example:3333", "stratum+tcp://127.0.0.1:1", "stratum+tcp://[::1]:65535"] {
            assert_eq!(url.parse::<PoolUrl>().unwrap().to_string(), url);
        }
        assert_eq!("stratum+tcp://h:1/".parse::<PoolUrl>().unwrap().port, 1);
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |url: &str| url.parse::<PoolUrl>().unwrap_err();
        assert!(matches!(error("http://pool:80"), UrlError::Scheme(_)));
        assert!(matches!(error("pool:80"), UrlError::Scheme(_)));
        assert!(matches!(error("stratum+tcp://:80"), UrlError::Host(_)));
        assert!(matches!(error("stratum+tcp://a/b:80"), UrlError::Host(_)));
        for url in ["stratum+tcp://pool", "stratum+tcp://pool:", "stratum+tcp://pool:0", "stratum+tcp://pool:99999"] {
            assert!(matches!(error(url), UrlError::Port(_)), "{url}");
        }
    }
}
