//! What a QEMU says on its monitor: lines as they are, and answers to the commands that the daemon sends.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a finding panics"
)]

use super::plain::is_plain;
use futures::FutureExt;
use futures::future::BoxFuture;
use reef_api::{Bytes, Vcpus};
use reef_daemon::vmm::{Dial, Dialed, Peer, Qemu, Qmp, Vmm, VmmError, VmmLimits};
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream};

const HELLO: &str =
    r#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": []}}"#;
const EMPTY: &str = r#"{"return": {}, "id": 1}"#;
/// More than any input, so that all of it is said at once.
const ROOM: usize = 1 << 20;

/// The bytes are what a QEMU says after it took the first command; those that begin with a byte of zero are all of it.
pub fn qmp(bytes: &[u8]) {
    block_on(async {
        let (ours, mut theirs) = tokio::io::duplex(ROOM);
        let said = match bytes.split_first() {
            Some((0, all)) => all.to_vec(),
            _ => [format!("{HELLO}\n{EMPTY}\n").as_bytes(), bytes].concat(),
        };
        theirs.write_all(&said).await.expect("there is room");
        theirs.shutdown().await.expect("an end");
        let Ok(mut qmp) = seen(Qmp::open(Box::new(ours), VmmLimits::default()).await) else { return };
        for command in ["query-status", "query-kvm", "stop"] {
            let _ = seen(qmp.execute(command, Value::Null).await);
            assert!(qmp.take_events().len() <= 64);
        }
        let _ = seen(qmp.next_event().await);
        drop(theirs);
    });
}

/// The lines are what a QEMU returns to the daemon's commands one after the other, each in an answer with the right
/// number; a line that begins with `!` is said as it is.
pub fn qemu(bytes: &[u8]) {
    block_on(async {
        let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let dial = Arc::new(Monitor(Mutex::new(lines)));
        let mut qemu = Qemu::new(dial, PathBuf::from("qmp"), Peer::process(1), VmmLimits::default());
        if let Ok(told) = seen(qemu.observe().await) {
            assert!(told.vcpus_present.is_some_and(|present| present > Vcpus::ZERO && present <= told.boot.max_vcpus));
            assert!(told.boot.min_vcpus <= told.boot.max_vcpus && told.vcpus_requested <= told.boot.max_vcpus);
            assert!(is_plain(&told.version), "{:?}", told.version);
        }
        let _ = seen(qemu.set_vcpus(Vcpus(3)).await);
        let _ = seen(qemu.set_memory(Bytes(4 << 30)).await);
        let _ = seen(qemu.observe().await);
    });
}

/// What is said of a failure can be shown.
fn seen<T>(outcome: Result<T, VmmError>) -> Result<T, VmmError> {
    if let Err(VmmError::Refused { code, message, .. }) = &outcome {
        assert!(is_plain(code) && is_plain(message) && message.chars().count() <= 400, "{code:?} {message:?}");
    }
    outcome
}

/// What is still to be said, whichever connection asks.
struct Monitor(Mutex<Vec<Vec<u8>>>);

impl Dial for Monitor {
    fn dial<'a>(&'a self, _: &'a Path) -> BoxFuture<'a, io::Result<Dialed>> {
        let said = std::mem::take(&mut *self.0.lock().expect("a lock"));
        let (ours, theirs) = tokio::io::duplex(ROOM);
        tokio::spawn(answer(theirs, said));
        async move { Ok(Dialed { stream: Box::new(ours), peer: Some(1) }) }.boxed()
    }
}

async fn answer(stream: DuplexStream, said: Vec<Vec<u8>>) {
    let mut stream = BufReader::new(stream);
    let hello = format!("{HELLO}\n");
    if stream.get_mut().write_all(hello.as_bytes()).await.is_err() {
        return;
    }
    let said = std::iter::once(b"{}".to_vec()).chain(said);
    for returned in said {
        let mut command = String::new();
        if stream.read_line(&mut command).await.unwrap_or(0) == 0 {
            return;
        }
        let command: Value = serde_json::from_str(&command).expect("a command is JSON");
        let line = match returned.strip_prefix(b"!") {
            Some(raw) => [raw, b"\n"].concat(),
            None => {
                let number = json!(command["id"]).to_string();
                [b"{\"return\": ", returned.as_slice(), b", \"id\": ", number.as_bytes(), b"}\n"].concat()
            }
        };
        if stream.get_mut().write_all(&line).await.is_err() {
            return;
        }
    }
}

/// Time is virtual: a deadline costs nothing.
fn block_on(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(work);
}
