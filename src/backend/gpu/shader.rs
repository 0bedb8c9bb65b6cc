//! Writes the shader's rounds out, in a straight line.

use crate::sha256::{DIGEST_BITS, HEADER_BITS, IV, K, PADDING, round};
use std::fmt::Write;

/// The readable part of the shader.
const TEMPLATE: &str = include_str!("../../../shaders/sha256d.wgsl");
/// How many candidates of a dispatch are kept. More are counted, and searched for again.
pub(super) const CAPACITY: u32 = 1023;

/// Which shader to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// For which compiler.
    pub dialect: Dialect,
    /// Invocations in a workgroup.
    pub workgroup: u32,
    /// How many versions of a header an invocation hashes: they share the first hash's schedule.
    pub versions: u32,
    /// How many nonces an invocation hashes, one after the other.
    pub nonces: u32,
}

/// How two functions are written, so that a driver's compiler finds its instructions for them. All mean the same.
///
/// `scripts/shader-isa` counts what comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// As they usually are: what compilers based on LLVM, and NVIDIA's, look for.
    Usual,
    /// For RADV. It rotates in one instruction only where it cannot know by how much: by known amounts it has folded
    /// `32 - n` before it looks for that. And it does not look for a choice of bits by a variable; of its ways to
    /// write one this is the shortest.
    Radv,
}

impl Dialect {
    /// The one for a driver, by its name.
    pub(super) fn of(driver: &str) -> Dialect {
        if driver.starts_with("radv") { Dialect::Radv } else { Dialect::Usual }
    }
}

impl Form {
    /// The whole shader, in WGSL.
    pub fn source(self) -> String {
        let (rotate_by, choice) = match self.dialect {
            Dialect::Usual => ("n", "z ^ (x & (y ^ z))"),
            Dialect::Radv => ("n ^ params.zero", "(x & y) | (~x & z)"),
        };
        TEMPLATE
            .replace("= ROTATE_BY;", &format!("= {rotate_by};"))
            .replace("return CHOICE;", &format!("return {choice};"))
            .replace("//HASHES\n", &self.hashes())
            .replace("//NONCES\n", &self.nonces())
            .replace("WORKGROUP", &self.workgroup.to_string())
            .replace("VERSIONS", &self.versions.to_string())
            .replace("CAPACITY", &CAPACITY.to_string())
    }

    /// The nonces of an invocation. Neighbours have neighbouring ones, each time.
    fn nonces(self) -> String {
        if self.nonces == 1 {
            return "    if (index < params.count) {\n        hash(params.first + index);\n    }\n".to_owned();
        }
        format!(
            "    let all = groups.x * groups.y * WORKGROUPu;
    for (var i = 0u; i < {}u; i++) {{
        let place = index + i * all;
        if (place < params.count) {{
            hash(params.first + place);
        }}
    }}
",
            self.nonces
        )
    }

    /// The first hashes side by side, as they share their schedule; then one second hash after the other.
    fn hashes(self) -> String {
        let mut text = String::new();
        let mut firsts: Vec<Hash> = (0..self.versions).map(Hash::first).collect();
        let rounds = |text: &mut String, firsts: &mut [Hash], t: usize, kw: &str| {
            for first in firsts {
                first.round(text, t, kw);
            }
        };

        // The header's second block, from round 4 on.
        rounds(&mut text, &mut firsts, 4, &format!("{}u", K[4].wrapping_add(PADDING)));
        for (t, k) in K.iter().enumerate().take(15).skip(5) {
            rounds(&mut text, &mut firsts, t, &format!("{k}u"));
        }
        rounds(&mut text, &mut firsts, 15, &format!("{}u", K[15].wrapping_add(HEADER_BITS)));
        for (t, k) in K.iter().enumerate().skip(16) {
            let_(&mut text, &format!("w{t}"), &first_word(t));
            rounds(&mut text, &mut firsts, t, &format!("{k}u + w{t}"));
        }
        for first in firsts {
            first.second(&mut text);
        }
        text
    }
}

/// Schedule word `t` of the first hash, without the terms that are zero.
fn first_word(t: usize) -> String {
    match t {
        16 | 17 => format!("params.w{t}"),
        18 => "params.w18_base + small_sigma0(nonce)".to_owned(),
        19 => "params.w19_base + nonce".to_owned(),
        20 => format!("small_sigma1(w18) + {PADDING}u"),
        21 => "small_sigma1(w19)".to_owned(),
        22 => format!("small_sigma1(w20) + {HEADER_BITS}u"),
        23..=29 => format!("small_sigma1(w{}) + w{}", t - 2, t - 7),
        30 => format!("small_sigma1(w28) + w23 + small_sigma0({HEADER_BITS}u)"),
        31 | 32 => format!("small_sigma1(w{}) + w{} + params.w{t}_base", t - 2, t - 7),
        _ => next_word("w", t),
    }
}

