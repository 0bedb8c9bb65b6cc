//! Writes `pass.s`.
//!
//! What a round and a schedule word are is said here once; the registers that they work on move along with the rounds.
//! After a change, write the file again:
//!
//! ```text
//! MIDSTATE_WRITE=1 cargo test --lib avx512_asm::generate
//! ```
//!
//! # A pass
//!
//! A pass hashes sixteen nonces twice, under one version; the function is a loop of passes, one for each version.
//!
//! ```text
//! first hash     rounds 4 to 7, and a loop of eight rounds for 8 to 63; W + K of each is a row in memory
//! second hash    rounds 1 to 15; rounds 16 to 31, whose words have known terms; a loop of sixteen rounds for 32 to 56,
//!                which its second turn leaves in the middle; rounds 57 to 60, which need no new `a`
//! ```
//!
//! Rounds move the variables along by one place. So after eight rounds each is where it was, and so are the sixteen
//! newest schedule words after sixteen: that is why the loops are as long as they are.
//!
//! # Registers
//!
//! ```text
//! rdi            the constants
//! rsi            the rows of the nonces, row t for round t; row 0 has the nonces
//! rdx, rcx       the version at work; where to end
//! r8             where its results go
//! r9, r10        in loops: where in a table, and where to end
//! zmm0 to 7      the variables a to h
//! zmm8 to 23     the second hash's newest sixteen schedule words, word t in zmm(8 + t % 16)
//! zmm24 to 31    what is used up at once
//! ```
//!
//! # Order
//!
//! Two ports take these operations, and only one of the two takes rotations. The processor reorders as it can, oldest
//! first among what is ready. `e` is what the next round waits for: it comes first, and all that only `a` needs after it.
//! Weaving the two together costs a tenth.

use super::{Version, known};
use crate::backend::cpu::generated::assert_current;
use std::fmt::Write;
use std::mem::offset_of;

/// Truth tables for `vpternlogd`, whose first operand counts as bit 2 of the index.
const XOR3: u8 = 0b1001_0110;
const CHOOSE: u8 = 0b1100_1010;
const MAJORITY: u8 = 0b1110_1000;

/// Rotations, and a shift at the end, of the schedule's functions.
const SMALL_SIGMA0: [u32; 3] = [7, 18, 3];
const SMALL_SIGMA1: [u32; 3] = [17, 19, 10];

/// Bytes of a row: a word for each of sixteen nonces.
const ROW: usize = 64;

/// The register of a second hash's schedule word.
fn word(t: usize) -> String {
    format!("zmm{}", 8 + t % 16)
}

/// A register for what is used up at once.
fn temporary(i: usize) -> String {
    format!("zmm{}", 24 + i)
}

/// A word in memory, for every lane.
fn every(place: &str) -> String {
    // The braces are doubled, as the file is a format string.
    format!("dword ptr {place}{{{{1to16}}}}")
}

/// A word of a table among the constants, which `base` points to.
fn constant(base: &str, table: &str, i: usize) -> String {
    format!("[{base} + {{{table}}} + {}]", 4 * i)
}

/// A word of the version at work, from a field on.
fn of_version(field: usize, i: usize) -> String {
    format!("[rdx + {}]", field + 4 * i)
}

/// How a round comes by the sum of `h`, W and K, in the register of `h`.
enum Sum {
    /// It is there.
    Ready,
    /// A word in memory, for every lane.
    Known(String),
    /// `h` and a row of memory.
    Row(String),
    /// `h` and a word in memory, for every lane.
    Constant(String),
    /// A schedule word and a word in memory, which has `h` in it.
    WordAndKnown(usize, String),
    /// `h`, a schedule word, and a word in memory.
    Word(usize, String),
}

/// The file, as far as it is written, and which registers hold the variables a to h.
struct Pass {
    text: String,
    variables: [String; 8],
}

impl Pass {
    fn line(&mut self, line: &str) {
        writeln!(self.text, "    {line}").expect("a string takes all");
    }

