//! Does the self-test see a kernel with one wrong constant in one lane? The kernel is run on lanes that can be broken.

use super::kernel::{self, Hits};
use super::lanes::Lanes;
use super::{Cpu, Scan};
use crate::backend::self_test;
use crate::sha256::{DIGEST_BITS, HEADER_BITS, IV, K, PADDING, Rounds, Schedule, round};
use std::cell::RefCell;

const LANES: usize = 4;

/// What is wrong, and in which lane.
#[derive(Clone, Debug)]
enum Broken {
    /// Words that a kernel takes for constants: their lowest bit is flipped.
    Words(Vec<u32>),
    /// A function's rotation or shift is by one too many.
    Amount { function: usize, place: usize },
}

thread_local! {
    static BROKEN: RefCell<Option<(Broken, usize)>> = const { RefCell::new(None) };
}

/// The functions: rotations, rotations, and a rotation or a shift.
const AMOUNTS: [[u32; 3]; 4] = [[7, 18, 3], [17, 19, 10], [2, 13, 22], [6, 11, 25]];

#[derive(Clone, Copy)]
struct Mutant([u32; LANES]);

impl Mutant {
    fn of(self, other: Self, function: impl Fn(u32, u32) -> u32) -> Self {
        Mutant(std::array::from_fn(|lane| function(self.0[lane], other.0[lane])))
    }

    fn sigma(self, function: usize) -> Self {
        let broken = BROKEN.with_borrow(Clone::clone);
        Mutant(std::array::from_fn(|lane| {
            let mut amounts = AMOUNTS[function];
            if let Some((Broken::Amount { function: f, place }, l)) = &broken
                && (*f, *l) == (function, lane)
            {
                amounts[*place] += 1;
            }
            let x = self.0[lane];
            let last = if function < 2 { x >> amounts[2] } else { x.rotate_right(amounts[2]) };
            x.rotate_right(amounts[0]) ^ x.rotate_right(amounts[1]) ^ last
        }))
    }
}

impl Lanes for Mutant {
    const COUNT: u32 = LANES as u32;

    fn splat(word: u32) -> Self {
        let mut lanes = [word; LANES];
        BROKEN.with_borrow(|broken| match broken {
            Some((Broken::Words(words), lane)) if words.contains(&word) => lanes[*lane] ^= 1,
            _ => {}
        });
        Mutant(lanes)
    }

    fn count_from(first: u32) -> Self {
        Mutant(std::array::from_fn(|lane| first.wrapping_add(lane as u32)))
    }

    fn add(self, other: Self) -> Self {
        self.of(other, u32::wrapping_add)
    }

    fn small_sigma0(self) -> Self {
        self.sigma(0)
    }

    fn small_sigma1(self) -> Self {
        self.sigma(1)
    }

    fn big_sigma0(self) -> Self {
        self.sigma(2)
    }

    fn big_sigma1(self) -> Self {
        self.sigma(3)
    }

    fn ch(self, y: Self, z: Self) -> Self {
        Mutant(std::array::from_fn(|lane| self.0[lane].ch(y.0[lane], z.0[lane])))
    }

    fn maj(self, y: Self, z: Self) -> Self {
        Mutant(std::array::from_fn(|lane| self.0[lane].maj(y.0[lane], z.0[lane])))
    }

    fn swap_bytes(self) -> Self {
        Mutant(self.0.map(u32::swap_bytes))
    }

    fn swapped_at_most(self, limit: u32) -> u32 {
        let within = |(lane, word): (usize, u32)| u32::from(word.swap_bytes() <= limit) << lane;
        self.0.into_iter().enumerate().map(within).sum()
    }
}

/// What the self-test says of the kernel on these lanes.
fn passes(broken: Option<(Broken, usize)>) -> bool {
    BROKEN.set(broken);
    let scan: Scan = Box::new(|schedule: &Schedule, versions: &[Rounds], first, count, limit, hits: &mut Hits| {
        kernel::scan::<Mutant>(schedule, versions, first, count, limit, hits);
    });
    self_test(&mut Cpu::with("mutant", 1, scan)).is_ok()
}

/// The forms in which round constant `t` stands in the kernel. In the rounds before the nonce it is no lane's: the host
/// has used it up.
fn forms(t: usize) -> Vec<u32> {
    let k = K[t];
    let mut forms = vec![k];
    match t {
        // In what round 0 of the second hash makes of it.
        0 => forms = round(IV, k).to_vec(),
        4 | 8 => forms.push(k.wrapping_add(PADDING)),
        15 => forms.extend([k.wrapping_add(HEADER_BITS), k.wrapping_add(DIGEST_BITS)]),
        16 | 17 => {
            let known = |header: &crate::sha256::Header| {
                let schedule = Schedule::new(&header.tail());
                k.wrapping_add(if t == 16 { schedule.w16 } else { schedule.w17 })
            };
            forms.extend(self_test::HEADERS.iter().map(known));
        }
        _ => {}
    }
    forms
}

#[test]
fn the_self_test_sees_every_wrong_constant_in_every_lane() {
    assert!(passes(None));
    for lane in 0..LANES {
        for t in 0..64 {
            assert!(!passes(Some((Broken::Words(forms(t)), lane))), "K[{t}] in lane {lane}");
        }
        for function in 0..4 {
            for place in 0..3 {
                let broken = Broken::Amount { function, place };
                assert!(!passes(Some((broken.clone(), lane))), "{broken:?} in lane {lane}");
            }
        }
    }
}
