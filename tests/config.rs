//! The configuration file: what comes before what, and what is said of it.

mod common {
    pub(crate) mod place;
    pub(crate) mod program;
    pub(crate) mod scripted;
}

use common::place::{Place, end};
use common::program::{keys, midstate, run};
use serde_json::{Value, json};
use std::process::Command;
use tempfile::TempDir;

/// What `config check --json` says.
fn checked(command: &mut Command) -> Value {
    let ended = end(command);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let [report] = &ended.json()[..] else { panic!("{ended:?}") };
    report.clone()
}

/// Of one setting: its value, origin, line and name.
fn setting(report: &Value, pool: Option<u64>, name: &str) -> [Value; 4] {
    let rows = report["settings"].as_array().unwrap();
    let row = rows.iter().find(|row| row["pool"].as_u64() == pool && row["setting"] == name);
    let row = row.unwrap_or_else(|| panic!("{name}: {report}"));
    assert_eq!(keys(row), ["line", "name", "origin", "pool", "setting", "value"]);
    ["value", "origin", "line", "name"].map(|field| row[field].clone())
}

#[test]
fn flags_come_before_the_environment_and_that_before_the_file() {
    let place = Place::with(
        "share_log = \"from-file\"\n[defaults]\nuser = \"common\"\nsuggest_difficulty = 1\n[backends]\nthreads = 1\n\
         [[pool]]\nurl = \"stratum+tcp://a:1\"\nuser = \"first\"\n[[pool]]\nurl = \"stratum+tcp://b:2\"\nsuggest_difficulty = 2\n",
    );
    // As in the file: what a pool says itself comes before what is said for all.
    let mut command = place.midstate("config check --json");
    let report = checked(&mut command);
    assert_eq!(keys(&report), ["file", "settings", "warnings"]);
    assert_eq!(report["file"], place.file.to_str().unwrap());
    let file = |value: Value, line: u64| [value, json!("file"), json!(line), Value::Null];
    assert_eq!(setting(&report, Some(1), "user"), file(json!("first"), 9));
    assert_eq!(setting(&report, Some(2), "user"), file(json!("common"), 3));
    assert_eq!(setting(&report, Some(1), "suggest_difficulty"), file(json!(1.0), 4));
    assert_eq!(setting(&report, Some(2), "suggest_difficulty"), file(json!(2.0), 12));
    assert_eq!(setting(&report, None, "share_log"), file(json!("from-file"), 1));
    assert_eq!(setting(&report, None, "backends.threads"), file(json!(1), 6));
    let default = |value: Value| [value, json!("default"), Value::Null, Value::Null];
    assert_eq!(setting(&report, Some(1), "password"), default(json!("x")));
    assert_eq!(setting(&report, None, "backends.backend"), default(json!(["cpu"])));

    let set = [
        ("USER", "e"),
        ("SUGGEST_DIFFICULTY", "3"),
        ("THREADS", "2"),
        ("SHARE_LOG", "from-env"),
        ("BACKEND", "scalar,cpu"),
    ];
    for (name, value) in set {
        command.env(format!("MIDSTATE_{name}"), value);
    }
    let report = checked(&mut command);
    let environment = |value: Value, name: &str| [value, json!("environment"), Value::Null, json!(name)];
    for pool in [1, 2] {
        assert_eq!(setting(&report, Some(pool), "user"), environment(json!("e"), "MIDSTATE_USER"));
        assert_eq!(
            setting(&report, Some(pool), "suggest_difficulty"),
            environment(json!(3.0), "MIDSTATE_SUGGEST_DIFFICULTY")
        );
    }
    assert_eq!(setting(&report, None, "share_log"), environment(json!("from-env"), "MIDSTATE_SHARE_LOG"));
    assert_eq!(setting(&report, None, "backends.backend"), environment(json!(["scalar", "cpu"]), "MIDSTATE_BACKEND"));

    command.args("--user f --user g --suggest-difficulty 4 --threads 3 --share-log from-flag --backend cpu".split(' '));
    let report = checked(&mut command);
    let flag = |value: Value, name: &str| [value, json!("flag"), Value::Null, json!(name)];
    assert_eq!(setting(&report, Some(1), "user"), flag(json!("f"), "--user"));
    assert_eq!(setting(&report, Some(2), "user"), flag(json!("g"), "--user"));
    assert_eq!(setting(&report, Some(1), "suggest_difficulty"), flag(json!(4.0), "--suggest-difficulty"));
    assert_eq!(setting(&report, None, "backends.threads"), flag(json!(3), "--threads"));
    assert_eq!(setting(&report, None, "share_log"), flag(json!("from-flag"), "--share-log"));

    // Another URL takes the place of the file's pools; what is said there for all stays.
    let report = checked(&mut place.midstate("config check --json --url stratum+tcp://c:3"));
    assert_eq!(setting(&report, Some(1), "url"), flag(json!("stratum+tcp://c:3"), "--url"));
    assert_eq!(setting(&report, Some(1), "user"), file(json!("common"), 3));
    let pools = report["settings"].as_array().unwrap().iter().filter_map(|row| row["pool"].as_u64());
    assert_eq!(pools.max(), Some(1));
    let mut two = midstate("config check --json --user a");
    let report = checked(two.env("MIDSTATE_URL", "stratum+tcp://c:3,stratum+tcp://d:4"));
    assert_eq!(setting(&report, Some(2), "url"), environment(json!("stratum+tcp://d:4"), "MIDSTATE_URL"));
    assert_eq!(report["file"], Value::Null);
}

