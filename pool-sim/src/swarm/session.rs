//! A simulated miner's connection, from subscribing to its end.

use super::Shared;
use super::plan::{Place, exponential};
use super::search::Work;
use super::shares::{Searched, found};
use super::v2::Channel;
use super::wire::{Said, Wire};
use midstate_stratum::Difficulty;
use midstate_stratum::codec::LineError;
use midstate_stratum::message::{ClientCall, Envelope, Id, RpcError, ServerCall, SubscribeReply, result_line};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::time::sleep_until;

const AGENT: &str = concat!("pool-sim-swarm/", env!("CARGO_PKG_VERSION"));
const SUBSCRIBE: u64 = 1;
const AUTHORIZE: u64 = 2;

/// Why a connection ended.
pub(super) enum End {
    /// The miner went, and comes back.
    Left,
    /// The swarm ends.
    Stopped,
    /// Something is wrong.
    Bad(String),
}

pub(super) fn bad(what: &str) -> impl FnOnce(std::io::Error) -> End {
    // The kind, not the text: all that fail alike are counted as one.
    move |error| End::Bad(format!("{what}: {}", error.kind()))
}

pub(super) struct Session<'a> {
    pub(super) shared: &'a Shared,
    place: &'a mut Place,
    pub(super) wire: Wire,
    pub(super) channel: Channel,
    pub(super) begun: Instant,
    pub(super) next_id: u64,
    pub(super) is_authorized: bool,
    /// For the next job.
    pub(super) extranonce1: Option<Vec<u8>>,
    pub(super) extranonce2: Vec<u8>,
    pub(super) difficulty: Difficulty,
    pub(super) work: Option<Arc<Work>>,
    /// The tip of the last job.
    pub(super) tip: Option<[u8; 32]>,
    /// When the first job came.
    pub(super) mining_since: Option<Instant>,
    /// Where the search goes on: never twice at the same place, whatever jobs repeat.
    pub(super) nonce: u32,
    /// Shares without an answer, oldest first.
    pub(super) pending: VecDeque<(u64, Instant)>,
    pub(super) search: Option<Searched>,
}

