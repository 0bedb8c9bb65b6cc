//! Servers that cannot be reached, that hang up, and whose TLS comes to nothing.

use super::rig::{Scenario, ends, goes_on, port, stranger, welcome, wire};
use crate::common::certificate::self_signed;
use crate::common::scripted::Pool;
use midstate::upstream::{Fingerprint, Trust};
use serde_json::json;
use sha2::{Digest, Sha256};
use socket2::SockRef;
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Makes the connection end in a reset.
fn reset(pool: &mut Pool) {
    SockRef::from(&pool.socket).set_linger(Some(Duration::ZERO)).unwrap();
}

fn half_closed(pool: &mut Pool) {
    pool.socket.shutdown(Shutdown::Write).unwrap();
}

pub(crate) fn table() -> Vec<Scenario> {
    vec![
        port("nobody listens", "cannot connect to stratum+tcp://127.0.0.1", SECOND, |_| vec![]),
        port("nobody listens for long", "refused", 8 * SECOND, |_| vec![]),
        port("a full backlog takes nobody", "after 4 s, no connection", 5 * SECOND, |socket| {
            socket.listen(0).unwrap();
            let address = socket.local_addr().unwrap().as_socket().unwrap();
            (0..3).filter_map(|_| TcpStream::connect_timeout(&address, SECOND / 10).ok()).collect()
        }),
        stranger("closes at once", "connection", |_| {}).dropped().times(4),
        stranger("resets at once", "reset", reset).dropped(),
        // A reset, where the system closes it with subscribe unread.
        stranger("closes after configure", "connection", |pool| drop(pool.expect("mining.configure"))).dropped(),
        stranger("half-closed before subscribe", "closed the connection", half_closed),
        stranger("hears nothing", "not answered mining.subscribe for 4 s", |pool| {
            pool.socket.shutdown(Shutdown::Read).unwrap();
        }),
        stranger("says nothing", "not answered mining.subscribe for 4 s", |_| {}).times(2),
        ends("half-closed in a session", "closed the connection", half_closed),
        ends("closes in a session", "closed the connection", |_| {}).dropped(),
        ends("resets in a session", "connection to the pool failed", reset).dropped(),
        ends("closes in the middle of a line", "closed the connection", |pool| {
            pool.write(br#"{"id":null,"method":"mining.no"#).unwrap();
        })
        .dropped(),
        stranger("takes a user and has no job", "no job for 4 s", welcome),
        stranger("pings, and has no job", "no job for 4 s", |pool| {
            welcome(pool);
            for _ in 0..60 {
                let _ =
                    pool.try_send(json!({"id": null, "method": "mining.set_difficulty", "params": [1]}).to_string());
                sleep(SECOND / 10);
            }
        }),
        goes_on("speaks a byte at a time", "", |pool| {
            let notify = json!({"id": null, "method": "mining.notify", "params": crate::common::scripted::job("slow")});
            for byte in format!("{notify}\n").bytes() {
                pool.write(&[byte]).unwrap();
                sleep(SECOND / 2000);
            }
            let submit = pool.expect("mining.submit");
            pool.answer(&submit, &json!(true));
        }),
        stranger("answers subscribe a byte in a while", "not answered mining.subscribe for 4 s", |pool| {
            pool.expect("mining.configure");
            for byte in br#"{"id":2,"result":[[],"f000000f",4]}"# {
                if pool.write(&[*byte]).is_err() {
                    break;
                }
                sleep(SECOND / 5);
            }
        }),
    ]
}

/// TLS, with a certificate that is pinned.
pub(crate) fn tls() -> Vec<Scenario> {
    let (certificate, config) = self_signed(|_| {});
    let pinned = || Trust::Fingerprint(Fingerprint(Sha256::digest(&certificate).into()));
    let stops = "after 4 s, TLS has not begun";
    let rows = [
        wire("TLS stops before its first byte", stops, |_| {}),
        wire("TLS stops in the handshake, again and again", stops, |_| {}).times(2),
        wire("TLS stops after a record's head", stops, |pool| pool.write(&[0x16, 3, 3, 0, 0x7a]).unwrap()),
        wire("TLS stops in the middle of its first record", stops, |pool| {
            pool.write(&[0x16, 3, 3, 0, 0x7a, 2, 0, 0, 0x76, 3, 3, 1, 2, 3]).unwrap();
        }),
        wire("no TLS but text", "cannot connect to stratum+ssl://localhost", |pool| {
            pool.write(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        }),
        wire("no TLS but a pool", "cannot connect to stratum+ssl://localhost", |pool| {
            pool.call("mining.set_difficulty", &json!([1]));
        }),
        wire("an alert for TLS", "cannot connect to stratum+ssl://localhost", |pool| {
            pool.write(&[0x15, 3, 3, 0, 2, 2, 40]).unwrap();
        }),
        wire("closes in the handshake", "cannot connect to stratum+ssl://localhost", |_| {}).dropped(),
        stranger("closes after the handshake", "connection", |pool| drop(pool.expect("mining.configure"))).dropped(),
        ends("half-closes under TLS", "closed the connection", half_closed),
        ends("text under TLS", "connection to the pool failed", |pool| {
            std::io::Write::write_all(&mut &pool.socket, b"{\"id\":1}\n").unwrap();
        }),
    ];
    rows.into_iter().map(|row| row.tls(pinned(), &config)).collect()
}
