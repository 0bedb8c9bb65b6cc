//! One pool, everybody who does something wrong with it at once, and an honest miner beside them.

use super::client::{Client, Extended, plain, setup};
use super::table;
use bitcoin::CompactTarget;
use pool_sim::pool::PoolEvent;
use std::collections::HashMap;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

/// What is said may take so long: a pool that waits for something waits 10 s.
const PATIENCE: Duration = Duration::from_secs(40);

/// A line of the table.
pub(super) struct Case {
    pub(super) name: String,
    script: Script,
    /// A part of why the connection ends, or of what is said of a message while it goes on.
    says: String,
    /// Whether the connection goes on.
    goes_on: bool,
}

type OnChannel = Box<dyn Fn(&mut Client, &Extended) + Send + Sync>;

enum Script {
    /// On the bare connection, before the handshake.
    Wire(Box<dyn Fn(&mut TcpStream) + Send + Sync>),
    /// After the handshake.
    Stranger(Box<dyn Fn(&mut Client) + Send + Sync>),
    /// On a channel with a job, of which a share was accepted.
    Session(OnChannel),
}

/// Something is wrong with the handshake: the connection must end.
pub(super) fn wire(
    name: impl Into<String>,
    says: &str,
    script: impl Fn(&mut TcpStream) + Send + Sync + 'static,
) -> Case {
    Case { name: name.into(), script: Script::Wire(Box::new(script)), says: says.to_owned(), goes_on: false }
}

/// No miner begins so: the connection must end.
pub(super) fn stranger(
    name: impl Into<String>,
    says: &str,
    script: impl Fn(&mut Client) + Send + Sync + 'static,
) -> Case {
    Case { name: name.into(), script: Script::Stranger(Box::new(script)), says: says.to_owned(), goes_on: false }
}

/// A session must end.
pub(super) fn ends(
    name: impl Into<String>,
    says: &str,
    script: impl Fn(&mut Client, &Extended) + Send + Sync + 'static,
) -> Case {
    Case { name: name.into(), script: Script::Session(Box::new(script)), says: says.to_owned(), goes_on: false }
}

/// A session must go on.
pub(super) fn goes_on(
    name: impl Into<String>,
    says: &str,
    script: impl Fn(&mut Client, &Extended) + Send + Sync + 'static,
) -> Case {
    Case { goes_on: true, ..ends(name, says, script) }
}

/// Plays a case to its end: where it came from.
fn play(case: &Case, pool: SocketAddr) -> Result<SocketAddr, String> {
    if let Script::Wire(script) = &case.script {
        let mut stream = TcpStream::connect(pool).unwrap();
        let from = stream.local_addr().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        script(&mut stream);
        // The pool hangs up, whatever it says before.
        return match std::io::copy(&mut stream, &mut std::io::sink()) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Err("the pool goes on".to_owned()),
            _ => Ok(from),
        };
    }
    let mut client = Client::connect(pool);
    let from = client.stream.local_addr().unwrap();
    client.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let channel = match &case.script {
        Script::Session(_) => {
            client.set_up(0);
            let channel = client.extended();
            assert_eq!(client.verdict(channel.share(plain(1_000_001))), None, "{}", case.name);
            Some(channel)
        }
        _ => None,
    };
    match (&case.script, &channel) {
        (Script::Stranger(script), _) => script(&mut client),
        (Script::Session(script), Some(channel)) => script(&mut client, channel),
        _ => {}
    }
    if let Some(channel) = channel.filter(|_| case.goes_on) {
        // What was said to the script may still come.
        client.submit(channel.share(plain(1_000_002)));
        while client.accepted().last_sequence_number != 1_000_002 {}
        return Ok(from);
    }
    while client.read().is_some() {}
    Ok(from)
}

