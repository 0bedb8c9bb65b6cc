//! The node's methods, with Bitcoin Core's names, parameters, results and errors.

use super::rpc::{Context, RpcError};
use super::{Node, now};
use crate::chain::{Accepted, Chain};
use bitcoin::address::{Address, NetworkUnchecked};
use bitcoin::consensus::{deserialize, encode::serialize_hex};
use bitcoin::hex::{DisplayHex, FromHex};
use bitcoin::{Block, BlockHash, Target, Transaction};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The methods, and their parameters by position.
const METHODS: &[(&str, &[&str])] = &[
    ("getblocktemplate", &["template_request"]),
    ("submitblock", &["hexdata", "dummy"]),
    ("getblockchaininfo", &[]),
    ("getmininginfo", &[]),
    ("getbestblockhash", &[]),
    ("getblockcount", &[]),
    ("getblockhash", &["height"]),
    ("getblock", &["blockhash", "verbosity"]),
    ("getblockheader", &["blockhash", "verbose"]),
    ("generatetoaddress", &["nblocks", "address", "maxtries"]),
    ("validateaddress", &["address"]),
    ("stop", &["wait"]),
];

/// A long poll ends by itself after this: the template's time has moved on.
const LONG_POLL: Duration = Duration::from_secs(60);

/// Puts named parameters in their places.
pub(super) fn by_position(method: &str, mut named: Map<String, Value>) -> Result<Vec<Value>, RpcError> {
    let names = METHODS.iter().find(|(name, _)| *name == method).map_or(&[][..], |(_, names)| *names);
    let mut params: Vec<Value> = names.iter().map(|name| named.remove(*name).unwrap_or(Value::Null)).collect();
    while params.last() == Some(&Value::Null) {
        params.pop();
    }
    match named.keys().next() {
        Some(unknown) => Err(RpcError::new(RpcError::PARAMETER, format!("Unknown named parameter {unknown}"))),
        None => Ok(params),
    }
}

/// Calls a method.
pub(super) async fn call(context: &Context, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
    let Some((_, names)) = METHODS.iter().find(|(name, _)| *name == method) else {
        return Err(RpcError::new(RpcError::METHOD_NOT_FOUND, "Method not found"));
    };
    if params.len() > names.len() {
        return Err(RpcError::new(RpcError::MISC, format!("usage: {method} {}", names.join(" "))));
    }
    let params = Params { values: params, names };
    let node = &context.node;
    match method {
        "getblocktemplate" => block_template(context, &params).await,
        "submitblock" => submit_block(node, &params),
        "getblockchaininfo" => Ok(chain_info(&node.chain())),
        "getmininginfo" => Ok(mining_info(&node.chain())),
        "getbestblockhash" => Ok(json!(node.chain().tip())),
        "getblockcount" => Ok(json!(node.chain().height())),
        "getblockhash" => block_hash(&node.chain(), &params),
        "getblock" => block(&node.chain(), &params),
        "getblockheader" => block_header(&node.chain(), &params),
        "generatetoaddress" => generate(node, &params),
        "validateaddress" => Ok(validate_address(&node.chain(), params.string(0)?)),
        _ => {
            context.stop.send_replace(true);
            Ok(json!("pool-sim stopping"))
        }
    }
}

/// A method's parameters.
struct Params {
    values: Vec<Value>,
    names: &'static [&'static str],
}

impl Params {
    fn get(&self, at: usize) -> Option<&Value> {
        self.values.get(at).filter(|value| !value.is_null())
    }

    fn wrong(&self, at: usize, found: &Value, expected: &str) -> RpcError {
        let name = self.names.get(at).unwrap_or(&"");
        let message = format!("Wrong type passed: {name}: {found} is not of expected type {expected}");
        RpcError::new(RpcError::TYPE, message)
    }

    fn required(&self, at: usize) -> Result<&Value, RpcError> {
        let name = self.names.get(at).unwrap_or(&"");
        self.get(at)
            .ok_or_else(|| RpcError::new(RpcError::MISC, format!("{name}: missing; expected {}", self.names.join(" "))))
    }

    fn string(&self, at: usize) -> Result<&str, RpcError> {
        let value = self.required(at)?;
        value.as_str().ok_or_else(|| self.wrong(at, value, "string"))
    }

    fn integer(&self, at: usize) -> Result<i64, RpcError> {
        let value = self.required(at)?;
        value.as_i64().ok_or_else(|| self.wrong(at, value, "number"))
    }

