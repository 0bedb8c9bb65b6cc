//! A session with a pool: what the pool may send, and what the miner hears of it. The pool's half is written by hand.

mod common {
    pub(crate) mod joined;
    pub(crate) mod scripted;
}

use common::joined::{self, Miner, PASSWORD, share};
use common::scripted::{self, Pool, job, listener, url};
use midstate::job::Job;
use midstate::upstream::{self, Event, SessionError};
use midstate_stratum::Difficulty;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;

/// A session that stands.
fn session() -> (TcpListener, Pool, Miner) {
    let (listener, port) = listener();
    let mut miner = Miner::of(&[port]);
    let pool = Pool::welcome(&listener);
    miner.connected();
    (listener, pool, miner)
}

#[test]
fn lines_that_cannot_be_read_are_named_and_the_session_goes_on() {
    let (_listener, mut pool, mut miner) = session();
    let lines: [(&str, Vec<u8>); 8] = [
        ("line", b"garbage".into()),
        ("line", b"".into()),
        ("line", b"[1,2]".into()),
        ("line", vec![b'x'; 128 * 1024 + 100]),
        ("line", b"{\"method\":\"\xff\xfe\"}".into()),
        ("method", br#"{"method":5}"#.into()),
        ("params", br#"{"method":"mining.notify","params":{}}"#.into()),
        ("id", br#"{"id":77,"result":true,"error":null}"#.into()),
    ];
    for (i, (field, line)) in lines.into_iter().enumerate() {
        pool.send(line);
        assert_eq!(miner.unreadable(), field);
        pool.call("mining.notify", &job(&i.to_string()));
        assert_eq!(miner.job().0.id, i.to_string());
    }
}

#[test]
fn a_bad_job_is_named_and_the_last_good_one_goes_on() {
    let (_listener, mut pool, mut miner) = session();
    pool.call("mining.notify", &job("good"));
    assert_eq!(miner.job().0.id, "good");
    let wrong = [
        ("prevhash", 1, json!("0a0b0c0d".repeat(7))),
        ("coinbase1", 2, json!("010")),
        ("coinbase2", 3, json!("000")),
        ("merkle_branches", 4, json!(["11".repeat(32), "11".repeat(31)])),
        ("version", 5, json!("020000000")),
        ("nbits", 6, json!("")),
        ("ntime", 7, json!("665f00000")),
        ("clean_jobs", 8, json!("yes")),
    ];
    for (field, at, value) in wrong {
        let mut bad = job("bad");
        bad[at] = value;
        pool.call("mining.notify", &bad);
        assert_eq!(miner.unreadable(), field);
        // A new mask shows which job is the current one.
        pool.call("mining.set_version_mask", &json!(["1fffe000"]));
        assert_eq!(miner.job().0.id, "good", "{field}");
    }
    pool.call("mining.notify", &job("next"));
    assert_eq!(miner.job().0.id, "next");
}

#[test]
fn a_bad_difficulty_is_named_and_the_old_one_holds() {
    let (_listener, mut pool, mut miner) = session();
    pool.call("mining.set_difficulty", &json!([512.5]));
    for bad in ["0", "-1", r#""NaN""#, "1e300", "null", "[]"] {
        pool.send(format!(r#"{{"id":null,"method":"mining.set_difficulty","params":[{bad}]}}"#));
        assert_eq!(miner.unreadable(), "difficulty", "{bad}");
        pool.call("mining.notify", &job("next"));
        assert_eq!(miner.job().1.to_string(), "512.5", "{bad}");
    }
}

#[test]
fn an_extranonce2_that_cannot_be_rolled_is_refused() {
    let (listener, port) = listener();
    let mut miner = Miner::of(&[port]);
    for size in [0, 17] {
        let mut pool = Pool::accept(&listener);
        pool.expect("mining.configure");
        let subscribe = pool.expect("mining.subscribe");
        pool.answer(&subscribe, &json!([[], "f000000f", size]));
        let (error, _) = miner.disconnected();
        assert!(matches!(&error, SessionError::BadSubscribe(error) if error.field == "extranonce2_size"), "{error}");
        assert!(error.to_string().contains(&size.to_string()), "{error}");
    }

    // In the middle of a session, what was agreed on holds.
    let mut pool = Pool::welcome(&listener);
    miner.connected();
    for size in [0, 17] {
        pool.call("mining.set_extranonce", &json!(["aa", size]));
        assert_eq!(miner.unreadable(), "extranonce2_size");
        pool.call("mining.notify", &job("1"));
        let (job, _) = miner.job();
        assert_eq!(extranonces(&job), (&[0xf0, 0, 0, 0x0f][..], 4));
    }
}

/// A job's extranonce1, and how many bytes of extranonce2 it has.
fn extranonces(job: &Job) -> (&[u8], usize) {
    (&job.coinbase().unwrap().extranonce1, job.extranonce2_size())
}

#[test]
fn a_pool_may_speak_before_it_answers() {
    let (listener, port) = listener();
    let mut miner = Miner::of(&[port]);
    let mut pool = Pool::accept(&listener);
    pool.expect("mining.configure");
    let subscribe = pool.expect("mining.subscribe");
    pool.call("mining.set_difficulty", &json!([2]));
    pool.call("mining.notify", &job("early"));
    pool.call("mining.set_difficulty", &json!([3]));
    pool.answer(&subscribe, &json!([[], "f000000f", 4]));
    pool.expect("mining.extranonce.subscribe");
    let authorize = pool.expect("mining.authorize");
    assert_eq!(authorize["params"], json!(["alice", PASSWORD]));
    pool.answer(&authorize, &json!(true));
    // The job was there all along, but there was nobody to work for.
    miner.connected();
    let (early, difficulty) = miner.job();
    assert_eq!((early.id.as_str(), difficulty.to_string()), ("early", "2".to_owned()));
    // Configure was never answered: no version bit is the miner's.
    assert_eq!(early.version_mask, 0);
}

#[test]
fn what_holds_at_once_and_what_from_the_next_job_on() {
    let (_listener, mut pool, mut miner) = session();
    pool.call("mining.set_difficulty", &json!([2]));
    pool.call("mining.notify", &job("1"));
    let (first, difficulty) = miner.job();
    assert_eq!(difficulty.to_string(), "2");

    // Only the mask changes the job that is there; a pool's mask may be wider than what was asked for.
    pool.call("mining.set_difficulty", &json!([3]));
    pool.call("mining.set_extranonce", &json!(["aabb", 7]));
    pool.call("mining.set_version_mask", &json!(["ffff0000"]));
    let (masked, difficulty) = miner.job();
    assert_eq!(*masked, Job { version_mask: 0x1fff_0000, ..(*first).clone() });
    assert_eq!(difficulty.to_string(), "2");

    pool.call("mining.notify", &job("2"));
    let (second, difficulty) = miner.job();
    assert_eq!(extranonces(&second), (&[0xaa, 0xbb][..], 7));
    assert_eq!((second.version_mask, difficulty.to_string()), (0x1fff_0000, "3".to_owned()));
    assert!(second.target < first.target);
}

#[test]
fn a_pool_may_ask_and_tell() {
    let (_listener, mut pool, mut miner) = session();
    for (method, answer) in
        [("client.get_version", concat!("midstate/", env!("CARGO_PKG_VERSION"))), ("mining.ping", "pong")]
    {
        pool.send(json!({"id": "any thing", "method": method, "params": []}).to_string());
        assert_eq!(pool.read(), Some(json!({"id": "any thing", "result": answer, "error": null})));
    }
    pool.call("mining.dance", &json!([1]));
    pool.call("client.show_message", &json!(["closed on Sunday"]));
    let event = miner.next();
    assert!(matches!(&event, Event::Message(words) if words == "closed on Sunday"), "{event:?}");
}

#[test]
fn a_pool_may_send_a_miner_to_itself_and_not_elsewhere() {
    let (listener, mut pool, mut miner) = session();
    for host in ["evil.example", "127.0.0.2"] {
        pool.call("client.reconnect", &json!([host, 3333, 0]));
        assert_eq!(miner.unreadable(), "client.reconnect");
    }
    pool.call("client.reconnect", &json!([]));
    let (error, _) = miner.disconnected();
    let port = listener.local_addr().unwrap().port();
    assert!(matches!(&error, SessionError::Reconnect { to, .. } if to.to_string() == url(port)), "{error}");
    assert_eq!(pool.read(), None);
    let mut pool = Pool::welcome(&listener);
    miner.connected();

    // To another port, as a string, after a second; and back to the first when nobody is there any more.
    let (other, other_port) = scripted::listener();
    pool.call("client.reconnect", &json!(["127.0.0.1", other_port.to_string(), 1]));
    let (_, retry) = miner.disconnected();
    assert!(retry >= Duration::from_secs(1));
    let elsewhere = Pool::welcome(&other);
    miner.connected();
    drop((elsewhere, other));
    miner.disconnected();
    Pool::welcome(&listener);
    miner.connected();
}

#[test]
fn a_difficulty_is_suggested_if_it_is_asked_for() {
    let (listener, port) = listener();
    let mut miner =
        Miner::with([upstream::Pool { suggest_difficulty: Difficulty::new(1024.0).ok(), ..joined::pool(port) }]);
    let mut pool = Pool::welcome(&listener);
    assert_eq!(pool.expect("mining.suggest_difficulty")["params"], json!([1024]));
    miner.connected();
}

#[test]
fn a_minimum_is_asked_for_and_said_where_the_pool_does_not_keep_it() {
    for (answer, kept) in [(json!(true), true), (json!("unknown"), false), (json!(null), false)] {
        let (listener, port) = listener();
        let minimum = Difficulty::new(512.0).unwrap();
        let mut miner = Miner::with([upstream::Pool { minimum_difficulty: Some(minimum), ..joined::pool(port) }]);
        let mut pool = Pool::accept(&listener);
        let configure = pool.expect("mining.configure");
        assert_eq!(configure["params"][0], json!(["version-rolling", "subscribe-extranonce", "minimum-difficulty"]));
        assert_eq!(configure["params"][1]["minimum-difficulty.value"], json!(512));
        pool.answer(&configure, &json!({"minimum-difficulty": answer}));
        pool.call("client.show_message", &json!(["after it"]));
        if !kept {
            assert!(matches!(miner.next(), Event::NoMinimum(asked) if asked == minimum));
        }
        assert!(matches!(miner.next(), Event::Message(_)));
    }
}

#[test]
fn wrong_credentials_name_the_user_and_never_the_password() {
    let (listener, port) = listener();
    let mut miner = Miner::of(&[port]);
    for (answer, words) in [
        (json!({"result": null, "error": [24, "no such worker", null]}), "no such worker"),
        (json!({"result": false, "error": null}), "false"),
    ] {
        let mut pool = Pool::accept(&listener);
        let configure = pool.expect("mining.configure");
        pool.answer(&configure, &json!({}));
        let subscribe = pool.expect("mining.subscribe");
        pool.answer(&subscribe, &json!([[], "f000000f", 4]));
        pool.expect("mining.extranonce.subscribe");
        let authorize = pool.expect("mining.authorize");
        let mut answer = answer;
        answer["id"] = authorize["id"].clone();
        pool.send(answer.to_string());
        let (error, _) = miner.disconnected();
        assert!(matches!(&error, SessionError::Unauthorized { user, .. } if user == "alice"), "{error:?}");
        let said = format!("{error} {error:?}");
        assert!(said.contains("alice") && said.contains(words) && !said.contains(PASSWORD), "{said}");
    }
}

#[test]
fn a_pool_that_is_not_there_yet_is_tried_again_and_again() {
    // Bound, so that the port is nobody else's; connections are refused until somebody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let mut miner = Miner::of(&[port]);
    let mut refused = || {
        let (error, retry) = miner.disconnected();
        assert!(matches!(error, SessionError::Connect { .. }) && error.to_string().contains(&url(port)), "{error}");
        retry
    };
    let (first, second) = (refused(), refused());
    assert!(second > first, "{first:?} {second:?}");

    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(async { socket.listen(8).unwrap().into_std().unwrap() });
    let mut pool = Pool::welcome(&listener);
    miner.connected();
    pool.call("mining.notify", &job("at last"));
    assert_eq!(miner.job().0.id, "at last");
}

#[test]
fn verdicts_are_read_in_all_forms() {
    let (_listener, mut pool, mut miner) = session();
    pool.call("mining.notify", &job("1"));
    let (job, _) = miner.job();
    let forms: [(Value, Option<(i64, &str)>); 9] = [
        (json!({"result": true, "error": null}), None),
        (json!({"result": true}), None),
        (json!({"result": null, "error": [22, "Duplicate share", null]}), Some((22, "Duplicate share"))),
        (json!({"result": false, "error": [21, "Job not found"]}), Some((21, "Job not found"))),
        (json!({"result": false, "error": null, "reject-reason": "Above target"}), Some((20, "Above target"))),
        (json!({"result": null, "error": "Stale"}), Some((20, "Stale"))),
        (json!({"error": {"code": 23, "message": "Low difficulty", "data": 1}}), Some((23, "Low difficulty"))),
        (json!({"result": false, "error": null}), Some((20, "it answered false"))),
        (json!({"result": null, "error": null}), Some((20, "it answered null"))),
    ];
    for (nonce, (mut answer, expected)) in forms.into_iter().enumerate() {
        let sent = share(&job, nonce as u32);
        miner.handle.submit(sent.clone()).unwrap();
        let submit = pool.expect("mining.submit");
        let nonce = format!("{nonce:08x}");
        assert_eq!(submit["params"], json!(["alice", "1", "00000000", "665f0000", nonce, "00000000"]));
        answer["id"] = submit["id"].clone();
        pool.send(answer.to_string());
        let Event::Answered { share, verdict, .. } = miner.next() else { panic!("{answer}") };
        assert_eq!(*share, sent);
        let verdict = verdict.err().map(|error| (error.code, error.message));
        assert_eq!(verdict, expected.map(|(code, words)| (code, words.to_owned())), "{answer}");
    }
}

#[test]
fn a_share_without_an_answer_is_lost_and_never_sent_again() {
    let (listener, mut pool, mut miner) = session();
    pool.call("mining.notify", &job("1"));
    let (old, _) = miner.job();
    let [answered, unanswered, late] = [1, 2, 3].map(|nonce| share(&old, nonce));
    miner.handle.submit(answered.clone()).unwrap();
    miner.handle.submit(unanswered.clone()).unwrap();
    let submit = pool.expect("mining.submit");
    pool.expect("mining.submit");
    pool.answer(&submit, &json!(true));
    let Event::Answered { share: first, verdict: Ok(()), .. } = miner.next() else { panic!() };
    assert_eq!(*first, answered);
    drop(pool);
    assert_eq!(miner.lost(), [unanswered]);
    assert!(matches!(miner.disconnected().0, SessionError::Closed));

    // Found before the miner heard that the session had ended.
    miner.handle.submit(late.clone()).unwrap();
    let mut pool = Pool::welcome_as(&listener, Some("s"), "f0000010");
    assert_eq!(miner.lost(), [late]);
    miner.connected();
    pool.call("mining.notify", &job("2"));
    let (new, _) = miner.job();
    miner.handle.submit(share(&new, 4)).unwrap();
    assert_eq!(pool.expect("mining.submit")["params"][4], "00000004");
}

#[test]
fn a_miner_that_goes_away_hangs_up() {
    let (_listener, mut pool, Miner { handle, events: _events, runtime: _runtime }) = session();
    drop(handle);
    assert_eq!(pool.read(), None);
}
