//! A pool's address, as `--url` takes it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use thiserror::Error;

/// Where a Stratum V1 pool listens: `stratum+tcp://HOST:PORT`, or `stratum+ssl://HOST:PORT` for TLS, an IPv6 address in
/// brackets. (`stratum+tls` is read as `stratum+ssl`.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolUrl {
    /// Whether the connection is in TLS.
    pub tls: bool,
    /// A name or an address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// What is wrong with a URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// Another protocol, or none.
    #[error(
        "url: {0:?}: no such protocol; expected stratum+tcp://HOST:PORT, stratum+ssl://HOST:PORT, or http://HOST:PORT for a node"
    )]
    Scheme(String),
    /// No host.
    #[error(
        "url: {0:?} names no host; expected stratum+tcp://HOST:PORT, stratum+ssl://HOST:PORT, or http://HOST:PORT for a node"
    )]
    Host(String),
    /// No port, or none that can be.
    #[error(
        "url: {0:?} has no port from 1 to 65535; expected stratum+tcp://HOST:PORT, stratum+ssl://HOST:PORT, or http://HOST:PORT for a node"
    )]
    Port(String),
    /// Not where a node announces tips.
    #[cfg(feature = "solo")]
    #[error("url: {0:?}; expected tcp://HOST:PORT, where the node announces tips")]
    Zmq(String),
}

impl PoolUrl {
    /// A host and port, without TLS.
    pub fn tcp(host: impl Into<String>, port: u16) -> PoolUrl {
        PoolUrl { tls: false, host: host.into(), port }
    }

    /// Where a pool asks to reconnect to, if that may be followed: to the same host, or to one with the same parent domain.
    /// Whoever can change a pool's messages could else take the miner away from it.
    pub fn redirected(&self, host: Option<&str>, port: Option<u16>) -> Option<PoolUrl> {
        let host = host.unwrap_or(&self.host);
        let allowed = host.eq_ignore_ascii_case(&self.host)
            || match (parent(host), parent(&self.host)) {
                (Some(theirs), Some(ours)) => theirs.eq_ignore_ascii_case(ours),
                _ => false,
            };
        allowed.then(|| PoolUrl { tls: self.tls, host: host.to_owned(), port: port.unwrap_or(self.port) })
    }
}

/// What follows a host's first label, if that is a domain of two labels or more. An address has none.
fn parent(host: &str) -> Option<&str> {
    let (label, parent) = host.split_once('.')?;
    let labels = parent.split('.');
    let domain = !label.is_empty() && labels.clone().count() >= 2 && labels.clone().all(|label| !label.is_empty());
    (domain && host.parse::<IpAddr>().is_err()).then_some(parent)
}

impl FromStr for PoolUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<PoolUrl, UrlError> {
        let (tls, rest) = match url.split_once("://") {
            Some(("stratum+tcp", rest)) => (false, rest),
            Some(("stratum+ssl" | "stratum+tls", rest)) => (true, rest),
            _ => return Err(UrlError::Scheme(without_userinfo(url))),
        };
        host_and_port(url, rest).map(|(host, port)| PoolUrl { tls, host, port })
    }
}

/// A URL that is refused, without what stands before an `@`: people write passwords there.
pub fn without_userinfo(url: &str) -> String {
    let Some((before, host)) = url.rsplit_once('@') else { return url.to_owned() };
    let scheme = before.split_once("://").map_or(String::new(), |(scheme, _)| format!("{scheme}://"));
    format!("{scheme}…@{host}")
}

/// What follows a URL's scheme: a host, without brackets, and a port.
pub(super) fn host_and_port(url: &str, rest: &str) -> Result<(String, u16), UrlError> {
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port) = rest.rsplit_once(':').ok_or_else(|| UrlError::Port(without_userinfo(url)))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() || host.contains(['/', '@', '[', ']', ' ']) {
        return Err(UrlError::Host(without_userinfo(url)));
    }
    match port.parse() {
        Ok(port) if port != 0 => Ok((host.to_owned(), port)),
        _ => Err(UrlError::Port(without_userinfo(url))),
    }
}

/// A URL as it is read, an IPv6 address in brackets.
pub(super) fn write_url(f: &mut fmt::Formatter<'_>, scheme: &str, host: &str, port: u16) -> fmt::Result {
    if host.contains(':') { write!(f, "{scheme}://[{host}]:{port}") } else { write!(f, "{scheme}://{host}:{port}") }
}

impl fmt::Display for PoolUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PoolUrl { tls, host, port } = self;
        write_url(f, if *tls { "stratum+ssl" } else { "stratum+tcp" }, host, *port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_round_trip() {
        for url in [
            "stratum+tcp://pool.example:3333",
            "stratum+tcp://127.0.0.1:1",
            "stratum+tcp://[::1]:65535",
            "stratum+ssl://pool.example:443",
        ] {
            assert_eq!(url.parse::<PoolUrl>().unwrap().to_string(), url);
        }
        assert_eq!("stratum+tcp://h:1/".parse::<PoolUrl>().unwrap().port, 1);
        assert_eq!("stratum+tls://h:1".parse::<PoolUrl>().unwrap().to_string(), "stratum+ssl://h:1");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |url: &str| url.parse::<PoolUrl>().unwrap_err();
        assert!(matches!(error("http://pool:80"), UrlError::Scheme(_)));
        assert!(matches!(error("pool:80"), UrlError::Scheme(_)));
        assert!(matches!(error("stratum+tcp://:80"), UrlError::Host(_)));
        assert!(matches!(error("stratum+tcp://a/b:80"), UrlError::Host(_)));
        for url in
            ["stratum+tcp://me:horse@pool:80", "stratum+tcp://me:horse@pool", "tcp://me:horse@pool:80", "me:horse@pool"]
        {
            let said = error(url).to_string();
            assert!(said.contains("…@pool") && !said.contains("horse"), "{said}");
        }
        for url in ["stratum+tcp://pool", "stratum+tcp://pool:", "stratum+ssl://pool:0", "stratum+tcp://pool:99999"] {
            assert!(matches!(error(url), UrlError::Port(_)), "{url}");
        }
    }

    #[test]
    fn a_pool_may_send_a_miner_to_its_neighbours_only() {
        let to = |from: &str, to: &str| {
            let from = PoolUrl { tls: true, ..PoolUrl::tcp(from, 3333) };
            from.redirected(Some(to), Some(4444)).map(|url| url.to_string())
        };
        assert_eq!(to("eu.pool.example", "us.pool.example").unwrap(), "stratum+ssl://us.pool.example:4444");
        assert_eq!(to("eu.pool.example", "EU.Pool.Example").unwrap(), "stratum+ssl://EU.Pool.Example:4444");
        for (from, elsewhere) in [
            ("eu.pool.example", "pool.example"),
            ("pool.example", "evil.example"),
            ("eu.pool.example", "eu.pool.example.evil.test"),
            ("10.0.0.1", "11.0.0.1"),
            ("::1", "::2"),
            ("eu.pool.example", ""),
            ("eu.pool.example", ".pool.example"),
            ("localhost", "example"),
        ] {
            assert_eq!(to(from, elsewhere), None, "{from} to {elsewhere}");
        }
        let same = PoolUrl::tcp("10.0.0.1", 3333);
        assert_eq!(same.redirected(None, None), Some(same.clone()));
        assert_eq!(same.redirected(Some("10.0.0.1"), Some(1)).unwrap().port, 1);
    }
}
