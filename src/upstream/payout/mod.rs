//! Proof of payment: a job's coinbase says whom its block would pay.
//!
//! A pool that is held to an address must pay it in the coinbase of each job, for a height and a reward that the network can
//! have, on a block that is not an old tip. The session with a pool that does otherwise ends, and says why; the job
//! is not worked on.
//!
//! Pools that keep the reward and pay their users later are the rule. So where only the user's name is an address, a
//! job that pays somebody else is a reason for a word, and for no more unless that was asked for.

mod coinbase;
mod network;
mod tips;

pub use coinbase::{Coinbase, CoinbaseError};

use super::{Pool, Source};
use crate::job::Job;
use bitcoin::address::{NetworkUnchecked, ParseError};
use bitcoin::{Address, Amount, ScriptBuf};
use network::Rules;
use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use thiserror::Error;
use tips::Tips;
use tokio::time::Instant;

/// Whom a coinbase must pay, and how much of its total: `ADDRESS` for any amount, or `ADDRESS:MIN%`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// Whom. The network is told by the address.
    pub address: Address<NetworkUnchecked>,
    /// How much, if it matters.
    pub least: Option<Percentage>,
}

/// A part of a whole: above 0 %, and 100 % at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentage {
    /// In millionths of a percent, so that nothing is lost by rounding.
    millionths: u32,
}

/// What is wrong with a [`Payout`].
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PayoutParseError {
    /// No address.
    #[error("address: {value:?}: {reason}; expected a Bitcoin address")]
    Address {
        /// What came.
        value: String,
        /// What is wrong with it.
        reason: ParseError,
    },
    /// No percentage.
    #[error("percentage: {0:?}; expected a number above 0, and 100 at most, such as 98%")]
    Percentage(String),
}

/// What a job is refused for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PayoutError {
    /// The coinbase is none, or has no height.
    #[error(transparent)]
    Coinbase(#[from] CoinbaseError),
    /// It pays the address nothing, or too little.
    #[error("the coinbase pays {} {paid} of {total} ({}); expected {}", expected.address.assume_checked_ref(),
        part(*paid, *total), amount(expected.least))]
    Unpaid {
        /// What the outputs to the address hold.
        paid: Amount,
        /// What all outputs hold.
        total: Amount,
        /// Whom it should pay, and how much.
        expected: Payout,
    },
    /// No block of the network can have this height now, or not after the jobs before.
    #[error("height: {height}; expected {expected}")]
    Height {
        /// The coinbase's.
        height: u32,
        /// Which it could be.
        expected: String,
    },
    /// No block of this height can have so much to give.
    #[error("reward: {total} at height {height}; expected {most} at most: {because}")]
    Reward {
        /// What all outputs hold.
        total: Amount,
        /// The coinbase's height.
        height: u32,
        /// What they could hold.
        most: Amount,
        /// Why no more.
        because: &'static str,
    },
    /// The chain has gone on from this block.
    #[error(
        "previous block: {tip} is an old tip, for height {height}; expected one for height {highest}, as in an earlier job"
    )]
    OldTip {
        /// The block's hash, as people write it.
        tip: String,
        /// The coinbase's height.
        height: u32,
        /// The highest that this pool had work for.
        highest: u32,
    },
}

/// What is said of a job that is worked on nevertheless.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PayoutWarning {
    /// The user's name is an address, and the coinbase does not pay it.
    #[error("the job's coinbase does not pay {0}; the pool may pay later")]
    Unpaid(String),
    /// The user's name is an address, and nobody knows whom the coinbase pays.
    #[error("the job's coinbase cannot be read, so whom it pays is unknown: {0}")]
    Unreadable(CoinbaseError),
    /// The coinbase claims less than there is.
    #[error(
        "the job's coinbase claims {total} at height {height}, less than the subsidy of {subsidy}; the rest is lost"
    )]
    Burnt {
        /// What all outputs hold.
        total: Amount,
        /// The coinbase's height.
        height: u32,
        /// What they should hold, beside fees.
        subsidy: Amount,
    },
}

impl Payout {
    /// Any amount, to this user, if the name is an address; what follows a dot is the worker's.
    pub fn to_user(user: &str) -> Option<Payout> {
        let address = user.split('.').next().unwrap_or(user).parse().ok()?;
        Some(Payout { address, least: None })
    }

    fn script(&self) -> ScriptBuf {
        self.address.assume_checked_ref().script_pubkey()
    }

