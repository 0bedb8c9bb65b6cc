//! The pool's accounts: schemes, ledger, store.

mod program;
mod random;
mod schemes;
mod store;