/// Schedule word `t` of a second hash, without the terms that are zero; its first eight words are the digest.
fn second_word(d: &str, w: &str, t: usize) -> String {
    match t {
        16 => format!("small_sigma0({d}1) + {d}0"),
        17 => format!("small_sigma1({DIGEST_BITS}u) + small_sigma0({d}2) + {d}1"),
        18..=21 => format!("small_sigma1({w}{}) + small_sigma0({d}{}) + {d}{}", t - 2, t - 15, t - 16),
        22 => format!("small_sigma1({w}20) + {DIGEST_BITS}u + small_sigma0({d}7) + {d}6"),
        23 => format!("small_sigma1({w}21) + {w}16 + small_sigma0({PADDING}u) + {d}7"),
        24 => format!("small_sigma1({w}22) + {w}17 + {PADDING}u"),
        25..=29 => format!("small_sigma1({w}{}) + {w}{}", t - 2, t - 7),
        30 => format!("small_sigma1({w}28) + {w}23 + small_sigma0({DIGEST_BITS}u)"),
        31 => format!("small_sigma1({w}29) + {w}24 + small_sigma0({w}16) + {DIGEST_BITS}u"),
        _ => next_word(w, t),
    }
}

/// The general schedule word `t`.
fn next_word(w: &str, t: usize) -> String {
    format!("small_sigma1({w}{}) + {w}{} + small_sigma0({w}{}) + {w}{}", t - 2, t - 7, t - 15, t - 16)
}

fn let_(text: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "    let {name} = {value};");
}

/// One hash under one version, as it is written.
struct Hash {
    version: u32,
    /// The names of the eight variables, a to h.
    state: [String; 8],
    /// What its names begin with, so that they do not clash.
    prefix: String,
}

impl Hash {
    /// The first hash, after round 3.
    fn first(version: u32) -> Hash {
        let own = format!("params.versions[{version}]");
        let after = |i: usize| format!("{own}.after_round_2[{}].{}", i / 4, ["x", "y", "z", "w"][i % 4]);
        let [a, e] = ["a", "e"].map(|variable| format!("({own}.round_3_{variable} + nonce)"));
        let state = [a, after(0), after(1), after(2), e, after(4), after(5), after(6)];
        Hash { version, state, prefix: format!("v{version}_") }
    }

    /// One round, with `kw` = round constant + schedule word.
    fn round(&mut self, text: &mut String, t: usize, kw: &str) {
        let [a, b, c, d, e, f, g, h] = self.state.clone();
        let [t1, new_a, new_e] = ["t", "a", "e"].map(|variable| format!("{}{variable}{t}", self.prefix));
        // Without brackets around the last two: versions that shared their sum would each have to add one more term.
        let_(text, &t1, &format!("{h} + big_sigma1({e}) + ch({e}, {f}, {g}) + {kw}"));
        let_(text, &new_e, &format!("{d} + {t1}"));
        // The two ways take turns, from round 4 of a first hash and round 1 of a second on: each begins with the way that takes
        // b and c together, as they are known there.
        let turn = t + usize::from(self.prefix.starts_with('v'));
        let maj = if turn % 2 == 1 { "maj_next" } else { "maj" };
        let_(text, &new_a, &format!("{t1} + big_sigma0({a}) + {maj}({a}, {b}, {c})"));
        self.state = [new_a, a, b, c, new_e, e, f, g];
    }

    /// The hash of this hash: its last word, reported.
    fn second(self, text: &mut String) {
        let Hash { version, state: first, .. } = self;
        // The digest is the second hash's message.
        let d = format!("d{version}_");
        for (i, word) in first.iter().enumerate() {
            let start = format!("params.versions[{version}].midstate[{}].{}", i / 4, ["x", "y", "z", "w"][i % 4]);
            let_(text, &format!("{d}{i}"), &format!("{word} + {start}"));
        }
        // Round 0 works on constants alone, but for its word.
        let mut state = round(IV, K[0]).map(|word| format!("{word}u"));
        for i in [0, 4] {
            state[i] = format!("({} + {d}0)", state[i]);
        }
        let mut hash = Hash { version, state, prefix: format!("s{version}_") };
        for (t, k) in K.iter().enumerate().take(8).skip(1) {
            hash.round(text, t, &format!("{k}u + {d}{t}"));
        }
        hash.round(text, 8, &format!("{}u", K[8].wrapping_add(PADDING)));
        for (t, k) in K.iter().enumerate().take(15).skip(9) {
            hash.round(text, t, &format!("{k}u"));
        }
        hash.round(text, 15, &format!("{}u", K[15].wrapping_add(DIGEST_BITS)));
        // The last word of the digest is e after round 60.
        let w = format!("s{version}_w");
        for (t, k) in K.iter().enumerate().take(61).skip(16) {
            let_(text, &format!("{w}{t}"), &second_word(&d, &w, t));
            hash.round(text, t, &format!("{k}u + {w}{t}"));
        }
        let _ = writeln!(text, "    report(number, {version}u, {} + {}u);", hash.state[4], IV[7]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That the shader's checks may be left out rests on this: see where the module is created.
    #[test]
    fn nothing_is_indexed_but_by_constants_and_in_one_place() {
        for (versions, nonces) in [(1, 1), (4, 1), (2, 8)] {
            for dialect in [Dialect::Usual, Dialect::Radv] {
                let source = Form { dialect, workgroup: 64, versions, nonces }.source();
                let code: String = source.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
                let indices = code.split('[').skip(1).filter_map(|rest| rest.split(']').next());
                for index in indices {
                    let known = index.parse::<u32>().is_ok_and(|index| index < versions.max(2));
                    assert!(known || index == "place", "{index}");
                }
                assert!(code.contains("if (place < 1023u) {            candidates.found[place]"));
                assert_eq!(code.matches("for (").count(), usize::from(nonces > 1));
                assert!(!code.contains("while") && !code.contains("loop"));
                assert!(!code.contains(" / ") && !code.contains(" % "));
            }
        }
    }
}
