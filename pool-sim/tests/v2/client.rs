//! A pool, and a miner of Stratum V2 by hand: it shares no code with ours but the crates of the reference implementation.

use super::noise::{self, Noise};
use binary_sv2::{Deserialize, GetSize, Serialize};
use bitcoin::block::{Header, Version};
use bitcoin::consensus::deserialize;
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{BlockHash, CompactTarget, Target, Transaction, TxMerkleNode};
use codec_sv2::state::{Handshake, InitiatorSent};
use common_messages_sv2::{
    MESSAGE_TYPE_SETUP_CONNECTION, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, Protocol, SetupConnectionOwned,
    SetupConnectionSuccess,
};
use midstate_stratum::Difficulty;
use midstate_stratum::v2::{Authority, AuthorityKey};
use mining_sv2 as mining;
use mining_sv2::{
    NewExtendedMiningJob, NewExtendedMiningJobOwned, NewMiningJob, NewMiningJobOwned, OpenExtendedMiningChannelOwned,
    OpenExtendedMiningChannelSuccess, OpenExtendedMiningChannelSuccessOwned, OpenStandardMiningChannelOwned,
    OpenStandardMiningChannelSuccess, OpenStandardMiningChannelSuccessOwned, SetNewPrevHash, SetNewPrevHashOwned,
    SubmitSharesError, SubmitSharesErrorOwned, SubmitSharesExtendedOwned, SubmitSharesStandard, SubmitSharesSuccess,
};
use pool_sim::chain::Params;
use pool_sim::node::Node;
use pool_sim::pool::{Pool, PoolConfig, PoolEvent, Port, ShareRecord};
use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Every hash is a share; half of them are blocks on regtest.
pub(crate) const EASY: f64 = 1e-12;
/// The secret of the reference implementation's examples.
const SECRET: &str = "mkDLTBBRxdBv998612qipDYoTK3YUrqLe8uWw7gu3iXbSrn2n";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A pool with a port of V1 and one of V2, at height 16. Dropped in this order: the pool needs the runtime.
pub(crate) struct Setup {
    pub(crate) pool: Pool,
    pub(crate) node: Node,
    pub(crate) events: mpsc::Receiver<PoolEvent>,
    _runtime: Runtime,
}

/// Set up as usual but for a change.
pub(crate) fn setup(change: impl FnOnce(&mut PoolConfig)) -> Setup {
    let node = Node::new(Params::regtest());
    let pay_to = pool_sim::anyone_can_spend().script_pubkey();
    node.premine(16, &pay_to).unwrap();
    let runtime = Runtime::new().unwrap();
    let v1 = Port::new(SocketAddr::from(([127, 0, 0, 1], 0)), Difficulty::new(EASY).unwrap());
    let v2 = Port { authority: Some(authority()), ..v1.clone() };
    let mut config = PoolConfig::on(vec![v1, v2], pay_to);
    change(&mut config);
    let (sender, events) = mpsc::channel();
    let pool = runtime.block_on(Pool::start(node.clone(), config, move |event| drop(sender.send(event)))).unwrap();
    Setup { pool, node, events, _runtime: runtime }
}

pub(crate) fn authority() -> Authority {
    SECRET.parse().unwrap()
}

impl Setup {
    /// Where V2 is spoken.
    pub(crate) fn address(&self) -> SocketAddr {
        self.pool.addresses()[1]
    }

    /// Moves the tip on.
    pub(crate) fn generate(&self) {
        self.node.generate(1, &pool_sim::anyone_can_spend().script_pubkey()).unwrap();
    }

    /// The next event that is one of those.
    pub(crate) fn event<T>(&self, mut is_one: impl FnMut(PoolEvent) -> Option<T>) -> T {
        loop {
            if let Some(found) = is_one(self.events.recv_timeout(PATIENCE).unwrap()) {
                return found;
            }
        }
    }

    /// The next share that was judged.
    pub(crate) fn share(&self) -> ShareRecord {
        self.event(|event| match event {
            PoolEvent::Share(record) => Some(*record),
            _ => None,
        })
    }

    /// Why the next connection that ended did.
    pub(crate) fn left(&self) -> String {
        self.event(|event| match event {
            PoolEvent::Left { reason, .. } => Some(reason),
            _ => None,
        })
    }
}