    fn label(&mut self, label: u32) {
        self.line(".p2align 6");
        writeln!(self.text, "{label}:").expect("a string takes all");
    }

    fn comment(&mut self, comment: &str) {
        self.line(&format!("# {comment}"));
    }

    /// The variables where a pass has them when it begins, and again when a hash does.
    fn begin(&mut self) {
        self.variables = std::array::from_fn(|i| format!("zmm{i}"));
    }

    fn add(&mut self, to: &str, x: &str, y: &str) {
        self.line(&format!("vpaddd {to}, {x}, {y}"));
    }

    /// Three rotations, or two and a shift, and their exclusive or, in the first of three temporaries from `at` on.
    fn sigma(&mut self, at: usize, x: &str, amounts: [u32; 3], last: &str) -> String {
        let [p, q, r] = [at, at + 1, at + 2].map(temporary);
        self.line(&format!("vprord {p}, {x}, {}", amounts[0]));
        self.line(&format!("vprord {q}, {x}, {}", amounts[1]));
        self.line(&format!("{last} {r}, {x}, {}", amounts[2]));
        self.line(&format!("vpternlogd {p}, {q}, {r}, {XOR3:#x}"));
        p
    }

    /// A function of three inputs, in a temporary.
    fn of_three(&mut self, at: usize, [x, y, z]: [&str; 3], table: u8) -> String {
        let to = temporary(at);
        // Moves of whole registers cost no port.
        self.line(&format!("vmovdqa64 {to}, {x}"));
        self.line(&format!("vpternlogd {to}, {y}, {z}, {table:#x}"));
        to
    }

    /// A round; without a new `a` where nothing will read it.
    fn round(&mut self, t: usize, sum: Sum, with_a: bool) {
        let [a, b, c, d, e, f, g, h] = self.variables.clone();
        self.comment(&format!("Round {t}"));
        match sum {
            Sum::Ready => {}
            Sum::Known(place) => self.line(&format!("vpbroadcastd {h}, dword ptr {place}")),
            Sum::Row(place) => self.add(&h, &h, &place),
            Sum::Constant(place) => self.add(&h, &h, &every(&place)),
            Sum::WordAndKnown(t, place) => self.add(&h, &word(t), &every(&place)),
            Sum::Word(t, place) => {
                self.add(&h, &h, &every(&place));
                self.add(&h, &h, &word(t));
            }
        }
        let sigma = self.sigma(0, &e, [6, 11, 25], "vprord");
        let choice = self.of_three(3, [&e, &f, &g], CHOOSE);
        self.add(&h, &h, &choice);
        self.add(&h, &h, &sigma);
        self.add(&d, &d, &h);
        if with_a {
            let sigma = self.sigma(4, &a, [2, 13, 22], "vprord");
            let majority = self.of_three(7, [&a, &b, &c], MAJORITY);
            self.add(&h, &h, &majority);
            self.add(&h, &h, &sigma);
        }
        self.variables = [h, a, b, c, d, e, f, g];
    }

    /// A schedule word of the second hash, from the four before it that are not known.
    fn schedule(&mut self, t: usize) {
        self.comment(&format!("Word {t}"));
        let unknown = |t: &usize| !(8..16).contains(t);
        let mut terms: Vec<String> = [t - 16, t - 7].into_iter().filter(unknown).map(word).collect();
        if unknown(&(t - 15)) {
            terms.push(self.sigma(0, &word(t - 15), SMALL_SIGMA0, "vpsrld"));
        }
        if unknown(&(t - 2)) {
            terms.push(self.sigma(4, &word(t - 2), SMALL_SIGMA1, "vpsrld"));
        }
        if t < 32 && known(t) != 0 {
            terms.push(every(&constant("rdi", "known", t - 16)));
        }
        let to = word(t);
        let mut sum = terms[0].clone();
        for term in &terms[1..] {
            self.add(&to, &sum, term);
            sum.clone_from(&to);
        }
        if sum != to {
            self.line(&format!("vmovdqa64 {to}, {sum}"));
        }
    }

