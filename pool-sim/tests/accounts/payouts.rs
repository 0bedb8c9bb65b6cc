//! Payouts, on a real chain with a real mempool: nobody is paid twice, and the ledger and the chain say the same.

use super::random::Random;
use bitcoin::absolute::LockTime;
use bitcoin::{Address, Amount, Block, Network, OutPoint, Script, ScriptBuf, Transaction, TxIn, TxOut, Witness};
use pool_sim::chain::Params;
use pool_sim::node::Node;
use pool_sim::pool::accounts::{
    Account, BlockState, Books, Change, Entry, Fault, File, Found, MATURITY, Parts, Party, PayoutRecord, PayoutState,
    Saved, SchemeKind, Store, Terms, User, Weights, Work, pay_out,
};
use std::collections::{BTreeMap, HashSet};

const NETWORK: Work = Work::from_units(1 << 20);
const TERMS: Terms = Terms { scheme: SchemeKind::Pplns { window: 2 }, fee: 10_000, reserve_limit: 0 };
const THRESHOLD: u64 = 1_000_000;

fn pay_to() -> ScriptBuf {
    pool_sim::anyone_can_spend().script_pubkey()
}

fn address(number: u8) -> Address {
    Address::p2wsh(Script::from_bytes(&[0x51, number]), Network::Regtest)
}

/// Three with addresses, and one who cannot be paid.
fn users() -> [User; 4] {
    [User::from(address(1).to_string()), address(2).to_string().into(), address(3).to_string().into(), "dave".into()]
}

fn script(user: &User) -> ScriptBuf {
    let address: Address<bitcoin::address::NetworkUnchecked> = user.parse().unwrap();
    address.assume_checked().script_pubkey()
}

fn mine(mut block: Block) -> Block {
    block.header.merkle_root = block.compute_merkle_root().unwrap();
    while !block.header.target().is_met_by(block.block_hash()) {
        block.header.nonce += 1;
    }
    block
}

/// A pool without its wire.
struct Rig {
    node: Node,
    books: Books,
    store: BTreeMap<&'static str, BTreeMap<String, Change>>,
    /// All that was ever made.
    made: Vec<PayoutRecord>,
}

impl Rig {
    fn new() -> Rig {
        let node = Node::new(Params::regtest());
        let books = Books::new(TERMS, Saved::default()).unwrap();
        Rig { node, books, store: BTreeMap::new(), made: Vec::new() }
    }

    fn height(&self) -> u32 {
        self.node.tip().borrow().height
    }

    fn share(&mut self, user: &User) {
        let weights = Weights { network: NETWORK, subsidy: 0, reward: 0 };
        self.books.share(1, user, Work::from_units(1 << 18), weights).unwrap();
    }

    /// Finds a block of the pool's, which is divided as it was settled, or by shares.
    fn block(&mut self, finder: &User, parts: Option<Parts>) {
        let template = self.node.template();
        let block = mine(template.block(&pay_to()));
        self.node.submit_block(&block).unwrap();
        let (hash, height, finder) = (block.block_hash(), template.height, User::clone(finder));
        let (subsidy, reward) = (template.subsidy.to_sat(), template.coinbase_value.to_sat());
        let weights = Weights { network: NETWORK, subsidy, reward };
        self.books.block(Found { hash, height, time: 0, finder, weights, parts, is_active: true }).unwrap();
    }

    /// Others find so many blocks; they leave the mempool alone, if they like.
    fn others(&self, count: u32, empty: bool) {
        for _ in 0..count {
            let mut template = self.node.template();
            if empty {
                template.transactions = std::sync::Arc::default();
                template.coinbase_value = template.subsidy;
                template.witness_commitment = Node::new(Params::regtest()).template().witness_commitment;
            }
            self.node.submit_block(&mine(template.block(&address(99).script_pubkey()))).unwrap();
        }
    }

    /// Others' blocks take the place of the last so many.
    fn reorganise(&self, depth: u32) {
        let fork = self.height().saturating_sub(depth);
        let other = Node::new(Params::regtest());
        for height in 1..=fork {
            other.submit_block(&self.node.block(&self.node.hash_at(height).unwrap()).unwrap()).unwrap();
        }
        let end = self.height() + 1;
        while other.tip().borrow().height < end {
            let mut template = other.template();
            template.current_time += 1;
            let block = mine(template.block(&address(98).script_pubkey()));
            other.submit_block(&block).unwrap();
            self.node.submit_block(&block).unwrap();
        }
        assert_eq!(self.height(), end);
    }

