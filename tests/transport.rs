//! The ways to a pool: TLS with each kind of trust, and a SOCKS5 proxy. The pool's half, the end of TLS and the proxy are not ours
//! or written by hand.

mod common {
    pub(crate) mod certificate;
    pub(crate) mod scripted;
}

use common::certificate::self_signed;
use common::scripted::{self, PATIENCE, listener};
use midstate::upstream::{Credentials, Event, Fingerprint, Pool, SessionError, Trust, spawn};
use rcgen::{CertificateParams, date_time_ymd};
use sha2::{Digest, Sha256};
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::CertificateDer;

/// Serves each connection in its own task.
fn serve<F: Future<Output = ()> + Send + 'static>(
    runtime: &Runtime,
    connection: impl Fn(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(stream));
        }
    });
    address
}

/// A certificate for `localhost` that nobody but itself vouches for, and a server that ends TLS with it before a pool.
fn in_tls(
    runtime: &Runtime,
    pool: u16,
    ways: impl FnOnce(&mut CertificateParams),
) -> (CertificateDer<'static>, SocketAddr) {
    let (certificate, config) = self_signed(ways);
    let acceptor = TlsAcceptor::from(config);
    let address = serve(runtime, move |stream| {
        let accepting = acceptor.accept(stream);
        async move {
            if let (Ok(mut inside), Ok(mut outside)) = (accepting.await, TcpStream::connect(("127.0.0.1", pool)).await)
            {
                let _ = copy_bidirectional(&mut inside, &mut outside).await;
            }
        }
    });
    (certificate, address)
}

/// What a miner says first of a pool.
fn first_event(runtime: &Runtime, url: &str, ways: impl FnOnce(&mut Pool)) -> Event {
    let credentials = Credentials { user: "alice".to_owned(), password: "x".to_owned() };
    let mut pool = Pool::new(url.parse().unwrap(), credentials);
    ways(&mut pool);
    runtime.block_on(async {
        let (_handle, mut events) = spawn(vec![pool.into()]);
        timeout(PATIENCE, events.recv()).await.expect("nothing was said").unwrap()
    })
}

/// Answers one miner.
fn welcome(listener: TcpListener) -> std::thread::JoinHandle<scripted::Pool> {
    std::thread::spawn(move || scripted::Pool::welcome(&listener))
}

