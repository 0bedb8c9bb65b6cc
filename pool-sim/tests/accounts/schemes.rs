//! What must hold for every scheme, whatever the shares.

use super::random::{Random, SCHEMES, USERS, users};
use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use pool_sim::pool::accounts::{
    Account, BlockState, Books, Change, Found, Ledger, MATURITY, Party, Saved, SchemeKind, Share, User, Weights, Work,
    divide,
};
use std::collections::BTreeMap;

fn books(random: &mut Random, scheme: SchemeKind) -> Books {
    Books::new(random.terms(scheme), Saved::default()).unwrap()
}

fn found(random: &mut Random, users: &[User], weights: Weights, height: u32) -> Found {
    let finder = User::clone(&users[random.below(users.len() as u64) as usize]);
    let hash = BlockHash::from_byte_array(random.hash());
    Found { hash, height, time: 0, finder, weights, parts: None, is_active: true }
}

fn is_whole(ledger: &Ledger) -> bool {
    let sum: i128 = ledger.balances().map(|(_, amount)| i128::from(amount)).sum();
    let may_owe = |account: &Account| matches!(account, Account::Chain | Account::Balance(Party::Reserve));
    sum == 0 && ledger.balances().all(|(account, amount)| amount > 0 || may_owe(account))
}

fn sum(ledger: &Ledger, counts: impl Fn(&Account) -> bool) -> i64 {
    ledger.balances().filter(|(account, _)| counts(account)).map(|(_, amount)| amount).sum()
}

/// A million sequences each: what is paid and the fee are the reward, to the satoshi; nobody has less than nothing; an orphan
/// leaves every account as it was.
#[test]
fn rewards_are_divided_to_the_satoshi_and_orphans_leave_no_trace() {
    std::thread::scope(|scope| {
        for scheme in SCHEMES {
            scope.spawn(move || check_a_million(scheme));
        }
    });
}

fn check_a_million(scheme: SchemeKind) {
    let users = users();
    for seed in 0..1_000_000 {
        let mut random = Random::new(seed << 8);
        let weights = random.weights();
        let mut books = books(&mut random, scheme);
        let shares = random.shares(&users, weights.network, 4);
        for share in &shares {
            books.share(share.count, &share.user, share.work, weights).unwrap();
        }
        assert!(is_whole(books.ledger()), "{scheme} {seed}");
        let before = books.ledger().clone();
        let block = found(&mut random, &users, weights, 7);
        let hash = block.hash;
        assert!(books.block(block).unwrap());
        assert!(is_whole(books.ledger()), "{scheme} {seed}");
        let immature = |account: &Account| matches!(account, Account::Immature(_));
        assert_eq!(sum(books.ledger(), immature), weights.reward.cast_signed(), "{scheme} {seed}");
        let owed = &books.blocks()[0].parts.owed;
        assert_eq!(owed.values().sum::<u64>(), weights.reward, "{scheme} {seed}");
        let fee = owed.get(&Account::Balance(Party::Fee)).copied().unwrap_or(0);
        assert!(fee <= weights.reward);
        let (is_orphaned, height) = (random.below(2) == 0, 7 + MATURITY);
        books.settle(height, |_| (!is_orphaned).then_some(hash)).unwrap();
        assert!(is_whole(books.ledger()), "{scheme} {seed}");
        if is_orphaned {
            assert_eq!(*books.ledger(), before, "{scheme} {seed}");
        } else {
            assert_eq!(sum(books.ledger(), immature), 0);
            assert_eq!(books.ledger().balance(&Account::Chain), -(weights.reward.cast_signed()));
        }
    }
}

