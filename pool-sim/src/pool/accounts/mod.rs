//! Who has earned what: schemes, a double-entry ledger, and the store that keeps them.
//!
//! Money is whole satoshis, work whole 65,536ths of a hash ([`Work`]); nothing here is a float but figures for people. A block's
//! reward, less the fee (rounded down), is divided by largest remainder ([`divide()`]). It is immature until the block is
//! [`MATURITY`] blocks deep, and a block that is orphaned before is booked back entry by entry.
//!
//! Balances are paid by transactions of the pool's, if they are to be; [`PayoutRecord`] says how.
//!
//! An account belongs to the user as authorized, up to the first dot: `alice.rig1` and `alice.rig2` are both alice's.

mod block;
mod books;
mod desk;
mod divide;
mod figures;
mod ledger;
mod payout;
mod purse;
mod scheme;
mod store;
mod work;

pub use block::{BlockRecord, BlockState, MATURITY, Parts};
pub use books::{Books, Change, Found, Place, Saved, Terms};
pub use desk::{AccountsConfig, AccountsError, Payout};
pub(super) use desk::{Desk, Entered, Pay};
pub use divide::{divide, fee};
pub use figures::Figures;
pub use ledger::{Account, AccountError, Ledger, LedgerError, Party, Transaction};
pub use payout::{LEAST_THRESHOLD, PayoutRecord, PayoutState};
pub use purse::{PaidOut, pay_out};
pub use scheme::{Scheme, SchemeError, SchemeKind, Share, Weights};
pub use store::{Audit, Entry, Fault, File, Headers, Journal, NoHeaders, Store, StoreError, StoredShare, Written};
pub use work::Work;

/// Whose account it is.
pub type User = std::sync::Arc<str>;
