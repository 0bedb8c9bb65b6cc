//! Attackers beside the miners: to see whether what they take is taken from the others.

use super::miner::connect_to;
use super::session::{bad, over};
use super::{Shared, TextError};
use crate::priority::idle;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Who was thrown out is back after this.
const AWAY: Duration = Duration::from_millis(500);
/// Many calls in one packet.
const CALLS: usize = 100;

/// What an attacker does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// Connects and says nothing.
    Mute,
    /// Sends a byte a second, and never a whole line (slowloris).
    Slow,
    /// Comes and goes as fast as it can.
    Churn,
    /// Sends calls as fast as they are taken, and reads the answers.
    Flood,
    /// The same, and reads no answer.
    Deaf,
    /// Sends a line that has no end.
    Long,
    /// Sends lines of JSON that are nested 5,000 deep.
    Bomb,
}

impl Attack {
    const ALL: [(&'static str, Attack); 7] = [
        ("mute", Attack::Mute),
        ("slow", Attack::Slow),
        ("churn", Attack::Churn),
        ("flood", Attack::Flood),
        ("deaf", Attack::Deaf),
        ("long", Attack::Long),
        ("bomb", Attack::Bomb),
    ];
}

/// Reads attackers, such as `slow:500`: what they do, and how many they are.
pub fn parse_attack(text: &str) -> Result<(Attack, usize), TextError> {
    let named = |name: &str| Attack::ALL.into_iter().find_map(|(known, attack)| (known == name).then_some(attack));
    let parts = text.split_once(':').and_then(|(name, count)| Some((named(name)?, count.parse().ok()?)));
    let expected = "mute, slow, churn, flood, deaf, long or bomb, a colon, and how many";
    parts.filter(|(_, count)| (1..=100_000).contains(count)).ok_or_else(|| super::options::error(text, expected))
}

/// Sends all attackers out, in a thread of their own that runs where nobody else wants to: what is to be seen is what they
/// take at the pool, and not here.
pub(super) fn spawn(shared: Arc<Shared>, stopped: watch::Receiver<bool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let all = async move {
        let mut attackers = JoinSet::new();
        for &(attack, count) in &shared.options.attackers {
            for _ in 0..count {
                attackers.spawn(live(Arc::clone(&shared), attack, stopped.clone()));
            }
        }
        attackers.join_all().await
    };
    std::thread::Builder::new().name("attackers".to_owned()).spawn(move || {
        idle();
        runtime.block_on(all)
    })?;
    Ok(())
}

/// An attacker's life: it comes back when it is thrown out.
async fn live(shared: Arc<Shared>, attack: Attack, mut stopped: watch::Receiver<bool>) {
    tokio::select! {
        () = sleep(shared.options.attacked_after()) => {}
        () = over(&mut stopped) => return,
    }
    loop {
        tokio::select! {
            () = once(&shared, attack) => {}
            () = over(&mut stopped) => return,
        }
        if attack != Attack::Churn {
            tokio::select! {
                () = sleep(AWAY) => {}
                () = over(&mut stopped) => return,
            }
        }
    }
}

async fn once(shared: &Shared, attack: Attack) {
    shared.figures().attackers.tried += 1;
    let Ok(mut stream) = connect_to(shared, None).await else {
        shared.figures().attackers.refused += 1;
        return;
    };
    // However it ends, the pool ended it, but for one that goes by itself.
    let _ = act(&mut stream, attack).await;
    shared.figures().attackers.ended += u64::from(attack != Attack::Churn);
}

async fn act(stream: &mut TcpStream, attack: Attack) -> Result<(), super::session::End> {
    let mut waste = [0; 4096];
    match attack {
        Attack::Mute => while stream.read(&mut waste).await.map_err(bad("read"))? > 0 {},
        Attack::Churn => {}
        Attack::Slow => {
            for byte in
                b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[\"".iter().chain(std::iter::repeat(&b'x'))
            {
                stream.write_all(&[*byte]).await.map_err(bad("write"))?;
                tokio::select! {
                    read = stream.read(&mut waste) => if read.map_err(bad("read"))? == 0 { return Ok(()) },
                    () = sleep(Duration::from_secs(1)) => {}
                }
            }
        }
        Attack::Flood | Attack::Deaf => {
            let join = b"{\"id\":1,\"method\":\"mining.subscribe\",\"params\":[]}\n{\"id\":2,\"method\":\"mining.authorize\",\"params\":[\"attacker\",\"x\"]}\n";
            stream.write_all(join).await.map_err(bad("write"))?;
            let call = b"{\"id\":3,\"method\":\"mining.submit\",\"params\":[\"attacker\",\"0\",\"0000000000000000\",\"00000000\",\"00000000\"]}\n";
            let calls = call.repeat(CALLS);
            let (mut read, mut write) = stream.split();
            let writing = async { while write.write_all(&calls).await.is_ok() {} };
            let reading = async {
                if attack == Attack::Deaf {
                    std::future::pending::<()>().await;
                }
                while read.read(&mut waste).await.is_ok_and(|read| read > 0) {}
            };
            tokio::select! {
                () = writing => {}
                () = reading => {}
            }
        }
        Attack::Long => loop {
            stream.write_all(&[b'x'; 4096]).await.map_err(bad("write"))?;
        },
        Attack::Bomb => {
            let mut bomb = vec![b'['; 5000];
            bomb.push(b'\n');
            let (mut read, mut write) = stream.split();
            let writing = async { while write.write_all(&bomb).await.is_ok() {} };
            let reading = async { while read.read(&mut waste).await.is_ok_and(|read| read > 0) {} };
            tokio::select! {
                () = writing => {}
                () = reading => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attackers_are_read_by_name_and_number() {
        for (name, attack) in Attack::ALL {
            assert_eq!(parse_attack(&format!("{name}:3")), Ok((attack, 3)));
        }
        for wrong in ["", "slow", "slow:", "slow:0", "slow:x", "fast:3", "slow:1000000"] {
            assert!(parse_attack(wrong).unwrap_err().to_string().contains("expected mute"), "{wrong}");
        }
    }
}
