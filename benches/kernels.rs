//! How fast each kernel hashes, beside the reference and the `sha2` crate.

mod common;

use common::{HEADER, usable_backends, work};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use midstate::backend::Cancel;
use midstate::sha256::{IV, compress};
use sha2::{Digest, Sha256, block_api::compress256};
use std::hint::black_box;
use std::time::Instant;

/// Nonces in one of criterion's iterations.
const NONCES: u64 = 1 << 12;

/// One block through the compression function.
fn compression(c: &mut Criterion) {
    let mut group = c.benchmark_group("compression");
    group.throughput(Throughput::Elements(1));
    group.bench_function("reference", |b| b.iter(|| compress(black_box(IV), black_box(&[7; 16]))));
    group.bench_function("sha2", |b| {
        b.iter(|| {
            let mut state = black_box(IV);
            compress256(&mut state, black_box(&[[7; 64]]));
            state
        });
    });
    group.finish();
}

/// Headers through the double hash, on one thread or one device.
fn nonces(c: &mut Criterion) {
    let mut group = c.benchmark_group("nonces");
    group.sample_size(20).throughput(Throughput::Elements(NONCES));
    group.bench_function("sha2", |b| {
        b.iter(|| {
            for nonce in 0..NONCES as u32 {
                black_box(Sha256::digest(Sha256::digest(HEADER.with_nonce(nonce).0)));
            }
        });
    });
    for mut backend in usable_backends() {
        let identity = backend.identity().clone();
        group.bench_function(BenchmarkId::new(identity.backend, identity.kernel), |b| {
            // All iterations are one search, as long as a slice of the engine's: a GPU needs several dispatches in
            // flight before it shows what it can do.
            b.iter_custom(|iterations| {
                let work = work(iterations * NONCES);
                let started = Instant::now();
                let hashes = backend.search(&work, &Cancel::never(), &mut |_| {}).expect("the device works");
                let time = started.elapsed();
                assert_eq!(hashes, work.hashes());
                time
            });
        });
    }
    group.finish();
}

criterion_group!(benches, compression, nonces);
criterion_main!(benches);
