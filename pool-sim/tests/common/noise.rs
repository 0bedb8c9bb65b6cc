//! One end of a connection in Noise, by hand: it shares no code with ours but the crates of the reference implementation.

#![allow(dead_code, reason = "each test takes what it needs")]

use binary_sv2::{GetSize, Serialize};
use codec_sv2::decoder::{Decrypted, NoiseDecoder};
use codec_sv2::encoder::NoiseEncoder;
use codec_sv2::state::{Handshake, InitiatorSent, TransportDecryptState, TransportEncryptState};
use codec_sv2::{MessageFrame, SerializedFrame};
use noise_sv2::{INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE, Initiator};
use std::io::{self, Read, Write};
use std::net::TcpStream;

/// What is encrypted and decrypted with, after the handshake.
pub(crate) struct Noise {
    decoder: NoiseDecoder,
    encoder: NoiseEncoder,
    /// `None` once a frame could not be decrypted.
    decrypt: Option<TransportDecryptState>,
    encrypt: TransportEncryptState,
}

/// A frame that came.
pub(crate) struct Received {
    /// The extension, with the channel's bit on top.
    pub(crate) extension: u16,
    pub(crate) kind: u8,
    pub(crate) payload: Vec<u8>,
}

/// What is said first to a server of this authority, and what goes on from there.
pub(crate) fn begin(authority: [u8; 32]) -> (Vec<u8>, Handshake<InitiatorSent>) {
    let initiator = Initiator::from_raw_k(authority).unwrap();
    let (first, handshake) = Handshake::initiator(initiator).step_0().unwrap();
    (first.payload().to_vec(), handshake)
}

impl Noise {
    /// Shakes hands with a server of this authority.
    pub(crate) fn shake(stream: &mut TcpStream, authority: [u8; 32]) -> Noise {
        let (first, handshake) = begin(authority);
        stream.write_all(&first).unwrap();
        let mut answer = [0; INITIATOR_EXPECTED_HANDSHAKE_MESSAGE_SIZE];
        stream.read_exact(&mut answer).unwrap();
        let (encrypt, decrypt) = handshake.step_2(answer).unwrap().split();
        Noise { decoder: NoiseDecoder::new(), encoder: NoiseEncoder::new(), decrypt: Some(decrypt), encrypt }
    }

    /// A message's frame, encrypted.
    pub(crate) fn message(
        &mut self,
        extension: u16,
        message: impl Serialize + GetSize,
        kind: u8,
        of_channel: bool,
    ) -> Vec<u8> {
        let frame = MessageFrame::from_message(message, kind, extension, of_channel).unwrap();
        self.encoder.encode_transport(frame, &mut self.encrypt).unwrap()
    }

    /// A frame with this header and payload, encrypted.
    pub(crate) fn frame(&mut self, extension: u16, kind: u8, payload: &[u8]) -> Vec<u8> {
        let ([a, b, c, _], [low, high]) = ((payload.len() as u32).to_le_bytes(), extension.to_le_bytes());
        let bytes = [&[low, high, kind, a, b, c], payload].concat();
        self.encoder.encode_transport(SerializedFrame::from_bytes(bytes).unwrap(), &mut self.encrypt).unwrap()
    }

    /// The next frame.
    ///
    /// # Panics
    /// When it cannot be decrypted.
    pub(crate) fn read(&mut self, stream: &mut TcpStream) -> io::Result<Received> {
        loop {
            let mut bytes = vec![0; self.decoder.writable_len()];
            stream.read_exact(&mut bytes)?;
            self.decoder.writable().copy_from_slice(&bytes);
            let decrypt = self.decrypt.take().ok_or(io::ErrorKind::InvalidData)?;
            match self.decoder.next_transport_frame(decrypt).unwrap() {
                Decrypted::Incomplete(_, decrypt) => self.decrypt = Some(decrypt),
                Decrypted::Frame(mut frame, decrypt) => {
                    self.decrypt = Some(decrypt);
                    let payload = frame.payload().to_vec();
                    let header = frame.header();
                    return Ok(Received { extension: header.ext_type(), kind: header.msg_type(), payload });
                }
            }
        }
    }
}
