//! The Noise handshake of Stratum V2, and frames after it, as a miner has them that is written down step by step from the specification
//! (sections 4.4 to 4.6): it shares with ours the curve and the cipher, and nothing that joins them. Its keys are those of BIP 324's vectors.
#![cfg(feature = "v2")]

use bitcoin::hashes::{Hash, HashEngine, Hmac, HmacEngine, sha256};
use bitcoin::hex::FromHex;
use bitcoin::secp256k1::ellswift::{ElligatorSwift, ElligatorSwiftParty};
use bitcoin::secp256k1::schnorr::Signature;
use bitcoin::secp256k1::{Message, PublicKey, Secp256k1, SecretKey, XOnlyPublicKey};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use midstate_stratum::v2::{Authority, Frame, Frames};
use std::time::SystemTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex, split};

/// Of BIP 324's `packet_encoding_test_vectors.csv`: our secret, our key as `ElligatorSwift` has it, the other's, whether we began, and the
/// secret that both share.
const BIP324: [(&str, &str, &str, bool, &str); 3] = [
    (
        "e79f04ad4c684525ff3e3cf7c19f4cdb11193d387d7f3fe82a948a0c3165f5fe",
        "4eff53ea1945e57b5d170565e760d771e5d496101c1005c302fd687af80d8b858c5a681c474fc4c0546ee464a1b95899ecb9d4f50c2c0854fe029fc054ae6777",
        "824a1da0530fa695b95b375fee2a56ec96ce375ddd2fcf8367cc8ec1c0b751a3304bbef5dc96543acaac50c24be8cb39906ef8521727de0c6e96c2060a026bd7",
        true,
        "05ac09c882b2cddd57fd4a1a14f93ae78d78a2ab2adb8cb6d67176cdb3101e15",
    ),
    (
        "53a915e6d8f6c5bbb93e537081085e9e642dc525649acf05be74e3a825e20921",
        "715d7b8357dd4d15a07b3f8c6764ebd9927140f75047fb50478c33ea8889d710511cdf39aa0fd6b1e94ea660d87f9d97bffc548646f9e2aaebc1468fe563fb97",
        "cea7abc3112397b894bd3e89a615248af473f897bbdd30997c20e53e7ce499a295e55c4c5655cd3d21191e76c8af0aa1bbea10fd1b540a42d0fbed388dc59877",
        false,
        "08cbe6a86ff92a9757b2aeea92b8b2f4d78426786a2caec99c3cc73d7dda47ab",
    ),
    (
        "f360308206fb441c7713b1a24ba4096a2fa0d5401411198b7008f82ae85257fe",
        "3d4aa6a71a8a734e014b4d9e6b62989f022c1e2238ae476b11465cb86fe8cf7243db6f9472e188590705cf9b35121e06e57cb106a6043ab147b7c73871da8222",
        "f0ebc3c872339622fbf2ab1b8aa2117c4d752b64eac9203962c03a47497a89c0dd298348e5bb63d3433c48ed6da6bc2e2dbe78f7b91247dd29f1f51a858d464a",
        false,
        "07eff272cd331aeb14db342b82f6df98303b01471f4dbe71028b127577216d9b",
    ),
];

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    sha256::Hash::hash(&parts.concat()).to_byte_array()
}

fn hmac(key: &[u8], data: &[u8]) -> [u8; 32] {
    let mut engine = HmacEngine::<sha256::Hash>::new(key);
    engine.input(data);
    Hmac::from_engine(engine).to_byte_array()
}

fn hkdf(key: &[u8], material: &[u8]) -> ([u8; 32], [u8; 32]) {
    let temporary = hmac(key, material);
    let first = hmac(&temporary, &[1]);
    (first, hmac(&temporary, &[&first[..], &[2]].concat()))
}

/// 32 bits of zeros, and the number with its least byte first.
fn nonce(number: u64) -> Nonce {
    let bytes: [u8; 12] = [&[0; 4][..], &number.to_le_bytes()].concat().try_into().unwrap();
    bytes.into()
}

fn secret(ours: (SecretKey, [u8; 64]), theirs: [u8; 64], we_began: bool) -> [u8; 32] {
    let [one, other] = [ours.1, theirs].map(ElligatorSwift::from_array);
    let (a, b, party) =
        if we_began { (one, other, ElligatorSwiftParty::A) } else { (other, one, ElligatorSwiftParty::B) };
    ElligatorSwift::shared_secret(a, b, ours.0, party, None).to_secret_bytes()
}

fn key(vector: usize) -> (SecretKey, [u8; 64]) {
    let (secret, ours, ..) = BIP324[vector];
    (secret.parse().unwrap(), FromHex::from_hex(ours).unwrap())
}

