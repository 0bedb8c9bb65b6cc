//! Methods about single transactions and the mempool: `sendrawtransaction`, `getrawtransaction`, `getrawmempool`, `getmempoolinfo`.

use super::mempool::{MOST_WEIGHT, Mempool, MempoolError, Pooled};
use super::methods::Params;
use super::rpc::RpcError;
use super::{Node, State, blocks};
use crate::chain::BlockError;
use bitcoin::consensus::deserialize;
use bitcoin::consensus::encode::serialize_hex;
use bitcoin::hex::FromHex;
use bitcoin::{Amount, OutPoint, Transaction};
use serde_json::{Map, Value, json};

/// The highest fee that is not taken for a mistake, for 1,000 virtual bytes (`DEFAULT_MAX_RAW_TX_FEE_RATE`).
const MAX_FEE_RATE: Amount = Amount::from_sat(10_000_000);

/// Takes a transaction in, and gives its id.
pub(super) fn send(node: &Node, params: &Params) -> Result<Value, RpcError> {
    let bytes = Vec::<u8>::from_hex(params.string(0)?).ok();
    let transaction: Option<Transaction> = bytes.and_then(|bytes| deserialize(&bytes).ok());
    let transaction = transaction.ok_or_else(|| {
        let message = "TX decode failed. Make sure the tx has at least one input.";
        RpcError::new(RpcError::DESERIALIZATION, message)
    })?;
    let max_fee_rate = params.amount(1, MAX_FEE_RATE)?;
    let max_burnt = params.amount(2, Amount::ZERO)?;
    let burns = |output: &bitcoin::TxOut| output.script_pubkey.is_op_return() && output.value > max_burnt;
    if transaction.output.iter().any(burns) {
        let message = "Unspendable output exceeds maximum configured by user (maxburnamount)";
        return Err(RpcError::new(RpcError::TRANSACTION, message));
    }
    // Zero is no limit.
    let max_fee = (max_fee_rate > Amount::ZERO).then(|| max_fee_rate * transaction.vsize() as u64 / 1_000);
    node.send_transaction(transaction, max_fee).map(|txid| json!(txid)).map_err(|error| {
        let code = match error {
            MempoolError::Rule(BlockError::MissingInput { .. }) | MempoolError::Fee { .. } => RpcError::TRANSACTION,
            MempoolError::InChain => RpcError::TRANSACTION_IN_CHAIN,
            _ => RpcError::TRANSACTION_REJECTED,
        };
        RpcError::new(code, error.to_string())
    })
}

/// A transaction of the mempool or of the best chain, or of a block that is named.
pub(super) fn raw_transaction(state: &State, params: &Params) -> Result<Value, RpcError> {
    let State { chain, mempool } = state;
    let txid = params.txid(0)?;
    let verbosity = params.verbosity(1, 0)?;
    let named = params.get(2).map(|_| params.block_hash(2)).transpose()?;
    let hash = named.or_else(|| chain.block_of(&txid));
    let not_found = |what| RpcError::new(RpcError::NOT_FOUND, what);
    let found = match hash {
        Some(hash) => {
            let block = chain.block(&hash).ok_or_else(|| not_found("Block hash not found"))?;
            block.txdata.iter().find(|tx| tx.compute_txid() == txid)
        }
        None => mempool.get(&txid).map(|pooled| &*pooled.transaction),
    };
    let transaction = found.ok_or_else(|| match named {
        Some(_) => {
            not_found("No such transaction found in the provided block. Use gettransaction for wallet transactions.")
        }
        None => not_found("No such mempool or blockchain transaction. Use gettransaction for wallet transactions."),
    })?;
    if verbosity <= 0 {
        return Ok(json!(serialize_hex(transaction)));
    }
    let mut shown = blocks::transaction(transaction);
    if let Some((hash, block)) = hash.and_then(|hash| Some((hash, chain.block(&hash)?))) {
        let active = chain.height_of(&hash).filter(|_| chain.is_active(&hash));
        shown["blockhash"] = json!(hash);
        shown["confirmations"] = json!(active.map_or(0, |height| chain.height() - height + 1));
        shown["time"] = json!(block.header.time);
        shown["blocktime"] = json!(block.header.time);
    }
    Ok(shown)
}

/// The ids of those that wait; or, if asked for, what is known of each, but for what it and its relatives come to together.
pub(super) fn raw_mempool(mempool: &Mempool, params: &Params) -> Result<Value, RpcError> {
    let (verbose, with_sequence) = (params.bool(0, false)?, params.bool(1, false)?);
    if verbose && with_sequence {
        let message = "Verbose results cannot contain mempool sequence values.";
        return Err(RpcError::new(RpcError::PARAMETER, message));
    }
    if verbose {
        let entries = mempool.all().iter().map(|pooled| (pooled.txid.to_string(), entry(mempool, pooled)));
        return Ok(Value::Object(entries.collect::<Map<_, _>>()));
    }
    let txids: Vec<_> = mempool.all().iter().map(|pooled| pooled.txid).collect();
    Ok(if with_sequence { json!({"txids": txids, "mempool_sequence": mempool.updates()}) } else { json!(txids) })
}

fn entry(mempool: &Mempool, pooled: &Pooled) -> Value {
    let inputs = pooled.transaction.input.iter().map(|input| input.previous_output.txid);
    let mut depends: Vec<_> = inputs.filter(|txid| mempool.get(txid).is_some()).collect();
    let outputs = (0..pooled.transaction.output.len() as u32).map(|vout| OutPoint::new(pooled.txid, vout));
    let mut spent_by: Vec<_> = outputs.filter_map(|output| mempool.spender(&output)).collect();
    for txids in [&mut depends, &mut spent_by] {
        txids.sort_unstable();
        txids.dedup();
    }
    json!({
        "vsize": pooled.transaction.vsize(),
        "weight": pooled.weight,
        "time": pooled.time,
        "height": pooled.height,
        "wtxid": pooled.wtxid,
        "fees": {"base": pooled.fee.to_btc(), "modified": pooled.fee.to_btc()},
        "depends": depends,
        "spentby": spent_by,
        "bip125-replaceable": false,
        "unbroadcast": false,
    })
}

pub(super) fn mempool_info(mempool: &Mempool) -> Value {
    let all = mempool.all().iter();
    json!({
        "loaded": true,
        "size": all.len(),
        "bytes": all.clone().map(|pooled| pooled.transaction.vsize()).sum::<usize>(),
        "usage": all.clone().map(|pooled| pooled.transaction.total_size()).sum::<usize>(),
        "total_fee": all.map(|pooled| pooled.fee).sum::<Amount>().to_btc(),
        // A weight unit is a byte at most.
        "maxmempool": MOST_WEIGHT,
        "mempoolminfee": 0.0,
        "minrelaytxfee": 0.0,
        "incrementalrelayfee": 0.0,
        "unbroadcastcount": 0,
        "fullrbf": false,
    })
}
