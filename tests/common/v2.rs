//! A pool of Stratum V2, by hand, on the crates of the reference implementation: it shares no code with the miner's half but those.

#![allow(dead_code, reason = "each test takes what it needs")]

use super::scripted::PATIENCE;
use binary_sv2::{Deserialize, GetSize, Serialize, Sv2OptionOwned};
use bitcoin::base58;
use codec_sv2::decoder::{Decrypted, NoiseDecoder};
use codec_sv2::encoder::NoiseEncoder;
use codec_sv2::state::{Handshake, TransportDecryptState, TransportEncryptState};
use codec_sv2::{MessageFrame, SerializedFrame};
use common_messages_sv2::{
    MESSAGE_TYPE_SETUP_CONNECTION, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, SetupConnection, SetupConnectionOwned,
    SetupConnectionSuccess,
};
use midstate::upstream;
use midstate::upstream::Credentials;
use mining_sv2::{
    MESSAGE_TYPE_CLOSE_CHANNEL, MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH, MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB,
    MESSAGE_TYPE_NEW_MINING_JOB, MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL,
    MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS, MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL,
    MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL_SUCCESS, MESSAGE_TYPE_SUBMIT_SHARES_ERROR,
    MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS,
    NewExtendedMiningJobOwned, NewMiningJobOwned, OpenExtendedMiningChannel, OpenExtendedMiningChannelOwned,
    OpenExtendedMiningChannelSuccessOwned, OpenStandardMiningChannel, OpenStandardMiningChannelOwned,
    OpenStandardMiningChannelSuccessOwned, SetNewPrevHashOwned, SubmitSharesErrorOwned, SubmitSharesExtended,
    SubmitSharesExtendedOwned, SubmitSharesStandard, SubmitSharesSuccess,
};
use noise_sv2::{ELLSWIFT_ENCODING_SIZE, Responder};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, SystemTime};

/// The authority of the reference implementation's examples.
pub(crate) const AUTHORITY: &str = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
const SECRET: &str = "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n";
/// Another's.
pub(crate) const OTHER: &str = "9bXiEd8boQVhq7WddEcERUL5tyyJVFYdU8th3HfbNXK3Yw6GRXh";

/// The channel that miners get, and its group.
pub(crate) const CHANNEL: u32 = 7;
pub(crate) const GROUP: u32 = 100;
pub(crate) const PREFIX: [u8; 4] = [0xf0, 0, 0, 15];
/// How much of the extranonce is the miner's.
pub(crate) const ROOM: usize = 8;
pub(crate) const MIN_NTIME: u32 = 1_700_000_000;
pub(crate) const NBITS: u32 = 0x1d00_ffff;

pub(crate) fn url(port: u16) -> String {
    format!("stratum2+tcp://127.0.0.1:{port}/{AUTHORITY}")
}

/// The pool at this port of this machine, for alice.
pub(crate) fn pool(port: u16) -> upstream::Pool {
    let credentials = Credentials { user: "alice".to_owned(), password: "x".to_owned() };
    upstream::Pool::new(url(port).parse().unwrap(), credentials)
}

/// The pool's end of a connection, after the handshake.
pub(crate) struct V2Pool {
    pub(crate) stream: TcpStream,
    decoder: NoiseDecoder,
    encoder: NoiseEncoder,
    decrypt: Option<TransportDecryptState>,
    encrypt: TransportEncryptState,
    /// Every share that came.
    pub(crate) submits: Vec<SubmitSharesExtendedOwned>,
}

/// Now, in seconds since 1970.
pub(crate) fn now() -> u32 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() as u32
}

/// Hears the miner's half of the handshake, and gives the pool's, with a certificate of this time and validity; and what follows on it.
pub(crate) fn answer(
    stream: &mut TcpStream,
    certified: u32,
    valid: u32,
) -> (Vec<u8>, (TransportEncryptState, TransportDecryptState)) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let bytes = |key: &str| base58::decode_check(key).unwrap();
    let public: [u8; 32] = bytes(AUTHORITY)[2..].try_into().unwrap();
    let secret = bytes(SECRET).try_into().unwrap();
    let valid = Duration::from_secs(valid.into());
    let responder = Responder::from_authority_kp(&public, &secret, valid).unwrap();
    let mut first = [0; ELLSWIFT_ENCODING_SIZE];
    stream.read_exact(&mut first).unwrap();
    let role = Handshake::responder(responder);
    let (answer, transport) = role.step_1_with_now_rng(first, certified, &mut rand::thread_rng()).unwrap();
    (answer.payload().to_vec(), transport.split())
}

