//! A connection in Noise: the handshake, and then frames in both directions.
//!
//! The handshake, the ciphers and the framing are those of the reference implementation (`noise_sv2`, `codec_sv2`); here is what
//! joins them to a connection, says what went wrong, and keeps a frame from growing beyond any message.

use super::super::connection::{Connection, within};
use super::{AuthorityKey, V2Error};
use crate::upstream::STEP;
use crate::upstream::error::SessionError;
use codec_sv2::decoder::{Decrypted, NoiseDecoder};
use codec_sv2::encoder::NoiseEncoder;
use codec_sv2::state::{Handshake, Transport, TransportDecryptState, TransportEncryptState};
use codec_sv2::{Error as CodecError, SerializedFrame};
use noise_sv2::{Error as NoiseError, INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE, Initiator};
use std::io;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest message to a miner is a `SetGroupChannel` of 65,535 channels; the longest job has 139,000 bytes. Encrypted, it grows a little.
const MOST: usize = 270_000;

/// So many seconds a clock may be wrong: what `noise_sv2` grants.
const LEEWAY: u32 = 10;
/// What most frames fit in.
const ROOM: usize = 1 << 14;

/// A frame, without what its header says of its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The extension that the message is of; 0 for the protocol itself.
    pub extension: u16,
    /// The type of the message.
    pub kind: u8,
    /// The message.
    pub payload: Vec<u8>,
}

/// A connection after the handshake.
pub(super) struct Frames {
    reader: Box<dyn AsyncRead + Send + Unpin>,
    writer: Box<dyn AsyncWrite + Send + Unpin>,
    /// What was read and not decrypted yet.
    received: Vec<u8>,
    decoder: NoiseDecoder,
    /// `None` once a frame could not be decrypted.
    decrypt: Option<TransportDecryptState>,
    /// How many bytes of the next frame are in the decoder.
    begun: usize,
    encoder: NoiseEncoder,
    encrypt: TransportEncryptState,
}

impl Frames {
    /// Shakes hands, and checks the pool's certificate, within a limit. Without an authority, only that it has one.
    pub(super) async fn begin(
        connection: Connection,
        authority: Option<AuthorityKey>,
        limit: Duration,
    ) -> Result<Frames, V2Error> {
        let Connection { mut reader, mut writer } = connection;
        let mut answer = [0; INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE];
        let role = match authority {
            // That it is a key was seen when it was read.
            Some(key) => Initiator::from_raw_k(key.to_bytes()),
            None => Initiator::without_pk(),
        };
        let role = role.map_err(|_| V2Error::NotNoise)?;
        let (first, handshake) = Handshake::initiator(role).step_0().map_err(|_| V2Error::NotNoise)?;
        let exchange = async {
            writer.write_all(first.payload()).await?;
            reader.read_exact(&mut answer).await
        };
        within(limit, "no answer", exchange).await.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                V2Error::Handshake(io::Error::new(error.kind(), "the connection was closed"))
            }
            _ => V2Error::Handshake(error),
        })?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32);
        let transport = handshake.step_2_with_now(answer, now).map_err(|error| refused(error, authority, now))?;
        Ok(Frames::of(reader, writer, transport))
    }

    fn of(
        reader: Box<dyn AsyncRead + Send + Unpin>,
        writer: Box<dyn AsyncWrite + Send + Unpin>,
        transport: Transport,
    ) -> Frames {
        let (encrypt, decrypt) = transport.split();
        let (decoder, encoder) = (NoiseDecoder::new(), NoiseEncoder::new());
        Frames {
            reader,
            writer,
            received: Vec::with_capacity(ROOM),
            decoder,
            decrypt: Some(decrypt),
            begun: 0,
            encoder,
            encrypt,
        }
    }

    /// Sends a frame that has its header.
    pub(super) async fn send(&mut self, frame: Vec<u8>) -> Result<(), SessionError> {
        let frame = SerializedFrame::from_bytes(frame).map_err(CodecError::from);
        let bytes = frame.and_then(|frame| self.encoder.encode_transport(frame, &mut self.encrypt));
        let bytes = bytes.map_err(|error| io::Error::other(error.to_string()))?;
        Ok(within(STEP, "it has not taken what was sent", self.writer.write_all(&bytes)).await?)
    }

    /// The next frame. Dropped and called again, nothing is lost.
    pub(super) async fn next(&mut self) -> Result<Frame, SessionError> {
        loop {
            let wanted = self.decoder.writable_len();
            if self.received.len() < wanted {
                if self.reader.read_buf(&mut self.received).await? == 0 {
                    let begun = self.begun + self.received.len();
                    return Err(if begun == 0 { SessionError::Closed } else { V2Error::Truncated(begun).into() });
                }
                continue;
            }
            self.decoder.writable().copy_from_slice(&self.received[..wanted]);
            self.received.drain(..wanted);
            self.begun += wanted;
            if self.begun > MOST {
                return Err(V2Error::Oversized { most: MOST }.into());
            }
            let decrypt = self.decrypt.take().ok_or(V2Error::Tampered)?;
            match self.decoder.next_transport_frame(decrypt).map_err(|_| V2Error::Tampered)? {
                Decrypted::Incomplete(_, decrypt) => self.decrypt = Some(decrypt),
                Decrypted::Frame(mut frame, decrypt) => {
                    self.decrypt = Some(decrypt);
                    self.begun = 0;
                    let (header, payload) = (frame.header(), frame.payload().to_vec());
                    let (extension, kind) = (header.ext_type_without_channel_msg(), header.msg_type());
                    return Ok(Frame { extension, kind, payload });
                }
            }
        }
    }
}

