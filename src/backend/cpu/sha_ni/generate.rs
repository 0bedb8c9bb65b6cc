//! Writes `lanes.s`.
//!
//! The order of some eight hundred instructions is made here, from a few lines for each kind of step and a number that
//! says when in its group of four rounds the step's turn comes. After a change, write the file again:
//!
//! ```text
//! MIDSTATE_WRITE=1 cargo test --lib sha_ni::generate
//! ```
//!
//! # A lane's work, in groups
//!
//! A pass of the loop is fifteen groups. In group `g`, a lane does for its first hash rounds `4 + 4g` to `7 + 4g`, and
//! for its second hash rounds `1 + 4g` to `4 + 4g`, whose schedule words `1 + 4g` to `4 + 4g` are the second hash's
//! *word group* `g`. Between two passes is the *turn*: the second hash's result is put down, the first hash's digest
//! becomes the words of the second hash, and the next job begins.
//!
//! Word groups 0 and 1 are the digest and a padding word, group 2 is padding, group 3 is padding and word 16. From
//! group 4 on, group `g` comes from the four groups before it:
//!
//! ```text
//! msg2(msg1(g - 4, g - 3) + words 1 to 4 of (g - 2, g - 1), g - 1)
//! ```
//!
//! The inner msg1 is computed as soon as group `g - 3` is known, and kept.
//!
//! # Registers
//!
//! ```text
//! rdi          the memory
//! rsi, rdx     offset of the row that comes next, in the tables of jobs and of results; where to end
//! rax rcx r8   of each lane's job: offset of its nonce
//! r9 r10 r11   of each lane's job: offset of its version
//! xmm0         always W + K for sha256rnds2, which takes it from there; or what is used up at once
//! xmm1 to 6    a pair for each lane's first hash: variables a, b, e, f and c, d, g, h. Each sha256rnds2 writes the
//!              new a, b, e, f over the old c, d, g, h, since the old a, b, e, f are the new c, d, g, h
//! xmm7 to 12   a pair for each lane's second hash
//! xmm13 to 15  each lane's newest word group: the longest chain of operations that wait for each other goes through it
//! ```
//!
//! # Memory of a lane
//!
//! Seventeen quads: word groups 0 to 12, but in the place of group 2, which is constant, W + K of the group at work;
//! then, from quad 13 on, four sums of msg1 that wait for their group, group `g` at `g % 4`.
//!
//! # Why W + K goes through memory
//!
//! sha256rnds2 wants W + K of two rounds in the lower half of xmm0. To have the upper half there for the next two, a
//! shuffle would do; but shuffles want the units that the schedule's instructions want, and loads are free.

use super::{Job, LANES};
use crate::backend::cpu::generated::assert_current;
use std::fmt::Write;

/// Groups of four rounds in a pass.
const GROUPS: usize = 15;

/// Ticks in a group: the unit of the positions below. Only their order counts. It was found by trying some at random;
/// most are nearly as good. A step must come after those of its lane that it needs.
const GROUP: usize = 24;
/// How much later than the one before a lane is.
const LAG: usize = 8;
/// When, in ticks of a group, a lane does a step.
mod at {
    /// Second hash: the group's first two rounds.
    pub(super) const SECOND_LOW: usize = 0;
    /// First hash: the group's first two rounds.
    pub(super) const FIRST_LOW: usize = 4;
    /// Second hash: the group's last two rounds.
    pub(super) const SECOND_HIGH: usize = 8;
    /// Second hash: msg1.
    pub(super) const MSG1: usize = 13;
    /// First hash: the group's last two rounds.
    pub(super) const FIRST_HIGH: usize = 15;
    /// Second hash: msg2, which gives the next group's words.
    pub(super) const MSG2: usize = 18;
    /// In group 14: the turn.
    pub(super) const TURN: usize = 18;
}

/// Quads of a lane's memory.
mod quad {
    /// W + K of the second hash's group at work, in the place of word group 2.
    pub(super) const SUM: usize = 2;

    /// Word group `g` of the second hash.
    pub(super) fn words(g: usize) -> usize {
        assert!(g != SUM && g <= 12, "not kept");
        g
    }