impl V2Pool {
    /// Shakes hands on a connection.
    pub(crate) fn on(mut stream: TcpStream) -> V2Pool {
        let (said, (encrypt, decrypt)) = answer(&mut stream, now(), 3600);
        // A miner that hangs up here is seen by the next read.
        let _ = stream.write_all(&said);
        V2Pool {
            stream,
            decoder: NoiseDecoder::new(),
            encoder: NoiseEncoder::new(),
            decrypt: Some(decrypt),
            encrypt,
            submits: Vec::new(),
        }
    }

    /// The same on the next connection.
    pub(crate) fn accept(listener: &TcpListener) -> V2Pool {
        V2Pool::on(listener.accept().unwrap().0)
    }

    /// Takes in the next miner, all but its first job.
    pub(crate) fn welcome(listener: &TcpListener) -> V2Pool {
        let mut pool = V2Pool::accept(listener);
        pool.set_up(0);
        pool.open();
        pool
    }

    /// Answers `SetupConnection`, with these flags.
    pub(crate) fn set_up(&mut self, flags: u32) -> SetupConnectionOwned {
        let mut payload = self.expect(MESSAGE_TYPE_SETUP_CONNECTION);
        let setup = read::<SetupConnection>(&mut payload).into_owned();
        self.send(SetupConnectionSuccess { used_version: 2, flags }, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, false);
        setup
    }

    /// Opens the channel that is asked for.
    pub(crate) fn open(&mut self) -> OpenExtendedMiningChannelOwned {
        let mut payload = self.expect(MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL);
        let open = read::<OpenExtendedMiningChannel>(&mut payload).into_owned();
        self.opened(open.request_id, ROOM as u16);
        open
    }

    pub(crate) fn opened(&mut self, request_id: u32, extranonce_size: u16) {
        self.opened_as((request_id, CHANNEL), extranonce_size, &PREFIX);
    }

    /// Opens a channel in answer to a request, under an id and with a prefix of its own.
    pub(crate) fn opened_as(&mut self, (request_id, channel_id): (u32, u32), extranonce_size: u16, prefix: &[u8]) {
        let success = OpenExtendedMiningChannelSuccessOwned {
            request_id,
            channel_id,
            target: target(0xff).into(),
            extranonce_size,
            extranonce_prefix: prefix.to_vec().try_into().unwrap(),
            group_channel_id: GROUP,
        };
        self.send(success, MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS, false);
    }

    /// A job for the next block, and that block.
    pub(crate) fn work(&mut self, id: u32) {
        self.job(job(id, None));
        self.tip(CHANNEL, id, id as u8);
    }

    pub(crate) fn job(&mut self, job: NewExtendedMiningJobOwned) {
        self.send(job, MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB, true);
    }

    /// A new block, to be followed by the job of this id.
    pub(crate) fn tip(&mut self, channel_id: u32, job_id: u32, hash: u8) {
        let tip = SetNewPrevHashOwned {
            channel_id,
            job_id,
            prev_hash: [hash; 32].into(),
            min_ntime: MIN_NTIME,
            nbits: NBITS,
        };
        self.send(tip, MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH, true);
    }

    /// The next share.
    pub(crate) fn share(&mut self) -> SubmitSharesExtendedOwned {
        let mut payload = self.expect(MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED);
        let share = read::<SubmitSharesExtended>(&mut payload).into_owned();
        self.submits.push(share.clone());
        share
    }

    /// All up to this one are accepted.
    pub(crate) fn accept_all(&mut self, last: u32) {
        self.accept_all_of(CHANNEL, last);
    }

    /// The same on another channel.
    pub(crate) fn accept_all_of(&mut self, channel_id: u32, last: u32) {
        let success = SubmitSharesSuccess {
            channel_id,
            last_sequence_number: last,
            new_submits_accepted_count: 1,
            new_shares_sum: 1,
        };
        self.send(success, MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS, true);
    }

    pub(crate) fn refuse(&mut self, sequence_number: u32, code: &str) {
        let error =
            SubmitSharesErrorOwned { channel_id: CHANNEL, sequence_number, error_code: code.try_into().unwrap() };
        self.send(error, MESSAGE_TYPE_SUBMIT_SHARES_ERROR, true);
    }

    /// Sends a message of this type. A miner that is gone is no error.
    pub(crate) fn send(&mut self, message: impl Serialize + GetSize, kind: u8, of_channel: bool) {
        self.send_of(0, message, kind, of_channel);
    }

    /// The same, of an extension.
    pub(crate) fn send_of(&mut self, extension: u16, message: impl Serialize + GetSize, kind: u8, of_channel: bool) {
        let frame = MessageFrame::from_message(message, kind, extension, of_channel).unwrap();
        let bytes = self.encoder.encode_transport(frame, &mut self.encrypt).unwrap();
        self.raw(&bytes);
    }

    /// A frame with this header and payload, encrypted.
    pub(crate) fn encrypted(&mut self, kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_le_bytes();
        let bytes = [&[0, 0, kind, length[0], length[1], length[2]], payload].concat();
        let frame = SerializedFrame::from_bytes(bytes).unwrap();
        self.encoder.encode_transport(frame, &mut self.encrypt).unwrap()
    }

