//! A template, or an upstream's job, as a Stratum job; and a share of it as a header and a block.

use super::EXTRANONCE1_SIZE;
use super::accounts::{Parts, Pay, Weights};
use super::space::Space;
use super::upstream::UpstreamJob;
use crate::faults::JobChange;
use crate::node::{Pooled, Template};
use bitcoin::block::{Header, Version};
use bitcoin::consensus::{deserialize, serialize};
use bitcoin::hashes::{Hash, sha256d};
use bitcoin::{Block, BlockHash, CompactTarget, ScriptBuf, Transaction, TxMerkleNode, WPubkeyHash, Witness};
use midstate_stratum::Difficulty;
use midstate_stratum::message::{Notify, Submit};
use std::sync::Arc;

/// What the coinbase says beside the height; a number follows that no other job has.
const TAG: &[u8] = b"/pool-sim/";

/// A job: what a miner needs, and what makes a block of its share.
#[derive(Clone, Debug)]
pub struct PoolJob {
    /// The pool's name for it.
    pub id: String,
    /// The height of the block that it would be; 0 where an upstream's coinbase does not say it (BIP 34).
    pub height: u32,
    /// The block that it builds on.
    pub previous_block_hash: BlockHash,
    /// Whether it voids the older ones.
    pub clean: bool,
    /// The coinbase without witness, up to extranonce1 and from after extranonce2 on. Jobs that repeat an upstream's share it.
    coinbase: [Arc<[u8]>; 2],
    /// The hashes beside the coinbase's way to the merkle root, lowest first.
    branches: Arc<[[u8; 32]]>,
    version: i32,
    bits: CompactTarget,
    pub(super) time: u32,
    pub(super) space: Space,
    /// The version bits that miners may roll.
    pub(super) mask: u32,
    /// The id of the job with whose shares its own may be the same: its own id, unless it repeats an upstream's job.
    pub(super) family: String,
    pub(super) origin: Origin,
}

/// Where a job comes from, and what is to be known of that when a share comes.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    Node {
        /// What its block has beside the coinbase.
        transactions: Arc<[Arc<Pooled>]>,
        /// What its shares are weighed against.
        weights: Weights,
        /// Who has what of it, if its coinbase settles that.
        parts: Option<Arc<Parts>>,
    },
    Upstream(Arc<UpstreamJob>),
    /// There is no job yet; or a scenario made another of an upstream's, which the upstream does not know.
    Nowhere,
}

/// A share whose coinbase or header cannot be put together. The pool's own coinbase is at fault, not the miner.
#[derive(Debug)]
pub(super) struct Unbuildable;

impl PoolJob {
    /// The pool's job of that number.
    pub(super) fn new(number: u32, template: &Template, pay: Pay, mask: u32, clean: bool) -> PoolJob {
        let space = Space::whole();
        let placeholder = vec![0; space.size()];
        let number_bytes = number.to_be_bytes();
        let tag_size = TAG.len() + number_bytes.len();
        let extra = [&[placeholder.len() as u8][..], &placeholder, &[tag_size as u8], TAG, &number_bytes].concat();
        let mut coinbase = template.coinbase_to(&extra, pay.outputs);
        // On the wire it has no witness: miners hash it for its txid.
        coinbase.input[0].witness = Witness::new();
        let bytes = serialize(&coinbase);
        // Version, count of inputs, null outpoint, length of the script; then the height's push.
        let height_size = coinbase.input[0].script_sig.len() - extra.len();
        let start = SCRIPT_AT + height_size + 1;
        let halves = [&bytes[..start], &bytes[start + placeholder.len()..]].map(Arc::from);
        PoolJob {
            id: format!("{number:x}"),
            height: template.height,
            previous_block_hash: template.previous_block_hash,
            clean,
            coinbase: halves,
            branches: template.merkle_branch().into(),
            version: template.version,
            bits: template.bits,
            time: template.current_time,
            space,
            mask,
            family: format!("{number:x}"),
            origin: Origin::Node {
                transactions: Arc::clone(&template.transactions),
                weights: pay.weights,
                parts: pay.parts,
            },
        }
    }