/// By the definition: the shares lie one after another on a line as long as their work, and a user has what of the line's last
/// `window` is theirs.
fn pplns_by_definition(amount: u64, shares: &[Share], window: u128) -> BTreeMap<User, u64> {
    let end: u128 = shares.iter().map(|share| share.work.units()).sum();
    let edge = end.saturating_sub(window);
    let mut lengths = BTreeMap::<User, u128>::new();
    let mut from = 0;
    for share in shares {
        let to = from + share.work.units();
        *lengths.entry(User::clone(&share.user)).or_default() += to.max(edge) - from.max(edge);
        from = to;
    }
    let line: u128 = lengths.values().sum();
    if line == 0 {
        return BTreeMap::new();
    }
    let amount = u128::from(amount);
    let mut parts: BTreeMap<User, u128> =
        lengths.iter().map(|(user, length)| (User::clone(user), amount * length / line)).collect();
    let mut had = Vec::new();
    while parts.values().sum::<u128>() < amount {
        let lost = |user: &User| amount * lengths[user] % line;
        let mut next: Option<&User> = None;
        for user in lengths.keys().filter(|user| !had.contains(*user)) {
            if next.is_none_or(|best| lost(user) > lost(best)) {
                next = Some(user);
            }
        }
        let next = User::clone(next.unwrap());
        *parts.get_mut(&next).unwrap() += 1;
        had.push(next);
    }
    parts.into_iter().filter(|(_, part)| *part > 0).map(|(user, part)| (user, part as u64)).collect()
}

#[test]
fn two_computations_of_pplns_agree() {
    let users = users();
    for seed in 0..200_000 {
        let mut random = Random::new(!seed);
        let window = 1 + random.below(5) as u32;
        // What fits the naive one's 128 bits.
        let network = Work::from_units(random.up_to_bits(60).max(1));
        let shares = random.shares(&users, network, 20);
        let amount = random.up_to_bits(51) as u64;
        let scheme = SchemeKind::Pplns { window }.scheme();
        let ours = divide(amount, &scheme.divides(&shares, 0, network, None)).unwrap_or_default();
        let theirs = pplns_by_definition(amount, &shares, network.units() * u128::from(window));
        assert_eq!(ours, theirs, "{seed}");
        // Nor does forgetting change anything.
        let kept = &shares[scheme.forgets(&shares, 0, network)..];
        assert_eq!(divide(amount, &scheme.divides(kept, 0, network, None)).unwrap_or_default(), theirs, "{seed}");
    }
}