    /// The least amount, of this total: rounded down to whole satoshis, as pools do, but never nothing.
    fn least_of(&self, total: Amount) -> Amount {
        let millionths = self.least.map_or(0, |least| least.millionths);
        let least = u128::from(total.to_sat()) * u128::from(millionths) / u128::from(WHOLE);
        // It is no more than the total.
        Amount::from_sat(least as u64).max(Amount::ONE_SAT)
    }
}

impl FromStr for Payout {
    type Err = PayoutParseError;

    fn from_str(text: &str) -> Result<Payout, PayoutParseError> {
        let (address, least) = match text.split_once(':') {
            Some((address, least)) => (address, Some(least.parse()?)),
            None => (text, None),
        };
        let address = address.parse();
        let address = address.map_err(|reason| PayoutParseError::Address { value: text.to_owned(), reason })?;
        Ok(Payout { address, least })
    }
}

impl fmt::Display for Payout {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address.assume_checked_ref())?;
        self.least.map_or(Ok(()), |least| write!(f, ":{}%", f64::from(least.millionths) / 1e6))
    }
}

/// 100 %, in millionths of a percent.
const WHOLE: u32 = 100_000_000;

impl Percentage {
    /// All of it.
    pub const ALL: Percentage = Percentage { millionths: WHOLE };
}

impl FromStr for Percentage {
    type Err = PayoutParseError;

    fn from_str(text: &str) -> Result<Percentage, PayoutParseError> {
        let number =
            text.strip_suffix('%').unwrap_or(text).parse().ok().filter(|number| (0.0..=100.0).contains(number));
        let millionths = number.map(|number: f64| (number * 1e6).round() as u32).filter(|millionths| *millionths > 0);
        millionths
            .map(|millionths| Percentage { millionths })
            .ok_or_else(|| PayoutParseError::Percentage(text.to_owned()))
    }
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.millionths) / 1e6)
    }
}

/// What part of a total an amount is: cut off, so that what is not all is not shown as all.
fn part(paid: Amount, total: Amount) -> Percentage {
    let millionths = u128::from(paid.to_sat()) * u128::from(WHOLE) / u128::from(total.to_sat().max(1));
    Percentage { millionths: millionths as u32 / 100 * 100 }
}

fn amount(least: Option<Percentage>) -> String {
    least.map_or_else(|| "more than nothing".to_owned(), |least| format!("{least} at least"))
}

/// What a job's coinbase is held to.
#[derive(Debug)]
pub(super) struct Demand {
    payout: Payout,
    script: ScriptBuf,
    rules: Rules,
}

impl Demand {
    fn of(payout: Payout) -> Demand {
        Demand { script: payout.script(), rules: Rules::of_address(&payout.address), payout }
    }

    /// That all goes to the address, on its network: of work that this program made itself.
    #[cfg(feature = "solo")]
    pub(super) fn of_all(address: Address<NetworkUnchecked>, network: bitcoin::Network) -> Demand {
        let rules = Rules::of(network);
        Demand { rules, ..Demand::of(Payout { address, least: Some(Percentage::ALL) }) }
    }

    fn check_payment(&self, coinbase: &Coinbase) -> Result<(), PayoutError> {
        let (paid, total) = (coinbase.paid_to(&self.script), coinbase.total());
        if paid < self.payout.least_of(total) {
            return Err(PayoutError::Unpaid { paid, total, expected: self.payout.clone() });
        }
        Ok(())
    }

    /// Checks a job by itself: whom it pays, and whether its height and reward can be. Gives its coinbase and height.
    pub(super) fn check(&self, job: &Job) -> Result<(Coinbase, u32), PayoutError> {
        let coinbase = Coinbase::of(job)?;
        let height = coinbase.height();
        // After the last halving, and without fees, there is nothing to pay.
        let due = |height: &u32| coinbase.total() > Amount::ZERO || self.rules.most_subsidy(*height) > Amount::ZERO;
        if height.as_ref().map_or(true, due) {
            self.check_payment(&coinbase)?;
        }
        let height = height?;
        self.rules.check_height(height, job.ntime)?;
        self.rules.check_reward(
            height,
            coinbase.total(),
            job.coinbase().is_some_and(|coinbase| coinbase.merkle_branches.is_empty()),
        )?;
        Ok((coinbase, height))
    }
}

/// What a pool's jobs are held against, in all its sessions.
#[derive(Debug)]
pub(super) struct Watch {
    rule: Rule,
    tips: Mutex<Tips>,
}

#[derive(Debug)]
enum Rule {
    Nothing,
    /// `--verify-payout`: all of it.
    Verify(Demand),
    /// The user's name is an address: only whether that is paid.
    User {
        demand: Demand,
        user: String,
        strict: bool,
    },
}