    /// Somebody else spends what a payout would spend, as anybody can.
    fn steal(&self) {
        let waiting: HashSet<_> = self.node.mempool().iter().map(|pooled| pooled.txid).collect();
        let Some(payout) = self.made.iter().find(|payout| waiting.contains(&payout.txid)) else { return };
        let theft = Transaction {
            version: bitcoin::transaction::Version::TWO,
            lock_time: LockTime::ZERO,
            input: vec![TxIn {
                previous_output: payout.inputs().next().unwrap(),
                witness: Witness::from_slice(&[[0x51]]),
                ..TxIn::default()
            }],
            output: vec![TxOut { value: Amount::from_sat(1), script_pubkey: address(97).script_pubkey() }],
        };
        let mut template = self.node.template();
        template.transactions = std::sync::Arc::default();
        template.coinbase_value = template.subsidy;
        let mut block = template.block(&address(97).script_pubkey());
        block.txdata.push(theft);
        let commitment = Block::compute_witness_commitment(&block.witness_root().unwrap(), &[0; 32]);
        let script = [&[0x6a, 0x24, 0xaa, 0x21, 0xa9, 0xed], &commitment[..]].concat();
        block.txdata[0].output[1].script_pubkey = ScriptBuf::from_bytes(script);
        self.node.submit_block(&mine(block)).unwrap();
    }

    /// What the pool does at a new tip. If it dies before it sends, the payout is kept and not sent.
    fn tip(&mut self, dies: bool) {
        self.books.settle(self.height(), |height| self.node.hash_at(height)).unwrap();
        let done = pay_out(&mut self.books, &self.node, Some(THRESHOLD), &pay_to()).unwrap();
        for change in self.books.take_changes() {
            let (table, key) = match &change {
                Change::Share(share) => ("shares", format!("{:020}", share.count)),
                Change::Booked(number, _) => ("ledger", format!("{number:020}")),
                Change::Balance(account, _) => ("balances", account.to_string()),
                Change::Figure(name, _) => ("figures", name.clone()),
                Change::Block(number, _) => ("blocks", format!("{number:020}")),
                Change::Payout(number, _) => ("payouts", format!("{number:020}")),
            };
            self.store.entry(table).or_default().insert(key, change);
        }
        self.made.extend(done.made.clone());
        if dies {
            self.restart();
        } else if let Some(payout) = done.made {
            self.node.send_transaction(payout.transaction, None).unwrap();
        }
    }

    /// The books begin anew with what was kept.
    fn restart(&mut self) {
        let mut saved = Saved::default();
        let mut figures = Vec::new();
        for change in self.store.values().flat_map(BTreeMap::values).cloned() {
            match change {
                Change::Share(share) => saved.shares.push(share),
                Change::Booked(..) => {}
                Change::Balance(account, amount) => saved.balances.push((account, amount)),
                Change::Figure(name, value) => figures.push((name, value)),
                Change::Block(_, block) => saved.blocks.push(block),
                Change::Payout(_, payout) => saved.payouts.push(payout),
            }
        }
        saved.figures = pool_sim::pool::accounts::Figures::new(figures);
        let books = Books::new(TERMS, saved).unwrap();
        let balances = |books: &Books| books.ledger().balances().map(|(a, b)| (a.clone(), b)).collect::<Vec<_>>();
        assert_eq!((balances(&books), books.payouts()), (balances(&self.books), self.books.payouts()));
        self.books = books;
    }

    /// What the chain's transactions, but for coinbases, pay to users.
    fn on_chain(&self) -> BTreeMap<User, u64> {
        let mut paid = BTreeMap::new();
        for block in (1..=self.height()).map(|height| self.node.block(&self.node.hash_at(height).unwrap()).unwrap()) {
            for output in block.txdata[1..].iter().flat_map(|tx| &tx.output) {
                if let Some(user) = users()[..3].iter().find(|user| script(user) == output.script_pubkey) {
                    *paid.entry(User::clone(user)).or_default() += output.value.to_sat();
                }
            }
        }
        paid
    }

