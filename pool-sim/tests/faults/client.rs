//! A client of hand-written lines, whole or broken in one way: nothing here uses our message types.

use crate::common::search::{Choice, search};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Shares' ids begin here.
const FIRST_ID: u64 = 100;
/// Who has no patience leaves after so long a silence.
const IMPATIENCE: Duration = Duration::from_millis(600);
/// Shares of more are not looked for: they take too long.
const HARDEST: f64 = 1e-4;
/// Who chokes on long lines does so beyond this.
const LONG: usize = 1 << 16;

/// In what a client is broken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sin {
    None,
    /// Stays with its first job, whatever voids it.
    KeepsVoidJobs,
    /// Sends every fourth share once more.
    SendsAgain,
    /// Searches both of two jobs that are one.
    SearchesBoth,
    IgnoresExtranonce,
    IgnoresDifficulty,
    /// Takes a difficulty for the job that it has.
    TakesDifficultyAtOnce,
    /// Does not hear anything until it has found its share.
    FinishesFirst,
    IgnoresMask,
    /// Joins once only.
    StaysAway,
    /// Tries once more, and not again.
    GivesUp,
    /// Comes back at once.
    Hurries,
    /// Does not answer the pool's calls.
    IsSilent,
    AnswersTwice,
    FollowsAnywhere,
    /// Goes on with its jobs from before.
    KeepsItsSession,
    UsesItsClock,
    /// A no is its end.
    StopsAtNo,
    /// A no that is not a list of three is its end.
    WantsListsOfThree,
    TalksNonsense,
    /// A line that is no message is its end.
    DiesOfNonsense,
    /// So is a long one,
    ChokesOnLongLines,
    /// a call that it does not know,
    DiesOfUnknownCalls,
    /// an answer to nothing that it asked,
    DiesOfStrangeAnswers,
    /// an answer before its turn,
    WantsAnswersInOrder,
    /// an answer or a job that is late,
    HasNoPatience,
    /// half a line,
    TakesPartsAsLines,
    /// a job for a block before the last,
    DiesOfOldJobs,
    /// or a coinbase that pays somebody else.
    DiesOfStrangePayees,
    /// Sends nothing until its share is answered.
    WaitsForAnswers,
    /// Sends nothing after a block until there is a new tip.
    WaitsForTheTip,
}

/// What a client searches.
struct Job {
    params: Value,
    extranonce1: String,
    difficulty: f64,
    mask: u32,
    /// How often each share is found.
    copies: usize,
}

pub(super) struct Client {
    address: SocketAddr,
    sin: Sin,
    extranonce1: String,
    difficulty: f64,
    next_difficulty: f64,
    mask: u32,
    job: Option<Job>,
    count: u64,
    last: Option<String>,
    /// Shares that have no answer yet, and when each was sent.
    pending: VecDeque<(u64, Instant)>,
    /// The blocks that jobs built on, and the last share's.
    previous: Vec<Value>,
    waits_at: Option<Value>,
    heard: Instant,
    /// What is its end has come.
    is_dead: bool,
    is_stuck: bool,
}

enum Then {
    GoesOn,
    Leaves,
    GoesTo(SocketAddr),
}

impl Client {
    pub(super) fn new(address: SocketAddr, sin: Sin) -> Client {
        Client {
            address,
            sin,
            extranonce1: String::new(),
            difficulty: 1e-8,
            next_difficulty: 1e-8,
            mask: 0x1fff_e000,
            job: None,
            count: FIRST_ID,
            last: None,
            pending: VecDeque::new(),
            previous: Vec::new(),
            waits_at: None,
            heard: Instant::now(),
            is_dead: false,
            is_stuck: false,
        }
    }

    /// Mines until it is told to stop.
    pub(super) fn mine(mut self, stop: &AtomicBool) {
        let home = self.address;
        let mut joined = 0;
        while !stop.load(Ordering::Relaxed) && !self.is_dead {
            if self.sin == Sin::StaysAway && joined > 0 {
                return;
            }
            let address = std::mem::replace(&mut self.address, home);
            match TcpStream::connect(address) {
                Ok(stream) => {
                    joined += 1;
                    self.session(stream, stop, joined);
                }
                Err(_) => self.is_dead = self.sin == Sin::GivesUp,
            }
            let pause = if self.sin == Sin::Hurries { 5 } else { 500 };
            std::thread::sleep(Duration::from_millis(pause));
        }
    }

