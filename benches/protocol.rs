//! What a job costs from the wire to the engine, and a share on its way back.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use midstate::job::{Job, JobStream, Root, SplitCoinbase};
use midstate_stratum::Target;
use midstate_stratum::codec::LineReader;
use midstate_stratum::message::{ClientCall, Envelope, Notify, ServerCall, Submit};
use serde_json::{Value, json};
use std::hint::black_box;
use std::sync::Arc;

/// A job as pools send it for a full block: some 4,000 transactions.
fn notify() -> Notify {
    Notify {
        job_id: "65b1c2f0a".to_owned(),
        previous_block_hash: [7; 32],
        coinbase1: vec![1; 64],
        coinbase2: vec![2; 160],
        merkle_branches: vec![[8; 32]; 12],
        version: 0x2000_0000,
        nbits: 0x1703_4219,
        ntime: 1_700_000_000,
        clean_jobs: true,
    }
}

fn lines(c: &mut Criterion) {
    let line = ServerCall::Notify(notify()).to_line(&Value::Null);
    let stream = format!("{line}\n").repeat(100);
    // Everything is there already: no call waits, and the runtime only drives the reader.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let mut group = c.benchmark_group("lines");
    group.throughput(Throughput::Bytes(stream.len() as u64)).bench_function("100 notifies", |b| {
        b.iter(|| {
            runtime.block_on(async {
                let mut reader = LineReader::new(stream.as_bytes());
                while let Some(line) = reader.next_line().await.expect("lines of text") {
                    black_box(line);
                }
            });
        });
    });
    group.finish();
}

fn messages(c: &mut Criterion) {
    let line = ServerCall::Notify(notify()).to_line(&Value::Null);
    c.bench_function("read notify", |b| {
        b.iter(|| match Envelope::parse(black_box(&line)) {
            Ok(Envelope::Call { method, params, .. }) => ServerCall::read(&method, &params).expect("a notify"),
            other => panic!("{other:?}"),
        });
    });
    let submit = ClientCall::Submit(Submit {
        user: "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202.rig1".to_owned(),
        job_id: notify().job_id,
        extranonce2: vec![3; 8],
        ntime: 1_700_000_000,
        nonce: 0xdead_beef,
        version_bits: Some(0x0000_6000),
    });
    let id = json!(7);
    c.bench_function("write submit", |b| b.iter(|| black_box(&submit).to_line(&id)));
}

fn job(notify: Notify, version_mask: u32) -> Job {
    Job {
        id: notify.job_id,
        previous_block_hash: notify.previous_block_hash,
        root: Root::Coinbase(SplitCoinbase {
            coinbase1: notify.coinbase1,
            extranonce1: vec![5; 4],
            extranonce2_size: 8,
            coinbase2: notify.coinbase2,
            merkle_branches: notify.merkle_branches,
        }),
        version: notify.version,
        version_mask,
        nbits: notify.nbits,
        ntime: notify.ntime,
        ntime_roll: 600,
        target: Target::DIFFICULTY_1,
        session: 0,
        channel: None,
    }
}

/// What a pool's job pays: a real coinbase, and one that pays a thousand others too.
#[cfg(feature = "payout")]
fn payouts(c: &mut Criterion) {
    use bitcoin::{Transaction, consensus};
    use midstate::upstream::Coinbase;

    let real: Transaction =
        consensus::deserialize(include_bytes!("../tests/data/coinbase-866342.bin")).expect("a real coinbase");
    // Its script ends after 141 bytes; the last of them are the extranonces here.
    let end = 42 + 99;
    for others in [0, 1000] {
        let mut transaction = real.clone();
        transaction.output.extend(std::iter::repeat_n(real.output[0].clone(), others));
        let bytes = consensus::serialize(&transaction);
        let notify = Notify { coinbase1: bytes[..end - 12].to_vec(), coinbase2: bytes[end..].to_vec(), ..notify() };
        let job = job(notify, 0);
        let script = &real.output[0].script_pubkey;
        c.bench_function(&format!("coinbase with {} outputs", transaction.output.len()), |b| {
            b.iter(|| {
                let coinbase = Coinbase::of(black_box(&job)).expect("a coinbase");
                (coinbase.height(), coinbase.paid_to(script), coinbase.total())
            });
        });
    }
}

#[cfg(not(feature = "payout"))]
fn payouts(_: &mut Criterion) {}

/// The next header of a job: with version bits to roll, only the midstate is new; without, the coinbase and the merkle
/// root are.
fn rolling(c: &mut Criterion) {
    let mut group = c.benchmark_group("next work");
    group.throughput(Throughput::Elements(1));
    for (name, version_mask) in [("version rolled", 0x1fff_e000), ("extranonce2 rolled", 0)] {
        let job = job(notify(), version_mask);
        let mut stream = JobStream::new(Arc::new(job), 1).expect("a job that can be worked on");
        group.bench_function(name, |b| b.iter(|| stream.next()));
    }
    group.finish();
}

criterion_group!(benches, lines, messages, payouts, rolling);
criterion_main!(benches);