fn refused(event: Event) -> String {
    match event {
        Event::Disconnected { error: error @ SessionError::Connect { .. }, .. } => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pinned_certificate_is_taken_whatever_its_name() {
    let runtime = Runtime::new().unwrap();
    let (listener, pool) = listener();
    let (certificate, tls) = in_tls(&runtime, pool, |_| {});
    let pool = welcome(listener);
    // Its name is localhost, and not this.
    let event = first_event(&runtime, &format!("stratum+ssl://127.0.0.1:{}", tls.port()), |pool| {
        pool.trust = Trust::Fingerprint(Fingerprint(Sha256::digest(&certificate).into()));
    });
    assert!(matches!(event, Event::Connected { .. }), "{event:?}");
    drop(pool.join().unwrap());
}

#[test]
fn ones_own_authority_is_taken() {
    let runtime = Runtime::new().unwrap();
    let (listener, pool) = listener();
    let (certificate, tls) = in_tls(&runtime, pool, |_| {});
    let pool = welcome(listener);
    let event = first_event(&runtime, &format!("stratum+ssl://localhost:{}", tls.port()), |pool| {
        pool.trust = Trust::Authorities(vec![certificate]);
    });
    assert!(matches!(event, Event::Connected { .. }), "{event:?}");
    drop(pool.join().unwrap());
}

#[test]
fn a_certificate_that_is_not_trusted_is_refused_by_its_fingerprint() {
    let runtime = Runtime::new().unwrap();
    let (_listener, pool) = listener();
    let (certificate, tls) = in_tls(&runtime, pool, |_| {});
    let fingerprint = Fingerprint(Sha256::digest(&certificate).into()).to_string();
    let named = format!("stratum+ssl://localhost:{}", tls.port());

    let by_system = refused(first_event(&runtime, &named, |_| {}));
    assert!(by_system.contains(&fingerprint) && by_system.contains("pin"), "{by_system}");
    let by_pin = refused(first_event(&runtime, &named, |pool| pool.trust = Trust::Fingerprint(Fingerprint([7; 32]))));
    assert!(by_pin.contains(&fingerprint) && by_pin.contains(&"07".repeat(32)), "{by_pin}");
    // The right authority, but another name.
    let by_name = refused(first_event(&runtime, &format!("stratum+ssl://127.0.0.1:{}", tls.port()), |pool| {
        pool.trust = Trust::Authorities(vec![certificate]);
    }));
    assert!(by_name.contains(&fingerprint), "{by_name}");
}

/// As a good certificate looks to a machine whose clock jumped.
#[test]
fn a_certificate_of_another_time_makes_one_look_at_the_clock() {
    let runtime = Runtime::new().unwrap();
    for (from, until) in [(1980, 1990), (2100, 2110)] {
        let (_listener, pool) = listener();
        let (certificate, tls) = in_tls(&runtime, pool, |params| {
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(until, 1, 1);
        });
        let error = refused(first_event(&runtime, &format!("stratum+ssl://localhost:{}", tls.port()), |pool| {
            pool.trust = Trust::Authorities(vec![certificate]);
        }));
        assert!(error.contains("is this machine's clock right?"), "{error}");
    }
}

#[test]
fn tls_with_a_server_that_has_none_is_named() {
    let runtime = Runtime::new().unwrap();
    let plain = serve(&runtime, |mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    });
    let error = refused(first_event(&runtime, &format!("stratum+ssl://localhost:{}", plain.port()), |_| {}));
    assert!(error.contains("cannot connect to stratum+ssl://localhost"), "{error}");
}

/// A proxy that takes anybody, and passes everything on to one address, if the right name is asked for (RFC 1928).
fn socks5(runtime: &Runtime, pool: u16, name: &'static str) -> SocketAddr {
    serve(runtime, move |mut miner| async move {
        let mut greeting = [0; 2];
        miner.read_exact(&mut greeting).await.unwrap();
        assert_eq!(greeting[0], 5);
        miner.read_exact(&mut vec![0; greeting[1].into()]).await.unwrap();
        miner.write_all(&[5, 0]).await.unwrap();
        // Connect, by name.
        let mut request = [0; 5];
        miner.read_exact(&mut request).await.unwrap();
        assert_eq!(request[..4], [5, 1, 0, 3]);
        let mut asked = vec![0; usize::from(request[4]) + 2];
        miner.read_exact(&mut asked).await.unwrap();
        if asked != [name.as_bytes(), &3333_u16.to_be_bytes()].concat() {
            let _ = miner.write_all(&[5, 4, 0, 1, 0, 0, 0, 0, 0, 0]).await;
            return;
        }
        let mut pool = TcpStream::connect(("127.0.0.1", pool)).await.unwrap();
        miner.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let _ = copy_bidirectional(&mut miner, &mut pool).await;
    })
}

#[test]
fn a_proxy_looks_the_name_up() {
    let runtime = Runtime::new().unwrap();
    let (listener, pool) = listener();
    let proxy = socks5(&runtime, pool, "pool.onion");
    let pool = welcome(listener);
    let through = |pool: &mut Pool| pool.socks5 = Some(proxy.to_string());
    let event = first_event(&runtime, "stratum+tcp://pool.onion:3333", through);
    assert!(matches!(event, Event::Connected { .. }), "{event:?}");
    drop(pool.join().unwrap());
    let error = refused(first_event(&runtime, "stratum+tcp://other.onion:3333", through));
    assert!(error.contains("other.onion") && error.to_lowercase().contains("host unreachable"), "{error}");
}
