//! Lines of bounded length over a byte stream.

use thiserror::Error;
use tokio::io::{self, AsyncRead, AsyncReadExt};

/// The longest line that is read, in bytes without its newline.
///
/// The longest honest message is a notify: a coinbase of at most 1 MB in theory, below 10 kB where pools pay many miners in
/// it, twice that in hex, and some 14 branches of 64 digits.
pub const MAX_LINE: usize = 128 * 1024;

/// A line that is longer than this is not passed over to its end: it has none, most likely.
const MAX_SKIPPED: usize = 2 * 1024 * 1024;

/// How much is read at once at least. Every connection that waits keeps room for it, and a share is shorter.
const READ_SIZE: usize = 1024;

/// Why there is no line.
#[derive(Debug, Error)]
pub enum LineError {
    /// A line went on beyond the limit. The next call begins after it.
    #[error("longer than {limit} bytes; passed over")]
    TooLong {
        /// How many bytes would have been read.
        limit: usize,
    },
    /// A line that is not text. The next call begins after it.
    #[error("not UTF-8 from byte {0} on; passed over")]
    NotText(usize),
    /// The connection failed, or a line has no end ([`io::ErrorKind::InvalidData`]).
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl LineError {
    /// Whether the stream can be read on.
    pub fn is_passed_over(&self) -> bool {
        !matches!(self, LineError::Io(_))
    }
}

/// Reads lines that end in a newline, or a carriage return and a newline.
#[derive(Debug)]
pub struct LineReader<R> {
    stream: R,
    /// What was read and not yet given.
    buffer: Vec<u8>,
    /// How much of the buffer is known to have no newline.
    searched: usize,
    /// In the middle of a line that was too long: how much of it is gone.
    skipped: Option<usize>,
    limit: usize,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Reads from a stream, lines of up to [`MAX_LINE`].
    pub fn new(stream: R) -> LineReader<R> {
        Self::with_limit(stream, MAX_LINE)
    }

    /// Reads lines of up to `limit` bytes.
    pub fn with_limit(stream: R, limit: usize) -> LineReader<R> {
        LineReader { stream, buffer: Vec::new(), searched: 0, skipped: None, limit }
    }

    /// The next line without its end, or `None` where the stream ends. A last line without a newline is not given: it
    /// may be half of one.
    ///
    /// Cancel-safe: dropped and called again, nothing is lost.
    pub async fn next_line(&mut self) -> Result<Option<String>, LineError> {
        loop {
            if let Some(line) = self.take_line()? {
                return Ok(Some(line));
            }
            if self.skipped.is_some() {
                // Megabytes may come as fast as they are read, and others wait for this thread.
                tokio::task::yield_now().await;
            }
            // A full buffer would grow by a handful of bytes, and be read by that handful.
            self.buffer.reserve(READ_SIZE);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    fn take_line(&mut self) -> Result<Option<String>, LineError> {
        let newline = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n');
        let Some(end) = newline.map(|at| self.searched + at) else {
            if let Some(skipped) = &mut self.skipped {
                *skipped += self.buffer.len();
                self.buffer.clear();
                if *skipped > MAX_SKIPPED {
                    let endless = format!("a line of more than {MAX_SKIPPED} bytes");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, endless).into());
                }
            } else if self.buffer.len() > self.limit + 1 {
                // One more than the limit may be the carriage return of a line that just fits.
                self.skipped = Some(self.buffer.len());
                self.buffer.clear();
                self.searched = 0;
                return Err(LineError::TooLong { limit: self.limit });
            }
            self.searched = self.buffer.len();
            return Ok(None);
        };
        let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
        self.searched = 0;
        if self.skipped.take().is_some() {
            return self.take_line();
        }
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if line.len() > self.limit {
            return Err(LineError::TooLong { limit: self.limit });
        }
        match String::from_utf8(line) {
            Ok(line) => Ok(Some(line)),
            Err(error) => Err(LineError::NotText(error.utf8_error().valid_up_to())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio_test_stream::Chunks;

    /// What a reader with a limit of 8 bytes makes of these chunks.
    fn read(chunks: &[&[u8]]) -> Vec<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut reader = LineReader::with_limit(Chunks::new(chunks), 8);
            let mut lines = Vec::new();
            loop {
                match reader.next_line().await {
                    Ok(Some(line)) => lines.push(line),
                    Ok(None) => return lines,
                    Err(error) => {
                        assert!(error.is_passed_over());
                        lines.push(format!("error {error}"));
                    }
                }
            }
        })
    }

    #[test]
    fn lines_come_whole_however_they_arrive() {
        assert_eq!(read(&[b"one\ntwo\r\n", b"th", b"ree", b"\n\nfi"]), ["one", "two", "three", ""]);
    }

    #[test]
    fn bad_lines_are_passed_over() {
        let too_long = "error longer than 8 bytes; passed over";
        assert_eq!(read(&[b"123456789\nok\n"]), [too_long, "ok"]);
        assert_eq!(read(&[b"1234567", b"89", b"0123456789", b"01\nok", b"\n"]), [too_long, "ok"]);
        assert_eq!(read(&[b"12345678\n"]), ["12345678"]);
        assert_eq!(read(&[b"a\xff\nok\n"]), ["error not UTF-8 from byte 1 on; passed over", "ok"]);
    }

    #[test]
    fn a_line_without_an_end_ends_the_reading() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut reader = LineReader::new(io::repeat(b'x'));
            assert!(matches!(reader.next_line().await, Err(LineError::TooLong { .. })));
            let error = reader.next_line().await.unwrap_err();
            assert!(!error.is_passed_over() && error.to_string().contains("2097152 bytes"), "{error}");
        });
    }

    proptest! {
        #[test]
        fn chunking_changes_nothing(text in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
                                    cuts in proptest::collection::vec(1usize..20, 1..40)) {
            let mut chunks = Vec::new();
            let mut rest = &text[..];
            for cut in cuts.iter().cycle() {
                if rest.is_empty() { break; }
                let (chunk, others) = rest.split_at((*cut).min(rest.len()));
                chunks.push(chunk);
                rest = others;
            }
            prop_assert_eq!(read(&chunks), read(&[&text]));
        }
    }

    /// A stream that gives its bytes in given pieces.
    mod tokio_test_stream {
        use std::collections::VecDeque;
        use std::pin::Pin;
        use std::task::{Context, Poll};
        use tokio::io::{AsyncRead, ReadBuf, Result};

        pub(super) struct Chunks(VecDeque<Vec<u8>>);

        impl Chunks {
            pub(super) fn new(chunks: &[&[u8]]) -> Chunks {
                Chunks(chunks.iter().map(|chunk| chunk.to_vec()).collect())
            }
        }

        impl AsyncRead for Chunks {
            fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
                if let Some(mut chunk) = self.0.pop_front() {
                    let rest = chunk.split_off(chunk.len().min(buf.remaining()));
                    buf.put_slice(&chunk);
                    if !rest.is_empty() {
                        self.0.push_front(rest);
                    }
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}