/// Submits shares until it is told to stop. The longest that one waited for its answer, and how many there were.
fn mine_honestly(pool: SocketAddr, done: &AtomicBool) -> (Duration, u32) {
    let mut client = Client::connect(pool);
    client.set_up(0);
    let channel = client.extended();
    let (mut longest, mut count) = (Duration::ZERO, 0);
    while !done.load(Ordering::Relaxed) {
        count += 1;
        let (share, sent) = (channel.share(plain(count)), Instant::now());
        assert_eq!(client.verdict(share), None);
        longest = longest.max(sent.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    (longest, count)
}

/// What the pool said of each connection: why it ended, and what could not be read.
#[derive(Default)]
struct Said {
    sessions: HashMap<SocketAddr, u64>,
    left: HashMap<u64, String>,
    unreadable: HashMap<u64, Vec<String>>,
}

impl Said {
    fn note(&mut self, event: PoolEvent) {
        match event {
            PoolEvent::Joined { session, peer, .. } => drop(self.sessions.insert(peer, session)),
            PoolEvent::Left { session, reason } => drop(self.left.insert(session, reason)),
            PoolEvent::Unreadable { session, error } => self.unreadable.entry(session).or_default().push(error),
            _ => {}
        }
    }

    /// What is wrong with the pool's conduct.
    fn judge(&self, case: &Case, from: SocketAddr) -> Result<(), String> {
        let session = self.sessions.get(&from).ok_or("it was never seen")?;
        let (left, unreadable) = (self.left.get(session), self.unreadable.get(session));
        let is_said = |said: &String| said.contains(&case.says);
        let is_right = match unreadable {
            _ if !case.goes_on => left.is_some_and(is_said),
            Some(said) => !case.says.is_empty() && said.iter().any(is_said),
            None => case.says.is_empty(),
        };
        let wrong = || format!("it left: {left:?}; unreadable: {unreadable:?}; expected {:?}", case.says);
        if is_right { Ok(()) } else { Err(wrong()) }
    }
}

/// The process's memory, in bytes, where the system tells.
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(status.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

/// All at once, as most of them wait.
#[test]
fn a_pool_outlasts_everybody() {
    let setup = setup(|config| {
        // No share is a block, so that all jobs hold.
        config.job_bits = Some(CompactTarget::from_consensus(0x1d00_ffff));
        config.limits.lines = 100_000;
    });
    let address = setup.address();
    let cases: Vec<Case> = table::all();
    assert!(cases.len() >= 40, "{}", cases.len());
    let (before, done) = (memory(), AtomicBool::new(false));
    let (played, (longest, shares)) = std::thread::scope(|scope| {
        let honest = scope.spawn(|| mine_honestly(address, &done));
        let playing: Vec<_> = cases.iter().map(|case| scope.spawn(|| play(case, address))).collect();
        let played: Vec<_> = playing.into_iter().map(ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        (played, honest.join().expect("the honest miner was harmed"))
    });
    // The last words are said soon.
    std::thread::sleep(Duration::from_millis(500));
    let mut said = Said::default();
    setup.events.try_iter().for_each(|event| said.note(event));
    let wrong: Vec<String> = cases
        .iter()
        .zip(played)
        .filter_map(|(case, played)| {
            let played = played.map_err(|_| "its script failed".to_owned()).and_then(|played| played);
            let judged = played.and_then(|from| said.judge(case, from));
            judged.err().map(|why| format!("{}: {why}", case.name))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
    assert!(longest < Duration::from_secs(10) && shares > 20, "{longest:?}, {shares}");
    if let Some((before, after)) = before.zip(memory()) {
        assert!(after.saturating_sub(before) < 256 << 20, "{before} before, {after} after");
    }
}

#[test]
fn who_leaves_without_a_word_is_not_told_of() {
    let setup = setup(|_| {});
    for _ in 0..100 {
        let mut stream = TcpStream::connect(setup.address()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        assert_eq!(std::io::copy(&mut stream, &mut std::io::sink()).unwrap(), 0, "the pool hangs up and says nothing");
    }
    let told =
        setup.events.try_iter().filter(|event| matches!(event, PoolEvent::Joined { .. } | PoolEvent::Left { .. }));
    assert_eq!(told.count(), 0);
}
