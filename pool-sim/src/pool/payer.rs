//! Pays miners by transactions, if they are to be paid so.

use super::accounts::PaidOut;
use super::local::Local;
use super::{PoolEvent, Shared};

/// Books what became of payouts, and makes and sends one if somebody is due. Whether that may go on: not if the store does not
/// keep what was booked.
pub(super) async fn pay(shared: &Shared) -> bool {
    let Some(Local { config, node, desk, .. }) = shared.source.local() else { return false };
    let booked = desk.lock().pay_out(node, &config.pay_to);
    let (PaidOut { settled, made }, written) = match booked {
        Ok(paid_out) => paid_out,
        Err(error) => {
            shared.say(PoolEvent::Unbooked { error: error.to_string() });
            return true;
        }
    };
    let say = |payout| shared.say(PoolEvent::Payout(Box::new(payout)));
    settled.into_iter().for_each(say);
    let Some(payout) = made else { return true };
    // Nothing is sent that another start would not know of.
    if let Some(written) = written
        && let Err(error) = written.done().await
    {
        let error = error.map_or_else(|| "the store is gone".to_owned(), |error| error.to_string());
        shared.say(PoolEvent::Unbooked { error });
        return false;
    }
    let transaction = payout.transaction.clone();
    say(payout);
    // What the node does not take now, it is given again.
    let _ = node.send_transaction(transaction, None);
    true
}
