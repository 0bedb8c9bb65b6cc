//! What the target `coinbase` does with its input. The miner's own tests run it too (`tests/coinbase_fuzz.rs`); it is no part of the
//! library here, which `midstate-stratum` tests and so must not need the miner.

use midstate::upstream::{Coinbase, CoinbaseError};

/// What is read is the whole of what came, has a sane height and total, and whatever is refused is named.
///
/// # Panics
/// When that does not hold.
pub fn coinbase(bytes: &[u8]) {
    let named = |error: CoinbaseError| {
        let said = error.to_string();
        assert!(said.contains(error.field) && said.contains("expected") && said.len() < 400, "{said}");
    };
    let coinbase = match Coinbase::read(bytes) {
        Ok(coinbase) => coinbase,
        Err(error) => return named(error),
    };
    let transaction = coinbase.transaction();
    assert_eq!(bitcoin::consensus::serialize(transaction), bytes);
    assert!(transaction.is_coinbase());
    for output in &transaction.output {
        let paid = coinbase.paid_to(&output.script_pubkey);
        assert!(output.value <= paid && paid <= coinbase.total());
    }
    assert!(coinbase.total() <= bitcoin::Amount::MAX_MONEY);
    match coinbase.height() {
        Ok(height) => {
            // It is written as `bitcoin` writes it.
            let start = bitcoin::script::Builder::new().push_int(height.into());
            assert!(transaction.input[0].script_sig.as_bytes().starts_with(start.as_bytes()), "{height}");
        }
        Err(error) => named(error),
    }
}
