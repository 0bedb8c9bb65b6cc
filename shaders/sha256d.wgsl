// The double SHA-256 of a block header, one nonce an invocation.
//
// This file holds what a person should read. The two straight lines of rounds, 61 each, are written out from it by
// src/backend/gpu/shader.rs in the place of the line SEARCH, so that every schedule word is a name and nothing is
// indexed at run time. What comes ready from the host is described in src/sha256/partial.rs.

struct Params {
    // The chaining value that the first hash's variables are added to.
    midstate: array<vec4<u32>, 2>,
    // The variables after round 2.
    after_round_2: array<vec4<u32>, 2>,
    // After round 3, a and e are these plus the nonce.
    round_3_a: u32,
    round_3_e: u32,
    // Schedule words, or the parts of them that do not see the nonce.
    w16: u32,
    w17: u32,
    w18_base: u32,
    w19_base: u32,
    w31_base: u32,
    w32_base: u32,
    // The nonces: `count` from `first` on, wrapping.
    first: u32,
    count: u32,
    // The target's most significant word.
    limit: u32,
    unused: u32,
}

struct Candidates {
    // How many there are, also beyond what there is room for.
    count: atomic<u32>,
    nonces: array<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> candidates: Candidates;

fn rotr(x: u32, n: u32) -> u32 {
    return (x >> n) | (x << (32u - n));
}

fn small_sigma0(x: u32) -> u32 {
    return rotr(x, 7u) ^ rotr(x, 18u) ^ (x >> 3u);
}

fn small_sigma1(x: u32) -> u32 {
    return rotr(x, 17u) ^ rotr(x, 19u) ^ (x >> 10u);
}

fn big_sigma0(x: u32) -> u32 {
    return rotr(x, 2u) ^ rotr(x, 13u) ^ rotr(x, 22u);
}

fn big_sigma1(x: u32) -> u32 {
    return rotr(x, 6u) ^ rotr(x, 11u) ^ rotr(x, 25u);
}

fn ch(x: u32, y: u32, z: u32) -> u32 {
    return z ^ (x & (y ^ z));
}

fn maj(x: u32, y: u32, z: u32) -> u32 {
    return (x & y) | (z & (x | y));
}

fn swap_bytes(x: u32) -> u32 {
    return (rotr(x, 8u) & 0xff00ff00u) | (rotr(x, 24u) & 0x00ff00ffu);
}

// The hash's most significant word as SHA-256 writes it: byte-reversed.
fn last_word(nonce: u32) -> u32 {
//SEARCH
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn search(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Two dimensions of workgroups, as one has room for 65,535 only.
    let index = (group.y * groups.x + group.x) * WORKGROUP_SIZEu + local;
    if (index >= params.count) {
        return;
    }
    let nonce = params.first + index;
    if (swap_bytes(last_word(swap_bytes(nonce))) <= params.limit) {
        let place = atomicAdd(&candidates.count, 1u);
        if (place < CAPACITYu) {
            candidates.nonces[place] = nonce;
        }
    }
}