    /// An upstream's job.
    pub(super) fn of_upstream(
        number: u32,
        notify: &Notify,
        clean: bool,
        space: Space,
        mask: u32,
        of: UpstreamJob,
    ) -> PoolJob {
        PoolJob {
            id: format!("{number:x}"),
            height: height(&notify.coinbase1),
            previous_block_hash: BlockHash::from_byte_array(notify.previous_block_hash),
            clean,
            coinbase: [&notify.coinbase1, &notify.coinbase2].map(|half| Arc::from(&half[..])),
            branches: Arc::from(&notify.merkle_branches[..]),
            version: notify.version.cast_signed(),
            bits: CompactTarget::from_consensus(notify.nbits),
            time: notify.ntime,
            space,
            mask,
            family: format!("{number:x}"),
            origin: Origin::Upstream(Arc::new(of)),
        }
    }

    /// What is there before an upstream's first job. Nobody is given it.
    pub(super) fn none() -> PoolJob {
        PoolJob {
            id: String::new(),
            height: 0,
            previous_block_hash: BlockHash::all_zeros(),
            clean: false,
            coinbase: [Arc::default(), Arc::default()],
            branches: Arc::default(),
            version: 0,
            bits: CompactTarget::from_consensus(0),
            time: 0,
            space: Space::whole(),
            mask: 0,
            family: String::new(),
            origin: Origin::Nowhere,
        }
    }

    /// What its upstream said of it, if it is one's.
    pub(super) fn upstream(&self) -> Option<&Arc<UpstreamJob>> {
        match &self.origin {
            Origin::Upstream(of) => Some(of),
            Origin::Node { .. } | Origin::Nowhere => None,
        }
    }

    /// No difficulty of a share is above this: what an upstream pays for.
    pub(super) fn ceiling(&self) -> Option<Difficulty> {
        self.upstream().map(|of| of.difficulty)
    }

    /// The same job under another number. A miner that begins with the same extranonce2 again finds other shares: the number is in
    /// a pool's own coinbase; of an upstream's job the time moves on, to now and beyond `last`, which its miner had before.
    pub(super) fn again(&self, number: u32, last: Option<u32>) -> PoolJob {
        let mut again = PoolJob { id: format!("{number:x}"), clean: false, ..self.clone() };
        match &self.origin {
            Origin::Node { .. } => {
                // The second half begins with the push of the tag and the number.
                let (at, mut half) = (1 + TAG.len(), self.coinbase[1].to_vec());
                half[at..at + 4].copy_from_slice(&number.to_be_bytes());
                again.coinbase[1] = half.into();
                again.family.clone_from(&again.id);
            }
            Origin::Upstream(of) => {
                let now = of.time.saturating_add(of.came.elapsed().as_secs() as u32);
                again.time = now.max(last.unwrap_or(of.time)).saturating_add(1);
            }
            Origin::Nowhere => {}
        }
        again
    }

    /// What a scenario makes of it.
    pub(super) fn changed(mut self, change: JobChange) -> PoolJob {
        let time = i64::from(self.time) + change.ahead;
        self.time = time.clamp(0, u32::MAX.into()) as u32;
        let [coinbase1, coinbase2] = &self.coinbase;
        let gap = vec![0; self.space.size()];
        if change.pays_stranger
            && let Ok(mut coinbase) = deserialize::<Transaction>(&[&coinbase1[..], &gap, coinbase2].concat())
        {
            // A hash of a public key that nobody has. An upstream's coinbase may be of any form.
            if let Some(output) = coinbase.output.first_mut() {
                output.script_pubkey = ScriptBuf::new_p2wpkh(&WPubkeyHash::all_zeros());
            }
            let rest = serialize(&coinbase).get(coinbase1.len() + gap.len()..).map(Arc::from);
            self.coinbase[1] = rest.unwrap_or_default();
            if self.upstream().is_some() {
                self.origin = Origin::Nowhere;
                self.family.clone_from(&self.id);
            }
        }
        self
    }

