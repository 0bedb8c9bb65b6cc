//! What each fuzz target does with its input. `stratum/tests/fuzz_bodies.rs` runs the same functions in the ordinary tests,
//! with random and with nearly right input.

use midstate_stratum::codec::{LineError, LineReader};
use midstate_stratum::message::{ClientCall, ConfigureReply, Envelope, ServerCall, SubscribeReply};

/// The limit on a line's length here: short, so that inputs pass it.
const LIMIT: usize = 64;

/// Every newline ends one line, which is given or passed over; nothing is given that was not sent.
///
/// # Panics
/// When that does not hold.
pub fn lines(data: &[u8]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime without drivers needs nothing");
    let ended = data.split(|byte| *byte == b'\n').count() - 1;
    let mut seen = 0;
    runtime.block_on(async {
        let mut reader = LineReader::with_limit(data, LIMIT);
        loop {
            match reader.next_line().await {
                Ok(Some(line)) => {
                    assert!(line.len() <= LIMIT && !line.contains('\n'));
                    assert!(line.is_empty() || data.windows(line.len()).any(|window| window == line.as_bytes()));
                }
                Ok(None) => return,
                Err(LineError::Io(error)) => panic!("a slice cannot fail: {error}"),
                Err(_) => {}
            }
            seen += 1;
        }
    });
    // One more: a line that is too long may lack its end.
    assert!(seen == ended || seen == ended + 1, "{seen} lines of {ended}");
}

/// A call that a pool understands is written as it was read.
///
/// # Panics
/// When it is not.
pub fn client_call(line: &str) {
    let Ok(Envelope::Call { id, method, params }) = Envelope::parse(line) else { return };
    let Ok(call) = ClientCall::read(&method, &params) else { return };
    let written = call.to_line(&id);
    let Ok(Envelope::Call { id: again, method, params }) = Envelope::parse(&written) else { panic!("{written}") };
    assert_eq!(again, id);
    assert_eq!(ClientCall::read(&method, &params), Ok(call), "{written}");
}

/// A call or a reply that a miner understands is written as it was read.
///
/// # Panics
/// When it is not.
pub fn server_line(line: &str) {
    match Envelope::parse(line) {
        Ok(Envelope::Call { id, method, params }) => {
            let Ok(call) = ServerCall::read(&method, &params) else { return };
            let written = call.to_line(&id);
            let Ok(Envelope::Call { method, params, .. }) = Envelope::parse(&written) else { panic!("{written}") };
            assert_eq!(ServerCall::read(&method, &params), Ok(call), "{written}");
        }
        Ok(Envelope::Reply { result: Ok(result), .. }) => {
            if let Ok(reply) = SubscribeReply::read(&result) {
                assert_eq!(SubscribeReply::read(&reply.to_value()), Ok(reply));
            }
            if let Ok(reply) = ConfigureReply::read(&result) {
                assert_eq!(ConfigureReply::read(&reply.to_value()), Ok(reply));
            }
        }
        Ok(Envelope::Reply { result: Err(_), .. }) | Err(_) => {}
    }
}