/// A miner's end of a connection.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    noise: Noise,
    /// Messages that came while another was waited for.
    heard: VecDeque<(u8, Vec<u8>)>,
    /// Whether the pool took no more bytes.
    pub(crate) is_stuck: bool,
}

/// A connection on which nothing waits for long.
fn on(stream: &TcpStream) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
}

/// A miner's half of the handshake.
pub(crate) fn begin(stream: &TcpStream) -> (Vec<u8>, Handshake<InitiatorSent>) {
    on(stream);
    noise::begin(authority().key().to_bytes())
}

impl Client {
    /// Shakes hands.
    pub(crate) fn connect(address: SocketAddr) -> Client {
        Client::connect_as(address, authority().key())
    }

    /// The same with a pool of that authority.
    pub(crate) fn connect_as(address: SocketAddr, authority: AuthorityKey) -> Client {
        let mut stream = TcpStream::connect(address).unwrap();
        on(&stream);
        let noise = Noise::shake(&mut stream, authority.to_bytes());
        Client { stream, noise, heard: VecDeque::new(), is_stuck: false }
    }

    /// The same, set up with these flags.
    pub(crate) fn ready(setup: &Setup, flags: u32) -> Client {
        let mut client = Client::connect(setup.address());
        client.set_up(flags);
        let success: SetupConnectionSuccess = client.next_fixed(MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS);
        assert_eq!(success.used_version, 2);
        client
    }

    pub(crate) fn set_up(&mut self, flags: u32) {
        self.set_up_with(|setup| setup.flags = flags);
    }

    pub(crate) fn set_up_with(&mut self, change: impl FnOnce(&mut SetupConnectionOwned)) {
        let text = |text: &str| text.try_into().unwrap();
        let mut setup = SetupConnectionOwned {
            protocol: Protocol::MiningProtocol,
            min_version: 2,
            max_version: 2,
            flags: 0,
            endpoint_host: text("127.0.0.1"),
            endpoint_port: 34254,
            vendor: text("hand"),
            hardware_version: text(""),
            firmware: text("1"),
            device_id: text(""),
        };
        change(&mut setup);
        self.send(setup, MESSAGE_TYPE_SETUP_CONNECTION, false);
    }

    /// Asks for an extended channel for alice.
    pub(crate) fn ask_extended(&mut self, change: impl FnOnce(&mut OpenExtendedMiningChannelOwned)) {
        let mut open = OpenExtendedMiningChannelOwned {
            request_id: 7,
            user_identity: "alice".try_into().unwrap(),
            nominal_hash_rate: 1e6,
            max_target: [0xff; 32].into(),
            min_extranonce_size: 4,
        };
        change(&mut open);
        self.send(open, mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL, false);
    }