    /// The sum that waits for word group `g`.
    pub(super) fn msg1(g: usize) -> usize {
        13 + g % 4
    }
}

/// Some instructions that stay together.
struct Step {
    /// When, in ticks from the lane's pass's beginning.
    at: usize,
    what: String,
    lines: Vec<String>,
}

const TURN: &str = "turn";

/// Where a lane keeps what.
struct Lane {
    index: usize,
    /// The registers of the first hash's a, b, e, f and c, d, g, h, when a pass begins.
    first: [String; 2],
    /// Those of the second hash.
    second: [String; 2],
    /// The register of the newest word group.
    newest: String,
    /// The register with the offset of the job's nonce.
    nonce: &'static str,
    /// The register with the offset of the job's version.
    version: &'static str,
}

impl Lane {
    fn new(index: usize) -> Lane {
        let pair = |from: usize| [format!("xmm{}", from + 2 * index), format!("xmm{}", from + 2 * index + 1)];
        Lane {
            index,
            first: pair(1),
            second: pair(1 + 2 * LANES),
            newest: format!("xmm{}", 1 + 4 * LANES + index),
            nonce: ["rax", "rcx", "r8"][index],
            version: ["r9", "r10", "r11"][index],
        }
    }

    /// A quad of the lane's memory, from some byte on.
    fn quad(&self, quad: usize, byte: usize) -> String {
        format!("[rdi + {{lane_{}}} + {}]", self.index, 16 * quad + byte)
    }

    /// The place of this lane's job, or its result, in the row that comes next.
    fn in_row(&self, table: &str, byte: usize) -> String {
        format!("[rdi + rsi + {{{table}}} + {}]", 8 * self.index + byte)
    }

    /// Every step of a pass.
    fn pass(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for g in 0..GROUPS {
            let mut step = |at, what, lines| steps.push(Step { at: GROUP * g + at, what, lines });
            step(at::SECOND_LOW, format!("second hash, rounds {} and {}", 4 * g + 1, 4 * g + 2), self.second_low(g));
            step(at::FIRST_LOW, format!("first hash, rounds {} and {}", 4 * g + 4, 4 * g + 5), self.first_rounds(g, 0));
            step(at::SECOND_HIGH, format!("second hash, rounds {} and {}", 4 * g + 3, 4 * g + 4), self.second_high(g));
            step(at::MSG1, format!("sums that need word group {g}"), self.msg1(g));
            step(
                at::FIRST_HIGH,
                format!("first hash, rounds {} and {}", 4 * g + 6, 4 * g + 7),
                self.first_rounds(g, 1),
            );
            step(at::MSG2, format!("word group {}", g + 1), self.next_words(g + 1));
        }
        steps.push(Step { at: GROUP * (GROUPS - 1) + at::TURN, what: TURN.to_owned(), lines: self.turn() });
        steps
    }

    /// Two rounds: the first or the second half of a group.
    fn rounds([abef, cdgh]: &[String; 2], half: usize) -> String {
        if half == 0 { format!("sha256rnds2 {cdgh}, {abef}") } else { format!("sha256rnds2 {abef}, {cdgh}") }
    }

    /// Rounds of the first hash, W + K from the nonce. Its first quad is for no rounds.
    fn first_rounds(&self, g: usize, half: usize) -> Vec<String> {
        vec![
            format!("vmovq xmm0, [rdi + {} + {}]", self.nonce, 16 * (g + 1) + 8 * half),
            Self::rounds(&self.first, half),
        ]
    }

    fn second_low(&self, g: usize) -> Vec<String> {
        let mut lines = match g {
            2 => vec!["vmovq xmm0, [rdi + {sums_9_to_12}]".to_owned()],
            3 => vec!["vmovq xmm0, [rdi + {sums_13_to_14}]".to_owned()],
            _ => vec![
                format!("vpaddd xmm0, {}, [rdi + {{k}} + {}]", self.newest, 16 * g),
                format!("vmovdqa {}, xmm0", self.quad(quad::SUM, 0)),
            ],
        };
        lines.push(Self::rounds(&self.second, 0));
        lines
    }

