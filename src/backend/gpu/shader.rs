//! Writes the shader's rounds out, in a straight line.

use crate::sha256::{DIGEST_BITS, HEADER_BITS, IV, K, PADDING, round};
use std::fmt::Write;

/// The readable part of the shader.
const TEMPLATE: &str = include_str!("../../../shaders/sha256d.wgsl");
/// Invocations in a workgroup: what all adapters allow.
pub(super) const WORKGROUP_SIZE: u32 = 256;
/// How many candidates of a dispatch are kept. More are counted, and searched for again.
pub(super) const CAPACITY: u32 = 1023;

/// The whole shader, in WGSL.
pub fn source() -> String {
    TEMPLATE
        .replace("//SEARCH\n", &search_body())
        .replace("WORKGROUP_SIZE", &WORKGROUP_SIZE.to_string())
        .replace("CAPACITY", &CAPACITY.to_string())
}

/// A function's body as it is written.
struct Body {
    text: String,
    /// The names of the eight variables, a to h.
    state: [String; 8],
    /// Which of the two hashes is written: names must not clash.
    hash: u32,
}

impl Body {
    fn let_(&mut self, name: &str, value: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "    let {name} = {value};");
    }

    /// One round, with `kw` = round constant + schedule word.
    fn round(&mut self, t: usize, kw: &str) {
        let [a, b, c, d, e, f, g, h] = self.state.clone();
        let (t1, new_a, new_e) =
            (format!("t{}_{t}", self.hash), format!("a{}_{t}", self.hash), format!("e{}_{t}", self.hash));
        self.let_(&t1, &format!("{h} + big_sigma1({e}) + ch({e}, {f}, {g}) + ({kw})"));
        self.let_(&new_e, &format!("{d} + {t1}"));
        self.let_(&new_a, &format!("{t1} + big_sigma0({a}) + maj({a}, {b}, {c})"));
        self.state = [new_a, a, b, c, new_e, e, f, g];
    }

    /// The general schedule word `t`, and its round.
    fn scheduled_round(&mut self, t: usize) {
        let w = |i: usize| format!("w{}_{i}", self.hash);
        let value = format!("small_sigma1({}) + {} + small_sigma0({}) + {}", w(t - 2), w(t - 7), w(t - 15), w(t - 16));
        let name = w(t);
        self.let_(&name, &value);
        self.round(t, &format!("{}u + {name}", K[t]));
    }

    /// Words 16 to 31, each given without the terms that are zero, and their rounds.
    fn first_words(&mut self, words: &[String; 16]) {
        for (i, value) in words.iter().enumerate() {
            let name = format!("w{}_{}", self.hash, 16 + i);
            self.let_(&name, value);
            self.round(16 + i, &format!("{}u + {name}", K[16 + i]));
        }
    }
}

fn search_body() -> String {
    let param = |field: &str| format!("params.{field}");
    let after = |i: usize| format!("params.after_round_2[{}].{}", i / 4, ["x", "y", "z", "w"][i % 4]);
    let mut body = Body {
        text: String::new(),
        state: [
            format!("({} + nonce)", param("round_3_a")),
            after(0),
            after(1),
            after(2),
            format!("({} + nonce)", param("round_3_e")),
            after(4),
            after(5),
            after(6),
        ],
        hash: 1,
    };

    // The header's second block, from round 4 on.
    body.round(4, &format!("{}u", K[4].wrapping_add(PADDING)));
    for (t, k) in K.iter().enumerate().take(15).skip(5) {
        body.round(t, &format!("{k}u"));
    }
    body.round(15, &format!("{}u", K[15].wrapping_add(HEADER_BITS)));
    body.first_words(&[
        param("w16"),
        param("w17"),
        "params.w18_base + small_sigma0(nonce)".to_owned(),
        "params.w19_base + nonce".to_owned(),
        format!("small_sigma1(w1_18) + {PADDING}u"),
        "small_sigma1(w1_19)".to_owned(),
        format!("small_sigma1(w1_20) + {HEADER_BITS}u"),
        "small_sigma1(w1_21) + w1_16".to_owned(),
        "small_sigma1(w1_22) + w1_17".to_owned(),
        "small_sigma1(w1_23) + w1_18".to_owned(),
        "small_sigma1(w1_24) + w1_19".to_owned(),
        "small_sigma1(w1_25) + w1_20".to_owned(),
        "small_sigma1(w1_26) + w1_21".to_owned(),
        "small_sigma1(w1_27) + w1_22".to_owned(),
        format!("small_sigma1(w1_28) + w1_23 + small_sigma0({HEADER_BITS}u)"),
        "small_sigma1(w1_29) + w1_24 + params.w31_base".to_owned(),
    ]);
    body.let_("w1_32", "small_sigma1(w1_30) + w1_25 + params.w32_base");
    body.round(32, &format!("{}u + w1_32", K[32]));
    for t in 33..64 {
        body.scheduled_round(t);
    }

    // The digest is the second hash's message.
    for i in 0..8 {
        let word = body.state[i].clone();
        body.let_(&format!("d{i}"), &format!("{word} + params.midstate[{}].{}", i / 4, ["x", "y", "z", "w"][i % 4]));
    }
    // Round 0 works on constants alone, but for its word.
    body.hash = 2;
    body.state = round(IV, K[0]).map(|word| format!("{word}u"));
    for i in [0, 4] {
        body.state[i] = format!("({} + d0)", body.state[i]);
    }
    for (t, k) in K.iter().enumerate().take(8).skip(1) {
        body.round(t, &format!("{k}u + d{t}"));
    }
    body.round(8, &format!("{}u", K[8].wrapping_add(PADDING)));
    for (t, k) in K.iter().enumerate().take(15).skip(9) {
        body.round(t, &format!("{k}u"));
    }
    body.round(15, &format!("{}u", K[15].wrapping_add(DIGEST_BITS)));
    body.first_words(&[
        "small_sigma0(d1) + d0".to_owned(),
        format!("small_sigma1({DIGEST_BITS}u) + small_sigma0(d2) + d1"),
        "small_sigma1(w2_16) + small_sigma0(d3) + d2".to_owned(),
        "small_sigma1(w2_17) + small_sigma0(d4) + d3".to_owned(),
        "small_sigma1(w2_18) + small_sigma0(d5) + d4".to_owned(),
        "small_sigma1(w2_19) + small_sigma0(d6) + d5".to_owned(),
        format!("small_sigma1(w2_20) + {DIGEST_BITS}u + small_sigma0(d7) + d6"),
        format!("small_sigma1(w2_21) + w2_16 + small_sigma0({PADDING}u) + d7"),
        format!("small_sigma1(w2_22) + w2_17 + {PADDING}u"),
        "small_sigma1(w2_23) + w2_18".to_owned(),
        "small_sigma1(w2_24) + w2_19".to_owned(),
        "small_sigma1(w2_25) + w2_20".to_owned(),
        "small_sigma1(w2_26) + w2_21".to_owned(),
        "small_sigma1(w2_27) + w2_22".to_owned(),
        format!("small_sigma1(w2_28) + w2_23 + small_sigma0({DIGEST_BITS}u)"),
        format!("small_sigma1(w2_29) + w2_24 + small_sigma0(w2_16) + {DIGEST_BITS}u"),
    ]);
    // The last word of the digest is e after round 60.
    for t in 32..61 {
        body.scheduled_round(t);
    }
    let e = body.state[4].clone();
    let _ = writeln!(body.text, "    return {e} + {}u;", IV[7]);
    body.text
}
