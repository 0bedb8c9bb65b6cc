//! Methods that miners and pools call: `getblocktemplate`, `submitblock`, `getmininginfo`, `generatetoaddress`.

use super::blocks::{difficulty, target_hex};
use super::methods::{Params, shorten};
use super::rpc::{Context, RpcError};
use super::{Node, Pooled, State, now};
use crate::chain::{Accepted, Chain};
use bitcoin::consensus::deserialize;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::FromHex;
use bitcoin::{Block, Target};
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// A long poll ends by itself after this: the template's time has moved on, and so has the mempool, perhaps.
const LONG_POLL: Duration = Duration::from_secs(60);
/// How many blocks one call may ask for, so that the node stays answerable.
const MAX_GENERATE: u32 = 10_000;
/// Over how many blocks the network's hashrate is told.
const HASHRATE_BLOCKS: u32 = 120;

fn decode_block(hex: &str) -> Result<Block, RpcError> {
    let block = Vec::<u8>::from_hex(hex).ok().and_then(|bytes| deserialize(&bytes).ok());
    block.ok_or_else(|| RpcError::new(RpcError::DESERIALIZATION, "Block decode failed"))
}

/// BIP 22, 23 and 145.
pub(super) async fn block_template(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let node = &context.node;
    let nothing = json!({});
    let request = params.get(0).unwrap_or(&nothing);
    let request = request.as_object().ok_or_else(|| params.wrong_type(0, request, "object"))?;
    match request.get("mode") {
        None | Some(Value::Null) => {}
        Some(Value::String(mode)) if mode == "template" => {}
        Some(Value::String(mode)) if mode == "proposal" => {
            let data = request.get("data").and_then(Value::as_str);
            let data = data.ok_or_else(|| RpcError::new(RpcError::TYPE, "Missing data String key for proposal"))?;
            let block = decode_block(data)?;
            let verdict = node.state().chain.check_proposal(&block, now());
            return Ok(verdict.map_or_else(|error| json!(error.to_string()), |()| Value::Null));
        }
        Some(other) => {
            let message = format!("Invalid mode {}; expected template or proposal", shorten(&other.to_string()));
            return Err(RpcError::new(RpcError::PARAMETER, message));
        }
    }
    let rules = request.get("rules").and_then(Value::as_array);
    if !rules.is_some_and(|rules| rules.iter().any(|rule| rule == "segwit")) {
        let message = "getblocktemplate must be called with the segwit rule set (call with {\"rules\": [\"segwit\"]})";
        return Err(RpcError::new(RpcError::PARAMETER, message));
    }
    if let Some(Value::String(id)) = request.get("longpollid") {
        wait_for_other_tip(context, id).await;
    }
    Ok(template(node))
}

/// Until the tip is not the one that a long poll's id begins with.
async fn wait_for_other_tip(context: &Context, id: &str) {
    let mut tips = context.node.tip();
    let mut stop = context.stop.subscribe();
    tokio::select! {
        _ = tips.wait_for(|tip| !id.starts_with(&tip.hash.to_string())) => {}
        _ = stop.wait_for(|stop| *stop) => {}
        () = tokio::time::sleep(LONG_POLL) => {}
    }
}

fn template(node: &Node) -> Value {
    let template = node.template();
    json!({
        "capabilities": ["proposal"],
        "version": template.version,
        "rules": ["csv", "!segwit", "taproot"],
        "vbavailable": {},
        "vbrequired": 0,
        "previousblockhash": template.previous_block_hash,
        "transactions": transactions(&template.transactions),
        "coinbaseaux": {"flags": ""},
        "coinbasevalue": template.coinbase_value.to_sat(),
        "longpollid": format!("{}{}", template.previous_block_hash, template.mempool_updates),
        "target": target_hex(Target::from_compact(template.bits)),
        "mintime": template.min_time,
        "mutable": ["time", "transactions", "prevblock"],
        "noncerange": "00000000ffffffff",
        "sigoplimit": 80_000,
        "sizelimit": 4_000_000,
        "weightlimit": 4_000_000,
        "curtime": template.current_time,
        "bits": format!("{:08x}", template.bits.to_consensus()),
        "height": template.height,
        "default_witness_commitment": template.witness_commitment.to_hex_string(),
    })
}