impl Rule {
    fn of(pool: &Pool) -> Rule {
        match (&pool.verify_payout, Payout::to_user(&pool.credentials.user)) {
            (Some(payout), _) => Rule::Verify(Demand::of(payout.clone())),
            (None, Some(payout)) => {
                let user = payout.address.assume_checked_ref().to_string();
                Rule::User { demand: Demand::of(payout), user, strict: pool.strict }
            }
            (None, None) => Rule::Nothing,
        }
    }
}

impl Watch {
    pub(super) fn of(source: &Source) -> Watch {
        let rule = match source {
            Source::Pool(pool) => Rule::of(pool),
            // A node's jobs are made here, and checked where they are made.
            #[cfg(feature = "solo")]
            Source::Node(_) => Rule::Nothing,
        };
        Watch { rule, tips: Mutex::default() }
    }

    /// For a new session.
    pub(super) fn session(&self) -> Inspection<'_> {
        Inspection { watch: self, warned: false, last: None }
    }
}

/// What is known of a pool's jobs in one session.
pub(super) struct Inspection<'a> {
    watch: &'a Watch,
    /// Whether something was said: once is enough.
    warned: bool,
    /// Height and ntime of the last job.
    last: Option<(u32, u32)>,
}

impl Inspection<'_> {
    /// Whether a job may be worked on, and what is to be said of it.
    pub(super) fn inspect(&mut self, job: &Job) -> Result<Option<PayoutWarning>, PayoutError> {
        let warning = match &self.watch.rule {
            Rule::Nothing => None,
            Rule::Verify(demand) => self.verify(demand, job)?,
            Rule::User { strict: false, .. } if self.warned => None,
            Rule::User { demand, user, strict } => {
                let paid = Coinbase::of(job).map_err(PayoutError::from);
                match paid.and_then(|coinbase| demand.check_payment(&coinbase)) {
                    Err(error) if *strict => return Err(error),
                    Err(PayoutError::Coinbase(error)) => Some(PayoutWarning::Unreadable(error)),
                    Err(_) => Some(PayoutWarning::Unpaid(user.clone())),
                    Ok(()) => None,
                }
            }
        };
        let warning = warning.filter(|_| !self.warned);
        self.warned |= warning.is_some();
        Ok(warning)
    }

    fn verify(&mut self, demand: &Demand, job: &Job) -> Result<Option<PayoutWarning>, PayoutError> {
        let (coinbase, height) = demand.check(job)?;
        let (now, rules) = ((height, job.ntime), demand.rules);
        if let Some(last) = self.last {
            rules.check_rise(last, now)?;
        }
        let mut tips = self.watch.tips.lock().unwrap_or_else(PoisonError::into_inner);
        tips.note(job.previous_block_hash, height, rules.deepest_reorganisation(), Instant::now())?;
        self.last = Some(now);
        let (total, subsidy) = (coinbase.total(), rules.subsidy(height));
        Ok((total < subsidy).then_some(PayoutWarning::Burnt { total, height, subsidy }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Root, SplitCoinbase};
    use crate::testing;
    use crate::upstream::Credentials;
    use bitcoin::{Transaction, TxOut, consensus};
    use proptest::prelude::*;

    /// Mainnet's block 866,342 pays this address all, 3.17526183 BTC.
    const REAL: &[u8] = include_bytes!("../../../tests/data/coinbase-866342.bin");
    const POOL: &str = "15MdAHnkxt9TMC2Rj595hsg8Hnv693pPBB";
    const OTHER: &str = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";
    const NTIME: u32 = 1_729_334_970;

    /// A job with this coinbase, whose last four bytes of script are extranonce2.
    fn job(coinbase: &[u8], tip: u8) -> Job {
        let end = 42 + 99;
        let root = Root::Coinbase(SplitCoinbase {
            coinbase1: coinbase[..end - 4].to_vec(),
            extranonce1: Vec::new(),
            extranonce2_size: 4,
            coinbase2: coinbase[end..].to_vec(),
            merkle_branches: vec![[1; 32]],
        });
        Job { previous_block_hash: [tip; 32], root, ntime: NTIME, ..testing::job() }
    }

    /// The real one with other outputs.
    fn paying(outputs: &[(&str, u64)]) -> Vec<u8> {
        let mut transaction: Transaction = consensus::deserialize(REAL).unwrap();
        let output = |(address, value): &(&str, u64)| TxOut {
            value: Amount::from_sat(*value),
            script_pubkey: address.parse::<Address<_>>().unwrap().assume_checked().script_pubkey(),
        };
        transaction.output = outputs.iter().map(output).collect();
        consensus::serialize(&transaction)
    }

    /// The real one for another height of three bytes.
    fn at_height(height: u32) -> Vec<u8> {
        let mut coinbase = REAL.to_vec();
        coinbase[43..46].copy_from_slice(&height.to_le_bytes()[..3]);
        coinbase
    }

    fn watch(user: &str, verify: Option<&str>, strict: bool) -> Watch {
        let credentials = Credentials { user: user.to_owned(), password: String::new() };
        let mut pool = Pool::new("stratum+tcp://h:1".parse().unwrap(), credentials);
        pool.verify_payout = verify.map(|payout| payout.parse().unwrap());
        pool.strict = strict;
        Watch::of(&pool.into())
    }

    fn verdict(verify: &str, coinbase: &[u8]) -> Result<Option<PayoutWarning>, PayoutError> {
        watch("alice", Some(verify), false).session().inspect(&job(coinbase, 1))
    }

    #[test]
    fn an_address_gets_what_it_should() {
        let half = paying(&[(POOL, 160_000_000), (OTHER, 160_000_000)]);
        let fee = paying(&[(POOL, 1_000_000), (OTHER, 311_500_001), (POOL, 5_249_999)]);
        for (verify, coinbase) in [
            (POOL.to_owned(), REAL),
            (format!("{POOL}:100%"), REAL),
            (format!("{POOL}:100"), REAL),
            (OTHER.to_owned(), &half),
            (format!("{POOL}:50%"), &half),
            // 2 % of 317,750,000 in two outputs, of which a satoshi is cut off.
            (format!("{POOL}:1.966955153%"), &fee),
        ] {
            assert_eq!(verdict(&verify, coinbase), Ok(None), "{verify}");
        }
        for (verify, coinbase, words) in [
            (OTHER.to_owned(), REAL, format!("{OTHER} 0 BTC of 3.17526183 BTC (0 %); expected more than nothing")),
            (
                format!("{POOL}:50.000001%"),
                &half,
                format!("{POOL} 1.60000000 BTC of 3.20000000 BTC (50 %); expected 50.000001 % at least"),
            ),
            (
                format!("{POOL}:98%"),
                &fee,
                format!("{POOL} 0.06249999 BTC of 3.17750000 BTC (1.9669 %); expected 98 % at least"),
            ),
        ] {
            let error = verdict(&verify, coinbase).unwrap_err();
            assert_eq!(error.to_string(), format!("the coinbase pays {words}"));
        }
        // A satoshi less than all is not all.
        let nearly = paying(&[(POOL, 2_099_999_999_999_999), (OTHER, 1)]);
        let coinbase = Coinbase::of(&job(&nearly, 1)).unwrap();
        let all = Demand::of(format!("{POOL}:100%").parse().unwrap());
        let error = all.check_payment(&coinbase).unwrap_err().to_string();
        assert!(error.contains("(99.9999 %); expected 100 %"), "{error}");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let refused = |coinbase: &[u8]| verdict(POOL, coinbase).unwrap_err();
        assert!(matches!(refused(&at_height(700_000)), PayoutError::Height { height: 700_000, .. }));
        assert!(matches!(refused(&at_height(16_000_000 >> 1)), PayoutError::Height { .. }));
        assert!(matches!(refused(&paying(&[(POOL, 20_000_000 * 100_000_000)])), PayoutError::Reward { .. }));
        assert!(matches!(refused(&REAL[..200]), PayoutError::Coinbase(_)));
        // Without transactions there are no fees.
        let mut empty = job(REAL, 1);
        let Root::Coinbase(coinbase) = &mut empty.root else { panic!("it has a coinbase") };
        coinbase.merkle_branches.clear();
        let watch = watch("alice", Some(POOL), false);
        assert!(matches!(watch.session().inspect(&empty), Err(PayoutError::Reward { .. })));
        // Burnt coins are said once.
        let less = job(&paying(&[(POOL, 312_499_999)]), 1);
        let mut session = watch.session();
        let warning = session.inspect(&less).unwrap().unwrap().to_string();
        assert!(warning.contains("3.12499999 BTC at height 866342") && warning.contains("3.12500000 BTC"), "{warning}");
        assert_eq!(session.inspect(&less), Ok(None));
    }

    #[test]
    fn old_tips_are_remembered_over_sessions_and_jumps_are_not() {
        let watch = watch("alice", Some(POOL), false);
        let mut first = watch.session();
        let at = |height, tip| job(&at_height(height), tip);
        assert_eq!(first.inspect(&at(866_342, 1)), Ok(None));
        assert_eq!(first.inspect(&at(866_343, 2)), Ok(None));
        assert!(matches!(first.inspect(&at(866_342, 1)), Err(PayoutError::OldTip { .. })));
        assert!(matches!(first.inspect(&at(866_443, 3)), Err(PayoutError::Height { .. })));
        let mut second = watch.session();
        assert!(matches!(second.inspect(&at(866_342, 1)), Err(PayoutError::OldTip { .. })));
        assert_eq!(second.inspect(&at(866_443, 3)), Ok(None));
        // Another pool is not held to it.
        assert_eq!(verdict(POOL, &at_height(866_342)), Ok(None));
    }

    #[test]
    fn a_user_that_is_an_address_is_told_once() {
        let mut session = watch(&format!("{OTHER}.rig1"), None, false).session().inspect(&job(REAL, 1));
        let said = format!("the job's coinbase does not pay {OTHER}; the pool may pay later");
        assert_eq!(session.as_ref().unwrap().as_ref().unwrap().to_string(), said);
        session = watch(&format!("{OTHER}.rig1"), None, true).session().inspect(&job(REAL, 1));
        assert!(session.unwrap_err().to_string().contains("expected more than nothing"));

        let user = watch(OTHER, None, false);
        let mut session = user.session();
        let garbage = job(&[0; 200], 1);
        assert!(matches!(session.inspect(&garbage), Ok(Some(PayoutWarning::Unreadable(_)))));
        assert_eq!(session.inspect(&job(REAL, 1)), Ok(None));
        assert!(matches!(watch(OTHER, None, true).session().inspect(&garbage), Err(PayoutError::Coinbase(_))));

        // Nobody else is told anything, and nothing but the payment is looked at.
        for user in [POOL, &format!("{POOL}.a.b"), "alice", "", ".", "bc1qnot.an.address"] {
            assert_eq!(watch(user, None, true).session().inspect(&job(&at_height(1_000_000), 1)), Ok(None), "{user}");
        }
    }

    #[cfg(feature = "solo")]
    #[test]
    fn where_there_is_nothing_to_pay_nobody_needs_to_be_paid() {
        let address = "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h";
        let own = Demand::of_all(address.parse().unwrap(), bitcoin::Network::Regtest);
        let mut transaction: Transaction = consensus::deserialize(&paying(&[(address, 0)])).unwrap();
        assert!(own.check(&job(&consensus::serialize(&transaction), 1)).is_ok());
        // Not so at height 17.
        let mut script = transaction.input[0].script_sig.to_bytes();
        script.splice(..4, [0x01, 0x11, 0x02, 0x00]);
        transaction.input[0].script_sig = script.into();
        assert!(matches!(own.check(&job(&consensus::serialize(&transaction), 1)), Err(PayoutError::Unpaid { .. })));
    }

    #[test]
    fn payouts_are_read_and_what_is_wrong_is_named() {
        let read = |text: &str| text.parse::<Payout>();
        assert_eq!(read(POOL).unwrap().least, None);
        for (least, shown) in
            [("98%", "98 %"), ("98", "98 %"), ("0.5%", "0.5 %"), ("100%", "100 %"), ("0.000001%", "0.000001 %")]
        {
            assert_eq!(read(&format!("{POOL}:{least}")).unwrap().least.unwrap().to_string(), shown);
        }
        for least in ["0", "0%", "-1%", "100.0000001%", "NaN", "inf", "", "%", "98%%", "98:1", "half"] {
            let error = read(&format!("{POOL}:{least}")).unwrap_err().to_string();
            assert!(error.starts_with(&format!("percentage: {least:?}; expected a number above 0")), "{error}");
        }
        for address in ["", "alice", "15MdAHnkxt9TMC2Rj595hsg8Hnv693pPBC", "bc1qqqq"] {
            let error = read(address).unwrap_err().to_string();
            assert!(error.starts_with(&format!("address: {address:?}: ")) && error.contains("expected"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn exactly_the_least_is_enough(total in 1u64..2_100_000_000_000_000, millionths in 1u32..=WHOLE) {
            let payout = Payout { least: Some(Percentage { millionths }), ..POOL.parse().unwrap() };
            let least = payout.least_of(Amount::from_sat(total)).to_sat();
            prop_assert!(0 < least && least <= total);
            // Not a satoshi more than the exact part, but for the one that is always asked for.
            let whole = u128::from(total) * u128::from(millionths);
            prop_assert!(u128::from(least - 1) * u128::from(WHOLE) <= whole && whole < u128::from(least + 1) * u128::from(WHOLE));
            let again: Percentage = payout.least.unwrap().to_string().replace(' ', "").parse().unwrap();
            prop_assert_eq!(again, payout.least.unwrap());
        }
    }
}
