//! A pool of Stratum V2 that takes every share, and builds on the block that it is told to.

use super::clock::Activity;
use binary_sv2::Sv2OptionOwned;
use common_messages_sv2::SetupConnectionSuccess;
use midstate_stratum::v2::{Authority, ClientMessage, Frames, ServerMessage};
use mining_sv2::{
    NewExtendedMiningJobOwned, OpenExtendedMiningChannelSuccessOwned, SetNewPrevHashOwned, SubmitSharesSuccess,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

const CHANNEL: u32 = 1;
/// Every hash meets it.
const TARGET: [u8; 32] = [0xff; 32];

pub(crate) struct V2 {
    pub(crate) port: u16,
    pub(crate) authority: Authority,
    tip: watch::Sender<u8>,
    pub(crate) accepted: AtomicUsize,
    activity: Activity,
}

impl V2 {
    /// Waits for miners, on tip 1.
    pub(crate) async fn listen(activity: &Activity) -> Arc<V2> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pool = Arc::new(V2 {
            port: listener.local_addr().unwrap().port(),
            authority: Authority::new([7; 32]).unwrap(),
            tip: watch::Sender::new(1),
            accepted: AtomicUsize::new(0),
            activity: Arc::clone(activity),
        });
        let accepting = Arc::clone(&pool);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepting.did();
                tokio::spawn(serve(Arc::clone(&accepting), stream));
            }
        });
        pool
    }

    pub(crate) fn build_on(&self, tip: u8) {
        self.tip.send_replace(tip);
    }

    fn did(&self) {
        self.activity.fetch_add(1, Ordering::Relaxed);
    }
}

/// Speaks with a miner until one of the two goes away.
async fn serve(pool: Arc<V2>, stream: TcpStream) -> Option<()> {
    // The next message must not wait for the last one's acknowledgement: that takes real time.
    stream.set_nodelay(true).ok()?;
    let (reader, writer) = stream.into_split();
    let mut frames = Frames::accept(reader, writer, &pool.authority, 1 << 16).await.ok()?;
    let mut tip = pool.tip.subscribe();
    let (mut is_open, mut job_id) = (false, 0);
    loop {
        pool.did();
        let said = tokio::select! {
            frame = frames.next() => match ClientMessage::read(frame.ok()?).unwrap() {
                ClientMessage::Setup(_) => {
                    vec![ServerMessage::SetupSuccess(SetupConnectionSuccess { used_version: 2, flags: 0 })]
                }
                ClientMessage::OpenExtended(open) => {
                    is_open = true;
                    tip.mark_changed();
                    vec![ServerMessage::OpenExtendedSuccess(OpenExtendedMiningChannelSuccessOwned {
                        request_id: open.request_id,
                        channel_id: CHANNEL,
                        target: TARGET.into(),
                        extranonce_size: 8,
                        extranonce_prefix: vec![0; 4].try_into().unwrap(),
                        group_channel_id: 2,
                    })]
                }
                ClientMessage::SubmitExtended(share) => {
                    pool.accepted.fetch_add(1, Ordering::Relaxed);
                    vec![ServerMessage::SubmitSuccess(SubmitSharesSuccess {
                        channel_id: CHANNEL,
                        last_sequence_number: share.sequence_number,
                        new_submits_accepted_count: 1,
                        new_shares_sum: 1,
                    })]
                }
                _ => Vec::new(),
            },
            _ = tip.changed(), if is_open => {
                job_id += 1;
                vec![job(job_id), on(job_id, *tip.borrow())]
            }
        };
        for message in said {
            frames.send(message.into_bytes().unwrap()).await.ok()?;
        }
    }
}

fn job(job_id: u32) -> ServerMessage {
    ServerMessage::ExtendedJob(NewExtendedMiningJobOwned {
        channel_id: CHANNEL,
        job_id,
        min_ntime: Sv2OptionOwned::new(None),
        version: 0x2000_0000,
        version_rolling_allowed: true,
        merkle_path: Vec::new().try_into().unwrap(),
        coinbase_tx_prefix: vec![1].try_into().unwrap(),
        coinbase_tx_suffix: vec![2].try_into().unwrap(),
    })
}

fn on(job_id: u32, tip: u8) -> ServerMessage {
    ServerMessage::SetNewPrevHash(SetNewPrevHashOwned {
        channel_id: CHANNEL,
        job_id,
        prev_hash: [tip; 32].into(),
        min_ntime: 1_700_000_000,
        nbits: 0x1d00_ffff,
    })
}
