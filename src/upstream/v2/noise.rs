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