    fn check(&self) {
        let ledger = self.books.ledger();
        assert_eq!(ledger.balances().map(|(_, amount)| i128::from(amount)).sum::<i128>(), 0);
        assert!(ledger.balances().all(|(account, amount)| amount > 0 || *account == Account::Chain));
        let payouts = self.books.payouts();
        let of = |state| payouts.iter().filter(move |payout| payout.state == state);
        // What is final is on the chain, and what is reversed is not.
        assert!(of(PayoutState::Paid).all(|payout| self.node.height_of(&payout.txid).is_some()));
        assert!(of(PayoutState::Reversed).all(|payout| self.node.height_of(&payout.txid).is_none()));
        let mut said = BTreeMap::new();
        let on_chain = of(PayoutState::Sending)
            .filter(|payout| self.node.height_of(&payout.txid).is_some())
            .chain(of(PayoutState::Paid));
        for (user, amount) in on_chain.flat_map(|payout| &payout.paid) {
            *said.entry(User::clone(user)).or_default() += amount;
        }
        assert_eq!(self.on_chain(), said);
        // Whatever matured for a user is still there, or went with a payout.
        let mut matured = BTreeMap::<&User, u64>::new();
        for block in self.books.blocks().iter().filter(|block| block.state == BlockState::Mature) {
            for (account, amount) in &block.parts.owed {
                if let Account::Balance(Party::User(user)) = account {
                    *matured.entry(user).or_default() += amount;
                }
            }
        }
        for (user, matured) in matured {
            let balance = ledger.balance(&Account::Balance(Party::User(User::clone(user)))).cast_unsigned();
            let went = of(PayoutState::Sending).chain(of(PayoutState::Paid)).filter_map(|payout| payout.owed.get(user));
            assert_eq!(balance + went.sum::<u64>(), matured, "{user}");
        }
        let sending = of(PayoutState::Sending).flat_map(|payout| payout.owed.values()).sum::<u64>();
        assert_eq!(ledger.balance(&Account::Sending).cast_unsigned(), sending);
        let mut inputs = HashSet::new();
        assert!(
            payouts
                .iter()
                .filter(|p| p.state != PayoutState::Reversed)
                .flat_map(PayoutRecord::inputs)
                .all(|i| inputs.insert(i))
        );
    }
}

/// Random shares, blocks, reorganisations, deaths between the booking and the sending, and thefts.
#[test]
fn nobody_is_paid_twice_whatever_the_chain_does() {
    let users = users();
    let (mut paid, mut reversed) = (0, 0);
    for seed in 0..30 {
        let mut random = Random::new(seed << 40);
        let mut rig = Rig::new();
        for _ in 0..120 {
            match random.below(16) {
                0..=6 => rig.share(&users[random.below(4) as usize]),
                7..=9 => rig.block(&users[random.below(4) as usize], None),
                10 | 11 => rig.others(1 + random.below(60) as u32, false),
                12 => rig.others(1 + random.below(3) as u32, true),
                13 => rig.reorganise(1 + random.below(6) as u32),
                14 => rig.steal(),
                _ => rig.restart(),
            }
            rig.tip(random.below(4) == 0);
            if random.below(8) == 0 {
                rig.check();
            }
        }
        // In the end all of it is in the chain, but for what was stolen.
        for _ in 0..4 {
            rig.others(MATURITY, false);
            rig.tip(false);
        }
        rig.check();
        let count = |state| rig.books.payouts().iter().filter(|payout| payout.state == state).count();
        paid += count(PayoutState::Paid);
        reversed += count(PayoutState::Reversed);
        let owed =
            users[..3].iter().map(|user| rig.books.ledger().balance(&Account::Balance(Party::User(User::clone(user)))));
        // Only what was stolen leaves anybody unpaid.
        assert!(
            count(PayoutState::Reversed) > 0 || owed.into_iter().all(|owed| owed < THRESHOLD.cast_signed()),
            "{seed}"
        );
    }
    assert!(paid > 100 && reversed > 5, "{paid} {reversed}");
}