    /// The first hash, from round 4 on.
    fn first_hash(&mut self) {
        self.begin();
        self.comment("The variables before round 4, `h` with W and K");
        let state = offset_of!(Version, before_4);
        for (i, to) in self.variables.clone().iter().enumerate() {
            match i {
                0 | 4 => {
                    self.line(&format!("vmovdqa64 {to}, [rsi]"));
                    self.add(to, to, &every(&of_version(state, i)));
                }
                _ => self.line(&format!("vpbroadcastd {to}, dword ptr {}", of_version(state, i))),
            }
        }
        self.round(4, Sum::Ready, true);
        for t in [5, 6] {
            self.round(t, Sum::Known(of_version(offset_of!(Version, sums_5_and_6), t - 5)), true);
        }
        self.round(7, Sum::Row(format!("[rsi + {}]", 7 * ROW)), true);
        self.line(&format!("lea r9, [rsi + {}]", 8 * ROW));
        self.line(&format!("lea r10, [rsi + {}]", 64 * ROW));
        self.label(3);
        for t in 8..16 {
            self.round(t, Sum::Row(format!("[r9 + {}]", (t - 8) * ROW)), true);
        }
        self.line(&format!("add r9, {}", 8 * ROW));
        self.line("cmp r9, r10");
        self.line("jne 3b");
    }

    /// The digest of the first hash into the words of the second, and the second's variables after round 0.
    fn turn(&mut self) {
        self.comment("The digest");
        for (i, variable) in self.variables.clone().iter().enumerate() {
            self.add(&word(i), variable, &every(&of_version(offset_of!(Version, midstate), i)));
        }
        self.begin();
        self.comment("The variables after round 0, but `h`, which is in the sums of rounds");
        for (i, to) in self.variables.clone().iter().enumerate().take(7) {
            let place = constant("rdi", "after_0", i);
            match i {
                0 | 4 => self.add(to, &word(0), &every(&place)),
                _ => self.line(&format!("vpbroadcastd {to}, dword ptr {place}")),
            }
        }
    }

    /// The second hash, to round 60.
    fn second_hash(&mut self) {
        for t in 1..16 {
            let k = constant("rdi", "k", t);
            let sum = match t {
                1..4 => Sum::WordAndKnown(t, k),
                4..8 => Sum::Word(t, k),
                _ => Sum::Constant(k),
            };
            self.round(t, sum, true);
        }
        for t in 16..32 {
            self.schedule(t);
            self.round(t, Sum::Word(t, constant("rdi", "k", t)), true);
        }
        self.line("mov r9, rdi");
        self.label(4);
        let mut at_56 = None;
        for t in 32..48 {
            self.schedule(t);
            self.round(t, Sum::Word(t, constant("r9", "k", t)), true);
            if t + 16 == 56 {
                self.line("cmp r9, rdi");
                self.line("jne 5f");
                at_56 = Some(self.variables.clone());
            }
        }
        self.line("add r9, 64");
        self.line("jmp 4b");
        self.label(5);
        self.variables = at_56.expect("round 40 is in the loop");
        for t in 57..61 {
            self.schedule(t);
            self.round(t, Sum::Word(t, constant("rdi", "k", t)), false);
        }
    }
}

/// The whole file.
fn assembly() -> String {
    let mut pass = Pass { text: String::new(), variables: Default::default() };
    writeln!(pass.text, "# Written by `generate.rs`, which explains it. Do not edit.").expect("a string takes all");
    pass.label(2);
    pass.first_hash();
    pass.turn();
    pass.second_hash();
    let e = pass.variables[4].clone();
    pass.line(&format!("vmovdqa64 [r8], {e}"));
    pass.line(&format!("add r8, {ROW}"));
    pass.line(&format!("add rdx, {}", size_of::<Version>()));
    pass.line("cmp rdx, rcx");
    pass.line("jne 2b");
    pass.line("vzeroupper");
    pass.line("ret");
    pass.text
}

#[test]
fn pass_is_as_generated() {
    assert_current("avx512_asm/pass.s", &assembly());
}
