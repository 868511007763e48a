//! What is being done, on one line of standard error, where that is a terminal and it takes longer than a second. Nothing is written elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::Instant;

/// What is done within this time is not told of.
const QUIET: Duration = Duration::from_secs(1);
/// Between two pictures.
const REDRAW: Duration = Duration::from_millis(200);

const CLEAR_LINE: &str = "\r\u{1b}[K";

/// A line that goes away with its value.
pub struct Progress {
    drawing: Option<(Sender<String>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins. The text says what is being done, as `reading the cluster`.
    pub fn start(text: impl Into<String>) -> Self {
        let text = text.into();
        if !io::stderr().is_terminal() {
            return Self { drawing: None };
        }
        let (say, said) = mpsc::channel();
        // A thread, because reading a repository does not await.
        let thread = std::thread::Builder::new().spawn(move || draw(text, &said)).ok();
        Self { drawing: thread.map(|thread| (say, thread)) }
    }

    /// Says what is being done now.
    pub fn say(&self, text: impl Into<String>) {
        if let Some((say, _)) = &self.drawing {
            let _ = say.send(text.into());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((say, thread)) = self.drawing.take() {
            drop(say);
            let _ = thread.join();
        }
    }
}

fn draw(mut text: String, said: &mpsc::Receiver<String>) {
    let (began, mut drawn) = (Instant::now(), false);
    loop {
        match said.recv_timeout(REDRAW) {
            Ok(next) => text = next,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
        if let Some(picture) = picture(&text, began.elapsed(), width) {
            let _ = write!(io::stderr(), "{CLEAR_LINE}{picture}");
            drawn = true;
        }
    }
    if drawn {
        let _ = write!(io::stderr(), "{CLEAR_LINE}");
    }
}

/// One line, shorter than the terminal is wide, so that it never breaks.
fn picture(text: &str, since: Duration, width: usize) -> Option<String> {
    let told = format!("{text} ({} s)", since.as_secs());
    (since >= QUIET).then(|| told.chars().take(width.saturating_sub(1)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_within_a_second_is_not_told_of_and_a_line_never_breaks() {
        assert_eq!(picture("reading", Duration::from_millis(999), 80), None);
        assert_eq!(picture("reading", Duration::from_millis(2_900), 80).as_deref(), Some("reading (2 s)"));
        assert_eq!(picture("reading", Duration::from_secs(2), 8).as_deref(), Some("reading"));
    }
}
