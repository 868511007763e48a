//! What the guest writes to its serial console, and what the VMM says: passed on line by line, with the last of it kept.
//!
//! A guest can write anything and at any speed: lines are cut, control characters taken out, and what the log does not take in time is
//! dropped and counted. Reading never stops, because a VMM whose output nobody reads stops with its guest.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::oneshot;

/// Bytes of a line; what is longer is told as several.
const LINE_BYTES: usize = 4096;
/// Lines that are kept for the message about the end.
const KEPT_LINES: usize = 30;
/// Lines that may wait for the log.
const WAITING_LINES: usize = 1024;

/// The last lines of a stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    fn keep(&self, line: &str) {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() >= KEPT_LINES {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }

    /// The lines, the oldest first; empty ones are left out.
    pub(super) fn lines(&self) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter(|line| !line.trim().is_empty()).cloned().collect()
    }

    /// The last few of them.
    pub(super) fn last(&self, count: usize) -> Vec<String> {
        let mut lines = self.lines();
        lines.drain(..lines.len().saturating_sub(count));
        lines
    }
}

/// Passes lines on until the stream ends. The log is written by a thread of its own, because it may block for as long as it likes.
pub(super) async fn forward(from: impl AsyncRead + Unpin, to: impl Write + Send + 'static, tail: Tail) {
    let (lines, waiting) = sync_channel(WAITING_LINES);
    let (finished, written) = oneshot::channel::<()>();
    thread::spawn(move || {
        write(&waiting, to);
        drop(finished);
    });
    read(from, lines, &tail).await;
    // The last lines are what people look for; the channel is dropped when the thread has written them.
    drop(written.await);
}

async fn read(mut from: impl AsyncRead + Unpin, lines: SyncSender<String>, tail: &Tail) {
    let (mut buffer, mut line, mut dropped) = ([0; LINE_BYTES], Vec::new(), 0_u64);
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        for byte in buffer.iter().take(count) {
            if *byte != b'\n' {
                line.push(*byte);
            }
            if *byte == b'\n' || line.len() >= LINE_BYTES {
                pass(&mut line, &lines, tail, &mut dropped);
            }
        }
    }
    if !line.is_empty() {
        pass(&mut line, &lines, tail, &mut dropped);
    }
}

fn pass(line: &mut Vec<u8>, lines: &SyncSender<String>, tail: &Tail, dropped: &mut u64) {
    let text = plain(line);
    line.clear();
    tail.keep(&text);
    if *dropped > 0 && lines.try_send(format!("({dropped} lines were dropped: the log did not keep up)")).is_ok() {
        *dropped = 0;
    }
    if lines.try_send(text).is_err() {
        *dropped = dropped.saturating_add(1);
    }
}

/// A line without what could move a terminal or break a log.
fn plain(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    text.chars().filter(|letter| *letter == '\t' || !letter.is_control()).collect()
}

fn write(lines: &Receiver<String>, mut to: impl Write) {
    while let Ok(mut line) = lines.recv() {
        line.push('\n');
        // A log that is gone must not stop the guest: the lines after it are dropped.
        if to.write_all(line.as_bytes()).and_then(|()| to.flush()).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    async fn passed(written: &[u8]) -> (String, Vec<String>) {
        let (mut seen, out) = std::io::pipe().unwrap();
        let tail = Tail::default();
        let reader = thread::spawn(move || {
            let mut text = String::new();
            seen.read_to_string(&mut text).map(|_| text).unwrap()
        });
        forward(written, out, tail.clone()).await;
        (reader.join().unwrap(), tail.lines())
    }

    #[tokio::test]
    async fn lines_are_passed_on_without_what_moves_a_terminal() {
        let (text, tail) = passed(b"one\r\n\x1b[31mtwo\tthree\x07\n\nfour").await;
        assert_eq!(text, "one\n[31mtwo\tthree\n\nfour\n");
        assert_eq!(tail, ["one", "[31mtwo\tthree", "four"]);
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut_and_only_the_last_lines_are_kept() {
        let (text, tail) = passed(&[b'x'; 3 * LINE_BYTES + 1]).await;
        assert_eq!(text.lines().map(str::len).collect::<Vec<_>>(), [LINE_BYTES, LINE_BYTES, LINE_BYTES, 1]);
        assert_eq!(tail.len(), 4);
        let many: String = (0..100).map(|line| format!("{line}\n")).collect();
        let (_, tail) = passed(many.as_bytes()).await;
        assert_eq!((tail.len(), tail.first().map(String::as_str)), (KEPT_LINES, Some("70")));
    }

    #[tokio::test]
    async fn a_log_that_takes_nothing_does_not_stop_the_guest() {
        let tail = Tail::default();
        let (lines, waiting) = sync_channel(WAITING_LINES);
        let many: String = (0..10_000).map(|line| format!("{line}\n")).collect();
        read(many.as_bytes(), lines, &tail).await;
        assert_eq!(tail.lines().last().map(String::as_str), Some("9999"));
        assert_eq!(waiting.iter().count(), WAITING_LINES);
    }

    #[tokio::test]
    async fn a_log_that_is_gone_does_not_stop_the_guest() {
        let (seen, out) = std::io::pipe().unwrap();
        drop(seen);
        let tail = Tail::default();
        let many: String = (0..10_000).map(|line| format!("{line}\n")).collect();
        forward(many.as_bytes(), out, tail.clone()).await;
        assert_eq!(tail.lines().last().map(String::as_str), Some("9999"));
    }
}
