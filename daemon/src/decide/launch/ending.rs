//! What the end of a VMM means: the exit code of the container, and the sentence that Kubernetes shows.
//!
//! Values in, value out. What Kubernetes keeps of a message is little, so the sentence comes first and the console's end after it.

use std::time::Duration;

/// Bytes that Kubernetes keeps of a termination message.
const MESSAGE_BYTES: usize = 4096;
/// Exit code of a VM that had to be killed, as a shell tells SIGKILL.
const KILLED: u8 = 137;
/// Exit code of a VM that was told to stop, as a shell tells SIGTERM: it would have gone on, so it has not succeeded.
pub(crate) const STOPPED: u8 = 143;
/// What a shell adds to the number of a signal.
const SIGNAL_BASE: i32 = 128;

/// How a VMM that ran has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By itself, with code 0: the guest shut down.
    GuestShutDown,
    /// The power button was pressed, and the guest shut down.
    Stopped,
    /// With code 0 and neither by the guest nor by Reef: somebody else told the VMM to end.
    ToldToEnd,
    /// The power button was pressed, and the guest did not shut down in this time.
    Killed {
        /// What it was given.
        within: Duration,
    },
    /// With another code.
    Failed {
        /// The code.
        code: i32,
    },
    /// By a signal that was not ours.
    Signalled {
        /// Its number.
        signal: i32,
        /// Whether the kernel killed a process of the container for lack of memory.
        out_of_memory: bool,
    },
}

/// What a container leaves behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Exit code.
    pub code: u8,
    /// Message.
    pub message: String,
}

/// Exit code and message of an ending. `last_words` is what the VMM said, `console` the last lines of the guest.
pub fn told(ending: &Ending, last_words: &[String], console: &[String]) -> Told {
    let (code, sentence) = match ending {
        Ending::GuestShutDown => (0, "the guest shut down".to_owned()),
        Ending::Stopped => (STOPPED, "the guest shut down after its power button was pressed".to_owned()),
        Ending::ToldToEnd => {
            (STOPPED, "the VMM was told to end by a signal that Reef did not send; look at the node's log".to_owned())
        }
        Ending::Killed { within } => (
            KILLED,
            format!(
                "the guest did not shut down within {} s of its power button and was killed; let it handle the ACPI power button",
                within.as_secs()
            ),
        ),
        Ending::Failed { code } => {
            let said = words(last_words);
            (plain(*code), format!("the VMM ended with code {code}{said}"))
        }
        Ending::Signalled { signal, out_of_memory } => {
            (plain(SIGNAL_BASE.saturating_add(*signal)), by_signal(*signal, *out_of_memory))
        }
    };
    let quiet = matches!(ending, Ending::GuestShutDown | Ending::Stopped);
    let message = if quiet { sentence } else { with_console(&sentence, console) };
    Told { code, message }
}

/// A message of one sentence and the console's end, no longer than Kubernetes keeps.
pub(crate) fn with_console(sentence: &str, console: &[String]) -> String {
    let mut message = cut(sentence, MESSAGE_BYTES);
    let mut tail: Vec<&str> = Vec::new();
    let heading = "\nthe console's last lines:";
    let mut room = MESSAGE_BYTES.saturating_sub(message.len()).saturating_sub(heading.len());
    for line in console.iter().rev() {
        let needed = line.len().saturating_add(1);
        if needed > room {
            break;
        }
        room = room.saturating_sub(needed);
        tail.push(line);
    }
    if !tail.is_empty() {
        message.push_str(heading);
        for line in tail.into_iter().rev() {
            message.push('\n');
            message.push_str(line);
        }
    }
    message
}

/// What a VMM said last, as the end of a sentence.
pub(crate) fn words(last: &[String]) -> String {
    if last.is_empty() { String::new() } else { format!(": {}", last.join(" / ")) }
}

fn by_signal(signal: i32, out_of_memory: bool) -> String {
    if out_of_memory {
        return "the VMM was killed because the container used more than its memory limit; raise the policy's overhead"
            .to_owned();
    }
    format!("the VMM was ended by signal {signal}, which Reef did not send; look at the node's log")
}

/// A code that is not 0: a VM that failed must not look as if it had shut down.
fn plain(code: i32) -> u8 {
    u8::try_from(code & 0xff).ok().filter(|code| *code != 0).unwrap_or(1)
}

fn cut(text: &str, bytes: usize) -> String {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default().to_owned()
}