    /// An extended channel for alice with its first job.
    pub(crate) fn extended(&mut self) -> Extended {
        self.ask_extended(|_| {});
        let kind = mining::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL_SUCCESS;
        let opened = self.next_of(kind, |bytes| read::<OpenExtendedMiningChannelSuccess<'_>>(bytes).into_owned());
        let (job, tip) = (self.job(), self.tip());
        Extended { opened, job, tip }
    }

    /// A standard channel for alice with its first job.
    pub(crate) fn standard(
        &mut self,
    ) -> (OpenStandardMiningChannelSuccessOwned, NewMiningJobOwned, SetNewPrevHashOwned) {
        let open = OpenStandardMiningChannelOwned {
            request_id: 8,
            user_identity: "alice".try_into().unwrap(),
            nominal_hash_rate: 1e6,
            max_target: [0xff; 32].into(),
        };
        self.send(open, mining::MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL, false);
        let kind = mining::MESSAGE_TYPE_OPEN_STANDARD_MINING_CHANNEL_SUCCESS;
        let opened = self.next_of(kind, |bytes| read::<OpenStandardMiningChannelSuccess<'_>>(bytes).into_owned());
        (opened, self.root(), self.tip())
    }

    pub(crate) fn job(&mut self) -> NewExtendedMiningJobOwned {
        let kind = mining::MESSAGE_TYPE_NEW_EXTENDED_MINING_JOB;
        self.next_of(kind, |bytes| read::<NewExtendedMiningJob<'_>>(bytes).into_owned())
    }

    pub(crate) fn root(&mut self) -> NewMiningJobOwned {
        self.next_of(mining::MESSAGE_TYPE_NEW_MINING_JOB, |bytes| read::<NewMiningJob<'_>>(bytes).into_owned())
    }

    pub(crate) fn tip(&mut self) -> SetNewPrevHashOwned {
        let kind = mining::MESSAGE_TYPE_MINING_SET_NEW_PREV_HASH;
        self.next_of(kind, |bytes| read::<SetNewPrevHash<'_>>(bytes).into_owned())
    }

    pub(crate) fn submit(&mut self, share: SubmitSharesExtendedOwned) {
        self.send(share, mining::MESSAGE_TYPE_SUBMIT_SHARES_EXTENDED, true);
    }

    pub(crate) fn submit_standard(&mut self, share: SubmitSharesStandard) {
        self.send(share, mining::MESSAGE_TYPE_SUBMIT_SHARES_STANDARD, true);
    }

    /// The next acknowledgement.
    pub(crate) fn accepted(&mut self) -> SubmitSharesSuccess {
        self.next_fixed(mining::MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS)
    }

    /// The next refusal: of which channel and share, and why.
    pub(crate) fn refused(&mut self) -> (u32, u32, String) {
        let kind = mining::MESSAGE_TYPE_SUBMIT_SHARES_ERROR;
        let error: SubmitSharesErrorOwned =
            self.next_of(kind, |bytes| read::<SubmitSharesError<'_>>(bytes).into_owned());
        (error.channel_id, error.sequence_number, error.error_code.as_utf8_or_hex())
    }

    /// Why a share is refused, if it is.
    pub(crate) fn verdict(&mut self, share: SubmitSharesExtendedOwned) -> Option<String> {
        let number = share.sequence_number;
        self.submit(share);
        loop {
            match self.read().expect("the pool hung up") {
                (mining::MESSAGE_TYPE_SUBMIT_SHARES_SUCCESS, mut bytes) => {
                    assert_eq!(read::<SubmitSharesSuccess>(&mut bytes).last_sequence_number, number);
                    return None;
                }
                (mining::MESSAGE_TYPE_SUBMIT_SHARES_ERROR, mut bytes) => {
                    let error = read::<SubmitSharesError<'_>>(&mut bytes).into_owned();
                    assert_eq!(error.sequence_number, number);
                    return Some(error.error_code.as_utf8_or_hex());
                }
                other => self.heard.push_back(other),
            }
        }
    }

    /// Sends a message of this type.
    pub(crate) fn send(&mut self, message: impl Serialize + GetSize, kind: u8, of_channel: bool) {
        self.send_of(0, message, kind, of_channel);
    }

    /// The same, of an extension.
    pub(crate) fn send_of(&mut self, extension: u16, message: impl Serialize + GetSize, kind: u8, of_channel: bool) {
        let bytes = self.noise.message(extension, message, kind, of_channel);
        self.raw(&bytes);
    }

    /// A frame with this type and payload, encrypted.
    pub(crate) fn encrypted(&mut self, kind: u8, payload: &[u8]) -> Vec<u8> {
        self.noise.frame(0, kind, payload)
    }

    /// Sends a message of bytes.
    pub(crate) fn bytes(&mut self, kind: u8, payload: &[u8]) {
        let frame = self.encrypted(kind, payload);
        self.raw(&frame);
    }

    /// Sends bytes as they are. A pool that hung up is seen by the next read.
    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.is_stuck |= self.stream.write_all(bytes).is_err();
    }

    /// The next message of this type, also if it came before.
    pub(crate) fn next_of<T>(&mut self, kind: u8, read: impl FnOnce(&mut [u8]) -> T) -> T {
        if let Some(at) = self.heard.iter().position(|(heard, _)| *heard == kind) {
            return read(&mut self.heard.remove(at).unwrap().1);
        }
        loop {
            match self.read() {
                Some((came, mut payload)) if came == kind => return read(&mut payload),
                Some(other) => self.heard.push_back(other),
                None => panic!("the pool hung up; expected type {kind:#04x}, heard {:?}", self.heard),
            }
        }
    }

    fn next_fixed<T: for<'a> Deserialize<'a>>(&mut self, kind: u8) -> T {
        self.next_of(kind, |bytes| read(bytes))
    }

    /// How many messages of this type came while others were waited for.
    pub(crate) fn heard(&self, kind: u8) -> usize {
        self.heard.iter().filter(|(heard, _)| *heard == kind).count()
    }

    /// The next message, until the pool hangs up.
    pub(crate) fn read(&mut self) -> Option<(u8, Vec<u8>)> {
        match self.noise.read(&mut self.stream) {
            Ok(frame) => Some((frame.kind, frame.payload)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing came: {error}"),
            Err(_) => None,
        }
    }
}

pub(crate) fn read<'a, T: Deserialize<'a>>(payload: &'a mut [u8]) -> T {
    binary_sv2::from_bytes(payload).unwrap()
}

/// An extended channel, and what is worked on there.
pub(crate) struct Extended {
    pub(crate) opened: OpenExtendedMiningChannelSuccessOwned,
    pub(crate) job: NewExtendedMiningJobOwned,
    pub(crate) tip: SetNewPrevHashOwned,
}

/// What a share is to be.
#[derive(Clone, Copy)]
pub(crate) struct Choice {
    pub(crate) sequence_number: u32,
    pub(crate) seconds_later: i32,
    /// What the version differs in from the job's.
    pub(crate) rolled: u32,
    pub(crate) is_block: bool,
}

/// Neither late nor rolled nor a block.
pub(crate) fn plain(sequence_number: u32) -> Choice {
    Choice { sequence_number, seconds_later: 0, rolled: 0, is_block: false }
}

impl Extended {
    /// The time that the next share has.
    fn time(&self) -> u32 {
        self.job.min_ntime.clone().into_inner().unwrap_or(self.tip.min_ntime)
    }

    /// A share of the job, searched for with the `bitcoin` crate.
    pub(crate) fn share(&self, choice: Choice) -> SubmitSharesExtendedOwned {
        let extranonce =
            [&vec![0; usize::from(self.opened.extranonce_size) - 4][..], &choice.sequence_number.to_be_bytes()]
                .concat();
        let (job, ntime) = (&self.job, self.time().checked_add_signed(choice.seconds_later).unwrap());
        let root = coinbase_root(job, &[self.opened.extranonce_prefix.as_bytes(), &extranonce].concat());
        let version = job.version ^ choice.rolled;
        let nonce = search(header(&self.tip, root, version, ntime), choice.is_block);
        SubmitSharesExtendedOwned {
            channel_id: self.opened.channel_id,
            sequence_number: choice.sequence_number,
            job_id: job.job_id,
            nonce,
            ntime,
            version,
            extranonce: extranonce.try_into().unwrap(),
        }
    }
}

/// The merkle root of a job with this extranonce.
pub(crate) fn coinbase_root(job: &NewExtendedMiningJobOwned, extranonce: &[u8]) -> TxMerkleNode {
    let coinbase = [job.coinbase_tx_prefix.as_bytes(), extranonce, job.coinbase_tx_suffix.as_bytes()].concat();
    let _: Transaction = deserialize(&coinbase).unwrap();
    let mut root = sha256d::Hash::hash(&coinbase);
    for branch in job.merkle_path.iter() {
        root = sha256d::Hash::hash(&[&root[..], &branch.to_array()[..]].concat());
    }
    TxMerkleNode::from_raw_hash(root)
}

pub(crate) fn header(tip: &SetNewPrevHashOwned, merkle_root: TxMerkleNode, version: u32, time: u32) -> Header {
    Header {
        version: Version::from_consensus(version.cast_signed()),
        prev_blockhash: BlockHash::from_byte_array(tip.prev_hash.to_array()),
        merkle_root,
        time,
        bits: CompactTarget::from_consensus(tip.nbits),
        nonce: 0,
    }
}

/// The first nonce with which a header is a block, or is none.
pub(crate) fn search(mut header: Header, is_block: bool) -> u32 {
    let target = Target::from_compact(header.bits);
    while target.is_met_by(header.block_hash()) != is_block {
        header.nonce += 1;
    }
    header.nonce
}

/// The target of a difficulty, least significant byte first.
pub(crate) fn target_of(difficulty: f64) -> [u8; 32] {
    Difficulty::new(difficulty).unwrap().to_target().to_le_bytes()
}
