//! Whole messages, the 80-byte block header, and its midstate.

use super::compress::{IV, compress};
use std::fmt;

/// A double-SHA256 in internal order: the bytes as SHA-256 gives them, least significant first when read as a number.
///
/// Displayed as everyone writes block hashes: reversed.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// The most significant 32 bits of the number.
    pub fn top_word(&self) -> u32 {
        let [.., a, b, c, d] = self.0;
        u32::from_le_bytes([a, b, c, d])
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

/// The state after the first 64 bytes of a header: shared by all its nonces, since the nonce is in bytes 76 to 79.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Midstate(pub [u32; 8]);

impl Midstate {
    /// The midstate of a header's first 64 bytes: version, previous block hash, and 28 bytes of the merkle root.
    pub fn of(first: &[u8; 64]) -> Midstate {
        Midstate(compress(IV, &words(first)))
    }

    /// The double hash of the header whose first 64 bytes gave this midstate, whose next 12 bytes are `tail` (the
    /// merkle root's last word, ntime, nbits, as in the header), and whose nonce is `nonce`.
    pub fn hash(&self, tail: &[u8; 12], nonce: u32) -> Hash {
        let mut block = [0; 64];
        block[..12].copy_from_slice(tail);
        block[12..16].copy_from_slice(&nonce.to_le_bytes());
        block[16] = 0x80;
        block[56..].copy_from_slice(&(80u64 * 8).to_be_bytes());
        Hash(sha256(&bytes(compress(self.0, &words(&block)))))
    }
}

/// An 80-byte block header as it is hashed: every field little-endian.
///
/// | bytes | field |
/// |---|---|
/// | 0..4 | version |
/// | 4..36 | previous block hash, internal order |
/// | 36..68 | merkle root, internal order |
/// | 68..72 | ntime |
/// | 72..76 | nbits |
/// | 76..80 | nonce |
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Header(pub [u8; 80]);

impl Header {
    /// The version field.
    pub fn version(&self) -> u32 {
        self.word(0)
    }

    /// The time field, in seconds since 1970.
    pub fn ntime(&self) -> u32 {
        self.word(68)
    }

    /// The compact target.
    pub fn nbits(&self) -> u32 {
        self.word(72)
    }

    /// The nonce.
    pub fn nonce(&self) -> u32 {
        self.word(76)
    }

    /// This header with another version.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Header {
        self.0[..4].copy_from_slice(&version.to_le_bytes());
        self
    }

    /// This header with another nonce.
    #[must_use]
    pub fn with_nonce(mut self, nonce: u32) -> Header {
        self.0[76..].copy_from_slice(&nonce.to_le_bytes());
        self
    }

    /// The state after the first 64 bytes.
    pub fn midstate(&self) -> Midstate {
        Midstate::of(&std::array::from_fn(|i| self.0[i]))
    }

    /// The 12 bytes between the midstate and the nonce: the merkle root's last word, ntime, nbits.
    pub fn tail(&self) -> [u8; 12] {
        std::array::from_fn(|i| self.0[64 + i])
    }

    /// The block hash: SHA-256 of SHA-256 of all 80 bytes, computed from the start and not from a midstate.
    pub fn hash(&self) -> Hash {
        sha256d(&self.0)
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(std::array::from_fn(|i| self.0[at + i]))
    }
}

impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header({self})")
    }
}

/// SHA-256 of a message of any length (FIPS 180-4, sections 5.1.1 and 6.2).
pub fn sha256(message: &[u8]) -> [u8; 32] {
    let mut state = IV;
    let (blocks, rest) = message.as_chunks::<64>();
    for block in blocks {
        state = compress(state, &words(block));
    }
    // The padding: a one bit, zeros, and the length in bits in the last eight bytes.
    let mut last = [0; 128];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let end = if rest.len() < 56 { 64 } else { 128 };
    last[end - 8..end].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    for block in last[..end].as_chunks::<64>().0 {
        state = compress(state, &words(block));
    }
    bytes(state)
}

/// SHA-256 of SHA-256, as Bitcoin hashes headers, transactions and merkle nodes.
pub fn sha256d(message: &[u8]) -> Hash {
    Hash(sha256(&sha256(message)))
}

fn words(block: &[u8; 64]) -> [u32; 16] {
    std::array::from_fn(|i| u32::from_be_bytes(std::array::from_fn(|j| block[4 * i + j])))
}

fn bytes(state: [u32; 8]) -> [u8; 32] {
    std::array::from_fn(|i| state[i / 4].to_be_bytes()[i % 4])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn nist_vectors() {
        // FIPS 180-4 examples, and the long message of NIST's CAVP.
        let cases: [(&[u8], &str); 4] = [
            (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
            ),
            (&vec![b'a'; 1_000_000], "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        ];
        for (message, digest) in cases {
            assert_eq!(hex::decode_to_array(digest), Ok(sha256(message)));
        }
    }

    proptest! {
        #[test]
        fn agrees_with_sha2(message in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(sha256(&message), <[u8; 32]>::from(Sha256::digest(&message)));
            prop_assert_eq!(sha256d(&message).0, <[u8; 32]>::from(Sha256::digest(Sha256::digest(&message))));
        }

        #[test]
        fn midstate_gives_the_same_hash(bytes in proptest::collection::vec(any::<u8>(), 80), nonce: u32) {
            let header = Header(bytes.try_into().unwrap()).with_nonce(nonce);
            prop_assert_eq!(header.midstate().hash(&header.tail(), nonce), header.hash());
        }
    }

    #[test]
    fn genesis() {
        let genesis = crate::testing::genesis();
        assert_eq!(genesis.hash().to_string(), "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f");
        assert_eq!((genesis.version(), genesis.ntime(), genesis.nbits()), (1, 1_231_006_505, 0x1d00_ffff));
        assert_eq!(genesis.nonce(), 2_083_236_893);
    }
}
