//! A client of QMP, QEMU's protocol of JSON lines: one command at a time, each with a deadline and a cap.
//!
//! Knows no command's meaning. QEMU serves one client at a time on a socket, so a client that has been greeted is alone.

mod classify;
mod lines;
mod message;

pub use message::Event;

use super::{Stream, VmmError, VmmLimits};
use lines::Lines;
use message::{Answer, Message};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;
use std::time::Duration;

/// Events that are kept until somebody takes them. Of more the oldest are dropped: what they told is to be seen by asking.
const KEPT_EVENTS: usize = 64;
/// A longer event is not kept either: one that says something about a vCPU or about memory has a few hundred bytes, and a
/// text takes many times its length once it is read.
const KEPT_EVENT_BYTES: usize = 4 << 10;
/// Lines that may come before the answer to a command. QEMU holds back events that would come too often.
const LINES_BEFORE_ANSWER: usize = 1024;
/// Name of the greeting, for errors.
const GREETING: &str = "greeting";

/// A connection to QEMU that has been greeted and takes commands.
pub struct Qmp {
    lines: Lines,
    request: Duration,
    version: String,
    sent: u64,
    events: VecDeque<Event>,
    /// A command was not sent whole, or its answer was none: what comes next on the connection means nothing.
    broken: bool,
}

impl Qmp {
    /// Waits for the greeting and begins to take commands.
    ///
    /// # Errors
    /// `Occupied` where the greeting does not come: another client is being served.
    pub async fn open(stream: Box<dyn Stream>, limits: VmmLimits) -> Result<Self, VmmError> {
        let mut lines = Lines::new(stream, limits.info_bytes);
        let greeting = tokio::time::timeout(limits.connect, lines.next(GREETING))
            .await
            .map_err(|_| VmmError::Occupied { within: limits.connect })??;
        let version = message::greeting(&greeting)?;
        let (events, request) = (VecDeque::new(), limits.request);
        let mut qmp = Self { lines, request, version, sent: 0, events, broken: false };
        qmp.execute("qmp_capabilities", Value::Null).await?;
        Ok(qmp)
    }

    /// Version of QEMU as it told it, for example `7.2.22`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Carries out one command, and gives what it returned. `arguments` is an object, or null for none.
    ///
    /// # Errors
    /// `Refused` where QEMU answers with an error, and `TimedOut` where it took the command and does not answer: the
    /// connection stays usable, and an answer that comes late is passed over. After any other error it does not.
    pub async fn execute(&mut self, command: &'static str, arguments: Value) -> Result<Value, VmmError> {
        let within = self.request;
        if self.broken {
            let source = io::Error::other("an earlier command on this connection was broken off");
            return Err(VmmError::Lost { call: command, source });
        }
        let answered = tokio::time::timeout(within, self.exchange(command, arguments))
            .await
            .map_err(|_| VmmError::TimedOut { call: command, within })??;
        answered.map_err(|refusal| classify::refused(command, refusal))
    }

    /// The events that came with answers since the last call, the oldest first.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    /// Waits for an event. No deadline of its own; giving it up loses nothing.
    ///
    /// # Errors
    /// Where the connection ends or says what it cannot.
    pub async fn next_event(&mut self) -> Result<Event, VmmError> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(event);
            }
            match self.message("event").await? {
                Message::Event(event) => self.keep(event),
                Message::LongEvent => {}
                Message::Reply(reply) if reply.is_late(self.sent.saturating_add(1)) => {}
                Message::Reply(_) => return Err(absurd("event", "an answer came that nobody asked for")),
            }
        }
    }

    async fn exchange(&mut self, command: &'static str, arguments: Value) -> Result<Answer, VmmError> {
        self.sent = self.sent.saturating_add(1);
        self.broken = true;
        self.lines.send(command, &request(command, arguments, self.sent)).await?;
        // Given up from here on, the answer is known by its number.
        self.broken = false;
        let answer = self.answer(command).await;
        self.broken = answer.is_err();
        answer
    }

    async fn answer(&mut self, command: &'static str) -> Result<Answer, VmmError> {
        for _ in 0..=LINES_BEFORE_ANSWER {
            match self.message(command).await? {
                Message::Event(event) => self.keep(event),
                Message::LongEvent => {}
                Message::Reply(reply) if reply.is_late(self.sent) => {}
                Message::Reply(reply) => {
                    return reply.answering(self.sent).ok_or(absurd(command, "it answers another command"));
                }
            }
        }
        Err(absurd(command, "more events come before it than QEMU lets pass"))
    }

    async fn message(&mut self, call: &'static str) -> Result<Message, VmmError> {
        let line = self.lines.next(call).await?;
        let message = message::read(call, &line)?;
        if line.len() > KEPT_EVENT_BYTES && matches!(message, Message::Event(_)) {
            return Ok(Message::LongEvent);
        }
        Ok(message)
    }

    fn keep(&mut self, event: Event) {
        if self.events.len() >= KEPT_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(event);
    }
}

fn request(command: &str, arguments: Value, id: u64) -> Value {
    match arguments {
        Value::Null => json!({ "execute": command, "id": id }),
        arguments => json!({ "execute": command, "arguments": arguments, "id": id }),
    }
}

const fn absurd(call: &'static str, why: &'static str) -> VmmError {
    VmmError::Absurd { call, why }
}

#[cfg(test)]
mod tests;
