//! The fuzz target `config` as an ordinary test: on random bytes, and on real files with a few bytes changed, which reach
//! further. And whatever a file can say is read as it was written.

#[path = "../fuzz/src/config.rs"]
#[expect(unreachable_pub, reason = "it is the fuzz package's")]
mod body;

use body::config;
use midstate::config::{BackendConfig, Config, PoolConfig, Secret, TEMPLATE};
use midstate_stratum::Difficulty;
use proptest::prelude::*;
use std::fmt::Display;
use toml::{Table, Value};

/// A file with most of what there is.
const SEED: &str = r#"
json = true
share_log = 'shares.jsonl'
[defaults]
user = "a"
password_file = "p"
[[pool]]
url = "stratum+ssl://h:1"
tls_ca = "ca.pem"
socks5 = "127.0.0.1:9050"
suggest_difficulty = 0.5
quota = 3
[[pool]]
url = "stratum+tcp://[::1]:2"
minimum_difficulty = 1024
[backends]
backend = ["cpu", "gpu"]
kernel = "avx2"
threads = 2
gpu_dispatch = ["20", "L4=5"]
gpu_tune = false
"#;

/// The file to begin with, with all that is commented out there.
fn uncommented() -> String {
    TEMPLATE
        .lines()
        .map(|line| line.strip_prefix('#').filter(|line| !line.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
        .collect()
}

#[test]
fn real_files() {
    for seed in [SEED, TEMPLATE, &uncommented()] {
        config(seed.as_bytes());
    }
    for end in 0..SEED.len() {
        config(&SEED.as_bytes()[..end]);
    }
}

/// What may stand in a table: each of these settings, or not.
fn table(settings: Vec<(&'static str, BoxedStrategy<Value>)>) -> impl Strategy<Value = Table> {
    let one = |(name, value)| {
        proptest::option::of(value).prop_map(move |value: Option<Value>| value.map(|value| (name, value)))
    };
    let settings: Vec<_> = settings.into_iter().map(one).collect();
    settings.prop_map(|settings| settings.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn text(pattern: &'static str) -> BoxedStrategy<Value> {
    pattern.prop_map(Value::from).boxed()
}

fn number(range: std::ops::RangeInclusive<u32>) -> BoxedStrategy<Value> {
    range.prop_map(|number| Value::from(i64::from(number))).boxed()
}

fn one_of(numbers: &'static [u32]) -> BoxedStrategy<Value> {
    prop::sample::select(numbers).prop_map(|number| Value::from(i64::from(number))).boxed()
}

fn texts(pattern: &'static str) -> BoxedStrategy<Value> {
    proptest::collection::vec(text(pattern), 0..3).prop_map(Value::from).boxed()
}

fn yes() -> BoxedStrategy<Value> {
    any::<bool>().prop_map(Value::from).boxed()
}

fn url() -> BoxedStrategy<Value> {
    text(r"stratum\+(tcp|ssl)://([a-z]{1,9}(\.[a-z]{1,9})?|\[::[1-9]\]):[1-9][0-9]{0,3}")
}

/// What may be said of a pool; of two ways of saying the same, one.
fn pool() -> impl Strategy<Value = Table> {
    let settings = || {
        let mut settings = vec![
            ("user", text(r"\PC{1,12}")),
            ("socks5", text("[a-z]{1,9}:[0-9]{1,4}")),
            ("suggest_difficulty", (1e-9..1e12).prop_map(Value::from).boxed()),
            ("minimum_difficulty", number(1..=u32::MAX)),
        ];
        if cfg!(feature = "v2") {
            for setting in ["device_vendor", "device_hardware", "device_firmware", "device_id"] {
                settings.push((setting, text(r"\PC{0,12}")));
            }
        }
        if cfg!(feature = "payout") {
            let address = "bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h";
            let payout = proptest::option::of(1u32..=100).prop_map(move |least| match least {
                Some(least) => Value::from(format!("{address}:{least}%")),
                None => Value::from(address),
            });
            settings.push(("verify_payout", payout.boxed()));
            settings.push(("strict", yes()));
        }
        if cfg!(feature = "solo") {
            settings.push(("pay_to", text("bcrt1qrxcucnxg57q5lrq8qnhjm2yg8sac3v3jejqq9h")));
            settings.push(("rpc_cookie", text(r"\PC{0,12}")));
            settings.push(("tag", text("[ -~]{0,12}")));
            settings.push(("zmq", text("tcp://[a-z]{1,9}:[1-9][0-9]{0,3}")));
        }
        settings
    };
    let either = |a, b| prop_oneof![table(vec![a]), table(vec![b])];
    let password = either(("password", text(r"\PC{0,12}|[\n\t\\']{1,3}")), ("password_file", text(r"\PC{0,12}")));
    let trust = either(("tls_fingerprint", text("[0-9a-f]{64}")), ("tls_ca", text(r"\PC{0,12}")));
    (table(settings()), password, trust).prop_map(|(mut table, password, trust)| {
        table.extend(password.into_iter().chain(trust));
        table
    })
}

fn file() -> impl Strategy<Value = Table> {
    let whole = (url(), pool(), table(vec![("quota", number(1..=u32::MAX))])).prop_map(|(url, mut pool, quota)| {
        pool.insert("url".to_owned(), url);
        pool.extend(quota);
        Value::from(pool)
    });
    let backends = table(vec![
        ("backend", texts("scalar|cpu|gpu")),
        ("kernel", text("sha-ni|avx512|avx2|sse4\\.1|armv8-sha2|neon|portable")),
        ("threads", number(1..=65535)),
        ("adapter", texts(r"\PC{0,12}")),
        ("gpu_workgroup", one_of(&[64, 128, 256])),
        ("gpu_versions", one_of(&[1, 2, 4, 8])),
        ("gpu_nonces", one_of(&[1, 2, 4, 8, 16])),
        ("gpu_dispatch", texts("([a-zA-Z0-9:. ]{1,9}=)?[1-4]?[1-9]")),
        ("gpu_tune", yes()),
    ]);
    table(vec![
        ("share_log", text(r"\PC{0,12}")),
        ("json", yes()),
        ("single_submit", yes()),
        ("seed", number(0..=u32::MAX)),
        ("defaults", pool().prop_map(Value::from).boxed()),
        ("backends", backends.prop_map(Value::from).boxed()),
        ("pool", proptest::collection::vec(whole, 0..4).prop_map(Value::from).boxed()),
    ])
}

/// What was read, written again without our own hands: by `Display` of each value.
fn written(config: &Config) -> Table {
    let mut table = Table::new();
    put(&mut table, "share_log", config.share_log.as_ref().map(|path| path.to_str().unwrap()));
    put(&mut table, "json", config.json);
    put(&mut table, "single_submit", config.single_submit);
    put(&mut table, "seed", config.seed.map(u64::cast_signed));
    table.insert("defaults".to_owned(), written_pool(&config.defaults).into());
    table.insert("backends".to_owned(), written_backends(&config.backends).into());
    table.insert("pool".to_owned(), config.pools.iter().map(written_pool).collect::<Vec<_>>().into());
    table
}

fn put(table: &mut Table, name: &str, value: Option<impl Into<Value>>) {
    table.extend(value.map(|value| (name.to_owned(), value.into())));
}

fn shown(value: &impl Display) -> String {
    value.to_string()
}

fn written_pool(pool: &PoolConfig) -> Table {
    let mut table = Table::new();
    let path = |path: &std::path::PathBuf| path.to_str().unwrap().to_owned();
    put(&mut table, "url", pool.url.as_ref().map(shown));
    put(&mut table, "user", pool.user.clone());
    put(&mut table, "password", pool.password.as_ref().map(Secret::reveal));
    put(&mut table, "password_file", pool.password_file.as_ref().map(path));
    put(&mut table, "tls_fingerprint", pool.tls_fingerprint.as_ref().map(shown));
    put(&mut table, "tls_ca", pool.tls_ca.as_ref().map(path));
    put(&mut table, "socks5", pool.socks5.clone());
    put(&mut table, "suggest_difficulty", pool.suggest_difficulty.map(Difficulty::get));
    put(&mut table, "minimum_difficulty", pool.minimum_difficulty.map(|difficulty| difficulty.get() as i64));
    #[cfg(feature = "v2")]
    for (setting, text) in [
        ("device_vendor", &pool.device_vendor),
        ("device_hardware", &pool.device_hardware),
        ("device_firmware", &pool.device_firmware),
        ("device_id", &pool.device_id),
    ] {
        put(&mut table, setting, text.clone());
    }
    #[cfg(feature = "payout")]
    put(&mut table, "verify_payout", pool.verify_payout.as_ref().map(shown));
    #[cfg(feature = "payout")]
    put(&mut table, "strict", pool.strict);
    #[cfg(feature = "solo")]
    put(&mut table, "pay_to", pool.pay_to.as_ref().map(|address| shown(address.assume_checked_ref())));
    #[cfg(feature = "solo")]
    put(&mut table, "rpc_cookie", pool.rpc_cookie.as_ref().map(path));
    #[cfg(feature = "solo")]
    put(&mut table, "tag", pool.tag.clone());
    #[cfg(feature = "solo")]
    put(&mut table, "zmq", pool.zmq.as_ref().map(shown));
    put(&mut table, "quota", pool.quota.map(|quota| i64::from(quota.get())));
    table
}

fn written_backends(backends: &BackendConfig) -> Table {
    let mut table = Table::new();
    let number = |number: Option<u32>| number.map(i64::from);
    put(&mut table, "backend", backends.backend.as_ref().map(|kinds| kinds.iter().map(shown).collect::<Vec<_>>()));
    put(&mut table, "kernel", backends.kernel.clone());
    put(&mut table, "threads", backends.threads.map(i64::from));
    put(&mut table, "adapter", backends.adapter.clone());
    put(&mut table, "gpu_workgroup", number(backends.gpu_workgroup));
    put(&mut table, "gpu_versions", number(backends.gpu_versions));
    put(&mut table, "gpu_nonces", number(backends.gpu_nonces));
    put(
        &mut table,
        "gpu_dispatch",
        backends.gpu_dispatch.as_ref().map(|times| times.iter().map(shown).collect::<Vec<_>>()),
    );
    put(&mut table, "gpu_tune", backends.gpu_tune);
    table
}

proptest! {
    #[test]
    fn what_a_file_says_is_read_as_it_was_written(mut table in file()) {
        let (read, _) = Config::read(&table.to_string()).map_err(|error| TestCaseError::fail(format!("{error}\n{table}")))?;
        for empty in ["defaults", "backends"] {
            table.entry(empty).or_insert_with(|| Table::new().into());
        }
        table.entry("pool").or_insert_with(|| Vec::<Value>::new().into());
        prop_assert_eq!(written(&read), table);
    }

    #[test]
    fn random_bytes(bytes: Vec<u8>) {
        config(&bytes);
    }

    #[test]
    fn nearly_right_files(full: bool,
                          changes in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..3, r#"[ -~\n]{0,2}|\[\[pool\]\]|"""|password = "#), 1..4)) {
        let mut text = if full { uncommented() } else { SEED.to_owned() };
        for (at, removed, added) in changes {
            // Every seed is ASCII, and so is what is added.
            let at = at.index(text.len());
            text.replace_range(at..(at + removed).min(text.len()), &added);
        }
        config(text.as_bytes());
    }
}