/// A template's transactions, each with the places, from 1 on, of those that it spends of.
fn transactions(transactions: &[Arc<Pooled>]) -> Vec<Value> {
    let places: HashMap<_, _> = transactions.iter().map(|pooled| pooled.txid).zip(1..).collect();
    let show = |pooled: &Arc<Pooled>| {
        let inputs = pooled.transaction.input.iter();
        let depends: BTreeSet<u32> =
            inputs.filter_map(|input| places.get(&input.previous_output.txid).copied()).collect();
        json!({
            "data": serialize_hex(&*pooled.transaction),
            "txid": pooled.txid,
            "hash": pooled.wtxid,
            "depends": depends,
            "fee": pooled.fee.to_sat(),
            "sigops": pooled.sigops_cost,
            "weight": pooled.weight,
        })
    };
    transactions.iter().map(show).collect()
}

pub(super) fn submit_block(node: &Node, params: &Params) -> Result<Value, RpcError> {
    let block = decode_block(params.string(0)?)?;
    Ok(match node.submit_block(&block) {
        Ok(Accepted::Tip) => Value::Null,
        Ok(Accepted::SideChain) => json!("inconclusive"),
        Ok(Accepted::Duplicate) => json!("duplicate"),
        Err(error) => json!(error.to_string()),
    })
}

pub(super) fn mining_info(state: &State) -> Value {
    let State { chain, mempool } = state;
    let bits = chain.params().bits;
    let (bits, target) = (format!("{:08x}", bits.to_consensus()), target_hex(Target::from_compact(bits)));
    let difficulty = difficulty(chain);
    json!({
        "blocks": chain.height(),
        "bits": bits,
        "difficulty": difficulty,
        "target": target,
        "networkhashps": network_hashrate(chain),
        "pooledtx": mempool.all().len(),
        "chain": chain.params().network.to_core_arg(),
        "next": {"height": chain.height() + 1, "bits": bits, "difficulty": difficulty, "target": target},
        "warnings": [],
    })
}

/// The work of the last blocks over the time they took, in hashes a second (`GetNetworkHashPS`).
fn network_hashrate(chain: &Chain) -> f64 {
    let first = chain.height().saturating_sub(HASHRATE_BLOCKS);
    let hashes = || (first..=chain.height()).filter_map(|height| chain.hash_at(height));
    let times = || hashes().filter_map(|hash| chain.block(&hash)).map(|block| block.header.time);
    let seconds = times().max().unwrap_or(0) - times().min().unwrap_or(0);
    let work_at_first = chain.hash_at(first).and_then(|hash| chain.work_of(&hash));
    match (work_at_first, chain.work_of(&chain.tip())) {
        (Some(before), Some(after)) if seconds > 0 => (after - before).log2().exp2() / f64::from(seconds),
        _ => 0.0,
    }
}

pub(super) async fn generate(node: &Node, params: &Params) -> Result<Value, RpcError> {
    let count = u32::try_from(params.integer(0)?).ok().filter(|count| *count <= MAX_GENERATE);
    let count = count.ok_or_else(|| {
        RpcError::new(RpcError::PARAMETER, format!("nblocks: expected a number from 0 to {MAX_GENERATE}"))
    })?;
    let script = params.address(1, node.state().chain.params().network)?;
    // Off the tasks that answer others.
    let node = node.clone();
    let hashes = tokio::task::spawn_blocking(move || node.generate(count, &script)).await;
    let hashes = hashes.map_err(|error| RpcError::new(RpcError::MISC, error.to_string()))?;
    hashes.map(|hashes| json!(hashes)).map_err(|error| RpcError::new(RpcError::MISC, error.to_string()))
}
