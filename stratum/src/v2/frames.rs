//! A connection in Noise: the handshake, and then frames in both directions.
//!
//! The handshake, the ciphers and the framing are those of the reference implementation (`noise_sv2`, `codec_sv2`); here is what
//! joins them to a connection, says what went wrong, and keeps a frame from growing beyond any message.

use super::{Authority, AuthorityKey};
use codec_sv2::decoder::{Decrypted, NoiseDecoder};
use codec_sv2::encoder::NoiseEncoder;
use codec_sv2::state::{Handshake, Transport, TransportDecryptState, TransportEncryptState};
use codec_sv2::{Error as CodecError, SerializedFrame};
use noise_sv2::{
    ELLSWIFT_ENCODING_SIZE, Error as NoiseError, INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE, Initiator, Responder,
};
use std::io;
use std::time::SystemTime;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// So many seconds a clock may be wrong: what `noise_sv2` grants.
const LEEWAY: u32 = 10;
/// How much is read at once, at least: what most messages fit in.
const ROOM: usize = 1 << 10;

/// Why there is no connection in Noise.
#[derive(Debug, Error)]
pub enum HandshakeError {
    /// The connection failed.
    #[error("Noise handshake: {0}; is Stratum V2 spoken at this port?")]
    Io(io::Error),
    /// What came is not what it must be.
    #[error(
        "Noise handshake: the answer cannot be decrypted; either it was changed on its way, or this is no port of Stratum V2"
    )]
    NotNoise,
    /// The certificate is of a later version of the protocol.
    #[error("the pool's certificate has version {0}; expected 0")]
    CertificateVersion(u16),
    /// The certificate holds no more.
    #[error(
        "the pool's certificate expired at {until}, {} s ago; tell the pool's operator, or set this machine's clock, if that is wrong",
        now.saturating_sub(*until)
    )]
    Expired {
        /// Until when it held, in seconds since 1970.
        until: u32,
        /// What this machine's clock says.
        now: u32,
    },
    /// The certificate does not hold yet.
    #[error("the pool's certificate holds from {from} on, in {} s; is this machine's clock right?", from - now)]
    NotYetValid {
        /// From when on it holds, in seconds since 1970.
        from: u32,
        /// What this machine's clock says.
        now: u32,
    },
    /// Somebody else than the authority signed it.
    #[error(
        "the pool's certificate is not signed by the authority {0}; either the key in the URL is not the pool's, or somebody in between takes its place"
    )]
    WrongAuthority(AuthorityKey),
}

