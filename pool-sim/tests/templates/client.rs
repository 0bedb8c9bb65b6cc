//! A pool that has its templates of a node, by hand, on the crates of the reference implementation: it shares no code with the server but
//! those.

use super::noise::Noise;
use binary_sv2::{Deserialize, GetSize, Serialize, Str0255Owned};
use bitcoin::base58;
use bitcoin::hashes::{Hash, sha256d};
use common_messages_sv2::{
    MESSAGE_TYPE_SETUP_CONNECTION, MESSAGE_TYPE_SETUP_CONNECTION_ERROR, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS,
    Protocol, SetupConnectionError, SetupConnectionErrorOwned, SetupConnectionOwned, SetupConnectionSuccess,
};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;
use template_distribution_sv2::{
    CoinbaseOutputConstraints, MESSAGE_TYPE_COINBASE_OUTPUT_CONSTRAINTS, MESSAGE_TYPE_NEW_TEMPLATE,
    MESSAGE_TYPE_REQUEST_TRANSACTION_DATA, MESSAGE_TYPE_REQUEST_TRANSACTION_DATA_ERROR,
    MESSAGE_TYPE_REQUEST_TRANSACTION_DATA_SUCCESS, MESSAGE_TYPE_SET_NEW_PREV_HASH, MESSAGE_TYPE_SUBMIT_SOLUTION,
    NewTemplate, NewTemplateOwned, RequestTransactionData, RequestTransactionDataError, RequestTransactionDataSuccess,
    SetNewPrevHash, SetNewPrevHashOwned, SubmitSolutionOwned,
};

/// The authority of the reference implementation's examples.
pub(crate) const AUTHORITY: &str = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
pub(crate) const SECRET: &str = "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n";

/// An answer takes no longer, nor does a silent server's end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A pool's connection, after the handshake.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    noise: Noise,
}

/// A template, and the block that it is on.
#[derive(Clone)]
pub(crate) struct Work {
    pub(crate) template: NewTemplateOwned,
    pub(crate) tip: SetNewPrevHashOwned,
}

pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

pub(crate) fn text(text: &str) -> Str0255Owned {
    text.try_into().unwrap()
}

impl Client {
    /// Shakes hands, and checks whose node it is.
    pub(crate) fn connect(address: SocketAddr) -> Client {
        let mut stream = connect(address);
        let key = base58::decode_check(AUTHORITY).unwrap()[2..].try_into().unwrap();
        let noise = Noise::shake(&mut stream, key);
        Client { stream, noise }
    }

    /// As a pool that is well begins.
    pub(crate) fn ready(address: SocketAddr) -> (Client, Work) {
        let mut client = Client::connect(address);
        client.set_up();
        client.constrain(100, 4);
        let work = client.work();
        (client, work)
    }

    pub(crate) fn set_up(&mut self) {
        self.say_setup(Protocol::TemplateDistributionProtocol, (2, 2), 0);
        let mut payload = self.expect(MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS);
        let success: SetupConnectionSuccess = read(&mut payload);
        assert_eq!((success.used_version, success.flags), (2, 0));
    }

    pub(crate) fn say_setup(&mut self, protocol: Protocol, versions: (u16, u16), flags: u32) {
        let setup = SetupConnectionOwned {
            protocol,
            min_version: versions.0,
            max_version: versions.1,
            flags,
            endpoint_host: text("127.0.0.1"),
            endpoint_port: 8442,
            vendor: text("by hand"),
            hardware_version: text(""),
            firmware: text(""),
            device_id: text(""),
        };
        self.send(setup, MESSAGE_TYPE_SETUP_CONNECTION);
    }

    /// Why it was not set up, and which flags are meant.
    pub(crate) fn refused(&mut self) -> (String, u32) {
        let mut payload = self.expect(MESSAGE_TYPE_SETUP_CONNECTION_ERROR);
        let SetupConnectionErrorOwned { flags, error_code } = read::<SetupConnectionError>(&mut payload).into_owned();
        (error_code.as_utf8_or_hex(), flags)
    }

    pub(crate) fn constrain(&mut self, size: u32, sigops: u16) {
        let constraints = CoinbaseOutputConstraints {
            coinbase_output_max_additional_size: size,
            coinbase_output_max_additional_sigops: sigops,
        };
        self.send(constraints, MESSAGE_TYPE_COINBASE_OUTPUT_CONSTRAINTS);
    }

    /// A template for a new tip.
    pub(crate) fn work(&mut self) -> Work {
        let template = self.template();
        let mut payload = self.expect(MESSAGE_TYPE_SET_NEW_PREV_HASH);
        let tip = read::<SetNewPrevHash>(&mut payload).into_owned();
        assert!(template.future_template && template.template_id == tip.template_id);
        Work { template, tip }
    }

    pub(crate) fn template(&mut self) -> NewTemplateOwned {
        let mut payload = self.expect(MESSAGE_TYPE_NEW_TEMPLATE);
        read::<NewTemplate>(&mut payload).into_owned()
    }

    pub(crate) fn ask(&mut self, template_id: u64) {
        self.send(RequestTransactionData { template_id }, MESSAGE_TYPE_REQUEST_TRANSACTION_DATA);
    }