/// Long histories with reorganisations: the books are whole after every step, and what they tell the store makes the same books.
#[test]
fn books_survive_reorganisations_and_are_restored_from_what_they_tell() {
    let users = users();
    for (seed, scheme) in (0..400).zip(SCHEMES.into_iter().cycle()) {
        let mut random = Random::new(seed << 32);
        let weights = Weights { network: Work::from_units(1 << 20), subsidy: 4_999, reward: 5_000 };
        let mut books = books(&mut random, scheme);
        let mut stored = (Vec::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        let mut chain = Vec::new();
        for _ in 0..300 {
            match random.below(12) {
                0 => {
                    let mut block = found(&mut random, &users, weights, chain.len() as u32);
                    block.is_active = random.below(4) > 0;
                    if block.is_active {
                        chain.push(block.hash);
                    }
                    books.block(block).unwrap();
                }
                1 => chain.truncate(chain.len().saturating_sub(random.below(3) as usize)),
                2 => chain.extend((0..random.below(40)).map(|n| BlockHash::from_byte_array([n as u8; 32]))),
                _ => {
                    let user = &users[random.below(4) as usize];
                    let work = Work::from_units(random.up_to_bits(21));
                    books.share(1, user, work, weights).unwrap();
                }
            }
            books.settle(chain.len() as u32, |height| chain.get(height as usize).copied()).unwrap();
            assert!(is_whole(books.ledger()), "{scheme} {seed}");
            for change in books.take_changes() {
                match change {
                    Change::Share(share) => stored.0.push(share),
                    Change::Booked(_, transaction) => transaction.check().unwrap(),
                    Change::Balance(account, amount) => drop(stored.1.insert(account, amount)),
                    Change::Figure(name, value) => drop(stored.2.insert(name, value)),
                    Change::Block(number, block) => drop(stored.3.insert(number, block)),
                    Change::Payout(..) => panic!("nobody is paid"),
                }
            }
        }
        let immature = |account: &Account| matches!(account, Account::Immature(_));
        let blocks = books.blocks().iter().filter(|block| block.state == BlockState::Immature);
        assert_eq!(sum(books.ledger(), immature), blocks.map(|block| block.reward.cast_signed()).sum::<i64>());
        let (shares, balances, figures, blocks) = stored;
        let blocks = blocks.into_values().collect();
        let (balances, figures) = (balances.into_iter().collect(), pool_sim::pool::accounts::Figures::new(figures));
        // The fee does not matter for the ledger that was.
        let again =
            Books::new(random.terms(scheme), Saved { shares, blocks, balances, figures, ..Saved::default() }).unwrap();
        assert_eq!((again.ledger().balances().collect::<Vec<_>>()), books.ledger().balances().collect::<Vec<_>>());
        assert_eq!((again.blocks(), again.figures()), (books.blocks(), books.figures()));
    }
}

/// With hand-made numbers: what each scheme makes of the same shares.
#[test]
fn what_each_scheme_pays() {
    let weights = Weights { network: Work::from_units(100), subsidy: 1_000, reward: 1_100 };
    let [alice, bob, carol, _] = USERS.map(User::from);
    let paid = |scheme: SchemeKind| {
        let terms = pool_sim::pool::accounts::Terms { scheme, fee: 10_000, reserve_limit: 10_000 };
        let mut books = Books::new(terms, Saved::default()).unwrap();
        for (number, (user, work)) in [(&alice, 100), (&bob, 50), (&carol, 25), (&bob, 75)].into_iter().enumerate() {
            books.share(number as u64 + 1, user, Work::from_units(work), weights).unwrap();
        }
        let finder = User::clone(&bob);
        let hash = BlockHash::all_zeros();
        let found = Found { hash, height: 1, time: 0, finder, weights, parts: None, is_active: true };
        books.block(found).unwrap();
        books.settle(1 + MATURITY, |_| Some(hash)).unwrap();
        let balances = books.ledger().balances().filter(|(account, _)| **account != Account::Chain);
        balances
            .map(|(account, amount)| format!("{} {amount}", &account.to_string()[8..]))
            .collect::<Vec<_>>()
            .join(", ")
    };
    // 1089 without the fee. The window of 200 has 50 of alice's 100.
    assert_eq!(paid("pplns:2".parse().unwrap()), "user:alice 272, user:bob 681, user:carol 136, fee 11");
    assert_eq!(paid(SchemeKind::Prop), "user:alice 436, user:bob 544, user:carol 109, fee 11");
    assert_eq!(paid(SchemeKind::Solo), "user:bob 1089, fee 11");
    // 990, 495 + 742.5, 247.5, and 25 of a fee: what is no whole satoshi waits.
    assert_eq!(paid(SchemeKind::Pps), "user:alice 990, user:bob 1237, user:carol 247, fee 25, reserve -1399");
    assert_eq!(paid(SchemeKind::Fpps), "user:alice 1089, user:bob 1361, user:carol 272, fee 27, reserve -1649");
}

/// At the reserve's limit shares go on to count, and what they earn is nobody's.
#[test]
fn the_reserve_has_an_end() {
    let weights = Weights { network: Work::from_units(100), subsidy: 1_000, reward: 1_000 };
    let terms = pool_sim::pool::accounts::Terms { scheme: SchemeKind::Pps, fee: 0, reserve_limit: 2_500 };
    let mut books = Books::new(terms, Saved::default()).unwrap();
    let alice = User::from(USERS[0]);
    let results: Vec<_> =
        (1..=4).map(|number| books.share(number, &alice, Work::from_units(100), weights).is_ok()).collect();
    assert_eq!(results, [true, true, false, false]);
    let figure = |name| books.figures().get(name);
    assert_eq!((figure("shares"), figure("unpaid")), (4, 2_000));
    assert_eq!(books.ledger().balance(&Account::Balance(Party::User(alice))), 2_000);
}
