//! A password that the miner is told goes to its pool and nowhere else, whatever the pool does with it.
#![cfg(unix)]

mod common {
    pub(crate) mod place;
    pub(crate) mod program;
    pub(crate) mod scripted;
}

use common::place::{Place, end, pools};
use common::program::{Program, midstate};
use common::scripted::{Pool, job, listener, wait};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;

/// How a miner is told its password.
#[derive(Clone, Copy, Debug)]
enum Route {
    Environment,
    File,
    FileOfEnvironment,
    Configuration,
}

const PASSWORD: &str = "horse\"battery\\staple-8675309";

/// A pool that repeats the password wherever it can, until it is told to be silent.
fn treacherous(listener: &TcpListener) {
    for refused in [true, false] {
        let mut pool = Pool::accept(listener);
        let configure = pool.expect("mining.configure");
        pool.answer(&configure, &json!({"version-rolling": true, "version-rolling.mask": "1fffe000"}));
        let subscribe = pool.expect("mining.subscribe");
        pool.answer(&subscribe, &json!([[["mining.notify", PASSWORD]], "f000000f", 4]));
        let extranonce = pool.expect("mining.extranonce.subscribe");
        pool.answer(&extranonce, &json!(PASSWORD));
        let authorize = pool.expect("mining.authorize");
        assert_eq!(authorize["params"][1], PASSWORD);
        pool.call("client.show_message", &json!([format!("welcome, {PASSWORD}")]));
        pool.send(format!("no JSON: {PASSWORD}"));
        pool.send(format!("{}{PASSWORD}", "-".repeat(70)));
        pool.call("mining.set_difficulty", &json!([PASSWORD]));
        if refused {
            let error = json!([24, format!("{PASSWORD} is wrong"), PASSWORD]);
            pool.send(json!({"id": authorize["id"], "result": null, "error": error}).to_string());
            continue;
        }
        pool.answer(&authorize, &json!(true));
        pool.call("mining.set_difficulty", &json!([3e-4]));
        pool.call("mining.notify", &job("1"));
        for answer in [json!({"result": PASSWORD}), json!({"result": false, "reject-reason": PASSWORD})] {
            let mut answer = answer;
            answer["id"] = pool.expect("mining.submit")["id"].clone();
            pool.send(answer.to_string());
        }
        // It says no more, and hears what still comes.
        while pool.read().is_some() {}
    }
}

/// The command lines of a process and its children; none where there is no `/proc`.
fn command_lines(process: u32) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let parent = |place: &Path| {
        let status = std::fs::read_to_string(place.join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse::<u32>().ok())
    };
    let places = entries.flatten().map(|entry| entry.path());
    let ours = places.filter(|place| place.ends_with(process.to_string()) || parent(place) == Some(process));
    ours.filter_map(|place| std::fs::read(place.join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .collect()
}

#[test]
fn passwords_are_shown_nowhere() {
    let routes = [Route::Environment, Route::File, Route::FileOfEnvironment, Route::Configuration];
    let cases = routes.into_iter().flat_map(|route| [(route, ""), (route, "--json")]);
    std::thread::scope(|scope| {
        for (route, json) in cases {
            scope.spawn(move || passwords_are_not_shown_by(route, json));
        }
    });
}

fn passwords_are_not_shown_by(route: Route, json: &str) {
    let (listener, port) = listener();
    let pool = std::thread::spawn(move || treacherous(&listener));
    let place = Place::with("");
    let (secret, log) = (place.directory.path().join("secret"), place.directory.path().join("shares"));
    std::fs::write(&secret, format!("{PASSWORD}\nsecond line\n")).unwrap();
    let quoted = Value::from(PASSWORD);
    let in_file = if matches!(route, Route::Configuration) { format!("password = {quoted}\n") } else { String::new() };
    let text = format!("{}{in_file}", pools(&[port]));
    place.write(&text);
    let told = |arguments: &str| {
        let mut command = place.midstate(&format!("{arguments} {json}"));
        match route {
            Route::Environment => command.env("MIDSTATE_PASSWORD", PASSWORD),
            Route::File => command.arg("--password-file").arg(&secret),
            Route::FileOfEnvironment => command.env("MIDSTATE_PASSWORD_FILE", &secret),
            Route::Configuration => &mut command,
        };
        command
    };
    let mut shown = vec![format!("{:?}", end(&mut told("config check")))];
    shown.push(format!("{:?}", end(&mut told("mine --help"))));
    let mut mine = told("mine --threads 1");
    let program = Program::start(mine.arg("--share-log").arg(&log), "");
    // Until the second of the shares was judged.
    let judged = || std::fs::read_to_string(&log).is_ok_and(|text| text.lines().count() >= 2);
    wait(judged);
    shown.extend(command_lines(program.child.id()));
    for (wrong, word) in [("user = 5\n", "user"), ("usr = 5\n", "usr"), ("password = \"a\n", ", line ")] {
        place.write(&format!("{text}{wrong}"));
        program.signal("-HUP");
        shown.extend(program.lines_to(word));
    }
    program.signal("-TERM");
    shown.push(format!("{:?}", program.end()));
    shown.push(std::fs::read_to_string(&log).unwrap());
    pool.join().unwrap();
    for text in &shown {
        // Escaped or not, whole or cut off.
        for part in ["8675309", "battery", "horse"] {
            assert!(!text.contains(part), "{route:?} {json}: {text}");
        }
    }
    // It was there to be shown: a refusal, a greeting, lines that make no sense, two rejections here and in the share log.
    let hidden = shown.concat().matches("(password)").count();
    assert!(hidden >= 8, "{route:?} {json}: {hidden}");
}

/// No URL here takes a user or a password; where one has them, it is refused without showing them.
#[test]
fn what_stands_before_a_host_in_a_url_is_not_shown() {
    let node = "mine --url http://127.0.0.1:1 --rpc-cookie /none --pay-to bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq";
    let mut refused = vec![
        midstate("mine --user alice --url stratum+tcp://me:horse@pool:3333"),
        midstate("mine --user alice --url stratum+tcp://pool:3333,stratum+ssl://me:horse@pool"),
        midstate("mine --url http://me:horse@pool:8332"),
        midstate("config check --user alice --url stratum+tcp://me:horse@pool:3333"),
    ];
    if cfg!(feature = "solo") {
        refused.push(midstate(&format!("{node} --zmq tcp://me:horse@pool:28332")));
    }
    let mut by_environment = midstate("mine --user alice");
    by_environment.env("MIDSTATE_URL", "stratum+tcp://me:horse@pool:3333");
    refused.push(by_environment);
    for command in &mut refused {
        let ended = end(command);
        assert_eq!(ended.code, Some(2), "{command:?}: {ended:?}");
        assert!(ended.err.contains("…@pool") && !format!("{ended:?}").contains("horse"), "{command:?}: {ended:?}");
    }
}
