//! Does the self-test see one wrong constant in the tables that the assembly reads?

use super::{Avx512, Avx512Asm, CONSTANTS, Memory};
use crate::backend::cpu::{Cpu, Kernel, Scan};
use crate::backend::self_test;
use crate::sha256::{HEADER_BITS, K};

/// What the self-test says of the kernel with tables that were changed. Only with several versions does it use them.
fn passes(change: impl Fn(&mut Memory)) -> bool {
    let mut search = Avx512Asm::new();
    change(&mut search.0);
    let scan: Scan = Box::new(move |s, v, first, count, limit, hits| {
        // SAFETY: the test ends early where the processor lacks what the kernel needs.
        unsafe { search.scan(s, v, first, count, limit, hits) };
    });
    self_test(&mut Cpu::with("mutant", 8, scan)).is_ok()
}

#[test]
fn the_self_test_sees_every_wrong_constant() {
    if !matches!(Kernel::detect("avx512-asm"), Some(Ok(_))) {
        return;
    }
    assert!(passes(|_| {}));
    for t in 1..=60 {
        assert!(!passes(|memory| memory.constants.k[t] ^= 1), "second hash, K[{t}]");
    }
    // `h` is in the sum of round 1.
    for i in 0..7 {
        assert!(!passes(|memory| memory.constants.after_0[i] ^= 1), "second hash after round 0, {i}");
    }
    for (i, _) in CONSTANTS.known.iter().enumerate().filter(|(_, known)| **known != 0) {
        assert!(!passes(|memory| memory.constants.known[i] ^= 1), "second hash, word {}", 16 + i);
    }
    // Rounds before 7 have theirs with the version, and those from 16 on in the one kernel.
    for (t, k) in K.into_iter().enumerate().take(16).skip(7) {
        let k = if t == 15 { k.wrapping_add(HEADER_BITS) } else { k };
        assert!(!passes(|memory| memory.rows[t] = Avx512::filled(k ^ 1)), "first hash, K[{t}]");
    }
}
