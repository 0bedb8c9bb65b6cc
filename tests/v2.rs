//! The miner on a pool of Stratum V2 that is played by hand, over real sockets.
#![cfg(feature = "v2")]

mod common {
    pub(crate) mod heap;
    pub(crate) mod joined;
    pub(crate) mod outlasting;
    pub(crate) mod program;
    pub(crate) mod scripted;
    pub(crate) mod v2;
}
mod v2_servers {
    pub(crate) mod rig;
    pub(crate) mod table;
}

use bitcoin::hashes::{Hash, HashEngine, sha256d};
use common::joined::{self, Miner, share};
use common::outlasting;
use common::program::run;
use common::scripted::{self, Pool, listener};
use common::v2::{self, CHANNEL, GROUP, MIN_NTIME, NBITS, PREFIX, ROOM, V2Pool, job, target};
use common_messages_sv2::{MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, SetupConnectionSuccess};
use midstate::job::{Job, Root};
use midstate::upstream::{ChannelKind, Event, HandshakeError, SessionError, V2Error};
use midstate_stratum::{Difficulty, Target};
use mining_sv2::{
    CHANNEL_BIT_SET_TARGET, CloseChannelOwned, MESSAGE_TYPE_SET_EXTRANONCE_PREFIX, MESSAGE_TYPE_SET_GROUP_CHANNEL,
    MESSAGE_TYPE_SET_TARGET, OpenExtendedMiningChannel, OpenMiningChannelErrorOwned, SetExtranoncePrefixOwned,
    SetGroupChannelOwned, SetTargetOwned, UpdateChannel,
};
use std::sync::Arc;
use std::time::{Duration, Instant};
use v2_servers::{rig, table};

fn extranonce1(job: &Job) -> &[u8] {
    &job.coinbase().unwrap().extranonce1
}

