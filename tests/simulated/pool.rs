//! A pool that goes wrong on command. It knows none of our message types, and judges each share with the `bitcoin` crate.

#![allow(dead_code, reason = "each test takes what it needs")]

use super::clock::Activity;
use bitcoin::hashes::{Hash, HashEngine, sha256d};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;

/// So many jobs are known to a pool.
const KNOWN: usize = 8;
/// BIP 320's.
const MASK: u32 = 0x1fff_e000;

/// What every connection is made to do.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// Sends these bytes as they stand.
    Send(String),
    /// Sends the newest job, under the newest difficulty.
    Job,
    /// Takes what comes and says nothing, for ever.
    FallSilent,
    /// Sends these bytes, and hangs up.
    HangUp(&'static str),
}

/// How shares are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Answers {
    #[default]
    AtOnce,
    Never,
    Twice,
    /// After so many seconds, the last first.
    Late(u64),
    /// With a no, whatever they are.
    No,
}

#[derive(Default)]
pub(crate) struct Manners {
    pub(crate) answers: Answers,
    /// Connections are closed at once.
    pub(crate) away: bool,
    pub(crate) refuses_user: bool,
    /// 2^-this is the difficulty.
    pub(crate) ease: i32,
    tip: u32,
    jobs: VecDeque<Job>,
    next_job: u32,
    next_extranonce1: u32,
    /// Extranonce1 by session.
    sessions: HashMap<String, u32>,
}

#[derive(Clone)]
struct Job {
    id: String,
    tip: u32,
    ease: i32,
    clean: bool,
}

/// What a pool has counted.
pub(crate) struct Ledger {
    pub(crate) accepted: usize,
    pub(crate) rejected: usize,
    /// For jobs that are not known, or not any more: a miner cannot know that always.
    pub(crate) stale: usize,
    /// All that came, to know those that come twice.
    seen: HashSet<[u8; 32]>,
    pub(crate) doubled: usize,
    /// Shares that no miner should have sent.
    pub(crate) wrong: Vec<String>,
}

pub(crate) struct Pool {
    pub(crate) port: u16,
    manners: Mutex<Manners>,
    pub(crate) ledger: Mutex<Ledger>,
    orders: broadcast::Sender<Do>,
    activity: Activity,
}

impl Pool {
    /// One with room for so many shares in its ledger.
    pub(crate) fn new(activity: &Activity, first_extranonce1: u32, room: usize) -> Pool {
        let seen = HashSet::with_capacity(room);
        let ledger = Ledger { accepted: 0, rejected: 0, stale: 0, seen, doubled: 0, wrong: Vec::new() };
        let manners = Manners { ease: 28, next_extranonce1: first_extranonce1, ..Manners::default() };
        let pool = Pool {
            port: 0,
            manners: Mutex::new(manners),
            ledger: Mutex::new(ledger),
            orders: broadcast::channel(4096).0,
            activity: Arc::clone(activity),
        };
        pool.add_job(true);
        pool
    }

