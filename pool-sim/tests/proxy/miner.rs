//! A miner made of hand-written lines and the `bitcoin` crate. With each job it begins anew with the same extranonce2: where two
//! jobs, or two miners, had the same headers to search, it would send duplicates.

use crate::common::search::{Choice, search};
use bitcoin::hex::DisplayHex;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a miner was told.
#[derive(Default)]
pub(super) struct Told {
    pub(super) accepted: u64,
    pub(super) refused: Vec<(i64, String)>,
    pub(super) connections: u64,
    /// The extranonce1 of each subscription or change, with the size of extranonce2.
    pub(super) extranonces: Vec<(String, u64)>,
    pub(super) masks: Vec<String>,
    pub(super) difficulties: Vec<f64>,
}

pub(super) struct Miner {
    stop: Arc<AtomicBool>,
    told: Arc<Mutex<Told>>,
    thread: Option<JoinHandle<()>>,
}

impl Miner {
    /// Mines until it is dropped, and comes back where it is hung up on. It may ask to hear of another extranonce1.
    pub(super) fn start(address: SocketAddr, hears: bool) -> Miner {
        let (stop, told) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Told::default())));
        let (stopped, noted) = (Arc::clone(&stop), Arc::clone(&told));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                if let Ok(stream) = TcpStream::connect(address) {
                    noted.lock().unwrap().connections += 1;
                    let _ = Session::new(stream, &noted, &stopped).run(hears);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Miner { stop, told, thread: Some(thread) }
    }

    pub(super) fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }
}

impl Drop for Miner {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

struct Session<'a> {
    stream: TcpStream,
    lines: BufReader<TcpStream>,
    told: &'a Mutex<Told>,
    stop: &'a AtomicBool,
    extranonce1: String,
    size: usize,
    difficulty: f64,
    mask: u32,
    job: Option<Job>,
    /// Whether the share that was sent last has no answer yet.
    waits: bool,
}

/// What a job was sent with, and where its search goes on.
struct Job {
    params: Value,
    extranonce1: String,
    size: usize,
    difficulty: f64,
    count: u64,
}

impl<'a> Session<'a> {
    fn new(stream: TcpStream, told: &'a Mutex<Told>, stop: &'a AtomicBool) -> Session<'a> {
        stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap());
        let extranonce1 = String::new();
        Session { stream, lines, told, stop, extranonce1, size: 0, difficulty: 1.0, mask: 0, job: None, waits: false }
    }

    fn run(mut self, hears: bool) -> std::io::Result<()> {
        let configure = r#"{"id":"c","method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}"#;
        self.send(configure)?;
        self.send(r#"{"id":"s","method":"mining.subscribe","params":["hand"]}"#)?;
        if hears {
            self.send(r#"{"id":"e","method":"mining.extranonce.subscribe","params":[]}"#)?;
        }
        self.send(r#"{"id":"a","method":"mining.authorize","params":["alice","x"]}"#)?;
        let mut line = Vec::new();
        // A share that was sent is waited for.
        while !self.stop.load(Ordering::Relaxed) || self.waits {
            match self.lines.read_until(b'\n', &mut line) {
                Ok(0) => break,
                Ok(_) => {
                    let read = serde_json::from_slice(&line).unwrap();
                    line.clear();
                    self.on_line(&read);
                }
                // Nothing came: time for a share.
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => self.share()?,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn send(&mut self, line: &str) -> std::io::Result<()> {
        self.stream.write_all(format!("{line}\n").as_bytes())
    }

    fn on_line(&mut self, line: &Value) {
        let mut told = self.told.lock().unwrap();
        let params = &line["params"];
        match line["method"].as_str().unwrap_or_default() {
            "mining.notify" => {
                let (extranonce1, size, difficulty) = (self.extranonce1.clone(), self.size, self.difficulty);
                self.job = Some(Job { params: params.clone(), extranonce1, size, difficulty, count: 0 });
            }
            "mining.set_difficulty" => {
                self.difficulty = params[0].as_f64().unwrap();
                told.difficulties.push(self.difficulty);
            }
            "mining.set_extranonce" => {
                params[0].as_str().unwrap().clone_into(&mut self.extranonce1);
                self.size = params[1].as_u64().unwrap() as usize;
                told.extranonces.push((self.extranonce1.clone(), self.size as u64));
            }
            "mining.set_version_mask" => {
                let mask = params[0].as_str().unwrap();
                self.mask = u32::from_str_radix(mask, 16).unwrap();
                told.masks.push(mask.to_owned());
            }
            _ => match line["id"].as_str() {
                Some("c") => {
                    let mask = line["result"]["version-rolling.mask"].as_str().unwrap_or("0");
                    self.mask = u32::from_str_radix(mask, 16).unwrap();
                    told.masks.push(mask.to_owned());
                }
                Some("s") => {
                    line["result"][1].as_str().unwrap().clone_into(&mut self.extranonce1);
                    self.size = line["result"][2].as_u64().unwrap() as usize;
                    told.extranonces.push((self.extranonce1.clone(), self.size as u64));
                }
                _ if line["id"] == 9 => {
                    self.waits = false;
                    match line["error"].as_array() {
                        None => told.accepted += 1,
                        Some(error) => {
                            told.refused.push((error[0].as_i64().unwrap(), error[1].as_str().unwrap().to_owned()));
                        }
                    }
                }
                _ => {}
            },
        }
    }

    fn share(&mut self) -> std::io::Result<()> {
        if self.waits || self.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Some(job) = &mut self.job else { return Ok(()) };
        job.count += 1;
        let share = job.search(0x1fff_e000 & self.mask);
        self.waits = true;
        self.send(&json!({"id": 9, "method": "mining.submit", "params": share}).to_string())
    }
}

impl Job {
    /// A share that meets the difficulty.
    fn search(&self, version_bits: u32) -> Value {
        let extranonce2 = self.count.to_be_bytes()[8 - self.size.min(8)..].to_lower_hex_string();
        let (extranonce1, difficulty) = (&*self.extranonce1, self.difficulty);
        search(&self.params, Choice { extranonce1, extranonce2, version_bits, time: None, difficulty })
    }
}
