//! The node's methods: names, parameters and errors, as Bitcoin Core has them.

use super::rpc::{Context, RpcError};
use super::{blocks, mining, transactions};
use bitcoin::BlockHash;
use bitcoin::address::{Address, NetworkUnchecked};
use bitcoin::hashes::sha256d;
use bitcoin::hex::DisplayHex;
use bitcoin::{Amount, Denomination, Network, ScriptBuf, Txid};
use serde_json::{Map, Value, json};

/// A method, by its name; its parameters, by their places; and how both are shown.
struct Method {
    name: &'static str,
    params: &'static [&'static str],
    usage: &'static str,
}

const fn method(name: &'static str, params: &'static [&'static str], usage: &'static str) -> Method {
    Method { name, params, usage }
}

const METHODS: &[Method] = &[
    method(
        "generatetoaddress",
        &["nblocks", "address", "maxtries"],
        "generatetoaddress nblocks \"address\" ( maxtries )",
    ),
    method("getbestblockhash", &[], "getbestblockhash"),
    method("getblock", &["blockhash", "verbosity"], "getblock \"blockhash\" ( verbosity )"),
    method("getblockchaininfo", &[], "getblockchaininfo"),
    method("getblockcount", &[], "getblockcount"),
    method("getblockhash", &["height"], "getblockhash height"),
    method("getblockheader", &["blockhash", "verbose"], "getblockheader \"blockhash\" ( verbose )"),
    method("getblocktemplate", &["template_request"], "getblocktemplate {\"rules\":[\"segwit\",...],...}"),
    method("getdifficulty", &[], "getdifficulty"),
    method("getmininginfo", &[], "getmininginfo"),
    method("getmempoolinfo", &[], "getmempoolinfo"),
    method("getnetworkinfo", &[], "getnetworkinfo"),
    method("getrawmempool", &["verbose", "mempool_sequence"], "getrawmempool ( verbose mempool_sequence )"),
    method(
        "getrawtransaction",
        &["txid", "verbosity", "blockhash"],
        "getrawtransaction \"txid\" ( verbosity \"blockhash\" )",
    ),
    method("help", &["command"], "help ( \"command\" )"),
    method(
        "sendrawtransaction",
        &["hexstring", "maxfeerate", "maxburnamount"],
        "sendrawtransaction \"hexstring\" ( maxfeerate maxburnamount )",
    ),
    method("stop", &["wait"], "stop"),
    method("submitblock", &["hexdata", "dummy"], "submitblock \"hexdata\" ( \"dummy\" )"),
    method("uptime", &[], "uptime"),
    method("validateaddress", &["address"], "validateaddress \"address\""),
];

fn find(name: &str) -> Option<&'static Method> {
    METHODS.iter().find(|method| method.name == name)
}

/// Puts named parameters in their places.
pub(super) fn by_position(method: &str, mut named: Map<String, Value>) -> Result<Vec<Value>, RpcError> {
    let names = find(method).map_or(&[][..], |method| method.params);
    let mut params: Vec<Value> = names.iter().map(|name| named.remove(*name).unwrap_or(Value::Null)).collect();
    while params.last() == Some(&Value::Null) {
        params.pop();
    }
    match named.keys().next() {
        Some(unknown) => {
            Err(RpcError::new(RpcError::PARAMETER, format!("Unknown named parameter {}", shorten(unknown))))
        }
        None => Ok(params),
    }
}

/// Calls a method.
pub(super) async fn call(context: &Context, method: &str, params: Vec<Value>) -> Result<Value, RpcError> {
    let Some(method) = find(method) else {
        return Err(RpcError::new(RpcError::METHOD_NOT_FOUND, "Method not found"));
    };
    if params.len() > method.params.len() {
        return Err(RpcError::new(RpcError::MISC, method.usage));
    }
    let params = Params { values: params, method };
    let node = &context.node;
    match method.name {
        "generatetoaddress" => mining::generate(node, &params).await,
        "getbestblockhash" => Ok(json!(node.state().chain.tip())),
        "getblock" => blocks::block(&node.state().chain, &params),
        "getblockchaininfo" => Ok(blocks::chain_info(&node.state().chain)),
        "getblockcount" => Ok(json!(node.state().chain.height())),
        "getblockhash" => blocks::block_hash(&node.state().chain, &params),
        "getblockheader" => blocks::block_header(&node.state().chain, &params),
        "getblocktemplate" => mining::block_template(context, &params).await,
        "getdifficulty" => Ok(json!(blocks::difficulty(&node.state().chain))),
        "getmininginfo" => Ok(mining::mining_info(&node.state())),
        "getmempoolinfo" => Ok(transactions::mempool_info(&node.state().mempool)),
        "getnetworkinfo" => Ok(network_info()),
        "getrawmempool" => transactions::raw_mempool(&node.state().mempool, &params),
        "getrawtransaction" => transactions::raw_transaction(&node.state(), &params),
        "help" => help(&params),
        "sendrawtransaction" => transactions::send(node, &params),
        "submitblock" => mining::submit_block(node, &params),
        "uptime" => Ok(json!(context.started.elapsed().as_secs())),
        "validateaddress" => Ok(validate_address(node.state().chain.params().network, params.string(0)?)),
        // "stop", as the table has no other.
        _ => {
            context.stop.send_replace(true);
            Ok(json!("pool-sim stopping"))
        }
    }
}

/// A method's parameters.
pub(super) struct Params {
    values: Vec<Value>,
    method: &'static Method,
}

impl Params {
    pub(super) fn get(&self, at: usize) -> Option<&Value> {
        self.values.get(at).filter(|value| !value.is_null())
    }