    fn session(&mut self, mut stream: TcpStream, stop: &AtomicBool, joined: u32) {
        let rest = if self.sin == Sin::TakesPartsAsLines { 5 } else { 50 };
        stream.set_read_timeout(Some(Duration::from_millis(rest))).unwrap();
        let keeps = self.sin == Sin::KeepsItsSession && joined > 1;
        if !keeps {
            self.job = None;
        }
        self.pending.clear();
        self.heard = Instant::now();
        for line in [
            r#"{"id":"c","method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}"#,
            r#"{"id":"s","method":"mining.subscribe","params":["hand"]}"#,
            r#"{"id":"e","method":"mining.extranonce.subscribe","params":[]}"#,
            r#"{"id":"a","method":"mining.authorize","params":["alice","x"]}"#,
        ] {
            if send(&mut stream, line).is_err() {
                return;
            }
        }
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        let mut line = Vec::new();
        while !stop.load(Ordering::Relaxed) && !self.is_dead {
            if self.is_stuck {
                std::thread::sleep(Duration::from_millis(50));
                continue;
            }
            match lines.read_until(b'\n', &mut line) {
                Ok(0) => return,
                Ok(_) => {
                    let then = self.on_line(&mut stream, &line, keeps);
                    line.clear();
                    match then {
                        Then::GoesOn => {}
                        Then::Leaves => return,
                        Then::GoesTo(address) => {
                            self.address = address;
                            return;
                        }
                    }
                }
                // Nothing came: time for a share.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.is_dead |= self.sin == Sin::TakesPartsAsLines && !line.is_empty();
                    if self.sin == Sin::HasNoPatience {
                        let oldest = self.pending.front().map_or(self.heard, |(_, sent)| *sent);
                        self.is_dead = oldest.elapsed() > IMPATIENCE;
                    }
                    if self.sin == Sin::Hurries && self.job.is_none() {
                        return;
                    }
                    if self.share(&mut stream).is_err() {
                        return;
                    }
                }
                Err(_) => return,
            }
        }
    }

    fn on_line(&mut self, stream: &mut TcpStream, bytes: &[u8], keeps: bool) -> Then {
        self.heard = Instant::now();
        let line = match serde_json::from_slice::<Value>(bytes) {
            Ok(line) if line.is_object() => line,
            _ => {
                self.is_dead |= self.sin == Sin::DiesOfNonsense;
                self.is_dead |= self.sin == Sin::ChokesOnLongLines && bytes.len() > LONG;
                return Then::GoesOn;
            }
        };
        let params = &line["params"];
        match line["method"].as_str() {
            Some("mining.notify") => self.on_job(params, keeps),
            Some("mining.set_difficulty") => {
                self.next_difficulty = params[0].as_f64().unwrap();
                self.is_stuck = self.sin == Sin::FinishesFirst && self.next_difficulty > HARDEST;
                if let Some(job) = self.job.as_mut().filter(|_| self.sin == Sin::TakesDifficultyAtOnce) {
                    job.difficulty = self.next_difficulty;
                }
            }
            Some("mining.set_extranonce") => {
                if self.sin != Sin::IgnoresExtranonce {
                    params[0].as_str().unwrap().clone_into(&mut self.extranonce1);
                }
            }
            Some("mining.set_version_mask" | "mining.set_version") => {
                if self.sin != Sin::IgnoresMask {
                    self.mask = u32::from_str_radix(params[0].as_str().unwrap(), 16).unwrap();
                }
            }
            Some("client.reconnect") => {
                if params[0].is_string() && self.sin == Sin::FollowsAnywhere {
                    return Then::GoesTo(([127, 0, 0, 1], params[1].as_u64().unwrap() as u16).into());
                }
                if params[0].is_null() {
                    return Then::Leaves;
                }
            }
            Some("client.get_version" | "mining.ping") => {
                if self.sin != Sin::IsSilent {
                    let answer = json!({"id": line["id"], "result": "hand", "error": null}).to_string();
                    for _ in 0..=u32::from(self.sin == Sin::AnswersTwice) {
                        let _ = send(stream, &answer);
                    }
                }
            }
            Some(_) => self.is_dead |= self.sin == Sin::DiesOfUnknownCalls,
            None => self.on_answer(&line, keeps),
        }
        Then::GoesOn
    }

    fn on_job(&mut self, params: &Value, keeps: bool) {
        let holds = match self.sin {
            Sin::KeepsVoidJobs => true,
            // One that is not void may be worked on.
            Sin::TakesDifficultyAtOnce => params[8] == false,
            _ => keeps,
        };
        let old = self.previous.iter().position(|previous| *previous == params[1]);
        if let Some(at) = old {
            self.is_dead |= self.sin == Sin::DiesOfOldJobs && at + 1 < self.previous.len();
        } else {
            self.previous.push(params[1].clone());
            self.waits_at = None;
        }
        if let Some(job) = &self.job {
            // The second half: the tag, then whom it pays. A job's number, in the tag, is its own.
            let payee = |params: &Value| params[3].as_str().map(|half| half[half.len() - 120..].to_owned());
            self.is_dead |= self.sin == Sin::DiesOfStrangePayees && payee(&job.params) != payee(params);
            if holds {
                return;
            }
        }
        if keeps {
            return;
        }
        let is_copy = self.job.as_ref().is_some_and(|job| job.params[0] == params[0]);
        if self.sin != Sin::IgnoresDifficulty || self.job.is_none() {
            self.difficulty = self.next_difficulty;
        }
        self.job = Some(Job {
            params: params.clone(),
            extranonce1: self.extranonce1.clone(),
            difficulty: self.difficulty,
            mask: self.mask,
            copies: if is_copy && self.sin == Sin::SearchesBoth { 2 } else { 1 },
        });
    }

    fn on_answer(&mut self, line: &Value, keeps: bool) {
        if line["id"] == "s" && line["result"].is_array() && !keeps {
            line["result"][1].as_str().unwrap().clone_into(&mut self.extranonce1);
        }
        if matches!(line["id"].as_str(), Some("c" | "s" | "e" | "a")) {
            self.is_dead |= self.sin == Sin::StopsAtNo && !line["error"].is_null();
            return;
        }
        let place = self.pending.iter().position(|(id, _)| line["id"] == *id);
        match place {
            Some(place) => {
                self.is_dead |= self.sin == Sin::WantsAnswersInOrder && place > 0;
                self.pending.remove(place);
            }
            None => self.is_dead |= self.sin == Sin::DiesOfStrangeAnswers,
        }
        if line["result"] != true {
            let is_list = line["error"].as_array().is_some_and(|error| error.len() == 3);
            self.is_dead |= self.sin == Sin::StopsAtNo || (self.sin == Sin::WantsListsOfThree && !is_list);
        } else if self.sin == Sin::WaitsForTheTip {
            self.waits_at = self.previous.last().cloned();
        }
    }

    fn share(&mut self, stream: &mut TcpStream) -> std::io::Result<()> {
        let waits = self.sin == Sin::WaitsForAnswers && !self.pending.is_empty();
        if waits || self.waits_at.is_some() {
            return Ok(());
        }
        let Some(job) = self.job.as_ref().filter(|job| job.difficulty <= HARDEST) else { return Ok(()) };
        if self.sin == Sin::TalksNonsense && self.count == FIRST_ID + 3 {
            send(stream, r#"{"id":9,"method":"mining.submit","params":["alice"]}"#)?;
        }
        self.count += 1;
        if let Some(last) = self.last.as_ref().filter(|_| self.sin == Sin::SendsAgain && self.count.is_multiple_of(4)) {
            return send(stream, last);
        }
        let time = (self.sin == Sin::UsesItsClock).then(now);
        let choice = Choice {
            extranonce1: &job.extranonce1,
            extranonce2: format!("{:016x}", self.count),
            version_bits: 0x1fff_e000 & job.mask,
            time,
            difficulty: job.difficulty,
        };
        let share = search(&job.params, choice);
        let line = json!({"id": self.count, "method": "mining.submit", "params": share}).to_string();
        self.pending.push_back((self.count, Instant::now()));
        send(stream, &vec![line.as_str(); job.copies].join("\n"))?;
        self.last = Some(line);
        Ok(())
    }
}

fn now() -> u32 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as u32
}

fn send(stream: &mut TcpStream, line: &str) -> std::io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes())
}