#[test]
fn what_says_the_same_in_two_ways_is_one_setting() {
    let place = Place::with(
        "[defaults]\nuser = \"a\"\npassword = \"horse\"\n[[pool]]\nurl = \"stratum+ssl://a:1\"\npassword_file = \"/no/such\"\n",
    );
    let ended = end(&mut place.midstate("config check"));
    assert!(ended.code == Some(2) && ended.err.contains("password file \"/no/such\""), "{ended:?}");
    let report = checked(place.midstate("config check --json").env("MIDSTATE_PASSWORD", "cow"));
    assert_eq!(setting(&report, Some(1), "password")[..2], [json!("(hidden)"), json!("environment")]);
    // What a flag says comes before the other way of saying it in the environment.
    let hex = "ab".repeat(32);
    let flags = format!("config check --json --password p --tls-fingerprint {hex}");
    let mut command = place.midstate(&flags);
    let report = checked(command.env("MIDSTATE_PASSWORD_FILE", "/no/such").env("MIDSTATE_TLS_CA", "/no/such"));
    assert_eq!(setting(&report, Some(1), "password")[1], "flag");
    assert_eq!(setting(&report, Some(1), "tls_fingerprint")[0], hex.as_str());
    let place = Place::with("[[pool]]\nurl = \"stratum+ssl://a:1\"\nuser = \"a\"\n");
    for both in ["--password p --password-file f", &format!("--tls-ca f --tls-fingerprint {hex}")] {
        let ended = end(&mut place.midstate(&format!("config check {both}")));
        assert!(ended.code == Some(2) && ended.err.contains("expected one of the two"), "{ended:?}");
    }
    // What the file switches on, a flag switches off.
    let place = Place::with("json = true\n[[pool]]\nurl = \"stratum+tcp://a:1\"\nuser = \"a\"\n");
    let ended = end(&mut place.midstate("config check --json=false"));
    assert!(ended.code == Some(0) && ended.out[0].starts_with("file: "), "{ended:?}");
    assert_eq!(end(&mut place.midstate("config check")).json().len(), 1);
}

