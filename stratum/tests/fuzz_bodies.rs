//! The fuzz targets' bodies as ordinary tests: on random bytes, and on real messages with a few bytes changed, which reach
//! further.

#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is the fuzz package's library")]
mod bodies;

use proptest::prelude::*;

/// A message of each kind.
const SEEDS: &[&str] = &[
    r#"{"id":1,"method":"mining.configure","params":[["version-rolling","minimum-difficulty"],{"minimum-difficulty.value":2048,"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":2}]}"#,
    r#"{"id":2,"method":"mining.subscribe","params":["agent/1.0","session"]}"#,
    r#"{"id":"auth","method":"mining.authorize","params":["user.worker","d=1024"]}"#,
    r#"{"id":4,"method":"mining.submit","params":["user","bf","00000001","504e86ed","b2957c02","00006000"]}"#,
    r#"{"id":5,"method":"mining.suggest_difficulty","params":["0.5"]}"#,
    r#"{"id":6,"method":"mining.suggest_target","params":["00000000ffff0000000000000000000000000000000000000000000000000000"]}"#,
    r#"{"id":null,"method":"mining.notify","params":["bf","4d16b6f85af6e2198f44ae2a6de67f78487ae5611b77c6c0440b921e00000000","0100","ff00",["169e1e83e930853391bc6f35f605c6754cfead57cf8387639d3b4096c54f18f4"],"00000002","1c2ac4af","504e86b9",false]}"#,
    r#"{"id":null,"method":"mining.set_difficulty","params":[4.656542373906925e-10]}"#,
    r#"{"id":null,"method":"mining.set_extranonce","params":["08000002",4]}"#,
    r#"{"id":null,"method":"mining.set_version_mask","params":["1fffe000"]}"#,
    r#"{"id":null,"method":"client.reconnect","params":["pool.example","3333",5]}"#,
    r#"{"id":1,"result":[[["mining.notify","ae68"]],"08000002",4],"error":null}"#,
    r#"{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000","info":"no"},"error":null}"#,
    r#"{"id":1,"result":false,"error":[23,"Low difficulty share",null]}"#,
];

fn all(line: &str) {
    bodies::client_call(line);
    bodies::server_line(line);
    bodies::lines(line.as_bytes());
}

#[test]
fn real_messages() {
    for seed in SEEDS {
        all(seed);
    }
}

proptest! {
    #[test]
    fn random_bytes(data: Vec<u8>, newlines in proptest::collection::vec(any::<prop::sample::Index>(), 0..8)) {
        let mut data = data;
        for at in newlines.iter().filter(|_| !data.is_empty()).map(|at| at.index(data.len())).collect::<Vec<_>>() {
            data[at] = b'\n';
        }
        bodies::lines(&data);
    }

    #[test]
    fn nearly_right_messages(seed in prop::sample::select(SEEDS),
                             changes in proptest::collection::vec((any::<prop::sample::Index>(), "[ -~]{0,2}"), 1..4)) {
        let mut line = seed.to_owned();
        for (at, text) in changes {
            // Every seed is ASCII, and so is what replaces a byte of it.
            let at = at.index(line.len());
            line.replace_range(at..=at, &text);
        }
        all(&line);
    }
}