    fn block_hash(&self, at: usize) -> Result<BlockHash, RpcError> {
        let (text, name) = (self.string(at)?, self.names.get(at).unwrap_or(&""));
        text.parse().map_err(|_| {
            let message = format!("{name} must be a hash of 64 hex digits (not '{}')", shorten(text));
            RpcError::new(RpcError::PARAMETER, message)
        })
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

fn decode_block(hex: &str) -> Result<Block, RpcError> {
    let bytes = Vec::<u8>::from_hex(hex).ok();
    bytes
        .and_then(|bytes| deserialize(&bytes).ok())
        .ok_or_else(|| RpcError::new(RpcError::DESERIALIZATION, "Block decode failed"))
}

/// BIP 22, 23 and 145.
async fn block_template(context: &Context, params: &Params) -> Result<Value, RpcError> {
    let node = &context.node;
    let nothing = json!({});
    let request = params.get(0).unwrap_or(&nothing);
    let request = request.as_object().ok_or_else(|| params.wrong(0, request, "object"))?;
    match request.get("mode").and_then(Value::as_str).unwrap_or("template") {
        "template" => {}
        "proposal" => {
            let data = request.get("data").and_then(Value::as_str);
            let data = data.ok_or_else(|| RpcError::new(RpcError::TYPE, "Missing data String key for proposal"))?;
            let block = decode_block(data)?;
            let verdict = node.chain().check_proposal(&block, now());
            return Ok(verdict.map_or_else(|error| json!(error.to_string()), |()| Value::Null));
        }
        other => return Err(RpcError::new(RpcError::PARAMETER, format!("Invalid mode {:?}", shorten(other)))),
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
        "transactions": [],
        "coinbaseaux": {"flags": ""},
        "coinbasevalue": template.coinbase_value.to_sat(),
        "longpollid": format!("{}{}", template.previous_block_hash, template.height),
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

fn target_hex(target: Target) -> String {
    format!("{target:064x}")
}

fn submit_block(node: &Node, params: &Params) -> Result<Value, RpcError> {
    let block = decode_block(params.string(0)?)?;
    Ok(match node.submit_block(&block) {
        Ok(Accepted::Tip) => Value::Null,
        Ok(Accepted::SideChain) => json!("inconclusive"),
        Ok(Accepted::Duplicate) => json!("duplicate"),
        Err(error) => json!(error.to_string()),
    })
}

fn chain_info(chain: &Chain) -> Value {
    let tip = chain.tip();
    let header = chain.block(&tip).map(|block| block.header);
    json!({
        "chain": chain.params().network.to_core_arg(),
        "blocks": chain.height(),
        "headers": chain.height(),
        "bestblockhash": tip,
        "bits": format!("{:08x}", chain.params().bits.to_consensus()),
        "target": target_hex(Target::from_compact(chain.params().bits)),
        "difficulty": difficulty(chain),
        "time": header.map(|header| header.time),
        "mediantime": chain.median_time_past(&tip),
        "verificationprogress": 1,
        "initialblockdownload": false,
        "chainwork": chain.work_of(&tip).map(|work| format!("{work:064x}")),
        "size_on_disk": 0,
        "pruned": false,
        "warnings": [],
    })
}

fn mining_info(chain: &Chain) -> Value {
    json!({
        "blocks": chain.height(),
        "bits": format!("{:08x}", chain.params().bits.to_consensus()),
        "difficulty": difficulty(chain),
        "target": target_hex(Target::from_compact(chain.params().bits)),
        "networkhashps": 0,
        "pooledtx": 0,
        "chain": chain.params().network.to_core_arg(),
        "next": {
            "height": chain.height() + 1,
            "bits": format!("{:08x}", chain.params().bits.to_consensus()),
            "difficulty": difficulty(chain),
            "target": target_hex(Target::from_compact(chain.params().bits)),
        },
        "warnings": [],
    })
}

fn difficulty(chain: &Chain) -> f64 {
    Target::from_compact(chain.params().bits).difficulty_float()
}

fn block_hash(chain: &Chain, params: &Params) -> Result<Value, RpcError> {
    let height = u32::try_from(params.integer(0)?).ok();
    let hash = height.and_then(|height| chain.hash_at(height));
    hash.map(|hash| json!(hash)).ok_or_else(|| RpcError::new(RpcError::PARAMETER, "Block height out of range"))
}

fn known_block<'a>(chain: &'a Chain, params: &Params) -> Result<(BlockHash, &'a Block), RpcError> {
    let hash = params.block_hash(0)?;
    let block = chain.block(&hash).ok_or_else(|| RpcError::new(RpcError::NOT_FOUND, "Block not found"))?;
    Ok((hash, block))
}

fn block(chain: &Chain, params: &Params) -> Result<Value, RpcError> {
    let (hash, block) = known_block(chain, params)?;
    let verbosity = match params.get(1) {
        None => 1,
        Some(Value::Bool(verbose)) => i64::from(*verbose),
        Some(value) => value.as_i64().ok_or_else(|| params.wrong(1, value, "number"))?,
    };
    if verbosity <= 0 {
        return Ok(json!(serialize_hex(block)));
    }
    let mut object = header_object(chain, hash, block);
    let transactions: Vec<Value> = match verbosity {
        1 => block.txdata.iter().map(|tx| json!(tx.compute_txid())).collect(),
        _ => block.txdata.iter().map(transaction).collect(),
    };
    let size = block.total_size();
    let stripped = (block.weight().to_wu() as usize - size) / 3;
    object.extend([
        ("strippedsize".to_owned(), json!(stripped)),
        ("size".to_owned(), json!(size)),
        ("weight".to_owned(), json!(block.weight().to_wu())),
        ("tx".to_owned(), Value::Array(transactions)),
    ]);
    Ok(Value::Object(object))
}

fn block_header(chain: &Chain, params: &Params) -> Result<Value, RpcError> {
    let (hash, block) = known_block(chain, params)?;
    Ok(match params.get(1) {
        Some(Value::Bool(false)) => json!(serialize_hex(&block.header)),
        None | Some(Value::Bool(true)) => Value::Object(header_object(chain, hash, block)),
        Some(other) => return Err(params.wrong(1, other, "bool")),
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

/// A transaction as Bitcoin Core shows it, but for the disassembly of scripts.
fn transaction(tx: &Transaction) -> Value {
    let input = |input: &bitcoin::TxIn| {
        let script = input.script_sig.to_hex_string();
        let mut object = if input.previous_output.is_null() {
            json!({"coinbase": script})
        } else {
            let out = input.previous_output;
            json!({"txid": out.txid, "vout": out.vout, "scriptSig": {"hex": script}})
        };
        if !input.witness.is_empty() {
            let items = input.witness.iter().map(DisplayHex::to_lower_hex_string);
            object["txinwitness"] = items.collect();
        }
        object["sequence"] = json!(input.sequence.0);
        object
    };
    let output = |(n, output): (usize, &bitcoin::TxOut)| json!({"value": output.value.to_btc(), "n": n, "scriptPubKey": {"hex": output.script_pubkey.to_hex_string()}});
    json!({
        "txid": tx.compute_txid(),
        "hash": tx.compute_wtxid(),
        "version": tx.version.0,
        "size": tx.total_size(),
        "vsize": tx.vsize(),
        "weight": tx.weight().to_wu(),
        "locktime": tx.lock_time.to_consensus_u32(),
        "vin": tx.input.iter().map(input).collect::<Vec<_>>(),
        "vout": tx.output.iter().enumerate().map(output).collect::<Vec<_>>(),
        "hex": serialize_hex(tx),
    })
}

/// How many blocks one call may ask for, so that the node stays answerable.
const MAX_GENERATE: i64 = 10_000;

fn generate(node: &Node, params: &Params) -> Result<Value, RpcError> {
    let count = params.integer(0)?;
    let count = u32::try_from(count).ok().filter(|_| count <= MAX_GENERATE);
    let count = count.ok_or_else(|| {
        RpcError::new(RpcError::PARAMETER, format!("nblocks: expected a number from 0 to {MAX_GENERATE}"))
    })?;
    let network = node.chain().params().network;
    let address = params.string(1)?.parse::<Address<NetworkUnchecked>>().ok();
    let address = address.and_then(|address| address.require_network(network).ok());
    let address = address.ok_or_else(|| RpcError::new(RpcError::NOT_FOUND, "Error: Invalid address"))?;
    let hashes = node.generate(count, &address.script_pubkey());
    hashes.map(|hashes| json!(hashes)).map_err(|error| RpcError::new(RpcError::MISC, error.to_string()))
}

fn validate_address(chain: &Chain, text: &str) -> Value {
    let parsed = text.parse::<Address<NetworkUnchecked>>().ok();
    match parsed.and_then(|address| address.require_network(chain.params().network).ok()) {
        Some(address) => {
            let script = address.script_pubkey();
            let program = script.witness_version();
            let mut object = json!({
                "isvalid": true,
                "address": address.to_string(),
                "scriptPubKey": script.to_hex_string(),
                "isscript": script.is_p2sh() || script.is_p2wsh(),
                "iswitness": program.is_some(),
            });
            if let Some(version) = program {
                object["witness_version"] = json!(version.to_num());
                object["witness_program"] = json!(script.to_hex_string()[4..]);
            }
            object
        }
        None => json!({
            "isvalid": false,
            "error_locations": [],
            "error": "Invalid or unsupported address for this network",
        }),
    }
}