    fn second_high(&self, g: usize) -> Vec<String> {
        let mut lines = match g {
            2 => vec!["vmovq xmm0, [rdi + {sums_9_to_12} + 8]".to_owned()],
            3 => vec![
                format!("vpaddd xmm0, {}, [rdi + {{k}} + {}]", self.newest, 16 * g),
                format!("vpshufd xmm0, xmm0, {:#x}", order([2, 3, 0, 0])),
            ],
            _ => vec![format!("vmovq xmm0, {}", self.quad(quad::SUM, 8))],
        };
        lines.push(Self::rounds(&self.second, 1));
        lines
    }

    /// Sums that groups `g` and before allow: of `g - 1` and `g`, for group `g + 3`; and where that is padding, `g` and
    /// padding, for group `g + 4`.
    fn msg1(&self, g: usize) -> Vec<String> {
        let mut lines = Vec::new();
        // For group 6 the sum is zero: both its groups are padding, and none before group 4 needs one.
        if g == 1 || (4..GROUPS - 3).contains(&g) {
            lines.push(format!("vmovdqa xmm0, {}", self.quad(quad::words(g - 1), 0)));
            lines.push(format!("sha256msg1 xmm0, {}", self.newest));
            lines.push(format!("vmovdqa {}, xmm0", self.quad(quad::msg1(g + 3), 0)));
        }
        if g == 1 {
            lines.push(format!("vmovdqa xmm0, {}", self.newest));
            lines.push("sha256msg1 xmm0, [rdi + {words_9_to_12}]".to_owned());
            lines.push(format!("vmovdqa {}, xmm0", self.quad(quad::msg1(g + 4), 0)));
        }
        lines
    }

    /// Puts group `g` into the newest group's register; and into memory, if a later group wants it from there.
    fn next_words(&self, g: usize) -> Vec<String> {
        let newest = &self.newest;
        // Words 1 to 4 of the last two groups.
        let middle = |before: usize| format!("vpalignr xmm0, {newest}, {}, 4", self.quad(quad::words(before), 0));
        let mut lines = match g {
            // The turn put them into memory.
            1 | 3 => return vec![format!("vmovdqa {newest}, {}", self.quad(quad::words(g), 0))],
            // Padding, which has no use for a register; and nothing after the last group.
            2 | GROUPS => return Vec::new(),
            // The words between are padding.
            4 => vec![format!("vmovdqa xmm0, {}", self.quad(quad::msg1(g), 0))],
            // The sum is zero.
            6 => vec![middle(g - 2)],
            _ => vec![middle(g - 2), format!("vpaddd xmm0, xmm0, {}", self.quad(quad::msg1(g), 0))],
        };
        lines.push(format!("sha256msg2 xmm0, {newest}"));
        lines.push(format!("vmovdqa {newest}, xmm0"));
        if g + 2 < GROUPS {
            lines.push(format!("vmovdqa {}, xmm0", self.quad(quad::words(g), 0)));
        }
        lines
    }