    /// Waits for miners, at a port of its own.
    pub(crate) async fn listen(self) -> Arc<Pool> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pool = Arc::new(Pool { port: listener.local_addr().unwrap().port(), ..self });
        let accepting = Arc::clone(&pool);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.activity.fetch_add(1, Ordering::Relaxed);
                if !accepting.manners().away {
                    tokio::spawn(Connection::serve(Arc::clone(&accepting), stream));
                }
            }
        });
        pool
    }

    pub(crate) fn manners(&self) -> MutexGuard<'_, Manners> {
        self.manners.lock().unwrap()
    }

    pub(crate) fn order(&self, what: Do) {
        // There may be no connection.
        let _ = self.orders.send(what);
    }

    /// Gives everybody a further job, on another tip if it is clean.
    pub(crate) fn add_job(&self, clean: bool) {
        let tip = self.manners().tip + u32::from(clean);
        self.build_on(tip, clean);
    }

    /// Gives everybody a further job, on this tip.
    pub(crate) fn build_on(&self, tip: u32, clean: bool) {
        let mut manners = self.manners();
        manners.tip = tip;
        manners.next_job += 1;
        let job = Job { id: format!("{:x}", manners.next_job), tip: manners.tip, ease: manners.ease, clean };
        manners.jobs.push_back(job);
        if manners.jobs.len() > KNOWN {
            manners.jobs.pop_front();
        }
        drop(manners);
        self.order(Do::Job);
    }

    /// Knows no session any more.
    pub(crate) fn forget_sessions(&self) {
        self.manners().sessions.clear();
    }

    /// Gives everybody another extranonce1, for the next job.
    pub(crate) fn change_extranonce1(&self) {
        let mut manners = self.manners();
        manners.next_extranonce1 += 1;
        let extranonce1 = manners.next_extranonce1;
        // There is one miner only.
        manners.sessions.values_mut().for_each(|given| *given = extranonce1);
        drop(manners);
        self.order(Do::Send(call("mining.set_extranonce", &json!([format!("{extranonce1:08x}"), 4]))));
        self.add_job(false);
    }

    /// The fate of a share, as the pool sees it: for each that is refused a code and a word.
    fn judge(&self, params: &Value, extranonce1s: &[u32]) -> Result<(), (i64, &'static str)> {
        let manners = self.manners();
        let text = |at: usize| params[at].as_str().unwrap_or_default();
        let bits = u32::from_str_radix(params[5].as_str().unwrap_or("0"), 16).unwrap();
        let job = manners.jobs.iter().find(|job| job.id == text(1)).cloned();
        let (answers, tip) = (manners.answers, manners.tip);
        drop(manners);
        let mut ledger = self.ledger.lock().unwrap();
        // A share that was on its way when extranonce1 changed is of the one before.
        let is_met = |job: &Job, e: u32| job.is_met(e, text(2), text(3), text(4), bits);
        let extranonce1 = job.as_ref().and_then(|job| extranonce1s.iter().find(|e| is_met(job, **e)));
        let identity = sha256d::Hash::hash(format!("{params} {extranonce1:?}").as_bytes());
        if !ledger.seen.insert(identity.to_byte_array()) {
            ledger.doubled += 1;
            return Err((22, "duplicate"));
        }
        let verdict = match job {
            _ if answers == Answers::No => Err((20, "not today")),
            None => Err((21, "job not found")),
            Some(job) if job.tip != tip => Err((21, "stale")),
            Some(_) if extranonce1.is_some() => Ok(()),
            Some(job) => {
                ledger.wrong.push(format!("job {}, ease {}, extranonce1 {extranonce1s:?}: {params}", job.id, job.ease));
                Err((23, "low difficulty"))
            }
        };
        match verdict {
            Ok(()) => ledger.accepted += 1,
            Err((21, _)) => ledger.stale += 1,
            Err(_) => ledger.rejected += 1,
        }
        verdict
    }
}

impl Job {
    fn coinbase(&self) -> [String; 2] {
        let first = ["01000000", "01", &"00".repeat(32), "ffffffff", "0d", "04", &format!("{:08x}", self.tip)].concat();
        let last = ["ffffffff", "01", "00f2052a01000000", "0151", "00000000"].concat();
        [first, last]
    }

    fn notify(&self) -> String {
        let [coinbase1, coinbase2] = self.coinbase();
        let previous = format!("{:08x}", self.tip).repeat(8);
        let params =
            json!([self.id, previous, coinbase1, coinbase2, [], "20000000", "1d00ffff", "665f0000", self.clean]);
        call("mining.notify", &params)
    }

    /// Whether a share reaches the difficulty 2^-ease.
    fn is_met(&self, extranonce1: u32, extranonce2: &str, ntime: &str, nonce: &str, bits: u32) -> bool {
        let [coinbase1, coinbase2] = self.coinbase();
        let coinbase = [coinbase1, format!("{extranonce1:08x}"), extranonce2.to_owned(), coinbase2].concat();
        let coinbase = bytes(&coinbase);
        let word = |hex: &str| u32::from_str_radix(hex, 16).unwrap().to_le_bytes();
        let version = (0x2000_0000 & !MASK) | (bits & MASK);
        let mut header = sha256d::Hash::engine();
        header.input(&version.to_le_bytes());
        // Each word of the previous hash is on the wire as a number.
        header.input(&self.tip.to_le_bytes().repeat(8));
        header.input(&sha256d::Hash::hash(&coinbase).to_byte_array());
        header.input(&word(ntime));
        header.input(&0x1d00_ffff_u32.to_le_bytes());
        header.input(&word(nonce));
        let hash = sha256d::Hash::from_engine(header).to_byte_array();
        // The target is 0xffff × 2^208 × 2^ease: the hash's uppermost bits are those of its last bytes.
        let top = u128::from_le_bytes(hash[16..].try_into().unwrap());
        top >> 80 < 0xffff_u128 << self.ease
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap()).collect()
}

fn call(method: &str, params: &Value) -> String {
    json!({"id": null, "method": method, "params": params}).to_string() + "\n"
}

struct Connection {
    pool: Arc<Pool>,
    writer: OwnedWriteHalf,
    /// What shares of this connection may be of: the session's, and those that took its place.
    extranonce1s: Vec<u32>,
    session: String,
    authorized: bool,
    told: Option<i32>,
    /// Answers that wait until their time.
    late: Vec<String>,
}

