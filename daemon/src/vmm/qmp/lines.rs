//! Lines of bytes in both directions, each no longer than a cap.
//!
//! Knows nothing of what a line says. Giving up on a line that has not come loses nothing of it.

use super::super::{Stream, VmmError};
use bytes::BytesMut;
use serde_json::Value;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Room that is made before each read. Most answers fit into it.
const READ_BYTES: usize = 4 << 10;

/// A stream of lines.
pub(super) struct Lines {
    stream: Box<dyn Stream>,
    read: BytesMut,
    /// Bytes of `read` that are known to hold no end of a line.
    searched: usize,
    cap: usize,
}

impl Lines {
    pub(super) fn new(stream: Box<dyn Stream>, cap: usize) -> Self {
        Self { stream, read: BytesMut::new(), searched: 0, cap }
    }

    /// Writes a value as one line.
    pub(super) async fn send(&mut self, call: &'static str, value: &Value) -> Result<(), VmmError> {
        let line = format!("{value}\n");
        let sent = async {
            self.stream.write_all(line.as_bytes()).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|source| VmmError::Lost { call, source })
    }

    /// Reads the next line, without its end.
    pub(super) async fn next(&mut self, call: &'static str) -> Result<BytesMut, VmmError> {
        loop {
            let line = self.take();
            if line.as_ref().unwrap_or(&self.read).len() > self.cap {
                return Err(VmmError::TooLarge { call, limit: self.cap });
            }
            if let Some(line) = line {
                return Ok(line);
            }
            self.read.reserve(READ_BYTES);
            let read = self.stream.read_buf(&mut self.read).await;
            if read.map_err(|source| VmmError::Lost { call, source })? == 0 {
                return Err(VmmError::Lost { call, source: io::ErrorKind::UnexpectedEof.into() });
            }
        }
    }

    /// A whole line, where one has come.
    fn take(&mut self) -> Option<BytesMut> {
        let new = self.read.get(self.searched..)?;
        let Some(found) = new.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.read.len();
            return None;
        };
        let mut line = self.read.split_to(self.searched.saturating_add(found).saturating_add(1));
        self.searched = 0;
        if self.read.is_empty() {
            // Nothing of a long answer is held until the next one: a connection is at rest most of the time.
            self.read = BytesMut::new();
        }
        line.truncate(line.trim_ascii_end().len());
        Some(line)
    }
}
