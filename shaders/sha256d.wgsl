// Double SHA-256 of block headers, one nonce under one or several versions an invocation.
//
// This file holds what a person should read. The straight lines of rounds are written out from it by
// src/backend/gpu/shader.rs in the place of the line HASHES, so that every schedule word is a name and nothing is
// indexed at run time. What comes ready from the host is described in src/sha256/partial.rs.
//
// ROTATE_BY and CHOICE are written for the driver's compiler: see `Dialect` there.

// What differs between versions of a header.
struct Version {
    // The chaining value that the first hash's variables are added to.
    midstate: array<vec4<u32>, 2>,
    after_round_2: array<vec4<u32>, 2>,
    // After round 3, a and e are these plus the nonce.
    round_3_a: u32,
    round_3_e: u32,
    unused: vec2<u32>,
}

struct Params {
    versions: array<Version, VERSIONS>,
    // Schedule words of the first hash, or what of them does not depend on the nonce.
    w16: u32,
    w17: u32,
    w18_base: u32,
    w19_base: u32,
    w31_base: u32,
    w32_base: u32,
    // The first nonce as a number, and how many there are.
    first: u32,
    count: u32,
    // The target's most significant word.
    limit: u32,
    // Zero. Compilers do not know that.
    zero: u32,
}

struct Candidates {
    // How many there were: more than CAPACITY if some found no room.
    count: atomic<u32>,
    unused: u32,
    // A nonce, and the index of its version.
    found: array<vec2<u32>>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> candidates: Candidates;

fn rotr(x: u32, n: u32) -> u32 {
    let by = ROTATE_BY;
    return (x >> by) | (x << (32u - by));
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
    return CHOICE;
}

// A round's first two of these are the next round's last two. So rounds take turns with these two ways to write one
// function, and `x & y` and `x | y` of the first serve the second too.
fn maj(x: u32, y: u32, z: u32) -> u32 {
    return (x & y) | (z & (x | y));
}

fn maj_next(x: u32, y: u32, z: u32) -> u32 {
    return (y & z) | (x & (y | z));
}

fn swap_bytes(x: u32) -> u32 {
    return (rotr(x, 8u) & 0xff00ff00u) | (rotr(x, 24u) & 0x00ff00ffu);
}

// Notes the nonce if its hash may meet the target: by the hash's last word, which byte-reversed is its most significant.
fn report(number: u32, version: u32, last_word: u32) {
    if (swap_bytes(last_word) <= params.limit) {
        let place = atomicAdd(&candidates.count, 1u);
        if (place < CAPACITYu) {
            candidates.found[place] = vec2<u32>(number, version);
        }
    }
}

// Hashes the header with the nonce of this number, under each version.
fn hash(number: u32) {
    let nonce = swap_bytes(number);
//HASHES
}

@compute @workgroup_size(WORKGROUP)
fn search(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Two dimensions of workgroups, as one has room for 65,535 only.
    let index = (group.y * groups.x + group.x) * WORKGROUPu + local;
//NONCES
}