fn accepted(miner: &mut Miner) -> u32 {
    match miner.next() {
        Event::Answered { share, verdict: Ok(()), .. } => share.header.nonce(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_from_the_handshake_to_its_end() {
    let (listener, port) = listener();
    let mut miner = Miner::with([v2::pool(port)]);
    let mut pool = V2Pool::accept(&listener);
    let setup = pool.set_up(0);
    assert_eq!((setup.min_version, setup.max_version, setup.flags), (2, 2, 0));
    assert_eq!((setup.endpoint_host.as_utf8_or_hex(), setup.endpoint_port), ("127.0.0.1".to_owned(), port));
    assert_eq!((setup.vendor.as_utf8_or_hex(), setup.device_id.len()), ("midstate".to_owned(), 0));
    let open = pool.open();
    assert_eq!(open.user_identity.as_utf8_or_hex(), "alice");
    assert_eq!((open.max_target.to_array(), open.min_extranonce_size), ([0xff; 32], 4));
    assert!(open.nominal_hash_rate > 0.0);
    match miner.next() {
        Event::Connected { url, extranonce1, extranonce2_size, version_mask, resumed } => {
            assert_eq!((url, &*extranonce1), (v2::url(port), &PREFIX[..]));
            assert_eq!((extranonce2_size, version_mask, resumed), (ROOM, 0x1fff_e000, false));
        }
        other => panic!("{other:?}"),
    }

    // A job for the future is none until its block is there.
    pool.job(job(1, None));
    pool.job(job(2, None));
    pool.tip(GROUP, 2, 0xaa);
    let (first, difficulty) = miner.job();
    assert_eq!((first.id.as_str(), first.previous_block_hash), ("2", [0xaa; 32]));
    assert_eq!(
        (first.version, first.version_mask, first.nbits, first.ntime),
        (0x2000_0000, 0x1fff_e000, NBITS, MIN_NTIME)
    );
    assert_eq!((first.target, first.ntime_roll), (Target::MAX, 0));
    assert!(difficulty < 1e-9);

    // The share is of the header that the pool puts together.
    let found = share(&first, 5);
    miner.handle.submit(found.clone()).unwrap();
    let came = pool.share();
    assert_eq!((came.channel_id, came.sequence_number, came.job_id, came.nonce), (CHANNEL, 1, 2, 5));
    assert_eq!((came.ntime, came.version), (MIN_NTIME, 0x2000_0000));
    let mut root =
        [1, 2, 3].into_iter().chain(PREFIX).chain(came.extranonce.as_bytes().iter().copied()).chain([4, 5, 6]);
    let root = sha256d::Hash::hash(&root.by_ref().collect::<Vec<u8>>());
    let root = [[8; 32], [9; 32]].iter().fold(root, |left, right| {
        let mut engine = sha256d::Hash::engine();
        engine.input(left.as_ref());
        engine.input(right);
        sha256d::Hash::from_engine(engine)
    });
    assert_eq!(found.header.0[36..68], *root.as_byte_array());

    // Several are accepted with one word; one of them was refused before.
    for nonce in 6..10 {
        miner.handle.submit(share(&first, nonce)).unwrap();
        assert_eq!(pool.share().sequence_number, nonce - 4);
    }
    pool.refuse(3, "difficulty-too-low");
    pool.accept_all(4);
    match miner.next() {
        Event::Answered { share, verdict: Err(error), .. } => {
            assert_eq!((share.header.nonce(), error.code, error.message.as_str()), (7, 23, "difficulty-too-low"));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!([accepted(&mut miner), accepted(&mut miner), accepted(&mut miner)], [5, 6, 8]);

    // A target holds for the next job, a prefix for the next that is sent.
    pool.send(
        SetTargetOwned { channel_id: GROUP, maximum_target: target(1).into() },
        MESSAGE_TYPE_SET_TARGET,
        CHANNEL_BIT_SET_TARGET,
    );
    pool.job(job(3, None));
    let prefix = SetExtranoncePrefixOwned { channel_id: CHANNEL, extranonce_prefix: vec![9, 9].try_into().unwrap() };
    pool.send(prefix, MESSAGE_TYPE_SET_EXTRANONCE_PREFIX, true);
    pool.job(job(4, Some(MIN_NTIME + 60)));
    let (now, _) = miner.job();
    assert_eq!((now.id.as_str(), now.ntime, extranonce1(&now)), ("4", MIN_NTIME + 60, &[9, 9][..]));
    assert_eq!(now.target, Target::from_le_bytes(target(1)));
    pool.tip(CHANNEL, 3, 0xbb);
    let (later, _) = miner.job();
    assert_eq!((later.id.as_str(), extranonce1(&later)), ("3", &PREFIX[..]));

    // The channel may be put in another group.
    let group = SetGroupChannelOwned { group_channel_id: 200, channel_ids: vec![1, CHANNEL].try_into().unwrap() };
    pool.send(group, MESSAGE_TYPE_SET_GROUP_CHANNEL, false);
    let mut to_group = job(5, Some(MIN_NTIME));
    to_group.channel_id = 200;
    pool.job(to_group);
    assert_eq!(miner.job().0.id, "5");

    // The miner's end is said.
    drop(miner.handle);
    pool.expect(mining_sv2::MESSAGE_TYPE_CLOSE_CHANNEL);
    assert!(pool.read().is_none());
}

#[test]
fn on_a_standard_channel_the_root_is_the_pools() {
    let (listener, port) = listener();
    let mut settings = v2::pool(port);
    settings.sv2_channel = ChannelKind::Standard;
    let mut miner = Miner::with([settings]);
    let mut pool = V2Pool::accept(&listener);
    assert_eq!(pool.set_up(0).flags, 1);
    assert_eq!(pool.open_standard().user_identity.as_utf8_or_hex(), "alice");
    miner.connected();
    pool.root(1, [5; 32]);
    pool.tip(GROUP, 1, 0xaa);
    let (job, _) = miner.job();
    assert_eq!((&job.root, job.version_mask), (&Root::Given([5; 32]), 0x1fff_e000));
    let found = share(&job, 9);
    assert_eq!(found.header.0[36..68], [5; 32]);
    miner.handle.submit(found).unwrap();
    let came = pool.standard_share();
    assert_eq!((came.channel_id, came.sequence_number, came.job_id, came.nonce), (CHANNEL, 1, 1, 9));
    assert_eq!((came.ntime, came.version), (MIN_NTIME, 0x2000_0000));
    pool.accept_all(1);
    assert_eq!(accepted(&mut miner), 9);
}

/// A device that does 2^32 hashes a second is through with such a job in one.
#[test]
fn where_nothing_else_rolls_time_goes_on() {
    let (listener, port) = listener();
    let mut settings = v2::pool(port);
    settings.sv2_channel = ChannelKind::Standard;
    let mut miner = Miner::with([settings]);
    let mut pool = V2Pool::accept(&listener);
    // No version but the job's.
    pool.set_up(1);
    pool.open_standard();
    miner.connected();
    pool.root(1, [5; 32]);
    pool.tip(CHANNEL, 1, 0xaa);
    let began = Instant::now();
    let jobs: Vec<_> = (0..3).map(|_| miner.job().0).collect();
    let passed = began.elapsed().as_secs() as u32;
    assert!(jobs.iter().all(|job| job.id == "1" && job.version_mask == 0));
    // No header is later than the seconds that passed.
    let times: Vec<_> = jobs.iter().map(|job| job.ntime - MIN_NTIME).collect();
    assert!(times[0] == 0 && times.is_sorted_by(|a, b| a < b) && times[2] <= passed, "{times:?} in {passed} s");
}

/// The pool hears of the speed where that is another than it was told.
#[test]
fn a_pool_is_told_how_fast_its_miner_is() {
    let (listener, port) = listener();
    let mut miner = Miner::with([v2::pool(port)]);
    let mut pool = V2Pool::accept(&listener);
    pool.set_up(0);
    let guess = f64::from(pool.open().nominal_hash_rate);
    pool.work(1);
    miner.connected();
    miner.job();
    let told = std::thread::spawn(move || {
        let mut payload = pool.expect(mining_sv2::MESSAGE_TYPE_UPDATE_CHANNEL);
        let update = v2::read::<UpdateChannel>(&mut payload).into_owned();
        (update.channel_id, update.nominal_hash_rate, update.maximum_target.to_array())
    });
    // Like this it is nothing new; unlike this it is.
    for hashrate in [0.0, guess, guess * 1.4, guess / 1.4] {
        miner.handle.set_hashrate(hashrate);
        std::thread::sleep(Duration::from_millis(50));
    }
    while !told.is_finished() {
        miner.handle.set_hashrate(guess * 10.0);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(told.join().unwrap(), (CHANNEL, guess as f32 * 10.0, [0xff; 32]));
}

#[test]
fn a_pool_is_told_what_was_asked_for() {
    let (listener, port) = listener();
    let mut settings = v2::pool(port);
    settings.nominal_hashrate = Some("5e12".parse().unwrap());
    settings.minimum_difficulty = Some(Difficulty::new(1.0).unwrap());
    settings.device.id = "rig7".to_owned();
    let mut miner = Miner::with([settings]);
    let mut pool = V2Pool::accept(&listener);
    assert_eq!(pool.set_up(0).device_id.as_utf8_or_hex(), "rig7");
    let open = pool.open();
    assert!((open.nominal_hash_rate / 5e12 - 1.0).abs() < 1e-6);
    assert_eq!(open.max_target.to_array(), Target::DIFFICULTY_1.to_le_bytes());
    miner.connected();

    // What cannot be is said before anybody is asked.
    let url = v2::url(port);
    let long = format!("--device-id {}", "x".repeat(256));
    for (flags, words) in [
        (&*long, "256 bytes; expected 255 at most"),
        ("--nominal-hashrate fast", "expected hashes a second"),
        ("--channels 0", "\"0\"; expected 1 to 128 channels"),
        ("--channels 129", "\"129\"; expected 1 to 128 channels"),
        ("--sv2-channel group", "expected extended or standard"),
        (
            "--sv2-channel standard --verify-payout 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "expected --sv2-channel extended",
        ),
    ] {
        let said = run(&format!("mine --url {url} --user alice {flags}"));
        assert!(said.code == Some(2) && said.err.contains(words), "{said:?}");
    }
}

/// The pool opens two of three, gives each a job of its own, and closes one of them later.
#[test]
fn channels_are_told_apart() {
    let (listener, port) = listener();
    let mut settings = v2::pool(port);
    settings.channels = "3".parse().unwrap();
    settings.nominal_hashrate = Some("x2".parse().unwrap());
    let mut miner = Miner::with([settings]);
    let mut pool = V2Pool::accept(&listener);
    pool.set_up(0);
    let asked: Vec<_> = (0..3)
        .map(|_| {
            let mut payload = pool.expect(mining_sv2::MESSAGE_TYPE_OPEN_EXTENDED_MINING_CHANNEL);
            let open = v2::read::<OpenExtendedMiningChannel>(&mut payload).into_owned();
            // Nobody has measured it, so each has its part of a guess, and twice that is told.
            assert!((open.nominal_hash_rate / (2e8 / 3.0) - 1.0).abs() < 1e-6, "{open}");
            open.request_id
        })
        .collect();
    pool.opened_as((asked[1], 12), 8, &[2]);
    pool.opened_as((asked[0], 12), 8, &[1]);
    pool.opened_as((asked[0], 11), 8, &[1]);
    let error = OpenMiningChannelErrorOwned {
        request_id: asked[2],
        error_code: "channel-capacity-exhausted".try_into().unwrap(),
    };
    pool.send(error, mining_sv2::MESSAGE_TYPE_OPEN_MINING_CHANNEL_ERROR, false);
    miner.connected();
    let taken = "channel_id: 12; expected one that no other channel has";
    assert!(matches!(miner.next(), Event::Unreadable(error) if error.to_string() == taken));
    assert!(matches!(miner.next(), Event::Message(said) if said.ends_with("channel-capacity-exhausted")));

    // One for the future to both, and the block it is for; then one to the second alone.
    let to = |channel_id, id, min_ntime| {
        let mut job = job(id, min_ntime);
        job.channel_id = channel_id;
        job
    };
    pool.job(to(GROUP, 5, None));
    pool.tip(GROUP, 5, 9);
    let (job, beside) = work(&mut miner);
    assert_eq!((job.channel, &*job.id, job.coinbase().unwrap().extranonce1.as_slice()), (Some(12), "5", &[2][..]));
    assert_eq!(beside, [(Some(11), "5".to_owned())]);
    pool.job(to(11, 5, Some(MIN_NTIME)));
    let (first, beside) = work(&mut miner);
    assert_eq!((first.channel, beside), (Some(11), vec![(Some(12), "5".to_owned())]));

    // Each channel counts its own shares.
    for (job, nonce) in [(&job, 1), (&first, 2), (&job, 3)] {
        miner.handle.submit(share(job, nonce)).unwrap();
    }
    let sent: Vec<_> = (0..3).map(|_| pool.share()).collect();
    let sent: Vec<_> = sent.iter().map(|share| (share.channel_id, share.sequence_number, share.nonce)).collect();
    assert_eq!(sent, [(12, 1, 1), (11, 1, 2), (12, 2, 3)]);
    pool.accept_all_of(11, 1);
    assert!(matches!(miner.next(), Event::Answered { share, verdict: Ok(()), .. } if share.header.nonce() == 2));
    // The other goes, with what it owes; what is found on it still goes nowhere.
    let close = CloseChannelOwned { channel_id: 12, reason_code: "maintenance".try_into().unwrap() };
    pool.send(close, mining_sv2::MESSAGE_TYPE_CLOSE_CHANNEL, true);
    assert!(matches!(miner.next(), Event::Lost(shares) if shares.len() == 2));
    assert!(matches!(miner.next(), Event::Message(said) if said == "CloseChannel: maintenance"));
    let (rest, beside) = work(&mut miner);
    assert_eq!((rest.channel, beside), (Some(11), Vec::new()));
    miner.handle.submit(share(&job, 4)).unwrap();
    assert!(matches!(miner.next(), Event::Lost(shares) if shares.len() == 1));
}

/// The next job, and the channels and ids of those beside it.
fn work(miner: &mut Miner) -> (Arc<Job>, Vec<(Option<u32>, String)>) {
    match miner.next() {
        Event::Job { job, beside, .. } => (job, beside.iter().map(|job| (job.channel, job.id.clone())).collect()),
        other => panic!("{other:?}"),
    }
}

/// All at once: most of them wait.
#[test]
fn a_miner_outlasts_every_pool() {
    let tables = [
        ("handshake", table::handshake()),
        ("frames", table::frames()),
        ("joining", table::joining()),
        ("beginnings", table::beginnings()),
        ("refusals", table::refusals()),
        ("messages", table::messages()),
        ("jobs", table::jobs()),
        ("blocks", table::blocks()),
        ("channels", table::channels()),
        ("verdicts", table::verdicts()),
    ];
    let scenarios = tables.into_iter().flat_map(|(group, table)| {
        table.into_iter().map(move |scenario| (format!("{group}: {}", scenario.name), move || rig::run(scenario)))
    });
    outlasting::all(scenarios.collect());
}

/// A pool in whose place somebody else answers is passed over for the next, whatever that speaks; and so is one of V1 that fails.
#[test]
fn pools_of_both_protocols_take_each_others_place() {
    let ([second, first], [v2_port, v1_port]) = {
        let [(v2, v2_port), (v1, v1_port)] = [listener(), listener()];
        ([v1, v2], [v2_port, v1_port])
    };
    let mut impostor = v2::pool(v2_port);
    impostor.url = format!("stratum2+tcp://127.0.0.1:{v2_port}/{}", v2::OTHER).parse().unwrap();
    let mut miner = Miner::with([impostor, joined::pool(v1_port)]);
    let held = std::thread::spawn(move || {
        let _ = V2Pool::accept(&first);
        first
    });
    assert!(
        matches!(refused(&mut miner), V2Error::Handshake(HandshakeError::WrongAuthority(key)) if key.to_string() == v2::OTHER)
    );
    let mut pool = Pool::welcome(&second);
    miner.connected_to(v1_port);
    pool.call("mining.notify", &scripted::job("v1"));
    assert_eq!(miner.job().0.id, "v1");
    drop(miner);

    // The other way round.
    let first = held.join().unwrap();
    let mut miner = Miner::with([joined::pool(v1_port), v2::pool(v2_port)]);
    drop((pool, second));
    let lost = miner.disconnected().0;
    assert!(!matches!(lost, SessionError::V2(_)), "{lost}");
    let mut pool = loop {
        // The one before may have left a connection.
        let mut pool = V2Pool::accept(&first);
        if pool.read().is_some() {
            break pool;
        }
    };
    let success = SetupConnectionSuccess { used_version: 2, flags: 0 };
    pool.send(success, MESSAGE_TYPE_SETUP_CONNECTION_SUCCESS, false);
    pool.open();
    pool.work(1);
    while !matches!(miner.next(), Event::Job { job, .. } if job.id == "1") {}
}

#[test]
fn a_pool_that_is_tried_beside_another_is_told_that_this_was_all() {
    let [(first, v2_port), (second, v1_port)] = [listener(), listener()];
    let mut miner = Miner::with([v2::pool(v2_port), joined::pool(v1_port)]);
    drop(first.accept().unwrap());
    let mut pool = Pool::welcome(&second);
    pool.call("mining.notify", &scripted::job("v1"));
    let mut tried = V2Pool::welcome(&first);
    tried.work(1);
    tried.expect(mining_sv2::MESSAGE_TYPE_CLOSE_CHANNEL);
    assert!(tried.read().is_none());
    let mut pool = V2Pool::welcome(&first);
    pool.work(2);
    while !matches!(miner.next(), Event::Job { job, .. } if job.id == "2") {}
}

/// What a session ends with.
fn refused(miner: &mut Miner) -> V2Error {
    match miner.disconnected().0 {
        SessionError::V2(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pool_that_nobody_vouches_for_is_joined_only_where_that_is_asked_for() {
    let (listener, port) = listener();
    let plain = format!("stratum2+tcp://127.0.0.1:{port}");
    let mut stranger = v2::pool(port);
    stranger.url = plain.parse().unwrap();
    let mut miner = Miner::with([stranger.clone()]);
    assert!(matches!(refused(&mut miner), V2Error::NoAuthority(url) if url == plain));

    stranger.sv2_insecure = true;
    let mut miner = Miner::with([stranger]);
    // The connection of the one before.
    let mut pool = V2Pool::welcome(&listener);
    miner.connected();
    pool.work(1);
    assert_eq!(miner.job().0.id, "1");

    let said = run(&format!("mine --url {plain} --user alice"));
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("no authority key") && said.err.contains("--sv2-insecure"), "{said:?}");
}

/// What the program says and does, and that its counters agree with the pool's.
#[test]
fn the_program_mines_on_it() {
    let (listener, port) = listener();
    let pool = std::thread::spawn(move || {
        let mut pool = V2Pool::welcome(&listener);
        pool.work(1);
        pool.serve(1);
        pool.submits.len()
    });
    let url = v2::url(port);
    let device = "--device-vendor me --device-hardware board --device-firmware 9 --device-id rig7";
    let ended = run(&format!(
        "mine --url {url} --user alice --json --seconds 3 --backend cpu --threads 1 --trace-messages {device}"
    ));
    let summary = ended.summary();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let accepted = summary["shares_accepted"].as_u64().unwrap() as usize;
    assert!(accepted > 0 && summary["shares_rejected"] == 0, "{summary}");
    assert!(pool.join().unwrap() >= accepted);
    for words in [
        "-> SetupConnection(protocol: 0,",
        "<- NewExtendedMiningJob(channel_id: 7,",
        "-> SubmitSharesExtended(",
        "-> CloseChannel(",
    ] {
        assert!(ended.err.contains(&format!("{url} {words}")), "{words}: {}", ended.err);
    }
    assert!(ended.err.contains("vendor: me, hardware_version: board, firmware: 9, device_id: rig7)"), "{}", ended.err);
}