#[test]
fn what_init_writes_is_taken_by_check() {
    let written = run("config init --output -");
    assert_eq!(written.code, Some(0), "{written:?}");
    let place = Place::with(&written.out.join("\n"));
    let report = checked(&mut place.midstate("config check --json"));
    assert_eq!(setting(&report, Some(1), "url")[..2], [json!("stratum+tcp://pool.example:3333"), json!("file")]);
    let other = report["settings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !["url", "user"].iter().any(|name| row["setting"] == *name));
    let other: Vec<_> = other.collect();
    assert!(!other.is_empty() && other.iter().all(|row| row["origin"] == "default"), "{other:?}");

    // Every flag of `mine` is explained there, but for those that are of one run.
    let help = run("mine --help").out.join("\n");
    let flags = help.lines().filter_map(|line| line.trim_start().split("  ").next()?.split_once("--"));
    let flags = flags.filter(|(before, _)| before.is_empty() || before.ends_with(", "));
    let names: Vec<String> =
        flags.map(|(_, flag)| flag.split([' ', '[', '=']).next().unwrap().replace('-', "_")).collect();
    assert!(names.iter().any(|name| name == "socks5"), "{names:?}");
    for name in names.iter().filter(|name| !["config", "seconds", "help"].contains(&name.as_str())) {
        assert!(
            written.out.iter().any(|line| line.trim_start_matches('#').starts_with(&format!("{name} = "))),
            "{name}"
        );
        let variable = format!("MIDSTATE_{}", name.to_uppercase());
        assert!(help.contains(&format!("{variable}]")), "{variable}");
    }
}

#[test]
fn init_writes_where_mine_looks_and_over_nothing() {
    let directory = TempDir::new().unwrap();
    let mine = |arguments: &str| {
        let mut command = midstate(arguments);
        command.env("XDG_CONFIG_HOME", directory.path());
        command
    };
    let file = directory.path().join("midstate/config.toml");
    // Nothing is there, and that is no error of its own.
    let none = end(&mut mine("config check"));
    assert!(none.code == Some(2) && none.err.contains("--url") && none.err.contains("config init"), "{none:?}");
    if cfg!(target_os = "linux") {
        let ended = end(&mut mine("config init"));
        assert!(ended.code == Some(0) && ended.out[0].contains(file.to_str().unwrap()), "{ended:?}");
        let report = checked(&mut mine("config check --json"));
        assert_eq!(report["file"], file.to_str().unwrap());
    }
    let named = directory.path().join("deep/er/mine.toml");
    for (more, code) in [("", 0), ("", 2), ("--force", 0)] {
        let ended = end(&mut mine(&format!("config init --output {} {more}", named.display())));
        assert_eq!(ended.code, Some(code), "{ended:?}");
        assert!(
            code == 0 || (ended.err.contains(named.to_str().unwrap()) && ended.err.contains("--force")),
            "{ended:?}"
        );
        std::fs::write(&named, "changed").unwrap();
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&named).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A file that was asked for has to be there.
    let ended = end(&mut mine("mine --config /no/such.toml"));
    assert!(ended.code == Some(2) && ended.err.contains("configuration \"/no/such.toml\""), "{ended:?}");
    let ended = end(mine("mine --url stratum+tcp://h:1 --user a").env("MIDSTATE_CONFIG", "/no/such.toml"));
    assert!(ended.code == Some(2) && ended.err.contains("/no/such.toml"), "{ended:?}");
}

#[test]
fn a_file_that_makes_no_sense_ends_with_2_and_is_named() {
    for (text, words) in [
        ("[[pool]]\nurl = \"ftp://h:1\"\n", &["line 2: pool 1: url: ", "\"ftp://h:1\"", "expected stratum+tcp://"][..]),
        (
            "[[pool]]\nurl = \"stratum+tcp://h:1\"\nusr = \"a\"",
            &["line 3: pool 1: \"usr\"", "expected \"user\", perhaps"],
        ),
        (
            "[[pool]]\nurl = \"stratum+tcp://h:1\"\npassword = 8675309",
            &["line 3: pool 1: password: expected a text in quotes"],
        ),
        ("[[pool]]\nurl = \"stratum+tcp://h:1\"\n", &["user: none for stratum+tcp://h:1", "`user`"]),
        ("[backends]\nthreads = 1\n", &["url: no pool", "[[pool]] in"]),
        ("[[pool]\n", &["line 1: "]),
    ] {
        let place = Place::with(text);
        for command in ["mine", "config check", "config check --json"] {
            let ended = end(&mut place.midstate(command));
            assert!(ended.code == Some(2) && ended.out.is_empty(), "{text}: {ended:?}");
            assert!(words.iter().all(|word| ended.err.contains(word)) && !ended.err.contains("8675309"), "{ended:?}");
            assert!(text.contains("url = \"stratum") || ended.err.contains(place.file.to_str().unwrap()), "{ended:?}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_password_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::with("[[pool]]\nurl = \"stratum+tcp://127.0.0.1:1\"\nuser = \"a\"\npassword = \"horse\"\n");
    for (mode, warned) in [(0o644, true), (0o640, true), (0o600, false)] {
        std::fs::set_permissions(&place.file, std::fs::Permissions::from_mode(mode)).unwrap();
        let report = checked(&mut place.midstate("config check --json"));
        assert_eq!(report["warnings"].as_array().unwrap().len(), usize::from(warned), "{report}");
        let ended = end(&mut place.midstate("mine --json --threads 1 --seconds 1"));
        let events = ended.json();
        assert_eq!(keys(&events[0]), ["changes", "event", "file", "restart"]);
        assert_eq!(events[0]["event"], "configuration");
        assert_eq!(events[0]["file"], place.file.to_str().unwrap());
        let warnings: Vec<_> = events.iter().filter(|event| event["event"] == "warning").collect();
        assert_eq!(warnings.len(), usize::from(warned), "{ended:?}");
        assert!(
            warnings
                .iter()
                .all(|warning| warning["url"].is_null() && warning["message"].as_str().unwrap().contains("600"))
        );
    }
    // Without a password it is nobody's concern.
    let place = Place::with("[[pool]]\nurl = \"stratum+tcp://127.0.0.1:1\"\nuser = \"a\"\n");
    std::fs::set_permissions(&place.file, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(checked(&mut place.midstate("config check --json"))["warnings"], json!([]));
}
