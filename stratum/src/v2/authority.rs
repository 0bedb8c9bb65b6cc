//! The secret half of an authority's key: what signs the certificates of a pool's servers.

use super::{AuthorityKey, KeyError};
use bitcoin::base58;
use bitcoin::key::{Secp256k1, XOnlyPublicKey};
use bitcoin::secp256k1::SecretKey;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// A pool's authority. As a text, its secret in base58-check, as the reference implementation's programs have it in their settings.
#[derive(Clone, PartialEq, Eq)]
pub struct Authority {
    key: AuthorityKey,
    secret: [u8; 32],
    /// How long a certificate holds from the handshake on, at which it is made.
    pub validity: Duration,
}

/// What is wrong with an authority's secret. It is never shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthorityError {
    /// A letter that is none, or a checksum that is not that of the rest.
    #[error("authority's secret: no base58 with a checksum; is a letter missing, or changed?")]
    Base58,
    /// Too short or too long.
    #[error("authority's secret: {0} bytes; expected 32")]
    Length(usize),
    /// Zero, or too great.
    #[error("authority's secret: no secret key of secp256k1")]
    Range,
    /// What belongs to it is no public key.
    #[error("authority's key: {0}")]
    Key(#[from] KeyError),
}

impl Authority {
    /// The authority of a secret: a number between 1 and the order of secp256k1, big-endian. Certificates hold for an hour.
    pub fn new(secret: [u8; 32]) -> Result<Authority, AuthorityError> {
        let key = SecretKey::from_slice(&secret).map_err(|_| AuthorityError::Range)?;
        let key: XOnlyPublicKey = key.x_only_public_key(&Secp256k1::signing_only()).0;
        Ok(Authority { key: AuthorityKey::from_bytes(key.serialize())?, secret, validity: Duration::from_secs(3600) })
    }

    /// What a miner's URL has.
    pub fn key(&self) -> AuthorityKey {
        self.key
    }

    /// The secret, to be kept.
    pub fn secret(&self) -> [u8; 32] {
        self.secret
    }

    /// The secret in base58-check, to be kept in a file.
    pub fn to_secret_text(&self) -> String {
        base58::encode_check(&self.secret)
    }
}

impl FromStr for Authority {
    type Err = AuthorityError;

    fn from_str(text: &str) -> Result<Authority, AuthorityError> {
        let bytes = base58::decode_check(text).map_err(|_| AuthorityError::Base58)?;
        Authority::new(<[u8; 32]>::try_from(&*bytes).map_err(|_| AuthorityError::Length(bytes.len()))?)
    }
}

impl fmt::Debug for Authority {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("key", &self.key).field("validity", &self.validity).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_the_key_that_the_reference_implementation_says() {
        let text = "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n";
        let authority: Authority = text.parse().unwrap();
        assert_eq!(authority.key().to_string(), "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72");
        assert_eq!(authority.to_secret_text(), text);
        assert!(!format!("{authority:?}").contains(&text[..8]));
    }

    #[test]
    fn what_is_wrong_is_said() {
        assert_eq!("mkDL".parse::<Authority>().unwrap_err(), AuthorityError::Base58);
        assert_eq!(base58::encode_check(&[1; 31]).parse::<Authority>().unwrap_err(), AuthorityError::Length(31));
        assert_eq!(Authority::new([0; 32]).unwrap_err(), AuthorityError::Range);
    }
}
