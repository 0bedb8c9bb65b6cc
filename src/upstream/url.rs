//! A pool's address, as `--url` takes it.

#[cfg(feature = "v2")]
use super::v2::{AuthorityKey, KeyError};
use midstate_stratum::may_reconnect;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What URLs look like.
const EXPECTED: &str = if cfg!(feature = "v2") {
    "stratum+tcp://HOST:PORT, stratum+ssl://HOST:PORT, stratum2+tcp://HOST:PORT/KEY for Stratum V2, or http://HOST:PORT for a node"
} else {
    "stratum+tcp://HOST:PORT, stratum+ssl://HOST:PORT, or http://HOST:PORT for a node"
};

/// Where a pool listens: `stratum+tcp://HOST:PORT`, or `stratum+ssl://HOST:PORT` for TLS, or `stratum2+tcp://HOST:PORT/KEY` for
/// Stratum V2; an IPv6 address in brackets. (`stratum+tls` is read as `stratum+ssl`.)
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolUrl {
    /// What is spoken there.
    pub protocol: Protocol,
    /// A name or an address, without brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

/// What is spoken to a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Stratum V1.
    V1,
    /// Stratum V1 in TLS.
    V1Tls,
    /// Stratum V2, in Noise.
    #[cfg(feature = "v2")]
    V2 {
        /// Who vouches for the pool's key. Without it, nobody knows whom the miner speaks to.
        authority: Option<AuthorityKey>,
    },
}

/// What is wrong with a URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UrlError {
    /// Another protocol, or none.
    #[error(
        "url: {0:?}: no such protocol; expected {expected}", expected = EXPECTED
    )]
    Scheme(String),
    /// No host.
    #[error(
        "url: {0:?} names no host; expected {expected}", expected = EXPECTED
    )]
    Host(String),
    /// No port, or none that can be.
    #[error(
        "url: {0:?} has no port from 1 to 65535; expected {expected}", expected = EXPECTED
    )]
    Port(String),
    /// What follows the port is no authority's key.
    #[cfg(feature = "v2")]
    #[error(
        "url: authority key {key:?}: {error}; expected stratum2+tcp://HOST:PORT/KEY, with the key that the pool publishes"
    )]
    Authority {
        /// What came.
        key: String,
        /// What is wrong with it.
        error: KeyError,
    },
    /// Not where a node announces tips.
    #[cfg(feature = "solo")]
    #[error("url: {0:?}; expected tcp://HOST:PORT, where the node announces tips")]
    Zmq(String),
}

impl PoolUrl {
    /// A host and port, without TLS.
    pub fn tcp(host: impl Into<String>, port: u16) -> PoolUrl {
        PoolUrl { protocol: Protocol::V1, host: host.into(), port }
    }

    /// Where a pool asks to reconnect to, if that may be followed ([`may_reconnect`]). Where an authority vouches for the pool, it vouches for
    /// the other host too.
    pub fn redirected(&self, host: Option<&str>, port: Option<u16>) -> Option<PoolUrl> {
        let host = host.unwrap_or(&self.host);
        #[cfg(feature = "v2")]
        let vouched = matches!(self.protocol, Protocol::V2 { authority: Some(_) }) && !host.is_empty();
        #[cfg(not(feature = "v2"))]
        let vouched = false;
        (vouched || may_reconnect(&self.host, host)).then(|| PoolUrl {
            host: host.to_owned(),
            port: port.unwrap_or(self.port),
            ..self.clone()
        })
    }
}

impl FromStr for PoolUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<PoolUrl, UrlError> {
        let (protocol, rest) = match url.split_once("://") {
            Some(("stratum+tcp", rest)) => (Protocol::V1, rest),
            Some(("stratum+ssl" | "stratum+tls", rest)) => (Protocol::V1Tls, rest),
            #[cfg(feature = "v2")]
            Some(("stratum2+tcp", rest)) => authority(rest)?,
            _ => return Err(UrlError::Scheme(without_userinfo(url))),
        };
        host_and_port(url, rest).map(|(host, port)| PoolUrl { protocol, host, port })
    }
}