    /// A template's transactions, or why there are none.
    pub(crate) fn transactions(&mut self, template_id: u64) -> Result<Vec<Vec<u8>>, String> {
        self.ask(template_id);
        match self.read() {
            Some((MESSAGE_TYPE_REQUEST_TRANSACTION_DATA_SUCCESS, mut payload)) => {
                let success = read::<RequestTransactionDataSuccess>(&mut payload).into_owned();
                assert_eq!((success.template_id, success.excess_data.len()), (template_id, 0));
                Ok(success.transaction_list.into_inner().iter().map(|bytes| bytes.as_bytes().to_vec()).collect())
            }
            Some((MESSAGE_TYPE_REQUEST_TRANSACTION_DATA_ERROR, mut payload)) => {
                let error = read::<RequestTransactionDataError>(&mut payload).into_owned();
                assert_eq!(error.template_id, template_id);
                Err(error.error_code.as_utf8_or_hex())
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn submit(&mut self, solution: &SubmitSolutionOwned) {
        self.send(solution.clone(), MESSAGE_TYPE_SUBMIT_SOLUTION);
    }

    /// Sends a message. A server that is gone is no error.
    pub(crate) fn send(&mut self, message: impl Serialize + GetSize, kind: u8) {
        let bytes = self.noise.message(0, message, kind, false);
        self.raw(&bytes);
    }

    /// A frame with this header and payload, encrypted.
    pub(crate) fn encrypted(&mut self, extension: u16, kind: u8, payload: &[u8]) -> Vec<u8> {
        self.noise.frame(extension, kind, payload)
    }

    pub(crate) fn bytes(&mut self, extension: u16, kind: u8, payload: &[u8]) {
        let frame = self.encrypted(extension, kind, payload);
        self.raw(&frame);
    }

    /// Sends bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    pub(crate) fn expect(&mut self, kind: u8) -> Vec<u8> {
        match self.read() {
            Some((came, payload)) if came == kind => payload,
            other => panic!("{other:?}; expected type {kind:#04x}"),
        }
    }

    /// The next message, until the server hangs up.
    pub(crate) fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        let frame = self.noise.read(&mut self.stream).ok()?;
        assert_eq!(frame.extension, 0, "an extension, or said to a channel");
        Some((frame.kind, frame.payload))
    }
}

pub(crate) fn read<'a, T: Deserialize<'a>>(payload: &'a mut [u8]) -> T {
    binary_sv2::from_bytes(payload).unwrap()
}

/// What a pool chooses of a block.
pub(crate) struct Choice {
    /// After the template's prefix.
    pub(crate) script: Vec<u8>,
    /// What of the value it claims, to be spent by anybody.
    pub(crate) claimed: u64,
    /// Whether the coinbase has the witness that the commitment needs.
    pub(crate) witness: bool,
}

impl Work {
    pub(crate) fn id(&self) -> u64 {
        self.template.template_id
    }

    /// The coinbase, byte by byte.
    pub(crate) fn coinbase(&self, choice: &Choice) -> Vec<u8> {
        let template = &self.template;
        let script = [template.coinbase_prefix.as_bytes(), &choice.script].concat();
        let witness = |bytes: &[u8]| if choice.witness { bytes.to_vec() } else { Vec::new() };
        let outputs = [1 + template.coinbase_tx_outputs_count as u8];
        // The output's script is OP_TRUE.
        let paid = [&choice.claimed.to_le_bytes()[..], &[1, 0x51]].concat();
        [
            &template.coinbase_tx_version.to_le_bytes()[..],
            &witness(&[0, 1]),
            &[1],
            &[0; 32],
            &[0xff; 4],
            &[script.len() as u8],
            &script,
            &template.coinbase_tx_input_sequence.to_le_bytes(),
            &outputs,
            &paid,
            template.coinbase_tx_outputs.as_bytes(),
            &witness(&[&[1, 32][..], &[0; 32]].concat()),
            &template.coinbase_tx_locktime.to_le_bytes(),
        ]
        .concat()
    }

    /// What a pool that is well submits.
    pub(crate) fn solve(&self, extranonce: &[u8]) -> SubmitSolutionOwned {
        let claimed = self.template.coinbase_tx_value_remaining;
        self.solve_with(&Choice { script: extranonce.to_vec(), claimed, witness: true })
    }

    pub(crate) fn solve_with(&self, choice: &Choice) -> SubmitSolutionOwned {
        self.search(choice, true)
    }

    /// The first nonce whose header meets the target, or the first that does not.
    pub(crate) fn search(&self, choice: &Choice, met: bool) -> SubmitSolutionOwned {
        let bare = self.coinbase(&Choice { script: choice.script.clone(), witness: false, ..*choice });
        let path = self.template.merkle_path.clone().into_inner();
        let join = |left: sha256d::Hash, right: &binary_sv2::U256Owned| {
            sha256d::Hash::hash(&[&left[..], &right.to_array()].concat())
        };
        let root = path.iter().fold(sha256d::Hash::hash(&bare), join);
        // Bits that are the pool's to roll (BIP 320).
        let version = self.template.version | 0x0000_2000;
        let header = [
            &version.to_le_bytes()[..],
            &self.tip.prev_hash.to_array(),
            &root[..],
            &self.tip.header_timestamp.to_le_bytes(),
            &self.tip.n_bits.to_le_bytes(),
        ]
        .concat();
        let is_met = |nonce: &u32| {
            let hash = sha256d::Hash::hash(&[&header[..], &nonce.to_le_bytes()].concat());
            // Both are numbers of 256 bits, the least byte first.
            hash.to_byte_array().iter().rev().le(self.tip.target.to_array().iter().rev()) == met
        };
        SubmitSolutionOwned {
            template_id: self.id(),
            version,
            header_timestamp: self.tip.header_timestamp,
            header_nonce: (0..=u32::MAX).find(is_met).unwrap(),
            coinbase_tx: self.coinbase(choice).try_into().unwrap(),
        }
    }
}
