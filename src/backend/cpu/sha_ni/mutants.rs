//! Does the self-test see one wrong constant in the tables that the assembly reads?

use super::{Memory, Quad, ShaNi};
use crate::backend::cpu::{Cpu, Kernel, Scan};
use crate::backend::self_test;

/// What the self-test says of the kernel with tables that were changed, on so many versions.
fn passes(versions: usize, change: impl Fn(&mut Memory)) -> bool {
    let mut search = ShaNi::new();
    change(&mut search.memory);
    let scan: Scan = Box::new(move |s, v, first, count, limit, hits| {
        // SAFETY: the test ends early where the processor lacks what the kernel needs.
        unsafe { search.scan(s, v, first, count, limit, hits) };
    });
    self_test(&mut Cpu::with("mutant", versions, scan)).is_ok()
}

#[test]
fn the_self_test_sees_every_wrong_constant() {
    if !matches!(Kernel::detect("sha-ni"), Some(Ok(_))) {
        return;
    }
    let flip = |quads: &mut [Quad], word: usize| quads[word / 4].0[word % 4] ^= 1;
    for versions in [1, 64] {
        assert!(passes(versions, |_| {}));
    }
    // Rounds 1 to 60 of the second hash. Rounds 9 to 14 read sums, and no constant.
    for t in (1..=60).filter(|t| !(9..=14).contains(t)) {
        assert!(!passes(1, |memory| flip(&mut memory.constants.k, t - 1)), "second hash, K[{t}]");
    }
    for word in 0..4 {
        assert!(!passes(1, |memory| memory.constants.sums_9_to_12.0[word] ^= 1), "second hash, K[{}]", 9 + word);
        assert!(!passes(1, |memory| memory.constants.cdgh.0[word] ^= 1), "second hash after round 0, {word}");
    }
    for word in 0..2 {
        assert!(!passes(1, |memory| memory.constants.sums_13_to_14.0[word] ^= 1), "second hash, K[{}]", 13 + word);
    }
    for t in 16..64 {
        assert!(!passes(1, |memory| flip(&mut memory.constants.first_k, t)), "first hash, K[{t}]");
    }
    // Rounds 4 to 15 of the first hash, in the place of each nonce.
    for nonce in 0..super::NONCES {
        let t = 4 + nonce % 12;
        assert!(!passes(1, |memory| flip(&mut memory.nonces[nonce].0, t)), "first hash, K[{t}] of nonce {nonce}");
    }
}