/// Why there is no further frame.
#[derive(Debug, Error)]
pub enum FrameError {
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The other side closed the connection, between two frames.
    #[error("the connection was closed")]
    Closed,
    /// The other side closed the connection in the middle of a frame.
    #[error("the connection was closed within a frame, after {0} bytes of it")]
    Truncated(usize),
    /// More than any message has.
    #[error("a frame of more than {most} bytes; expected a message, which is shorter")]
    Oversized {
        /// The limit, in bytes, with what encryption adds.
        most: usize,
    },
    /// What came is not what was sent.
    #[error("a frame cannot be decrypted: it was changed on its way, or the connection is out of step")]
    Tampered,
}

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
pub struct Frames<R, W> {
    reader: R,
    writer: W,
    /// The longest frame that is read, in encrypted bytes.
    most: usize,
    /// What was read and not decrypted yet.
    received: Vec<u8>,
    decoder: NoiseDecoder,
    /// `None` once a frame could not be decrypted.
    decrypt: Option<TransportDecryptState>,
    /// How many bytes of the next frame are in the decoder.
    begun: usize,
    encoder: NoiseEncoder,
    encrypt: TransportEncryptState,
    /// Whether a frame was begun and did not get to its end: whatever came after it, the other side would take for its rest.
    is_torn: bool,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Frames<R, W> {
    /// Shakes hands as a miner, and checks the pool's certificate. Without an authority, only that it has one. Frames of more than `most`
    /// bytes, encrypted, will not be read.
    ///
    /// There is no limit of time here.
    pub async fn begin(
        mut reader: R,
        mut writer: W,
        authority: Option<AuthorityKey>,
        most: usize,
    ) -> Result<Frames<R, W>, HandshakeError> {
        let role = match authority {
            // That it is a key was seen when it was read.
            Some(key) => Initiator::from_raw_k(key.to_bytes()),
            None => Initiator::without_pk(),
        };
        let role = role.map_err(|_| HandshakeError::NotNoise)?;
        let (first, handshake) = Handshake::initiator(role).step_0().map_err(|_| HandshakeError::NotNoise)?;
        let mut answer = [0; INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE];
        writer.write_all(first.payload()).await.map_err(HandshakeError::Io)?;
        reader.read_exact(&mut answer).await.map_err(of_end)?;
        let now = now();
        let transport = handshake.step_2_with_now(answer, now).map_err(|error| refused(error, authority, now))?;
        Ok(Frames::of(reader, writer, transport, most))
    }

    /// Shakes hands as a pool, with a certificate that its authority makes for this connection. Frames of more than `most` bytes, encrypted,
    /// will not be read.
    ///
    /// There is no limit of time here.
    pub async fn accept(
        mut reader: R,
        mut writer: W,
        authority: &Authority,
        most: usize,
    ) -> Result<Frames<R, W>, HandshakeError> {
        let mut first = [0; ELLSWIFT_ENCODING_SIZE];
        reader.read_exact(&mut first).await.map_err(of_end)?;
        let (key, secret) = (authority.key().to_bytes(), authority.secret());
        let role = Responder::from_authority_kp(&key, &secret, authority.validity);
        let role = role.map_err(|_| HandshakeError::NotNoise)?;
        let (answer, transport) = Handshake::responder(role).step_1(first).map_err(|_| HandshakeError::NotNoise)?;
        writer.write_all(answer.payload()).await.map_err(HandshakeError::Io)?;
        Ok(Frames::of(reader, writer, transport, most))
    }

    fn of(reader: R, writer: W, transport: Transport, most: usize) -> Frames<R, W> {
        let (encrypt, decrypt) = transport.split();
        Frames {
            reader,
            writer,
            most,
            received: Vec::new(),
            decoder: NoiseDecoder::new(),
            decrypt: Some(decrypt),
            begun: 0,
            encoder: NoiseEncoder::new(),
            encrypt,
            is_torn: false,
        }
    }

    /// Sends a frame that has its header. If it fails, or is dropped before its end, nothing more can be sent.
    pub async fn send(&mut self, frame: Vec<u8>) -> io::Result<()> {
        if std::mem::replace(&mut self.is_torn, true) {
            return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the frame before was not sent to its end"));
        }
        let frame = SerializedFrame::from_bytes(frame).map_err(CodecError::from);
        let bytes = frame.and_then(|frame| self.encoder.encode_transport(frame, &mut self.encrypt));
        let bytes = bytes.map_err(|error| io::Error::other(error.to_string()))?;
        self.writer.write_all(&bytes).await?;
        self.is_torn = false;
        Ok(())
    }

    /// The next frame. Dropped and called again, nothing is lost.
    pub async fn next(&mut self) -> Result<Frame, FrameError> {
        loop {
            let wanted = self.decoder.writable_len();
            // Before it is read: its header says how long it will be.
            if self.begun + wanted > self.most {
                return Err(FrameError::Oversized { most: self.most });
            }
            if self.received.len() < wanted {
                self.received.reserve(ROOM.max(wanted - self.received.len()));
                if self.reader.read_buf(&mut self.received).await? == 0 {
                    let begun = self.begun + self.received.len();
                    return Err(if begun == 0 { FrameError::Closed } else { FrameError::Truncated(begun) });
                }
                continue;
            }
            self.decoder.writable().copy_from_slice(&self.received[..wanted]);
            self.received.drain(..wanted);
            self.begun += wanted;
            let decrypt = self.decrypt.take().ok_or(FrameError::Tampered)?;
            match self.decoder.next_transport_frame(decrypt).map_err(|_| FrameError::Tampered)? {
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

/// Seconds since 1970.
fn now() -> u32 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as u32)
}

/// Why nothing more came.
fn of_end(error: io::Error) -> HandshakeError {
    HandshakeError::Io(match error.kind() {
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "the connection was closed"),
        _ => error,
    })
}

/// What a refusal of the pool's answer means.
fn refused(error: CodecError, authority: Option<AuthorityKey>, now: u32) -> HandshakeError {
    let CodecError::NoiseSv2Error(NoiseError::InvalidCertificate(certificate)) = error else {
        return HandshakeError::NotNoise;
    };
    let (from, until) = (certificate.valid_from, certificate.not_valid_after);
    match authority {
        _ if certificate.version != noise_sv2::CERTIFICATE_VERSION => {
            HandshakeError::CertificateVersion(certificate.version)
        }
        _ if now < from.saturating_sub(LEEWAY) => HandshakeError::NotYetValid { from, now },
        _ if now > until.saturating_add(LEEWAY) => HandshakeError::Expired { until, now },
        Some(authority) => HandshakeError::WrongAuthority(authority),
        None => HandshakeError::NotNoise,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{DuplexStream, ReadHalf, WriteHalf, duplex, split};

    /// The key of the reference implementation's examples, its secret, and a wrong key.
    const AUTHORITY: &str = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
    const SECRET: &str = "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n";
    const OTHER: &str = "9bXiEd8boQVhq7WddEcERUL5tyyJVFYdU8th3HfbNXK3Yw6GRXh";

    type End = DuplexStream;
    type Half = Frames<ReadHalf<End>, WriteHalf<End>>;

    const MOST: usize = 1000;

    /// Shakes hands with a pool whose answer is changed so.
    async fn shake(authority: Option<&str>, change: impl FnOnce(&mut [u8])) -> Result<(Half, Half), HandshakeError> {
        let ((ours, between), (other, theirs)) = (duplex(1 << 16), duplex(1 << 16));
        let ((reader, writer), (pool_reader, pool_writer)) = (split(ours), split(theirs));
        let relay = async {
            let ((mut from_miner, mut to_miner), (mut from_pool, mut to_pool)) = (split(between), split(other));
            let mut first = [0; ELLSWIFT_ENCODING_SIZE];
            from_miner.read_exact(&mut first).await.unwrap();
            to_pool.write_all(&first).await.unwrap();
            let mut answer = [0; INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE];
            from_pool.read_exact(&mut answer).await.unwrap();
            change(&mut answer);
            to_miner.write_all(&answer).await.unwrap();
            (from_miner.unsplit(to_miner), from_pool.unsplit(to_pool))
        };
        let pool = SECRET.parse().unwrap();
        let authority = authority.map(|key| key.parse().unwrap());
        let (miner, pool, (mut of_miner, mut of_pool)) = tokio::join!(
            Frames::begin(reader, writer, authority, MOST),
            Frames::accept(pool_reader, pool_writer, &pool, MOST),
            relay
        );
        tokio::spawn(async move { tokio::io::copy_bidirectional(&mut of_miner, &mut of_pool).await });
        Ok((miner?, pool?))
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
            assert!(matches!(wrong, Some(HandshakeError::WrongAuthority(key)) if key.to_string() == OTHER));
        });
    }

    #[test]
    fn frames_go_both_ways_whatever_their_length() {
        run(async {
            let (mut miner, mut pool) = shake(Some(AUTHORITY), |_| {}).await.unwrap();
            for length in [0, 1, 500, 900] {
                let payload = vec![7; length];
                let bytes = [&[0, 0x80, 0x1b, length as u8, (length >> 8) as u8, 0][..], &payload].concat();
                let frame = Frame { extension: 0, kind: 0x1b, payload };
                miner.send(bytes.clone()).await.unwrap();
                assert_eq!(pool.next().await.unwrap(), frame);
                pool.send(bytes).await.unwrap();
                assert_eq!(miner.next().await.unwrap(), frame);
            }
            miner.send([&[0, 0, 1, 0xe8, 3, 0][..], &[0; 1000]].concat()).await.unwrap();
            assert!(matches!(pool.next().await, Err(FrameError::Oversized { most: MOST })));
            // That is known from its header, whatever else there is of it.
            let (mut miner, mut pool) = shake(Some(AUTHORITY), |_| {}).await.unwrap();
            let whole = miner.encoder.encode_transport(
                SerializedFrame::from_bytes([&[0, 0, 1, 0xe8, 3, 0][..], &[0; 1000]].concat()).unwrap(),
                &mut miner.encrypt,
            );
            miner.writer.write_all(&whole.unwrap()[..22]).await.unwrap();
            assert!(matches!(pool.next().await, Err(FrameError::Oversized { most: MOST })));
        });
    }

    #[test]
    fn after_a_part_of_a_frame_nothing_is_sent() {
        run(async {
            let (mut miner, mut pool) = shake(Some(AUTHORITY), |_| {}).await.unwrap();
            // More than what is between them takes.
            let long = [&[0, 0, 1, 0, 0, 4][..], &vec![7; 1 << 18]].concat();
            assert!(tokio::time::timeout(std::time::Duration::from_millis(50), miner.send(long)).await.is_err());
            let error = miner.send(vec![0, 0, 1, 0, 0, 0]).await.unwrap_err();
            assert_eq!(error.to_string(), "the frame before was not sent to its end");
            assert!(matches!(pool.next().await, Err(FrameError::Oversized { .. })));
        });
    }

    #[test]
    fn an_answer_that_is_changed_anywhere_is_refused() {
        run(async {
            for offset in 0..INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE {
                for authority in [Some(AUTHORITY), None] {
                    let refused = shake(authority, |answer| answer[offset] ^= 1 << (offset % 8)).await;
                    assert!(matches!(refused, Err(HandshakeError::NotNoise)), "offset {offset}");
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
