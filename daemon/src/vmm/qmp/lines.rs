//! Lines of bytes in both directions, each no longer than a cap.
//!
//! Knows nothing of what a line says. Giving up on a line that has not come loses nothing of it.

use super::super::{Stream, VmmError};
use bytes::BytesMut;
use serde_json::Value;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
            if let Some(line) = self.take() {
                return Ok(line);
            }
            if self.read.len() > self.cap {
                return Err(VmmError::TooLarge { call, limit: self.cap });
            }
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
        line.truncate(line.trim_ascii_end().len());
        Some(line)
    }
}