/// An input's coinbase that is orphaned for good: the payout is reversed, and its miner is paid by another.
#[test]
fn a_payout_that_no_block_may_have_is_reversed() {
    let alice = &users()[0];
    let mut rig = Rig::new();
    rig.share(alice);
    rig.block(alice, None);
    rig.others(MATURITY, false);
    rig.tip(false);
    let [payout] = rig.made.clone().try_into().unwrap();
    assert_eq!(rig.node.mempool()[0].txid, payout.txid);
    assert_eq!(payout.owed.values().copied().collect::<Vec<_>>(), [4_950_000_000]);
    // A chain without the coinbase, as after a restart.
    rig.node = Node::new(Params::regtest());
    rig.others(20, false);
    for _ in 0..MATURITY {
        rig.tip(false);
        assert_eq!(rig.books.payouts()[0].state, PayoutState::Sending);
        rig.others(1, false);
    }
    rig.tip(false);
    assert_eq!(rig.books.payouts()[0].state, PayoutState::Reversed);
    let balance = Account::Balance(Party::User(User::clone(alice)));
    assert_eq!(
        (rig.books.ledger().balance(&balance), rig.books.ledger().balance(&Account::Sending)),
        (4_950_000_000, 0)
    );
    // When there are coins again, there is another.
    rig.block(alice, None);
    rig.others(MATURITY, false);
    rig.tip(false);
    assert_eq!(rig.made.len(), 2);
    rig.others(1 + MATURITY, false);
    rig.tip(false);
    assert_eq!(rig.books.payouts()[1].state, PayoutState::Paid);
    assert_eq!(rig.on_chain()[alice], rig.books.payouts()[1].paid[alice]);
}

#[test]
fn an_audit_finds_payouts_that_do_not_fit() {
    let directory = tempfile::tempdir().unwrap();
    let alice = &users()[0];
    let mut rig = Rig::new();
    // Without a share, as there is no record of any.
    let owed = BTreeMap::from([(Account::Balance(Party::User(User::clone(alice))), 5_000_000_000)]);
    rig.block(alice, Some(Parts { owed, ..Parts::default() }));
    rig.others(MATURITY, false);
    rig.books.settle(rig.height(), |height| rig.node.hash_at(height)).unwrap();
    pay_out(&mut rig.books, &rig.node, Some(THRESHOLD), &pay_to()).unwrap();
    let changes = rig.books.take_changes();
    let audit = |name: &str, change: &dyn Fn(&mut PayoutRecord)| {
        let path = directory.path().join(name);
        let mut changes = changes.clone();
        for changed in &mut changes {
            if let Change::Payout(_, payout) = changed {
                change(payout);
            }
        }
        File::create(&path).unwrap().commit(&[Entry { changes, share: None }]).unwrap();
        File::open(&path).unwrap().audit().unwrap().faults
    };
    assert_eq!(audit("right", &|_| {}), []);
    let txid = rig.books.payouts()[0].txid;
    let paid = rig.books.payouts()[0].paid[alice];
    let less = audit("less", &|payout| *payout.paid.get_mut(alice).unwrap() -= 1);
    assert_eq!(less, [Fault::Outputs { txid, paid: paid - 1, payees: 1 }]);
    let other = audit("other", &|payout| payout.transaction.output[0].value += Amount::ONE_SAT);
    assert_eq!(other, [Fault::Outputs { txid, paid, payees: 1 }]);
    let words = |faults: Vec<Fault>| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    let early = words(audit("early", &|payout| payout.state = PayoutState::Paid));
    assert_eq!(early[0], format!("payout {txid}: \"paid {txid}\" is booked 0 times as it should be; expected 1"));
    assert!(early[1].starts_with("account sending: 5000000000 satoshis; expected 0"), "{early:?}");
    let owed = words(audit("owed", &|payout| *payout.owed.get_mut(alice).unwrap() -= 1));
    assert!(owed[0].contains(&format!("\"payout {txid}\" is booked 0 times")), "{owed:?}");
    let again =
        |at: OutPoint| format!("payout {txid}: it spends {at}, as another one does; expected that each spends its own");
    let input = rig.books.payouts()[0].inputs().next().unwrap();
    let mut twice = changes.clone();
    twice.push(Change::Payout(1, rig.books.payouts()[0].clone()));
    let path = directory.path().join("twice");
    File::create(&path).unwrap().commit(&[Entry { changes: twice, share: None }]).unwrap();
    assert!(words(File::open(&path).unwrap().audit().unwrap().faults).contains(&again(input)));
}
