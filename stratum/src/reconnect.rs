//! Which hosts a pool may send its miners to.

use std::net::IpAddr;

/// Whether a wish to reconnect to another host may be followed: to the same one, or to one with the same parent domain of two labels or
/// more. Whoever can change a pool's messages could else take all the work away from it.
pub fn may_reconnect(from: &str, to: &str) -> bool {
    from.eq_ignore_ascii_case(to)
        || match (parent(from), parent(to)) {
            (Some(ours), Some(theirs)) => ours.eq_ignore_ascii_case(theirs),
            _ => false,
        }
}

/// What follows a host's first label, if that is a domain of two labels or more. An address has none.
fn parent(host: &str) -> Option<&str> {
    let (label, parent) = host.split_once('.')?;
    let is_domain = !label.is_empty() && parent.contains('.') && parent.split('.').all(|label| !label.is_empty());
    (is_domain && host.parse::<IpAddr>().is_err()).then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_host_and_its_neighbours_are_followed() {
        for to in ["eu.pool.example", "EU.Pool.Example", "us.pool.example", "US.POOL.example"] {
            assert!(may_reconnect("eu.pool.example", to), "{to}");
        }
        for (from, to) in [
            ("eu.pool.example", "pool.example"),
            ("eu.pool.example", "eu.evil.example"),
            ("pool.example", "evil.example"),
            ("eu.pool.example", "eu.pool.example.evil.test"),
            ("10.0.0.1", "11.0.0.1"),
            ("::1", "::2"),
            ("eu.pool.example", ""),
            ("eu.pool.example", ".pool.example"),
            ("localhost", "example"),
        ] {
            assert!(!may_reconnect(from, to), "{from} to {to}");
        }
        assert!(may_reconnect("10.0.0.1", "10.0.0.1"));
    }
}