/// What a refusal of the pool's answer means.
fn refused(error: CodecError, authority: Option<AuthorityKey>, now: u32) -> V2Error {
    let CodecError::NoiseSv2Error(NoiseError::InvalidCertificate(certificate)) = error else {
        return V2Error::NotNoise;
    };
    let (from, until) = (certificate.valid_from, certificate.not_valid_after);
    match authority {
        _ if certificate.version != noise_sv2::CERTIFICATE_VERSION => V2Error::CertificateVersion(certificate.version),
        _ if now < from.saturating_sub(LEEWAY) => V2Error::NotYetValid { from, now },
        _ if now > until.saturating_add(LEEWAY) => V2Error::Expired { until, now },
        Some(authority) => V2Error::WrongAuthority(authority),
        None => V2Error::NotNoise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use noise_sv2::Responder;
    use tokio::io::duplex;

    /// The key of the reference implementation's examples, its secret, and a wrong key.
    const AUTHORITY: &str = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
    const SECRET: &str = "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n";
    const OTHER: &str = "9bXiEd8boQVhq7WddEcERUL5tyyJVFYdU8th3HfbNXK3Yw6GRXh";

    /// Shakes hands with a pool whose answer is changed so.
    async fn shake(authority: Option<&str>, change: impl FnOnce(&mut [u8])) -> Result<Frames, V2Error> {
        let (ours, theirs) = duplex(1 << 16);
        let (reader, writer) = tokio::io::split(ours);
        let connection = Connection { reader: Box::new(reader), writer: Box::new(writer) };
        let pool = async {
            let (mut reader, mut writer) = tokio::io::split(theirs);
            let public = AUTHORITY.parse::<AuthorityKey>().unwrap().to_bytes();
            let secret = bitcoin::base58::decode_check(SECRET).unwrap().try_into().unwrap();
            let responder = Responder::from_authority_kp(&public, &secret, Duration::from_secs(60)).unwrap();
            let mut first = [0; noise_sv2::ELLSWIFT_ENCODING_SIZE];
            reader.read_exact(&mut first).await.unwrap();
            let (answer, _) = Handshake::responder(responder).step_1(first).unwrap();
            let mut answer = answer.payload().to_vec();
            change(&mut answer);
            writer.write_all(&answer).await.unwrap();
        };
        let authority = authority.map(|key| key.parse().unwrap());
        let (begun, ()) = tokio::join!(Frames::begin(connection, authority, Duration::from_secs(20)), pool);
        begun
    }

    fn run<T>(test: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
    }

    #[test]
    fn the_authority_must_be_that_of_the_url() {
        run(async {
            assert!(shake(Some(AUTHORITY), |_| {}).await.is_ok());
            assert!(shake(None, |_| {}).await.is_ok());
            let wrong = shake(Some(OTHER), |_| {}).await.err();
            assert!(matches!(wrong, Some(V2Error::WrongAuthority(key)) if key.to_string() == OTHER));
        });
    }

    #[test]
    fn an_answer_that_is_changed_anywhere_is_refused() {
        run(async {
            for offset in 0..INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE {
                for authority in [Some(AUTHORITY), None] {
                    let refused = shake(authority, |answer| answer[offset] ^= 1 << (offset % 8)).await;
                    assert!(matches!(refused, Err(V2Error::NotNoise)), "offset {offset}");
                }
            }
        });
    }

    /// How certificates are judged that are not of now: those that are well signed.
    #[test]
    fn certificates_have_their_time() {
        let certificate = |version: u16, from: u32, until: u32| {
            let mut bytes = [0; noise_sv2::SIGNATURE_NOISE_MESSAGE_SIZE];
            bytes[..2].copy_from_slice(&version.to_le_bytes());
            bytes[2..6].copy_from_slice(&from.to_le_bytes());
            bytes[6..10].copy_from_slice(&until.to_le_bytes());
            CodecError::NoiseSv2Error(NoiseError::InvalidCertificate(bytes.into()))
        };
        let key = AUTHORITY.parse().ok();
        let judge = |error| refused(error, key, 1000).to_string();
        assert!(judge(certificate(1, 900, 1100)).starts_with("the pool's certificate has version 1"));
        assert!(judge(certificate(0, 900, 980)).starts_with("the pool's certificate expired at 980, 20 s ago"));
        assert!(judge(certificate(0, 1020, 2000)).starts_with("the pool's certificate holds from 1020 on, in 20 s"));
        // A clock may be wrong by ten seconds, so it is not for its time that these are refused.
        for (from, until) in [(900, 990), (1010, 2000), (0, u32::MAX)] {
            assert!(judge(certificate(0, from, until)).contains("is not signed by the authority 9auq"));
        }
    }
}
