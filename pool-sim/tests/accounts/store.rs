//! The store: what it keeps, what it refuses, and how fast it is.

use super::random::{Random, SCHEMES, users};
use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use pool_sim::pool::accounts::{
    Account, Audit, Books, Entry, File, Found, Headers, Journal, MATURITY, Saved, Store, StoreError, StoredShare, User,
    Weights, Work,
};
use redb::{Database, ReadableDatabase, TableDefinition};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

const WEIGHTS: Weights = Weights { network: Work::from_units(1 << 20), subsidy: 4_999, reward: 5_000 };

fn hash(number: u64) -> BlockHash {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    BlockHash::from_byte_array(bytes)
}

/// A share's entry, as the pool makes it.
fn share(books: &mut Books, number: u64, user: &User, work: Work) -> Entry {
    books.share(number, user, work, WEIGHTS).unwrap();
    let record = format!("{{\"number\":{number}}}");
    let share = StoredShare { header: hash(number), number, time: SystemTime::now(), record };
    Entry { changes: books.take_changes(), share: Some(share) }
}

fn audit(path: &Path) -> Audit {
    File::open(path).unwrap().audit().unwrap()
}

#[test]
fn what_was_kept_is_there_again_and_adds_up() {
    let users = users();
    let directory = tempfile::tempdir().unwrap();
    for (seed, scheme) in (0..10).zip(SCHEMES.into_iter().cycle()) {
        let mut random = Random::new(seed);
        let path = directory.path().join(format!("{seed}.redb"));
        let terms = random.terms(scheme);
        let (mut chain, mut number) = (Vec::new(), 0);
        // Several lives, each with several commits.
        for _ in 0..4 {
            let mut file = File::create(&path).unwrap();
            let mut books = Books::new(terms, file.load().unwrap()).unwrap();
            for _ in 0..10 {
                let mut entries = Vec::new();
                for _ in 0..random.below(300) {
                    number += 1;
                    let user = &users[random.below(4) as usize];
                    entries.push(share(&mut books, number, user, Work::from_units(random.up_to_bits(20))));
                }
                if random.below(2) == 0 {
                    let height = chain.len() as u32;
                    chain.push(hash(u64::MAX - random.below(1 << 40)));
                    let (hash, finder) = (*chain.last().unwrap(), User::clone(&users[0]));
                    let found = Found { hash, height, time: 0, finder, weights: WEIGHTS, parts: None, is_active: true };
                    books.block(found).unwrap();
                }
                chain.truncate(chain.len() - chain.len().min(random.below(2) as usize));
                chain.extend((0..random.below(u64::from(MATURITY))).map(hash));
                books.settle(chain.len() as u32, |height| chain.get(height as usize).copied()).unwrap();
                entries.push(Entry { changes: books.take_changes(), share: None });
                file.commit(&entries).unwrap();
            }
            let again = Books::new(terms, file.load().unwrap()).unwrap();
            assert_eq!((again.ledger(), again.blocks()), (books.ledger(), books.blocks()));
            // A block would be divided the same way.
            assert_eq!(again.parts(WEIGHTS, Some(&users[1])), books.parts(WEIGHTS, Some(&users[1])));
        }
        let file = File::open(&path).unwrap();
        assert_eq!(file.find(hash(number)).map(|(number, _)| number), Some(number));
        assert_eq!(file.find(hash(number + 1)), None);
        assert_eq!(file.records().unwrap().len() as u64, number);
        let audit = file.audit().unwrap();
        assert_eq!(audit.faults, [], "{scheme}");
    }
}

#[test]
fn stores_that_cannot_be_used_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let refused = |name: &str| File::create(&path(name)).unwrap_err().to_string();
    let open = File::create(&path("open")).unwrap();
    assert!(refused("open").starts_with(&format!("cannot open the store {}", path("open").display())));
    drop(open);
    std::fs::write(path("text"), "no database").unwrap();
    assert!(refused("text").contains("text"));
    assert!(File::open(&path("none")).unwrap_err().to_string().contains("none"));
    let put = |name: &str, table: &str, key: &str, value: u64| {
        let database = Database::create(path(name)).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(TableDefinition::<&str, u64>::new(table)).unwrap().insert(key, value).unwrap();
        write.commit().unwrap();
    };
    put("foreign", "sheep", "black", 1);
    assert!(refused("foreign").ends_with("foreign has no schema; expected one that pool-sim wrote"));
    drop(File::create(&path("newer")).unwrap());
    put("newer", "meta", "schema", 3);
    assert!(refused("newer").ends_with("newer has schema 3; expected 2 at most"), "{}", refused("newer"));
}

/// The first schema had no payouts.
#[test]
fn an_old_store_is_shown_as_it_is_and_goes_on_as_a_new_one() {
    const PAYOUTS: TableDefinition<u64, &[u8]> = TableDefinition::new("payouts");
    const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mut books = Books::new(Random::new(0).terms(SCHEMES[4]), Saved::default()).unwrap();
    let entry = share(&mut books, 1, &users()[0], WEIGHTS.network);
    File::create(&path).unwrap().commit(&[entry]).unwrap();
    let database = Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.delete_table(PAYOUTS).unwrap();
    write.open_table(META).unwrap().insert("schema", 1).unwrap();
    write.commit().unwrap();
    drop(database);
    let schema = || {
        let database = Database::open(&path).unwrap();
        let read = database.begin_read().unwrap();
        (read.open_table(META).unwrap().get("schema").unwrap().unwrap().value(), read.open_table(PAYOUTS).is_ok())
    };
    assert_eq!(audit(&path).faults, []);
    assert_eq!(schema(), (1, false));
    assert_eq!(File::create(&path).unwrap().load().unwrap().payouts, []);
    assert_eq!(schema(), (2, true));
    assert_eq!(audit(&path).faults, []);
}