    /// Sends a message of bytes.
    pub(crate) fn bytes(&mut self, kind: u8, payload: &[u8]) {
        let frame = self.encrypted(kind, payload);
        self.raw(&frame);
    }

    /// Sends bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// The next message, of this type.
    pub(crate) fn expect(&mut self, kind: u8) -> Vec<u8> {
        match self.read() {
            Some((came, payload)) if came == kind => payload,
            other => panic!("{other:?}; expected type {kind:#04x}"),
        }
    }

    /// The next message, until the miner hangs up.
    pub(crate) fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            let wanted = self.decoder.writable_len();
            let mut bytes = vec![0; wanted];
            self.stream.read_exact(&mut bytes).ok()?;
            self.decoder.writable().copy_from_slice(&bytes);
            match self.decoder.next_transport_frame(self.decrypt.take()?).unwrap() {
                Decrypted::Incomplete(_, decrypt) => self.decrypt = Some(decrypt),
                Decrypted::Frame(mut frame, decrypt) => {
                    self.decrypt = Some(decrypt);
                    let kind = frame.header().msg_type();
                    return Some((kind, frame.payload().to_vec()));
                }
            }
        }
    }

    /// The nonces of the shares that came.
    pub(crate) fn nonces(&self) -> Vec<u32> {
        self.submits.iter().map(|share| share.nonce).collect()
    }

    /// Opens the standard channel that is asked for.
    pub(crate) fn open_standard(&mut self) -> OpenStandardMiningChannelOwned {
        let mut payload = self.expect(MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL);
        let open = read::<OpenStandardMiningChannel>(&mut payload).into_owned();
        let success = OpenStandardMiningChannelSuccessOwned {
            request_id: open.request_id,
            channel_id: CHANNEL,
            target: target(0xff).into(),
            extranonce_prefix: PREFIX.to_vec().try_into().unwrap(),
            group_channel_id: GROUP,
        };
        self.send(success, MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL_SUCCESS, false);
        open
    }

    /// A job with a merkle root, for the future.
    pub(crate) fn root(&mut self, id: u32, merkle_root: [u8; 32]) {
        let job = NewMiningJobOwned {
            channel_id: CHANNEL,
            job_id: id,
            min_ntime: Sv2OptionOwned::new(None),
            version: 0x2000_0000,
            merkle_root: merkle_root.into(),
        };
        self.send(job, MESSAGE_TYPE_NEW_MINING_JOB, true);
    }

    /// The next share of a standard channel.
    pub(crate) fn standard_share(&mut self) -> SubmitSharesStandard {
        let mut payload = self.expect(MESSAGE_TYPE_SUBMIT_SHARES_STANDARD);
        read::<SubmitSharesStandard>(&mut payload)
    }

    /// Answers everything, as a pool that is well, until the miner hangs up. Whoever opens a channel gets the job of this id.
    pub(crate) fn serve(&mut self, id: u32) {
        while let Some((kind, mut payload)) = self.read() {
            match kind {
                MESSAGE_TYPE_SETUP_CONNECTION => {
                    let success = SetupConnectionSuccess { used_version: 2, flags: 0 };
                    self.send(success, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, false);
                }
                MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL => {
                    let open = read::<OpenExtendedMiningChannel>(&mut payload).into_owned();
                    self.opened(open.request_id, ROOM as u16);
                    self.work(id);
                }
                MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED => {
                    let share = read::<SubmitSharesExtended>(&mut payload).into_owned();
                    self.accept_all(share.sequence_number);
                    self.submits.push(share);
                }
                MESSAGE_TYPE_CLOSE_CHANNEL => return,
                _ => {}
            }
        }
    }
}

pub(crate) fn read<'a, T: Deserialize<'a>>(payload: &'a mut [u8]) -> T {
    binary_sv2::from_bytes(payload).unwrap()
}

/// A target whose highest byte is this, least significant byte first.
pub(crate) fn target(highest: u8) -> [u8; 32] {
    let mut target = [0xff; 32];
    target[31] = highest;
    target
}

/// A job, for now where it has a time.
pub(crate) fn job(id: u32, min_ntime: Option<u32>) -> NewExtendedMiningJobOwned {
    NewExtendedMiningJobOwned {
        channel_id: CHANNEL,
        job_id: id,
        min_ntime: Sv2OptionOwned::new(min_ntime),
        version: 0x2000_0000,
        version_rolling_allowed: true,
        merkle_path: vec![[8; 32].into(), [9; 32].into()].try_into().unwrap(),
        coinbase_tx_prefix: vec![1, 2, 3].try_into().unwrap(),
        coinbase_tx_suffix: vec![4, 5, 6].try_into().unwrap(),
    }
}
