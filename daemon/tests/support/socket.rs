//! A real unix socket that answers one request after the other from a script, also with what is no HTTP.
//!
//! Connections are served one at a time, as the VMM serves requests. The socket goes when the value is dropped.

use std::collections::VecDeque;
use std::os::unix::net::UnixListener as StdListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// What comes back for one request.
pub enum Answer {
    /// These bytes, and the connection stays open.
    Keep(String),
    /// These bytes, and the connection is closed.
    Close(String),
    /// Nothing, ever; the next connection is served.
    Hang,
}

impl Answer {
    /// A status with a JSON body.
    pub fn json(status: u16, body: &str) -> Self {
        let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}", body.len());
        Self::Keep(format!("{head}\r\n\r\n{body}"))
    }

    /// A status without a body.
    pub fn status(status: u16) -> Self {
        Self::Keep(format!("HTTP/1.1 {status} X\r\n\r\n"))
    }

    /// Bytes as they are, and the end of the connection.
    pub fn raw(bytes: &str) -> Self {
        Self::Close(bytes.to_owned())
    }
}

/// The answer to `vmm.ping`.
pub fn ping() -> Answer {
    Answer::json(200, r#"{"build_version":"v53.0","version":"v53.0","pid":7,"features":[]}"#)
}

/// The answer to `vm.info` of a VM in a state.
pub fn info(state: &str) -> Answer {
    let memory = r#"{"size":1073741824,"hotplug_method":"VirtioMem","hotplug_size":7516192768,"hotplugged_size":null}"#;
    let cpus = r#"{"boot_vcpus":2,"max_vcpus":8}"#;
    let config = format!(r#"{{"cpus":{cpus},"memory":{memory}}}"#);
    Answer::json(200, &format!(r#"{{"config":{config},"state":"{state}","memory_actual_size":1073741824}}"#))
}

/// A socket with its script, and the requests that it has got: number of the connection, method, path, body.
pub struct ScriptedSocket {
    path: PathBuf,
    requests: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
    _folder: TempDir,
}

impl ScriptedSocket {
    /// Serves answers in this order.
    pub fn serve(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::serve_below("", answers)
    }

    /// The same, with the socket some folders down.
    pub fn serve_below(folders: &str, answers: impl IntoIterator<Item = Answer>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join(folders);
        std::fs::create_dir_all(&below).unwrap();
        let listener = bind(folder.path(), &below);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let server = tokio::spawn(serve(listener, answers.into_iter().collect(), requests.clone()));
        Self { path: below.join("ch.sock"), requests, server, _folder: folder }
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.path.clone()
    }

    /// What it was asked.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for ScriptedSocket {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Binds at a short path and moves the socket: `bind` knows no long ones.
pub fn bind(short: &Path, folder: &Path) -> UnixListener {
    let listener = StdListener::bind(short.join("s")).unwrap();
    std::fs::rename(short.join("s"), folder.join("ch.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    UnixListener::from_std(listener).unwrap()
}

async fn serve(listener: UnixListener, mut answers: VecDeque<Answer>, requests: Arc<Mutex<Vec<String>>>) {
    let mut hanging = Vec::new();
    for number in 1.. {
        let Ok((mut stream, _)) = listener.accept().await else { return };
        while let Some(request) = receive(&mut stream).await {
            requests.lock().unwrap().push(format!("{number} {request}"));
            match answers.pop_front() {
                Some(Answer::Keep(bytes)) => drop(stream.write_all(bytes.as_bytes()).await),
                Some(Answer::Close(bytes)) => {
                    drop(stream.write_all(bytes.as_bytes()).await);
                    break;
                }
                Some(Answer::Hang) | None => {
                    hanging.push(stream);
                    break;
                }
            }
        }
    }
}

/// Reads one request, as method, path and body.
async fn receive(stream: &mut UnixStream) -> Option<String> {
    let mut read = Vec::new();
    let head = loop {
        if let Some(end) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break String::from_utf8(read.drain(..end + 4).collect()).ok()?;
        }
        if stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    };
    let lower = head.to_lowercase();
    let length = lower.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok());
    while read.len() < length.unwrap_or(0) {
        stream.read_buf(&mut read).await.ok()?;
    }
    let mut words = head.split(' ');
    Some(format!("{} {} {}", words.next()?, words.next()?, String::from_utf8_lossy(&read)))
}
