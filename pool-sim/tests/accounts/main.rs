//! The pool's accounts: schemes, ledger, store.

mod payouts;
mod program;
mod random;
mod schemes;
mod store;