impl Connection {
    async fn serve(pool: Arc<Pool>, stream: TcpStream) {
        // A small line must not wait, in true time, until the one before it was acknowledged.
        stream.set_nodelay(true).unwrap();
        let (reader, writer) = stream.into_split();
        let orders = pool.orders.subscribe();
        let (extranonce1s, session, late) = (Vec::new(), String::new(), Vec::new());
        let mut connection =
            Connection { pool: Arc::clone(&pool), writer, extranonce1s, session, authorized: false, told: None, late };
        // A miner that hangs up is no failure of the test.
        let _ = connection.run(BufReader::new(reader).lines(), orders).await;
        pool.activity.fetch_add(1, Ordering::Relaxed);
    }

    async fn run(
        &mut self,
        mut lines: tokio::io::Lines<BufReader<tokio::net::tcp::OwnedReadHalf>>,
        mut orders: broadcast::Receiver<Do>,
    ) -> io::Result<()> {
        loop {
            let wait = match self.pool.manners().answers {
                Answers::Late(seconds) => Duration::from_secs(seconds),
                _ => Duration::from_secs(1),
            };
            tokio::select! {
                line = lines.next_line() => {
                    let Some(line) = line? else { return Ok(()) };
                    self.pool.activity.fetch_add(1, Ordering::Relaxed);
                    self.on_call(&serde_json::from_str(&line)?).await?;
                }
                order = orders.recv() => match order.map_err(io::Error::other)? {
                    Do::Send(text) => self.send(&text).await?,
                    Do::Job => self.give_job().await?,
                    Do::HangUp(last) => return self.send(last).await,
                    Do::FallSilent => while lines.next_line().await?.is_some() {},
                },
                () = tokio::time::sleep(wait), if !self.late.is_empty() => {
                    while let Some(answer) = self.late.pop() {
                        self.send(&answer).await?;
                    }
                }
            }
        }
    }

    async fn on_call(&mut self, call: &Value) -> io::Result<()> {
        let params = &call["params"];
        let answer = match call["method"].as_str().unwrap_or_default() {
            "mining.configure" => Ok(json!({"version-rolling": true, "version-rolling.mask": format!("{MASK:08x}")})),
            "mining.subscribe" => Ok(self.subscribe(params[1].as_str())),
            "mining.authorize" if self.pool.manners().refuses_user => Err((24, "unauthorized")),
            "mining.submit" => return self.on_share(call).await,
            _ => Ok(json!(true)),
        };
        self.send(&reply(call, &answer)).await?;
        if call["method"] == "mining.authorize" {
            self.authorized = answer.is_ok();
            self.give_job().await?;
        }
        Ok(())
    }

    async fn on_share(&mut self, call: &Value) -> io::Result<()> {
        let current = self.pool.manners().sessions.get(&self.session).copied();
        // Without it, the session was forgotten, and the connection is going to be closed.
        if let Some(current) = current.filter(|current| !self.extranonce1s.contains(current)) {
            self.extranonce1s.push(current);
        }
        let verdict = self.pool.judge(&call["params"], &self.extranonce1s).map(|()| json!(true));
        let answer = reply(call, &verdict);
        let answers = self.pool.manners().answers;
        match answers {
            Answers::Never => Ok(()),
            Answers::Late(_) => {
                self.late.push(answer);
                Ok(())
            }
            Answers::Twice => self.send(&answer.repeat(2)).await,
            Answers::AtOnce | Answers::No => self.send(&answer).await,
        }
    }

    fn subscribe(&mut self, session: Option<&str>) -> Value {
        let mut manners = self.pool.manners();
        let known = session.and_then(|session| Some((session.to_owned(), *manners.sessions.get(session)?)));
        let (session, extranonce1) = known.unwrap_or_else(|| {
            manners.next_extranonce1 += 1;
            (format!("session {:x}", manners.next_extranonce1), manners.next_extranonce1)
        });
        // Sessions that nobody asks for would be memory that grows.
        if manners.sessions.len() > KNOWN {
            manners.sessions.clear();
        }
        manners.sessions.insert(session.clone(), extranonce1);
        (self.session, self.extranonce1s) = (session, vec![extranonce1]);
        json!([[["mining.notify", self.session]], format!("{extranonce1:08x}"), 4])
    }

    async fn give_job(&mut self) -> io::Result<()> {
        let Some(job) = self.pool.manners().jobs.back().cloned().filter(|_| self.authorized) else { return Ok(()) };
        if self.told.replace(job.ease) != Some(job.ease) {
            self.send(&call("mining.set_difficulty", &json!([f64::powi(2.0, -job.ease)]))).await?;
        }
        self.send(&job.notify()).await
    }

    async fn send(&mut self, text: &str) -> io::Result<()> {
        self.writer.write_all(text.as_bytes()).await
    }
}

fn reply(call: &Value, answer: &Result<Value, (i64, &str)>) -> String {
    let (result, error) = match answer {
        Ok(result) => (result.clone(), Value::Null),
        Err((code, word)) => (Value::Null, json!([code, word, null])),
    };
    json!({"id": call["id"], "result": result, "error": error}).to_string() + "\n"
}
