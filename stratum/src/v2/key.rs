//! The key of a pool's authority, which vouches for the keys of its servers.

use bitcoin::base58;
use bitcoin::key::XOnlyPublicKey;
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// What stands before a key of this kind, so that no other is taken for one (`0x0001`, little-endian).
const VERSION: [u8; 2] = [1, 0];

/// The public key of a pool's authority: a point of secp256k1 by its x coordinate, big-endian (BIP 340). Written in base58-check, as the
/// specification of Stratum V2 has it (4.7, "URL Scheme and Pool Authority Key").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorityKey([u8; 32]);

/// What is wrong with an authority's key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// A letter that is none, or a checksum that is not that of the rest.
    #[error("{0}; is a letter missing, or changed?")]
    Base58(base58::Error),
    /// Too short or too long.
    #[error("{0} bytes; expected 34")]
    Length(usize),
    /// A key of another kind.
    #[error("version {0:#06x}; expected 0x0001")]
    Version(u16),
    /// Right in its form, but no key.
    #[error("no public key of secp256k1")]
    Point,
}

impl AuthorityKey {
    /// The key of an x coordinate, big-endian.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<AuthorityKey, KeyError> {
        XOnlyPublicKey::from_slice(&bytes).map_err(|_| KeyError::Point)?;
        Ok(AuthorityKey(bytes))
    }

    /// The x coordinate.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }
}

impl FromStr for AuthorityKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<AuthorityKey, KeyError> {
        let bytes = base58::decode_check(text).map_err(KeyError::Base58)?;
        let Ok([low, high, key @ ..]) = <[u8; 34]>::try_from(&*bytes) else {
            return Err(KeyError::Length(bytes.len()));
        };
        if [low, high] != VERSION {
            return Err(KeyError::Version(u16::from_le_bytes([low, high])));
        }
        AuthorityKey::from_bytes(key)
    }
}

impl fmt::Display for AuthorityKey {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        base58::encode_check_to_fmt(f, &[&VERSION[..], &self.0].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That of the specification's test vector, and that of the reference implementation's examples.
    const KEYS: [&str; 2] =
        ["9bXiEd8boQVhq7WddEcERUL5tyyJVFYdU8th3HfbNXK3Yw6GRXh", "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72"];

    #[test]
    fn keys_are_read_and_written_as_the_specification_has_them() {
        let key: AuthorityKey = KEYS[0].parse().unwrap();
        let bytes = [
            118, 99, 112, 0, 151, 156, 28, 17, 175, 12, 48, 11, 205, 140, 127, 228, 134, 16, 252, 233, 185, 193, 30,
            61, 174, 227, 90, 224, 176, 138, 116, 85,
        ];
        assert_eq!(key.to_bytes(), bytes);
        for text in KEYS {
            assert_eq!(text.parse::<AuthorityKey>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let error = |bytes: &[u8]| base58::encode_check(bytes).parse::<AuthorityKey>().unwrap_err();
        assert_eq!(error(&[]), KeyError::Length(0));
        assert_eq!(error(&[1; 33]), KeyError::Length(33));
        assert_eq!(error(&[1; 34]), KeyError::Version(0x0101));
        assert_eq!(error(&[&[1, 0], &[0xff; 32][..]].concat()), KeyError::Point);
        for text in ["", "0", "9bXiEd8boQVhq7WddEcERUL5tyyJVFYdU8th3HfbNXK3Yw6GRXi", &KEYS[0][1..]] {
            assert!(matches!(text.parse::<AuthorityKey>(), Err(KeyError::Base58(_))), "{text}");
        }
    }
}