#[test]
fn an_audit_finds_what_does_not_add_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let alice = &users()[0];
    let mut books = Books::new(Random::new(0).terms(SCHEMES[4]), Saved::default()).unwrap();
    let entries: Vec<_> = (1..=3).map(|number| share(&mut books, number, alice, WEIGHTS.network)).collect();
    File::create(&path).unwrap().commit(&entries).unwrap();
    assert_eq!(audit(&path).faults, []);
    let account = "balance:user:alice";
    let change = |amount: i64| {
        let database = Database::create(&path).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(TableDefinition::<&str, i64>::new("balances")).unwrap().insert(account, amount).unwrap();
        write.commit().unwrap();
    };
    let right = books.ledger().balance(&account.parse::<Account>().unwrap());
    change(right + 1);
    let faults: Vec<_> = audit(&path).faults.iter().map(ToString::to_string).collect();
    let said = format!("account {account}: {} satoshis; expected {right}, as was booked", right + 1);
    assert_eq!(faults, [said]);
    change(right);
    let database = Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TableDefinition::<u64, &str>::new("records")).unwrap().remove(2).unwrap();
    write.commit().unwrap();
    drop(database);
    let faults: Vec<_> = audit(&path).faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["records: 2; expected 3, as many as shares were counted"]);
}

/// Fails once, and would go on after that.
#[derive(Debug)]
struct FullOnce(u32);

impl Store for FullOnce {
    fn commit(&mut self, _: &[Entry]) -> Result<(), StoreError> {
        self.0 += 1;
        let full = || StoreError::from(redb::StorageError::Io(std::io::ErrorKind::StorageFull.into()));
        if self.0 == 2 { Err(full()) } else { Ok(()) }
    }
}

/// The books know of what was lost: nothing after it may be promised, or the store would have a gap.
#[test]
fn after_a_failure_nothing_is_promised() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let journal = Journal::new(Box::new(FullOnce(0)));
    let kept: Vec<_> =
        (0..4).map(|_| runtime.block_on(journal.enter(Entry::default()).done())).map(|done| done.is_ok()).collect();
    assert_eq!(kept, [true, false, false, false]);
}

/// What each of so many miners waited, when all send a share as soon as the one before is kept.
fn wait_for(store: Box<dyn Store>, miners: u64, span: Duration) -> Vec<Duration> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let books = Books::new(Random::new(0).terms(SCHEMES[0]), Saved::default()).unwrap();
    let shared = std::sync::Arc::new((std::sync::Mutex::new((books, 0)), Journal::new(store)));
    let end = Instant::now() + span;
    let mine = |miner: u64| {
        let shared = std::sync::Arc::clone(&shared);
        async move {
            let mut waited = Vec::new();
            while Instant::now() < end {
                let from = Instant::now();
                let written = {
                    let (books, number) = &mut *shared.0.lock().unwrap();
                    *number += 1;
                    let mut entry = share(books, *number, &users()[(miner % 4) as usize], Work::from_units(1 << 12));
                    // As long as the pool's.
                    entry.share.as_mut().unwrap().record = "x".repeat(800);
                    shared.1.enter(entry)
                };
                written.done().await.unwrap();
                waited.push(from.elapsed());
            }
            waited
        }
    };
    let tasks: Vec<_> = (0..miners).map(|miner| runtime.spawn(mine(miner))).collect();
    let mut waited: Vec<_> = tasks.into_iter().flat_map(|task| runtime.block_on(task).unwrap()).collect();
    waited.sort_unstable();
    waited
}

#[test]
fn what_was_promised_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let waited = wait_for(Box::new(File::create(&path).unwrap()), 50, Duration::from_millis(300));
    let audit = audit(&path);
    assert_eq!(audit.faults, []);
    assert_eq!(audit.saved.figures.get("shares"), waited.len() as u128);
}

/// `cargo test -p pool-sim --test accounts -- --ignored --nocapture measure`
#[test]
#[ignore = "a measurement"]
fn measure_commits() {
    let directory = tempfile::tempdir().unwrap();
    let span = Duration::from_secs(5);
    let show = |miners, waited: &[Duration]| {
        let at = |part: f64| waited[(part * (waited.len() - 1) as f64) as usize];
        let rate = waited.len() as f64 / span.as_secs_f64();
        println!("{miners} miners: {rate:.0} shares/s, median {:?}, 99 % {:?}, all {:?}", at(0.5), at(0.99), at(1.0));
    };
    for miners in [1, 10, 100, 1000] {
        let file = File::create(&directory.path().join(miners.to_string())).unwrap();
        show(miners, &wait_for(Box::new(file), miners, span));
    }
}
