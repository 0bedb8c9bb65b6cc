//! What a simulated miner says and hears by Stratum V2: one extended channel on each connection.

use super::session::{End, Session};
use super::wire::bytes_of;
use common_messages_sv2::{Protocol, SetupConnectionOwned};
use midstate_stratum::message::{Notify, Reject};
use midstate_stratum::v2::{ClientMessage, Frame, FrameError, ServerMessage, VERSION};
use midstate_stratum::{Difficulty, Target};
use mining_sv2::{NewExtendedMiningJobOwned, OpenExtendedMiningChannelOwned, SetNewPrevHashOwned};

/// The number of the request for a channel.
const REQUEST: u32 = 1;

/// What is known of the channel.
#[derive(Default)]
pub(super) struct Channel {
    pub(super) id: u32,
    /// The last job that waits for its block.
    future: Option<NewExtendedMiningJobOwned>,
    tip: Option<SetNewPrevHashOwned>,
}

impl Session<'_> {
    pub(super) async fn set_up(&mut self) -> Result<(), End> {
        let text = |text: &str| text.try_into().unwrap_or_else(|_| empty());
        self.say(ClientMessage::Setup(SetupConnectionOwned {
            protocol: Protocol::MiningProtocol,
            min_version: VERSION,
            max_version: VERSION,
            flags: 0,
            endpoint_host: empty(),
            endpoint_port: self.shared.pool.port(),
            vendor: text("pool-sim-swarm"),
            hardware_version: empty(),
            firmware: text(env!("CARGO_PKG_VERSION")),
            device_id: empty(),
        }))
        .await
    }

    async fn open(&mut self) -> Result<(), End> {
        let user_identity = self.user().as_str().try_into().map_err(|_| End::Bad("user: too long".to_owned()))?;
        self.say(ClientMessage::OpenExtended(OpenExtendedMiningChannelOwned {
            request_id: REQUEST,
            user_identity,
            // Shares are made when they are due, whatever their difficulty.
            nominal_hash_rate: 0.0,
            max_target: [0xff; 32].into(),
            min_extranonce_size: 4,
        }))
        .await
    }

    pub(super) async fn say(&mut self, message: ClientMessage) -> Result<(), End> {
        let bytes = self.wire.send_message(message, self.shared.options.patience).await?;
        self.shared.figures().counts.bytes_out += bytes;
        Ok(())
    }

    pub(super) async fn on_frame(&mut self, frame: Result<Frame, FrameError>) -> Result<(), End> {
        let frame = frame.map_err(|error| match error {
            FrameError::Closed => End::Bad("the pool hung up".to_owned()),
            error => End::Bad(format!("read: {error}")),
        })?;
        self.shared.figures().counts.bytes_in += bytes_of(&frame);
        match ServerMessage::read(frame) {
            Ok(message) => self.on_message(message).await,
            Err(_) => self.unreadable(),
        }
    }

    async fn on_message(&mut self, message: ServerMessage) -> Result<(), End> {
        match message {
            ServerMessage::SetupSuccess(_) => return self.open().await,
            ServerMessage::SetupError(error) => {
                return Err(End::Bad(format!("setup: {}", error.error_code.as_utf8_or_hex())));
            }
            ServerMessage::OpenError(error) => {
                return Err(End::Bad(format!("channel: {}", error.error_code.as_utf8_or_hex())));
            }
            ServerMessage::OpenExtendedSuccess(opened) => {
                self.channel.id = opened.channel_id;
                self.set_target(opened.target.to_array());
                self.set_extranonce(opened.extranonce_prefix.into_bytes(), opened.extranonce_size.into());
                self.is_authorized = true;
            }
            ServerMessage::SetTarget(target) => self.set_target(target.maximum_target.to_array()),
            ServerMessage::ExtendedJob(job) if job.min_ntime.as_ref().is_none() => self.channel.future = Some(job),
            ServerMessage::ExtendedJob(job) => self.begin(job),
            ServerMessage::SetNewPrevHash(tip) => {
                self.channel.tip = Some(tip);
                match self.channel.future.take() {
                    Some(job) => self.begin(job),
                    None => return self.unreadable(),
                }
            }
            ServerMessage::SubmitSuccess(success) => {
                // All up to this one: those that were refused are gone.
                while let Some((id, sent)) = self.pending.front().copied()
                    && id as u32 <= success.last_sequence_number
                {
                    self.pending.pop_front();
                    self.shared.figures().answered(sent.elapsed(), None);
                }
            }
            ServerMessage::SubmitError(error) => {
                let is_it = |(id, _): &(u64, _)| *id as u32 == error.sequence_number;
                if let Some((_, sent)) = self.pending.iter().position(is_it).and_then(|at| self.pending.remove(at)) {
                    let code = code(&error.error_code.as_utf8_or_hex());
                    self.shared.figures().answered(sent.elapsed(), Some(code));
                }
            }
            ServerMessage::Reconnect(_) => return Err(End::Bad("the pool asked to reconnect".to_owned())),
            ServerMessage::Close(_) => return Err(End::Bad("the pool closed the channel".to_owned())),
            // No other kind of channel was asked for, and nothing was updated.
            _ => {}
        }
        Ok(())
    }

    fn set_target(&mut self, target: [u8; 32]) {
        if let Ok(difficulty) = Difficulty::new(Target::from_le_bytes(target).difficulty()) {
            self.difficulty = difficulty;
        }
    }

    /// A job on the present tip, in V1's words.
    fn begin(&mut self, job: NewExtendedMiningJobOwned) {
        let Some(tip) = &self.channel.tip else { return };
        let ntime = job.min_ntime.as_ref().copied().unwrap_or(tip.min_ntime);
        let notify = Notify {
            job_id: job.job_id.to_string(),
            previous_block_hash: tip.prev_hash.to_array(),
            coinbase1: job.coinbase_tx_prefix.into_bytes(),
            coinbase2: job.coinbase_tx_suffix.into_bytes(),
            merkle_branches: job.merkle_path.iter().map(binary_sv2::U256Owned::to_array).collect(),
            version: job.version,
            nbits: tip.nbits,
            ntime,
            clean_jobs: false,
        };
        self.on_job(notify);
    }
}

fn empty() -> binary_sv2::Str0255Owned {
    binary_sv2::Str0255Owned::try_from("").unwrap_or_else(|_| unreachable!("an empty text is short"))
}

/// V1's code for a refusal.
fn code(word: &str) -> i64 {
    match word {
        "stale-share" | "invalid-job-id" => Reject::JobNotFound,
        "duplicate-share" => Reject::Duplicate,
        "difficulty-too-low" => Reject::LowDifficulty,
        _ => Reject::Other,
    }
    .code()
}