    /// From one job to the next.
    fn turn(&self) -> Vec<String> {
        let Lane { first: [abef, cdgh], second: [second_abef, second_cdgh], newest, nonce, version, .. } = self;
        let of_version = |quad: usize| format!("[rdi + {version} + {}]", 16 * quad);
        let mut lines = vec![
            // The result: f and e.
            format!("vmovq {}, {second_abef}", self.in_row("results", 0)),
            // The second hash's variables after round 0: the last `a` of the first hash goes into a and e, and the
            // version's quad has the midstate's.
            format!("vinsertps {second_abef}, {abef}, {abef}, {:#x}", insert(3, 1, 0b0101)),
            format!("vpaddd {abef}, {abef}, {}", of_version(2)),
            format!("vpaddd {cdgh}, {cdgh}, {}", of_version(3)),
            format!("vpaddd {second_abef}, {second_abef}, {}", of_version(4)),
            format!("vmovdqa {second_cdgh}, [rdi + {{cdgh_0}}]"),
            // The digest is now f, e, b, a and h, g, d, c. Words 1 to 4 are b, c, d, e.
            format!("vshufps {newest}, {abef}, {cdgh}, {:#x}", order([2, 1, 3, 2])),
            format!("vpshufd {newest}, {newest}, {:#x}", order([0, 2, 3, 1])),
            format!("vmovdqa {}, {newest}", self.quad(quad::words(0), 0)),
            // Words 5 to 8 are f, g, h and padding.
            format!("vpshufd xmm0, {cdgh}, {:#x}", order([3, 1, 0, 3])),
            format!("vinsertps xmm0, xmm0, {abef}, {:#x}", insert(0, 0, 0b1000)),
            "vpor xmm0, xmm0, [rdi + {words_5_to_8}]".to_owned(),
            format!("vmovdqa {}, xmm0", self.quad(quad::words(1), 0)),
            // Words 13 to 16: word 16 is σ0(b) + a, the last of msg1's sums.
            format!("sha256msg1 {abef}, {newest}"),
            format!("vpblendw {abef}, {abef}, [rdi + {{words_13_to_16}}], {:#x}", 0b0011_1111),
            format!("vmovdqa {}, {abef}", self.quad(quad::words(3), 0)),
        ];
        // The next job: its variables after round 3.
        lines.extend(self.take_job());
        lines.push(format!("vmovdqa {abef}, {}", of_version(0)));
        lines.push(format!("vpaddd {abef}, {abef}, [rdi + {nonce}]"));
        lines.push(format!("vmovdqa {cdgh}, {}", of_version(1)));
        lines
    }

    /// Takes the offsets of the job from the table.
    fn take_job(&self) -> Vec<String> {
        [(self.nonce, 0), (self.version, 4)]
            .map(|(to, at)| format!("mov {}, {}", half(to), self.in_row("jobs", at)))
            .into()
    }
}

/// Which word goes to each place, for vpshufd and vshufps.
fn order([a, b, c, d]: [u8; 4]) -> u8 {
    a | b << 2 | c << 4 | d << 6
}

/// Which word goes to which place, and which places become zero, for vinsertps.
fn insert(from: u8, to: u8, zeros: u8) -> u8 {
    from << 6 | to << 4 | zeros
}

/// The lower half of a register, which when written clears the upper one.
fn half(register: &str) -> String {
    match register.strip_prefix('r').expect("a register") {
        number if number.starts_with(|c: char| c.is_ascii_digit()) => format!("{register}d"),
        letters => format!("e{letters}"),
    }
}

/// The whole file.
fn assembly() -> String {
    let lanes: [Lane; LANES] = std::array::from_fn(Lane::new);
    // The loop ends with the last lane's turn: what comes after, of other lanes, is the next pass's beginning.
    let period = GROUP * GROUPS;
    let end = LAG * (LANES - 1) + GROUP * (GROUPS - 1) + at::TURN + 1;
    let mut steps: Vec<_> =
        lanes.iter().flat_map(|lane| lane.pass().into_iter().map(move |step| (lane, step))).collect();
    steps.sort_by_key(|(lane, step)| ((LAG * lane.index + step.at + 2 * period - end) % period, lane.index));

    let mut text = String::new();
    let mut line = |line: &str| writeln!(text, "{line}").expect("a string takes all");
    line("# Written by `generate.rs`, which explains it. Do not edit.");
    line("    vzeroupper");
    line("    # Offsets in bounds for what is done before the first turn.");
    for lane in &lanes {
        for l in lane.take_job() {
            line(&format!("    {l}"));
        }
    }
    line("    jmp 3f");
    line("    .p2align 6");
    line("2:");
    for (lane, Step { what, lines, .. }) in &steps {
        if what == TURN && lane.index == 0 {
            line("3:");
        }
        if !lines.is_empty() {
            line(&format!("    # Lane {}: {what}", lane.index));
            for l in lines {
                line(&format!("    {l}"));
            }
        }
    }
    line(&format!("    add rsi, {}", LANES * size_of::<Job>()));
    line("    cmp rsi, rdx");
    line("    jne 2b");
    line("    ret");
    text
}

#[test]
fn lanes_are_as_generated() {
    assert_current("sha_ni/lanes.s", &assembly());
}