/// Parts a host and port from the authority's key behind them, if there is one.
#[cfg(feature = "v2")]
fn authority(rest: &str) -> Result<(Protocol, &str), UrlError> {
    let (rest, key) = rest.split_once('/').unwrap_or((rest, ""));
    // A password with a slash in it would stand here.
    let read = |key: &str| key.parse().map_err(|error| UrlError::Authority { key: without_userinfo(key), error });
    let authority = (!key.is_empty()).then(|| read(key)).transpose()?;
    Ok((Protocol::V2 { authority }, rest))
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
        let PoolUrl { protocol, host, port } = self;
        match protocol {
            Protocol::V1 => write_url(f, "stratum+tcp", host, *port),
            Protocol::V1Tls => write_url(f, "stratum+ssl", host, *port),
            #[cfg(feature = "v2")]
            Protocol::V2 { authority } => {
                write_url(f, "stratum2+tcp", host, *port)?;
                authority.map_or(Ok(()), |key| write!(f, "/{key}"))
            }
        }
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

    #[cfg(feature = "v2")]
    #[test]
    fn an_authoritys_key_stands_behind_the_port() {
        const KEY: &str = "9bXiEd8boQVhq7WddEcERUL5tyyJVFYdU8th3HfbNXK3Yw6GRXh";
        let read = |url: &str| url.parse::<PoolUrl>();
        for url in [format!("stratum2+tcp://pool.example:34254/{KEY}"), "stratum2+tcp://[::1]:34254".to_owned()] {
            assert_eq!(read(&url).unwrap().to_string(), url);
        }
        assert_eq!(read("stratum2+tcp://h:1/").unwrap().protocol, Protocol::V2 { authority: None });
        let said = read(&format!("stratum2+tcp://h:1/{}", &KEY[1..])).unwrap_err().to_string();
        assert!(said.starts_with("url: authority key \"bXi") && said.contains("; expected stratum2+tcp://"), "{said}");
        assert!(matches!(read(&format!("stratum2+tcp://h/{KEY}")), Err(UrlError::Port(_))));
        assert!(matches!(read(&format!("stratum2+tcp://h:1/{KEY}/")), Err(UrlError::Authority { .. })));
        for url in
            [format!("stratum2+tcp://me:horse@pool:1/{KEY}"), format!("stratum2+tcp://me:hay/horse@pool:1/{KEY}")]
        {
            let said = read(&url).unwrap_err().to_string();
            assert!(said.contains("…@pool") && !said.contains("horse"), "{said}");
        }

        // The key is asked for there too; without one, the neighbours only.
        let vouched = read(&format!("stratum2+tcp://pool.example:1/{KEY}")).unwrap();
        let to = vouched.redirected(Some("10.0.0.9"), None).unwrap();
        assert_eq!((to.protocol, to.host.as_str(), to.port), (vouched.protocol, "10.0.0.9", 1));
        assert_eq!(read("stratum2+tcp://pool.example:1").unwrap().redirected(Some("10.0.0.9"), None), None);
    }

    #[test]
    fn a_pool_may_send_a_miner_to_its_neighbours_only() {
        let to = |from: &str, to: &str| {
            let from = PoolUrl { protocol: Protocol::V1Tls, ..PoolUrl::tcp(from, 3333) };
            from.redirected(Some(to), Some(4444)).map(|url| url.to_string())
        };
        assert_eq!(to("eu.pool.example", "us.pool.example").unwrap(), "stratum+ssl://us.pool.example:4444");
        assert_eq!(to("eu.pool.example", "eu.evil.example"), None);
        let same = PoolUrl::tcp("10.0.0.1", 3333);
        assert_eq!(same.redirected(None, None), Some(same.clone()));
        assert_eq!(same.redirected(Some("10.0.0.1"), Some(1)).unwrap().port, 1);
    }
}