    pub(super) fn wrong_type(&self, at: usize, found: &Value, expected: &str) -> RpcError {
        let name = self.method.params.get(at).unwrap_or(&"");
        let found = match found {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let what = format!("JSON value of type {found} is not of expected type {expected}");
        let message = format!("Wrong type passed:\n{{\n    \"Position {} ({name})\": \"{what}\"\n}}", at + 1);
        RpcError::new(RpcError::TYPE, message)
    }

    fn required(&self, at: usize) -> Result<&Value, RpcError> {
        self.get(at).ok_or_else(|| RpcError::new(RpcError::MISC, self.method.usage))
    }

    pub(super) fn string(&self, at: usize) -> Result<&str, RpcError> {
        let value = self.required(at)?;
        value.as_str().ok_or_else(|| self.wrong_type(at, value, "string"))
    }

    pub(super) fn integer(&self, at: usize) -> Result<i64, RpcError> {
        let value = self.required(at)?;
        let number = value.as_number().ok_or_else(|| self.wrong_type(at, value, "number"))?;
        number.as_i64().ok_or_else(|| RpcError::new(RpcError::MISC, "JSON integer out of range"))
    }

    /// How much is to be shown: a number, or false for 0 and true for 1.
    pub(super) fn verbosity(&self, at: usize, default: i64) -> Result<i64, RpcError> {
        match self.get(at) {
            None => Ok(default),
            Some(Value::Bool(verbose)) => Ok(i64::from(*verbose)),
            Some(_) => self.integer(at),
        }
    }

    pub(super) fn bool(&self, at: usize, default: bool) -> Result<bool, RpcError> {
        match self.get(at) {
            None => Ok(default),
            Some(Value::Bool(value)) => Ok(*value),
            Some(other) => Err(self.wrong_type(at, other, "bool")),
        }
    }

    /// Bitcoins, as a number or as a text, to the satoshi.
    pub(super) fn amount(&self, at: usize, default: Amount) -> Result<Amount, RpcError> {
        let text = match self.get(at) {
            None => return Ok(default),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => return Err(RpcError::new(RpcError::TYPE, "Amount is not a number or string")),
        };
        Amount::from_str_in(&text, Denomination::Bitcoin).map_err(|_| RpcError::new(RpcError::TYPE, "Invalid amount"))
    }

    /// A block's hash, as it is shown: byte-reversed hex.
    pub(super) fn block_hash(&self, at: usize) -> Result<BlockHash, RpcError> {
        self.hash(at).map(BlockHash::from_raw_hash)
    }

    /// A transaction's id, as it is shown: byte-reversed hex.
    pub(super) fn txid(&self, at: usize) -> Result<Txid, RpcError> {
        self.hash(at).map(Txid::from_raw_hash)
    }

    fn hash(&self, at: usize) -> Result<sha256d::Hash, RpcError> {
        let (text, name) = (self.string(at)?, self.method.params.get(at).unwrap_or(&""));
        text.parse().map_err(|_| {
            let message = if text.len() == 64 {
                format!("{name} must be hexadecimal string (not '{text}')")
            } else {
                format!("{name} must be of length 64 (not {}, for '{}')", text.len(), shorten(text))
            };
            RpcError::new(RpcError::PARAMETER, message)
        })
    }

    /// The script of an address.
    pub(super) fn address(&self, at: usize, network: Network) -> Result<ScriptBuf, RpcError> {
        let address = parse_address(network, self.string(at)?);
        address
            .map(|address| address.script_pubkey())
            .ok_or_else(|| RpcError::new(RpcError::NOT_FOUND, "Error: Invalid address"))
    }
}

/// As much of a stranger's text as fits an answer.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}

fn help(params: &Params) -> Result<Value, RpcError> {
    if params.get(0).is_none() {
        return Ok(json!(METHODS.iter().map(|method| method.usage).collect::<Vec<_>>().join("\n")));
    }
    let name = params.string(0)?;
    Ok(find(name)
        .map_or_else(|| json!(format!("help: unknown command: {}", shorten(name))), |method| json!(method.usage)))
}

/// A network of one.
fn network_info() -> Value {
    json!({
        // 0.1.0, counted as Bitcoin Core counts.
        "version": 100,
        "subversion": concat!("/pool-sim:", env!("CARGO_PKG_VERSION"), "/"),
        "protocolversion": 0,
        "localservices": "0000000000000000",
        "localservicesnames": [],
        "localrelay": false,
        "timeoffset": 0,
        "networkactive": false,
        "connections": 0,
        "connections_in": 0,
        "connections_out": 0,
        "networks": [],
        "relayfee": 0.0,
        "incrementalfee": 0.0,
        "localaddresses": [],
        "warnings": [],
    })
}

fn parse_address(network: Network, text: &str) -> Option<Address> {
    text.parse::<Address<NetworkUnchecked>>().ok()?.require_network(network).ok()
}

fn validate_address(network: Network, text: &str) -> Value {
    let Some(address) = parse_address(network, text) else {
        let error = "Invalid or unsupported address for this network";
        return json!({"isvalid": false, "error_locations": [], "error": error});
    };
    let script = address.script_pubkey();
    let mut object = json!({
        "isvalid": true,
        "address": address.to_string(),
        "scriptPubKey": script.to_hex_string(),
        "isscript": script.is_p2sh() || script.is_p2wsh(),
        "iswitness": script.is_witness_program(),
    });
    if let Some(program) = address.witness_program() {
        object["witness_version"] = json!(program.version().to_num());
        object["witness_program"] = json!(program.program().as_bytes().to_lower_hex_string());
    }
    object
}