#[test]
fn secrets_are_shared_as_bip_324_has_it() {
    for (vector, (_, _, theirs, we_began, shared)) in BIP324.into_iter().enumerate() {
        let theirs = FromHex::from_hex(theirs).unwrap();
        assert_eq!(secret(key(vector), theirs, we_began).to_vec(), Vec::<u8>::from_hex(shared).unwrap());
    }
}

/// What both sides of a handshake keep.
struct Handshake {
    chaining: [u8; 32],
    hash: [u8; 32],
    /// And the next nonce.
    key: Option<([u8; 32], u64)>,
}

impl Handshake {
    fn begin() -> Handshake {
        let chaining = hash(&[b"Noise_NX_Secp256k1+EllSwift_ChaChaPoly_SHA256"]);
        Handshake { chaining, hash: hash(&[&chaining]), key: None }
    }

    fn mix_hash(&mut self, data: &[u8]) {
        self.hash = hash(&[&self.hash, data]);
    }

    fn mix_key(&mut self, material: [u8; 32]) {
        let (chaining, key) = hkdf(&self.chaining, &material);
        (self.chaining, self.key) = (chaining, Some((key, 0)));
    }

    fn decrypt(&mut self, data: &[u8]) -> Vec<u8> {
        let (key, number) = self.key.as_mut().unwrap();
        let cipher = ChaCha20Poly1305::new(&(*key).into());
        let plain = cipher.decrypt(&nonce(*number), Payload { msg: data, aad: &self.hash }).unwrap();
        *number += 1;
        self.mix_hash(data);
        plain
    }
}

#[tokio::test]
async fn a_miner_of_the_specification_understands_us() {
    let authority = Authority::new([0x42; 32]).unwrap();
    for vector in 0..BIP324.len() {
        let (theirs, ours) = duplex(1 << 18);
        let (reader, writer) = split(theirs);
        let (mut from, mut to) = split(ours);
        let (own, ellswift) = key(vector);
        to.write_all(&ellswift).await.unwrap();
        let mut server = Frames::accept(reader, writer, &authority, 1 << 17).await.unwrap();
        let mut answer = [0; 64 + 80 + 90];
        from.read_exact(&mut answer).await.unwrap();

        let mut handshake = Handshake::begin();
        handshake.mix_hash(&ellswift);
        handshake.mix_hash(&[]);
        let ephemeral: [u8; 64] = answer[..64].try_into().unwrap();
        handshake.mix_hash(&ephemeral);
        handshake.mix_key(secret((own, ellswift), ephemeral, true));
        let fixed: [u8; 64] = handshake.decrypt(&answer[64..144]).try_into().unwrap();
        handshake.mix_key(secret((own, ellswift), fixed, true));
        let certificate = handshake.decrypt(&answer[144..]);

        // Whose it is, and that it holds now.
        let (signed, signature) = certificate.split_at(10);
        let x = PublicKey::from_ellswift(ElligatorSwift::from_array(fixed)).x_only_public_key().0.serialize();
        let message = Message::from_digest(hash(&[signed, &x]));
        let authority_key = XOnlyPublicKey::from_slice(&authority.key().to_bytes()).unwrap();
        let signature = Signature::from_slice(signature).unwrap();
        Secp256k1::verification_only().verify_schnorr(&signature, &message, &authority_key).unwrap();
        let word = |at: usize| u32::from_le_bytes(signed[at..at + 4].try_into().unwrap());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as u32;
        assert!(signed[..2] == [0, 0] && word(2) <= now && word(6) >= now);
        assert_eq!(u64::from(word(6) - word(2)), authority.validity.as_secs());

        // A message that needs two blocks, each way.
        let (k1, k2) = hkdf(&handshake.chaining, &[]);
        let payload: Vec<u8> = (0..70_000u32).map(|i| i as u8).collect();
        let header = [0, 0x80, 0x1b, 0x70, 0x11, 0x01];
        let parts = [&header[..], &payload[..65_519], &payload[65_519..]];
        let cipher = ChaCha20Poly1305::new(&k1.into());
        for (number, part) in (0..).zip(parts) {
            to.write_all(&cipher.encrypt(&nonce(number), part).unwrap()).await.unwrap();
        }
        assert_eq!(server.next().await.unwrap(), Frame { extension: 0, kind: 0x1b, payload: payload.clone() });
        server.send([&header[..], &payload].concat()).await.unwrap();
        let cipher = ChaCha20Poly1305::new(&k2.into());
        for (number, part) in (0..).zip(parts) {
            let mut block = vec![0; part.len() + 16];
            from.read_exact(&mut block).await.unwrap();
            assert_eq!(cipher.decrypt(&nonce(number), &block[..]).unwrap(), part);
        }
    }
}
