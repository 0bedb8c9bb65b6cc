//! A session's way out: its socket, and the faults before it if there are any.

use super::end::End;
use crate::faults::{Gate, Incident, Line, Write};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::{sleep, timeout};

/// A miner that does not take a line within this is ended.
pub(super) const WRITE_WITHIN: Duration = Duration::from_secs(10);

pub(super) struct Wire<'a> {
    writer: OwnedWriteHalf,
    pub(super) gate: Option<Gate<'a>>,
    is_half_closed: bool,
}

impl<'a> Wire<'a> {
    pub(super) fn new(writer: OwnedWriteHalf, gate: Option<Gate<'a>>) -> Wire<'a> {
        Wire { writer, gate, is_half_closed: false }
    }

    /// Sends a line, which has no newline yet.
    pub(super) async fn send(&mut self, line: Line, mut text: String) -> Result<(), End> {
        text.push('\n');
        match &mut self.gate {
            None => self.write(text.as_bytes()).await,
            Some(gate) => {
                let writes = gate.pass(line, text);
                self.write_all(writes).await
            }
        }
    }

    /// What a scenario does to the session next: nothing, for ever, without one.
    pub(super) async fn incident(&mut self) -> Incident {
        match &mut self.gate {
            Some(gate) => gate.next().await,
            None => std::future::pending().await,
        }
    }

    /// Sends what was held back until now.
    pub(super) async fn send_due(&mut self) -> Result<(), End> {
        let due = self.gate.as_mut().map(Gate::due).unwrap_or_default();
        self.write_all(due).await
    }

    /// Says nothing any more, and hears on.
    pub(super) async fn half_close(&mut self) -> Result<(), End> {
        self.is_half_closed = true;
        self.writer.shutdown().await.map_err(End::from)
    }

    async fn write_all(&mut self, writes: Vec<Write>) -> Result<(), End> {
        for Write { bytes, drip } in writes {
            match drip {
                None => self.write(&bytes).await?,
                Some(rate) => {
                    for byte in bytes {
                        self.write(&[byte]).await?;
                        sleep(Duration::from_secs(1) / rate).await;
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes bytes as they are.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), End> {
        if self.is_half_closed {
            return Ok(());
        }
        timeout(WRITE_WITHIN, self.writer.write_all(bytes)).await.map_err(|_| End::Stalled)??;
        Ok(())
    }
}
