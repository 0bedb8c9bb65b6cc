//! What the target `v2_client` does with its input. The pool's own tests run it too (`pool-sim/tests/v2_fuzz.rs`); it is no part of the
//! library here, for the same reason as `coinbase.rs`.

use midstate_stratum::v2::{ClientMessage, Frame, ServerMessage};
use pool_sim::pool::{PoolEvent, Rehearsal, Step};
use std::cell::RefCell;
use std::sync::{Arc, Mutex};

/// Types from here on are no messages, but what happens beside them.
const PAUSE: u8 = 0xf8;
const JOB: u8 = 0xf9;
const TIP: u8 = 0xfa;
const REVIEW: u8 = 0xfb;

/// A pool, and what it says of frames that make no sense.
type Stage = (Rehearsal, Arc<Mutex<Vec<String>>>);

thread_local! {
    /// One pool for all runs of a thread: it lives through them all.
    static POOL: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Plays frames, each of them a type, an extension, a length of two bytes and so many of payload, and what the pool does between them.
/// Whatever comes, each share has one answer, what is sent is well formed, and words are short.
///
/// # Panics
/// When that does not hold.
pub fn v2_client(script: &[u8]) {
    POOL.with_borrow_mut(|pool| {
        let (pool, said) = pool.get_or_insert_with(begin);
        let (steps, shares) = steps(script);
        let (frames, end) = pool.play(steps);
        let answers = frames.iter().map(|frame| answers(frame)).sum::<u64>();
        assert!(answers <= shares, "{answers} answers to {shares} shares");
        // Where the connection did not end, all are answered: the last step is a pause.
        assert!(end.is_some() || answers == shares, "{answers} answers to {shares} shares");
        let mut said = said.lock().expect("nobody panicked with it");
        said.extend(end);
        said.drain(..).for_each(|said| assert!(!said.is_empty() && said.len() < 1200, "{said}"));
    });
}

fn begin() -> Stage {
    let said = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&said);
    let note = move |event| {
        if let PoolEvent::Unreadable { error, .. } = event {
            noted.lock().expect("nobody panicked with it").push(error);
        }
    };
    (Rehearsal::new(note).expect("it needs nothing from outside"), said)
}

/// The steps of a script, and how many shares are among them.
fn steps(mut script: &[u8]) -> (Vec<Step>, u64) {
    let (mut steps, mut shares) = (Vec::new(), 0);
    while let [kind, extension, low, high, rest @ ..] = script {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (payload, rest) = rest.split_at(length);
        script = rest;
        steps.push(match *kind {
            PAUSE => Step::Pause,
            JOB => Step::Job { is_new_tip: false },
            TIP => Step::Job { is_new_tip: true },
            REVIEW => Step::Review,
            kind => {
                let frame = Frame { extension: u16::from(*extension), kind, payload: payload.to_vec() };
                let is_share = matches!(
                    ClientMessage::read(frame.clone()),
                    Ok(ClientMessage::SubmitStandard(_) | ClientMessage::SubmitExtended(_))
                );
                shares += u64::from(is_share);
                Step::Hear(frame)
            }
        });
    }
    steps.push(Step::Pause);
    (steps, shares)
}

/// How many shares a frame answers.
fn answers(bytes: &[u8]) -> u64 {
    let [_, _, kind, low, middle, high, payload @ ..] = bytes else { panic!("no header: {bytes:?}") };
    assert_eq!(u32::from_le_bytes([*low, *middle, *high, 0]) as usize, payload.len());
    let frame = Frame { extension: 0, kind: *kind, payload: payload.to_vec() };
    match ServerMessage::read(frame).expect("what is sent can be read") {
        ServerMessage::SubmitSuccess(success) => success.new_submits_accepted_count.into(),
        ServerMessage::SubmitError(_) => 1,
        _ => 0,
    }
}
