//! `pool-sim accounts`, as a stranger sees it.

use super::random::users;
use bitcoin::BlockHash;
use bitcoin::hashes::Hash;
use pool_sim::pool::accounts::{
    Books, Entry, File, Found, Saved, SchemeKind, Store, StoredShare, Terms, Weights, Work,
};
use redb::{Database, TableDefinition};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

/// The exit code, what it printed, and what it complained of.
fn accounts(arguments: &[&str], store: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pool-sim"));
    let output = command.arg("accounts").args(arguments).arg("--store").arg(store).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A share of half a block's work, and a block.
fn make(path: &Path) {
    let weights = Weights { network: Work::from_units(1 << 20), subsidy: 1_000, reward: 1_000 };
    let terms = Terms { scheme: SchemeKind::Prop, fee: 10_000, reserve_limit: 0 };
    let mut books = Books::new(terms, Saved::default()).unwrap();
    let alice = "al\u{1b}ice".into();
    books.share(1, &alice, Work::from_units(1 << 19), weights).unwrap();
    let finder = users().remove(1);
    let hash = BlockHash::all_zeros();
    books.block(Found { hash, height: 7, time: 8, finder, weights, parts: None, is_active: true }).unwrap();
    let share = StoredShare { header: hash, number: 1, time: SystemTime::now(), record: "{}".into() };
    File::create(path).unwrap().commit(&[Entry { changes: books.take_changes(), share: Some(share) }]).unwrap();
}

#[test]
fn it_shows_a_store_and_fails_if_it_does_not_add_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    make(&path);
    let (code, out, err) = accounts(&["--json"], &path);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    let owed = json!({"balance:user:al\u{1b}ice": 990, "balance:fee": 10});
    let shown: Value = serde_json::from_str(&out).unwrap();
    let expected = json!({
        "shares": 1, "work": 8.0, "found": 1, "expected": 0.5, "luck": 2.0, "deviation": 0.5 / 0.5f64.sqrt(), "unpaid": 0,
        "accounts": {"chain": -1000, "immature:user:al\u{1b}ice": 990, "immature:fee": 10},
        "blocks": [{
            "hash": BlockHash::all_zeros(), "height": 7, "time": 8, "finder": "bob", "state": "immature", "reward": 1000,
            "luck": 2.0, "owed": owed, "paid": {},
        }],
        "payouts": [],
        "faults": [],
    });
    assert_eq!(shown, expected);
    // The help says all of it.
    let help = accounts(&["--help"], &path).1;
    let keys = shown.as_object().unwrap().keys().chain(shown["blocks"][0].as_object().unwrap().keys());
    for key in keys {
        assert!(help.split(|c: char| !c.is_alphanumeric()).any(|word| word == key), "{key}");
    }
    let (code, out, _) = accounts(&[], &path);
    assert_eq!(code, Some(0));
    assert!(out.contains("990 immature:user:al\\u{1b}ice") && out.contains("luck 2.00"), "{out}");

    let database = Database::create(&path).unwrap();
    let write = database.begin_write().unwrap();
    write.open_table(TableDefinition::<&str, i64>::new("balances")).unwrap().insert("paid", 1).unwrap();
    write.commit().unwrap();
    drop(database);
    let (code, out, err) = accounts(&["--json"], &path);
    assert_eq!((code, err.trim()), (Some(1), "error: the accounts do not add up"));
    let shown: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["faults"], json!(["account paid: 1 satoshis; expected 0, as was booked"]));
}

#[test]
fn a_store_that_is_not_there_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("none");
    let (code, out, err) = accounts(&["--json"], &path);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains(&format!("cannot open the store {}", path.display())), "{err}");
    assert!(!path.exists());
    let without = Command::new(env!("CARGO_BIN_EXE_pool-sim")).arg("accounts").output().unwrap();
    assert_eq!(without.status.code(), Some(2));
    assert!(String::from_utf8(without.stderr).unwrap().contains("--store"));
}
