//! What a scenario's deeds do to a session.

use super::end::End;
use super::session::Session;
use super::sessions::Claim;
use super::{EXTRANONCE1_SIZE, PoolJob, Refusal, ShareRecord};
use crate::faults::{Fault, Garbage, Gate, Incident, Line, MaskMethod, Owner};
use midstate_stratum::Difficulty;
use midstate_stratum::message::{ServerCall, Submit};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// What a scenario changed in a session.
#[derive(Debug)]
pub(super) struct Oddities {
    /// What difficulty is multiplied by.
    factor: f64,
    /// The extranonce1 that each job was sent under, as it may change within a connection.
    under: HashMap<String, [u8; EXTRANONCE1_SIZE]>,
    /// Those that there were.
    extranonces: Vec<[u8; EXTRANONCE1_SIZE]>,
}

impl Default for Oddities {
    fn default() -> Oddities {
        Oddities { factor: 1.0, under: HashMap::new(), extranonces: Vec::new() }
    }
}

impl Oddities {
    /// What is asked of the miner in place of this.
    pub(super) fn difficulty(&self, difficulty: Difficulty) -> Difficulty {
        Difficulty::new(difficulty.get() * self.factor).unwrap_or(difficulty)
    }

    pub(super) fn extranonce1(&self, job: &str) -> Option<[u8; EXTRANONCE1_SIZE]> {
        self.under.get(job).copied()
    }
}

impl Session<'_> {
    pub(super) async fn on_incident(&mut self, incident: Incident) -> Result<(), End> {
        match incident {
            Incident::Due => self.wire.send_due().await,
            Incident::Deed(deed) => self.obey(deed).await,
        }
    }

    async fn obey(&mut self, deed: Fault) -> Result<(), End> {
        match deed {
            Fault::Close | Fault::Restart { .. } => Err(End::Scenario),
            Fault::HalfClose => self.wire.half_close().await,
            Fault::Silent { lasting } => {
                if let Some(gate) = &mut self.wire.gate {
                    gate.mute(lasting.0);
                }
                Ok(())
            }
            Fault::Reconnect { host, port, wait } => self.call(&ServerCall::Reconnect { host, port, wait }).await,
            Fault::Garbage { form } => self.wire.write(&garbage(form)).await,
            Fault::Message { text } => self.call(&ServerCall::ShowMessage(text)).await,
            Fault::GetVersion => self.ask("client.get_version", &ServerCall::GetVersion).await,
            Fault::Ping => self.ask("mining.ping", &ServerCall::Ping).await,
            // The rest needs a miner that works.
            deed if self.is_mining() => self.obey_mining(deed).await,
            _ => Ok(()),
        }
    }

    async fn obey_mining(&mut self, deed: Fault) -> Result<(), End> {
        match deed {
            Fault::Difficulty { factor } => {
                self.odd.factor *= factor;
                self.send_changed().await
            }
            Fault::Extranonce => self.change_extranonce().await,
            Fault::Mask { mask, method } => {
                let mask = u32::from_str_radix(&mask, 16).unwrap_or(0) & self.jobs.borrow().mask;
                // Who did not ask for it may roll none.
                if self.mask_asked.is_some() {
                    self.mask = mask;
                }
                let line = ServerCall::SetVersionMask(mask).to_line(&Value::Null);
                let line = match method {
                    MaskMethod::SetVersionMask => line,
                    MaskMethod::SetVersion => line.replace("mining.set_version_mask", "mining.set_version"),
                };
                self.wire.send(Line::Call, line).await?;
                self.send_changed().await
            }
            Fault::Jobs { count, clean } => {
                for _ in 0..count {
                    let job = Arc::clone(&self.jobs.borrow());
                    let again = self.again(&job);
                    self.send_job(&again, clean).await?;
                }
                Ok(())
            }
            Fault::StaleJob => {
                let job = Arc::clone(&self.jobs.borrow());
                match self.shared.book.before(&job) {
                    Some(stale) => self.send_job(&self.again(&stale), false).await,
                    None => Ok(()),
                }
            }
            // The others do not concern sessions.
            _ => Ok(()),
        }
    }

    async fn call(&mut self, call: &ServerCall) -> Result<(), End> {
        self.wire.send(Line::Call, call.to_line(&Value::Null)).await
    }

    async fn ask(&mut self, what: &'static str, call: &ServerCall) -> Result<(), End> {
        let Some(id) = self.wire.gate.as_ref().map(|gate| gate.faults().id()) else { return Ok(()) };
        self.wire.send(Line::Asks { what, id }, call.to_line(&json!(id))).await
    }

    async fn change_extranonce(&mut self) -> Result<(), End> {
        let Some(space) = self.space.clone() else { return Ok(()) };
        // Where all places are taken it cannot have another.
        let Some(new) = self.shared.take(None, &space) else { return Ok(()) };
        let extranonce1 = space.extranonce1(new.extranonce1());
        if let Some(old) = self.claim.replace(new) {
            self.odd.extranonces.push(old.extranonce1());
        }
        self.call(&ServerCall::SetExtranonce { extranonce1, extranonce2_size: space.extranonce2_size }).await?;
        self.send_changed().await
    }

    /// The job that is sent in place of this one, if a scenario says so.
    pub(super) fn odd_job(&mut self, job: &PoolJob) -> Option<Arc<PoolJob>> {
        let faults = self.wire.gate.as_ref()?.faults();
        let number = self.number();
        let odd = faults.job().map(|change| self.shared.book.odd(job, number, change));
        let id = odd.as_ref().map_or(&job.id, |odd| &odd.id);
        if let Some(claim) = &self.claim {
            self.odd.under.insert(id.clone(), claim.extranonce1());
            faults.sent_under(claim.extranonce1());
        }
        odd
    }

    /// Enters a share in the ledger. Its job was sent under `sent`.
    pub(super) fn note_share(
        &self,
        submit: &Submit,
        sent: Option<[u8; EXTRANONCE1_SIZE]>,
        record: &ShareRecord,
        came: Instant,
    ) {
        let Some(faults) = self.wire.gate.as_ref().map(Gate::faults) else { return };
        let claimed = self.claim.as_ref().map(Claim::extranonce1);
        let own = self.odd.extranonces.iter().copied().chain(claimed).map(|own| (own, Owner::Itself));
        let others = faults.extranonces().into_iter().map(|other| (other, Owner::Another));
        let is_right = |other| {
            Some(other) != sent && sent.is_some_and(|sent| self.shared.would_meet(submit, sent, other, self.mask))
        };
        let is_low = matches!(record.verdict, Err(Refusal::LowDifficulty { .. }));
        let mut all = own.chain(others).filter(|_| is_low);
        faults.share(record, all.find(|(other, _)| is_right(*other)).map(|(_, owner)| owner), came);
    }
}

fn garbage(form: Garbage) -> Vec<u8> {
    match form {
        Garbage::Utf8 => b"{\"method\":\"\xff\xfe\"}\n".to_vec(),
        Garbage::Long => [&vec![b'x'; 1 << 20][..], b"\n"].concat(),
        Garbage::Empty => b"\n".to_vec(),
        Garbage::Half => b"{\"id\":null,\"method\":\"mining.no\n".to_vec(),
        Garbage::Deep => [&[b'['; 1000][..], b"\n"].concat(),
        Garbage::Method => b"{\"id\":77,\"method\":\"mining.dance\",\"params\":[1]}\n".to_vec(),
    }
}