impl<'a> Session<'a> {
    pub(super) fn new(shared: &'a Shared, place: &'a mut Place, wire: Wire) -> Session<'a> {
        let nonce = place.random.u32(..);
        Session {
            shared,
            place,
            wire,
            channel: Channel::default(),
            begun: Instant::now(),
            next_id: AUTHORIZE + 1,
            is_authorized: false,
            extranonce1: None,
            extranonce2: Vec::new(),
            difficulty: Difficulty::ONE,
            work: None,
            tip: None,
            mining_since: None,
            nonce,
            pending: VecDeque::new(),
            search: None,
        }
    }

    pub(super) fn user(&self) -> String {
        format!("{}{}", self.shared.options.user_prefix, self.place.number)
    }

    pub(super) async fn run(&mut self, stopped: &mut watch::Receiver<bool>) -> End {
        let (patience, churn) = (self.shared.options.patience, self.shared.options.churn);
        let greeted = match self.wire {
            Wire::V1(..) => self.subscribe().await,
            Wire::V2(_) => self.set_up().await,
        };
        if let Err(end) = greeted {
            return end;
        }
        let stays = |random: &mut fastrand::Rng| exponential(Duration::from_secs_f64((1.0 / churn).min(1e6)), random);
        let leaves = (churn > 0.0).then(|| self.begun + stays(&mut self.place.random));
        let mut due = self.begun + self.next();
        let mut leaving: Option<End> = None;
        loop {
            if self.pending.is_empty()
                && let Some(end) = leaving.take()
            {
                return end;
            }
            let is_ready = self.is_authorized && self.tip.is_some();
            let is_due = is_ready && self.work.is_some() && leaving.is_none() && self.search.is_none();
            let oldest = self.pending.front().map(|(_, sent)| *sent + patience);
            let searching = self.search.is_some();
            let done = tokio::select! {
                said = self.wire.next() => match said {
                    Said::Line(line) => self.on_read(line).await,
                    Said::Frame(frame) => self.on_frame(frame).await,
                },
                found = found(&mut self.search), if searching => {
                    // What was late is not made up for: the search could not keep pace.
                    due = (due + self.next()).max(Instant::now());
                    self.on_found(found.ok()).await
                }
                () = sleep_until(due.into()), if is_due => {
                    if !self.start_search() {
                        due += self.next();
                    }
                    Ok(())
                }
                () = sleep_until(oldest.unwrap_or(due).into()), if oldest.is_some() => {
                    self.pending.pop_front();
                    self.shared.figures().counts.unanswered += 1;
                    Ok(())
                }
                () = sleep_until((self.begun + patience).into()), if !is_ready => {
                    let missing = if self.is_authorized { "no job" } else { "no answer to subscribe or authorize" };
                    Err(End::Bad(missing.to_owned()))
                }
                () = sleep_until(leaves.unwrap_or(due).into()), if leaving.is_none() && leaves.is_some() => {
                    leaving = Some(End::Left);
                    self.search = None;
                    Ok(())
                }
                () = over(stopped), if !matches!(leaving, Some(End::Stopped)) => {
                    leaving = Some(End::Stopped);
                    self.search = None;
                    Ok(())
                }
            };
            if let Err(end) = done {
                return end;
            }
        }
    }

    async fn subscribe(&mut self) -> Result<(), End> {
        let subscribe = ClientCall::Subscribe { agent: Some(AGENT.to_owned()), session: None };
        let authorize = ClientCall::Authorize { user: self.user(), password: self.shared.options.password.clone() };
        let lines = [subscribe.to_line(&json!(SUBSCRIBE)), authorize.to_line(&json!(AUTHORIZE))];
        self.send(lines.join("\n")).await
    }

    /// From one share to the next.
    fn next(&mut self) -> Duration {
        exponential(self.place.interval, &mut self.place.random)
    }

    /// Takes leave of the figures.
    pub(super) fn end(&self, end: &End) {
        let mut figures = self.shared.figures();
        figures.open -= 1;
        figures.mining -= usize::from(self.tip.is_some());
        figures.counts.unanswered += self.pending.len() as u64;
        match end {
            End::Left => figures.counts.left += 1,
            End::Stopped => {}
            End::Bad(reason) => figures.ended(self.tip.is_some(), reason),
        }
    }

    async fn on_read(&mut self, line: Result<Option<String>, LineError>) -> Result<(), End> {
        let line = match line {
            Ok(Some(line)) => line,
            Ok(None) => return Err(End::Bad("the pool hung up".to_owned())),
            Err(LineError::Io(error)) => return Err(bad("read")(error)),
            Err(_) => return self.unreadable(),
        };
        let read = Envelope::parse(&line);
        self.shared.figures().counts.bytes_in += line.len() as u64 + 1;
        match read {
            Ok(Envelope::Reply { id, result }) => self.on_reply(&id, result),
            Ok(Envelope::Call { id, method, params }) => match ServerCall::read(&method, &params) {
                Ok(call) => self.on_call(&id, call).await,
                Err(_) => self.unreadable(),
            },
            Err(_) => self.unreadable(),
        }
    }

    // It has the type of its callers' other ways.
    #[allow(clippy::unnecessary_wraps)]
    pub(super) fn unreadable(&self) -> Result<(), End> {
        self.shared.figures().counts.unreadable += 1;
        Ok(())
    }

    fn on_reply(&mut self, id: &Id, result: Result<Value, RpcError>) -> Result<(), End> {
        let Some(id) = id.as_u64() else { return Ok(()) };
        if id == SUBSCRIBE {
            let result = result.map_err(|error| End::Bad(format!("subscribe: code {}", error.code)))?;
            let reply =
                SubscribeReply::read(&result).map_err(|error| End::Bad(format!("subscribe: {}", error.field)))?;
            self.set_extranonce(reply.extranonce1, reply.extranonce2_size);
        } else if id == AUTHORIZE {
            match result {
                Ok(Value::Bool(true)) => self.is_authorized = true,
                Ok(_) => return Err(End::Bad("authorize: refused".to_owned())),
                Err(error) => return Err(End::Bad(format!("authorize: code {}", error.code))),
            }
        } else if let Some(at) = self.pending.iter().position(|(pending, _)| *pending == id)
            && let Some((_, sent)) = self.pending.remove(at)
        {
            let refused = match result {
                Ok(Value::Bool(true)) => None,
                Ok(_) => Some(20),
                Err(error) => Some(error.code),
            };
            self.shared.figures().answered(sent.elapsed(), refused);
        }
        Ok(())
    }

    async fn on_call(&mut self, id: &Id, call: ServerCall) -> Result<(), End> {
        match call {
            ServerCall::Notify(job) => self.on_job(job),
            ServerCall::SetDifficulty(difficulty) => self.difficulty = difficulty,
            ServerCall::SetExtranonce { extranonce1, extranonce2_size } => {
                self.set_extranonce(extranonce1, extranonce2_size);
            }
            ServerCall::GetVersion => return self.send(result_line(id, &json!(AGENT))).await,
            ServerCall::Ping => return self.send(result_line(id, &json!("pong"))).await,
            // A swarm is meant for one pool.
            ServerCall::Reconnect { .. } => return Err(End::Bad("the pool asked to reconnect".to_owned())),
            // No version bits are rolled.
            ServerCall::SetVersionMask(_) | ServerCall::ShowMessage(_) | ServerCall::Unknown(_) => {}
        }
        Ok(())
    }

    pub(super) fn set_extranonce(&mut self, extranonce1: Vec<u8>, size: usize) {
        self.extranonce1 = Some(extranonce1);
        self.extranonce2 = vec![0; size];
    }

    pub(super) async fn send(&mut self, line: String) -> Result<(), End> {
        let bytes = self.wire.send_line(line, self.shared.options.patience).await?;
        self.shared.figures().counts.bytes_out += bytes;
        Ok(())
    }
}

/// Ends when the swarm does. Cancel-safe.
pub(super) async fn over(stopped: &mut watch::Receiver<bool>) {
    // Without the sender it has ended too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}
