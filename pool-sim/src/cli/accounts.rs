//! How miners are paid, and the subcommand that shows what a store has.

use super::events::harmless;
use bitcoin::Script;
use clap::{Args, ValueEnum};
use pool_sim::anyone_can_spend;
use pool_sim::pool::accounts::{
    AccountsConfig, Audit, BlockRecord, Figures, File, LEAST_THRESHOLD, Payout, PayoutRecord, SchemeError, SchemeKind,
    StoreError, Terms, Work,
};
use serde_json::{Value, json};
use std::path::PathBuf;

/// How miners are paid.
#[derive(Args)]
pub(super) struct PayArgs {
    /// How shares are paid for: pplns[:N] (the last shares that make N times a block's work), prop, solo, pps or fpps
    #[arg(long, value_name = "SCHEME", default_value = "pplns:2", value_parser = scheme)]
    scheme: SchemeKind,
    /// The pool's fee, in parts per million
    #[arg(long, value_name = "PPM", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    fee: u32,
    /// How far pps and fpps may overdraw the pool's reserve; what shares earn beyond that is not paid
    #[arg(long, value_name = "SATOSHIS", default_value_t = 100_000_000_000)]
    reserve_limit: u64,
    /// How miners get it, where the user is an address: by the block's coinbase, by transactions of the pool's, or not at all
    #[arg(long, value_enum, default_value_t = PayoutArg::None)]
    payout: PayoutArg,
    /// Whose balance is so much is paid by a transaction, less a part of its fee [default: 1000000]
    #[arg(long, value_name = "SATOSHIS", value_parser = clap::value_parser!(u64).range(LEAST_THRESHOLD..))]
    payout_threshold: Option<u64>,
    /// Where shares and accounts are kept; no share is accepted before it is [default: in memory]
    #[arg(long, value_name = "FILE")]
    store: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum PayoutArg {
    None,
    Coinbase,
    Transactions,
}

/// The usual threshold, in satoshis.
const THRESHOLD: u64 = 1_000_000;

fn scheme(text: &str) -> Result<SchemeKind, SchemeError> {
    text.parse()
}

impl PayArgs {
    /// A combination that cannot be. Blocks may pay to an address that was given.
    pub(super) fn check(&self, pay_to: Option<&Script>) -> Result<(), String> {
        let anybody = anyone_can_spend();
        match (self.payout, self.scheme) {
            (PayoutArg::Coinbase, SchemeKind::Solo) => {
                Err("--payout: coinbase; expected none or transactions with --scheme solo, as all miners have the same coinbase"
                    .to_owned())
            }
            (PayoutArg::Transactions, _) if pay_to.is_some_and(|script| *script != *anybody.script_pubkey()) => {
                Err(format!(
                    "--payout: transactions; expected no --pay-to but {anybody}, the default, as the pool has no key for another: \
                     leave --pay-to out"
                ))
            }
            (PayoutArg::None | PayoutArg::Coinbase, _) if self.payout_threshold.is_some() => {
                Err("--payout-threshold: expected with --payout transactions only".to_owned())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn config(self) -> AccountsConfig {
        let payout = match self.payout {
            PayoutArg::None => Payout::None,
            PayoutArg::Coinbase => Payout::Coinbase,
            PayoutArg::Transactions => Payout::Transactions { threshold: self.payout_threshold.unwrap_or(THRESHOLD) },
        };
        let terms = Terms { scheme: self.scheme, fee: self.fee, reserve_limit: self.reserve_limit };
        AccountsConfig { terms, payout, store: self.store }
    }
}

/// Show what a store's accounts have, and check that they add up
#[derive(Args)]
#[command(after_help = "\
Examples:
  pool-sim accounts --store pool.redb
  pool-sim accounts --store pool.redb --json

With --json, one object: shares, work (in hashes), found and expected (blocks), luck (found by expected), deviation (found less \
expected, by the root of expected: how many standard deviations), unpaid (satoshis that shares earned after the reserve was at its \
limit), accounts (satoshis; they sum to 0), blocks, payouts, faults (texts). A block has hash, height, time (seconds since 1970), \
finder, state (immature, mature or orphaned), reward (satoshis), luck, owed and paid (satoshis). A payout has txid, time, state \
(sending, paid or reversed), fee (satoshis), owed (what balances have less) and paid (what its outputs have).

Exit codes: 0 all is well, 1 the accounts do not add up or the store cannot be read, 2 arguments that make no sense.")]
pub(super) struct AccountsArgs {
    /// The store; no pool may have it open
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl AccountsArgs {
    /// What to print, and whether all is well.
    pub(super) fn run(&self) -> Result<(String, bool), StoreError> {
        let audit = File::open(&self.store)?.audit()?;
        let shown = if self.json { describe(&audit).to_string() } else { for_people(&audit) };
        Ok((shown, audit.faults.is_empty()))
    }
}

/// What is found by what work was done: blocks that were found, how many that work finds on average, and the deviation.
struct Luck {
    found: usize,
    expected: f64,
}

impl Luck {
    fn of(audit: &Audit) -> Luck {
        let expected = audit.saved.figures.get(Figures::EXPECTED) as f64 / 2f64.powi(64);
        Luck { found: audit.saved.blocks.len(), expected }
    }

    fn ratio(&self) -> Option<f64> {
        (self.expected > 0.0).then(|| self.found as f64 / self.expected)
    }

    /// Blocks are found at random: their count's variance is their mean.
    fn deviation(&self) -> Option<f64> {
        (self.expected > 0.0).then(|| (self.found as f64 - self.expected) / self.expected.sqrt())
    }
}

fn describe(audit: &Audit) -> Value {
    let saved = &audit.saved;
    let luck = Luck::of(audit);
    let accounts = saved.balances.iter().filter(|(_, amount)| *amount != 0);
    let accounts = accounts.map(|(account, amount)| (account.to_string(), json!(amount)));
    json!({
        "shares": saved.figures.get(Figures::SHARES) as u64,
        "work": Work::from_units(saved.figures.get(Figures::WORK)).hashes(),
        "found": luck.found,
        "expected": luck.expected,
        "luck": luck.ratio(),
        "deviation": luck.deviation(),
        "unpaid": saved.figures.get(Figures::UNPAID) as u64,
        "accounts": Value::Object(accounts.collect()),
        "blocks": saved.blocks.iter().map(block).collect::<Vec<_>>(),
        "payouts": saved.payouts.iter().map(payout).collect::<Vec<_>>(),
        "faults": audit.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn block(block: &BlockRecord) -> Value {
    json!({
        "hash": block.hash,
        "height": block.height,
        "time": block.time,
        "finder": block.finder,
        "state": block.state,
        "reward": block.reward,
        "luck": Some(block.luck()).filter(|luck| luck.is_finite()),
        "owed": block.parts.owed,
        "paid": block.parts.paid,
    })
}

fn payout(payout: &PayoutRecord) -> Value {
    json!({
        "txid": payout.txid,
        "time": payout.time,
        "state": payout.state,
        "fee": payout.fee(),
        "owed": payout.owed,
        "paid": payout.paid,
    })
}

fn for_people(audit: &Audit) -> String {
    let saved = &audit.saved;
    let luck = Luck::of(audit);
    let show = |number: Option<f64>| number.map_or_else(|| "-".to_owned(), |number| format!("{number:.2}"));
    let mut lines = vec![
        format!("shares: {}", saved.figures.get(Figures::SHARES)),
        format!(
            "blocks: {} found, {:.2} expected, luck {}, {} standard deviations",
            luck.found,
            luck.expected,
            show(luck.ratio()),
            show(luck.deviation())
        ),
        format!("unpaid: {} satoshis", saved.figures.get(Figures::UNPAID)),
    ];
    let accounts = saved.balances.iter().filter(|(_, amount)| *amount != 0);
    lines.extend(accounts.map(|(account, amount)| format!("account: {amount:>20} {}", harmless(&account.to_string()))));
    lines.extend(saved.blocks.iter().map(|block| {
        let state = json!(block.state);
        let (luck, state) =
            (show(Some(block.luck()).filter(|luck| luck.is_finite())), state.as_str().unwrap_or_default());
        let (height, hash, reward) = (block.height, block.hash, block.reward);
        format!("block: {height} {hash} {state}, {reward} satoshis, luck {luck}, by {}", harmless(&block.finder))
    }));
    lines.extend(saved.payouts.iter().map(|payout| {
        let state = json!(payout.state);
        let (txid, state, fee) = (payout.txid, state.as_str().unwrap_or_default(), payout.fee());
        let (paid, payees) = (payout.paid.values().sum::<u64>(), payout.paid.len());
        format!("payout: {txid} {state}, {paid} satoshis to {payees}, fee {fee}")
    }));
    lines.extend(audit.faults.iter().map(|fault| format!("fault: {}", harmless(&fault.to_string()))));
    lines.join("\n")
}