    pub(super) fn notify(&self) -> Notify {
        let [coinbase1, coinbase2] = [0, 1].map(|half| self.coinbase[half].to_vec());
        Notify {
            job_id: self.id.clone(),
            previous_block_hash: self.previous_block_hash.to_byte_array(),
            coinbase1,
            coinbase2,
            merkle_branches: self.branches.to_vec(),
            version: self.version.cast_unsigned(),
            nbits: self.bits.to_consensus(),
            ntime: self.time,
            clean_jobs: self.clean,
        }
    }

    /// The header that a share claims, by its session's number. Version bits that the share gives take the mask's places.
    pub(super) fn header(&self, submit: &Submit, number: [u8; EXTRANONCE1_SIZE], mask: u32) -> Header {
        let coinbase = sha256d::Hash::hash(&self.coinbase(submit, number));
        let join = |hash: sha256d::Hash, branch: &[u8; 32]| {
            sha256d::Hash::hash(&[hash.as_byte_array(), branch].map(|half| &half[..]).concat())
        };
        let version = self.version.cast_unsigned();
        let version = submit.version_bits.map_or(version, |bits| (version & !mask) | (bits & mask));
        Header {
            version: Version::from_consensus(version.cast_signed()),
            prev_blockhash: self.previous_block_hash,
            merkle_root: TxMerkleNode::from_raw_hash(self.branches.iter().fold(coinbase, join)),
            time: submit.ntime,
            bits: self.bits,
            nonce: submit.nonce,
        }
    }

    /// The version bits in which a header differs from the job.
    pub(super) fn rolled(&self, header: &Header) -> u32 {
        (header.version.to_consensus() ^ self.version).cast_unsigned()
    }

    /// The block with that header, of a node's job.
    pub(super) fn block(
        &self,
        header: Header,
        submit: &Submit,
        number: [u8; EXTRANONCE1_SIZE],
    ) -> Result<Block, Unbuildable> {
        let mut coinbase: Transaction = deserialize(&self.coinbase(submit, number)).map_err(|_| Unbuildable)?;
        // The reserved value that the commitment was made with (BIP 141).
        coinbase.input[0].witness = Witness::from_slice(&[[0; 32]]);
        let Origin::Node { transactions, .. } = &self.origin else { return Err(Unbuildable) };
        let transactions = transactions.iter().map(|pooled| Transaction::clone(&pooled.transaction));
        Ok(Block { header, txdata: [coinbase].into_iter().chain(transactions).collect() })
    }

    fn coinbase(&self, submit: &Submit, number: [u8; EXTRANONCE1_SIZE]) -> Vec<u8> {
        let [coinbase1, coinbase2] = &self.coinbase;
        [&coinbase1[..], &self.space.extranonce1(number), &submit.extranonce2, coinbase2].concat()
    }
}

/// Where a coinbase's script begins: after version, count of inputs, null outpoint, length of the script.
const SCRIPT_AT: usize = 4 + 1 + 36 + 1;

/// The height that a coinbase's script begins with (BIP 34), or 0.
fn height(coinbase1: &[u8]) -> u32 {
    match coinbase1.get(SCRIPT_AT..) {
        // OP_1 to OP_16.
        Some([code @ 0x51..=0x60, ..]) => u32::from(code - 0x50),
        Some([size @ 1..=4, bytes @ ..]) if bytes.len() >= usize::from(*size) => {
            bytes[..usize::from(*size)].iter().rev().fold(0, |height, byte| height << 8 | u32::from(*byte))
        }
        _ => 0,
    }
}
