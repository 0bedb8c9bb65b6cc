//! The miner on a pool of Stratum V2 that is played by hand, over real sockets.
#![cfg(feature = "v2")]

mod common {
    pub(crate) mod joined;
    pub(crate) mod program;
    pub(crate) mod scripted;
    pub(crate) mod v2;
}

use bitcoin::hashes::{Hash, HashEngine, sha256d};
use common::joined::{Miner, share};
use common::program::run;
use common::scripted::listener;
use common::v2::{self, CHANNEL, GROUP, MIN_NTIME, NBITS, PREFIX, ROOM, V2Pool, job, target};
use midstate::job::Job;
use midstate::upstream::{Event, SessionError, V2Error};
use midstate_stratum::Target;
use mining_sv2::{
    CHANNEL_BIT_SET_TARGET, MESSAGE_TYPE_SET_EXTRANONCE_PREFIX, MESSAGE_TYPE_SET_GROUP_CHANNEL,
    MESSAGE_TYPE_SET_TARGET, SetExtranoncePrefixOwned, SetGroupChannelOwned, SetTargetOwned,
};

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
    drop(miner);
    pool.expect(mining_sv2::MESSAGE_TYPE_CLOSE_CHANNEL);
    assert!(pool.read().is_none());
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
    let ended = run(&format!("mine --url {} --user alice --json --seconds 3 --backend cpu --threads 1", v2::url(port)));
    let summary = ended.summary();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let accepted = summary["shares_accepted"].as_u64().unwrap() as usize;
    assert!(accepted > 0 && summary["shares_rejected"] == 0, "{summary}");
    assert!(pool.join().unwrap() >= accepted);
}
