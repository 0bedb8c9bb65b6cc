//! Methods that show the chain: `getblockchaininfo`, `getblockhash`, `getblock`, `getblockheader`.

use super::methods::Params;
use super::rpc::RpcError;
use crate::chain::Chain;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::DisplayHex;
use bitcoin::{Block, BlockHash, Target, Transaction};
use serde_json::{Map, Value, json};

/// A target as 64 hex digits, the highest first.
pub(super) fn target_hex(target: Target) -> String {
    format!("{target:064x}")
}

/// The tip's difficulty, as multiples of mainnet's easiest.
pub(super) fn difficulty(chain: &Chain) -> f64 {
    Target::from_compact(chain.params().bits).difficulty_float()
}

pub(super) fn chain_info(chain: &Chain) -> Value {
    let tip = chain.tip();
    json!({
        "chain": chain.params().network.to_core_arg(),
        "blocks": chain.height(),
        "headers": chain.height(),
        "bestblockhash": tip,
        "bits": format!("{:08x}", chain.params().bits.to_consensus()),
        "target": target_hex(Target::from_compact(chain.params().bits)),
        "difficulty": difficulty(chain),
        "time": chain.block(&tip).map(|block| block.header.time),
        "mediantime": chain.median_time_past(&tip),
        "verificationprogress": 1,
        "initialblockdownload": false,
        "chainwork": chain.work_of(&tip).map(|work| format!("{work:064x}")),
        "size_on_disk": 0,
        "pruned": false,
        "warnings": [],
    })
}

pub(super) fn block_hash(chain: &Chain, params: &Params) -> Result<Value, RpcError> {
    let height = u32::try_from(params.integer(0)?).ok();
    let hash = height.and_then(|height| chain.hash_at(height));
    hash.map(|hash| json!(hash)).ok_or_else(|| RpcError::new(RpcError::PARAMETER, "Block height out of range"))
}

fn known_block<'a>(chain: &'a Chain, params: &Params) -> Result<(BlockHash, &'a Block), RpcError> {
    let hash = params.block_hash(0)?;
    let block = chain.block(&hash).ok_or_else(|| RpcError::new(RpcError::NOT_FOUND, "Block not found"))?;
    Ok((hash, block))
}

pub(super) fn block(chain: &Chain, params: &Params) -> Result<Value, RpcError> {
    let (hash, block) = known_block(chain, params)?;
    let verbosity = params.verbosity(1, 1)?;
    if verbosity <= 0 {
        return Ok(json!(serialize_hex(block)));
    }
    let transactions: Vec<Value> = match verbosity {
        1 => block.txdata.iter().map(|tx| json!(tx.compute_txid())).collect(),
        _ => block.txdata.iter().map(transaction).collect(),
    };
    let (size, weight) = (block.total_size(), block.weight().to_wu());
    let mut object = header_object(chain, hash, block);
    object.extend([
        // BIP 141: a weight is three times the size without witnesses, and once the size with them.
        ("strippedsize".to_owned(), json!((weight - size as u64) / 3)),
        ("size".to_owned(), json!(size)),
        ("weight".to_owned(), json!(weight)),
        ("tx".to_owned(), Value::Array(transactions)),
    ]);
    Ok(Value::Object(object))
}

pub(super) fn block_header(chain: &Chain, params: &Params) -> Result<Value, RpcError> {
    let (hash, block) = known_block(chain, params)?;
    Ok(match params.get(1) {
        Some(Value::Bool(false)) => json!(serialize_hex(&block.header)),
        None | Some(Value::Bool(true)) => Value::Object(header_object(chain, hash, block)),
        Some(other) => return Err(params.wrong_type(1, other, "bool")),
    })
}

fn header_object(chain: &Chain, hash: BlockHash, block: &Block) -> Map<String, Value> {
    let header = &block.header;
    let height = chain.height_of(&hash).unwrap_or(0);
    let active = chain.is_active(&hash);
    let next = active.then(|| chain.hash_at(height + 1)).flatten();
    let value = json!({
        "hash": hash,
        "confirmations": if active { i64::from(chain.height() - height) + 1 } else { -1 },
        "height": height,
        "version": header.version.to_consensus(),
        "versionHex": format!("{:08x}", header.version.to_consensus()),
        "merkleroot": header.merkle_root,
        "time": header.time,
        "mediantime": chain.median_time_past(&hash),
        "nonce": header.nonce,
        "bits": format!("{:08x}", header.bits.to_consensus()),
        "target": target_hex(header.target()),
        "difficulty": header.target().difficulty_float(),
        "chainwork": chain.work_of(&hash).map(|work| format!("{work:064x}")),
        "nTx": block.txdata.len(),
    });
    let Value::Object(mut object) = value else { return Map::new() };
    if height > 0 {
        object.insert("previousblockhash".to_owned(), json!(header.prev_blockhash));
    }
    if let Some(next) = next {
        object.insert("nextblockhash".to_owned(), json!(next));
    }
    object
}

/// A transaction as Bitcoin Core shows it, but for fees and for what is read out of scripts.
pub(super) fn transaction(tx: &Transaction) -> Value {
    let outputs = tx.output.iter().enumerate().map(|(n, output)| {
        json!({"value": output.value.to_btc(), "n": n, "scriptPubKey": {"hex": output.script_pubkey.to_hex_string()}})
    });
    json!({
        "txid": tx.compute_txid(),
        "hash": tx.compute_wtxid(),
        "version": tx.version.0,
        "size": tx.total_size(),
        "vsize": tx.vsize(),
        "weight": tx.weight().to_wu(),
        "locktime": tx.lock_time.to_consensus_u32(),
        "vin": tx.input.iter().map(input).collect::<Vec<_>>(),
        "vout": outputs.collect::<Vec<_>>(),
        "hex": serialize_hex(tx),
    })
}

fn input(input: &bitcoin::TxIn) -> Value {
    let script = input.script_sig.to_hex_string();
    let spent = input.previous_output;
    let mut object = if spent.is_null() {
        json!({"coinbase": script})
    } else {
        json!({"txid": spent.txid, "vout": spent.vout, "scriptSig": {"hex": script}})
    };
    if !input.witness.is_empty() {
        object["txinwitness"] = input.witness.iter().map(DisplayHex::to_lower_hex_string).collect();
    }
    object["sequence"] = json!(input.sequence.0);
    object
}
