//! Another process: this test's own program, started again to listen at a socket or to hold a lock, until it is killed.
//!
//! The program that uses it has an ignored test `another_process` that calls [`be_another_process`].

use super::tree::pod;
use reef_daemon::host::{Host, LinuxHost, Paths};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// What the other process is told to do, and with what.
const TASK: &str = "REEF_TEST_TASK";
const PLACE: &str = "REEF_TEST_PLACE";
/// What it says once it does it.
const READY: &str = "the other process is ready";
/// What it says of each request.
const ASKED: &str = "the other process was asked";

/// The other process. It is killed when this is dropped.
pub struct Other {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Other {
    /// One that listens at a socket and answers every request with 204.
    pub fn listening(socket: &Path) -> Self {
        Self::start("listen", socket)
    }

    /// One that holds the lock of the Pod `1b-2c` on the node below `root`.
    pub fn locking(root: &Path) -> Self {
        Self::start("lock", root)
    }

    fn start(task: &str, place: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["another_process", "--exact", "--ignored", "--nocapture"]).env(TASK, task).env(PLACE, place);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(READY) {
            line.clear();
            assert_ne!(said.read_line(&mut line).unwrap(), 0, "the other process ended");
        }
        Self { child, said }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it by a signal that it cannot catch.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills it, and counts the requests that it has got.
    pub fn end(mut self) -> usize {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        said.matches(ASKED).count()
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Does what this process was started for. By itself, without a task, it does nothing.
pub fn be_another_process() {
    let Some(place) = std::env::var_os(PLACE) else { return };
    match std::env::var(TASK).as_deref() {
        Ok("listen") => listen(Path::new(&place)),
        Ok("lock") => {
            let _lock = LinuxHost::new(Paths::below(place)).lock(&pod("1b-2c", "abc")).unwrap();
            say(READY);
            std::thread::park();
        }
        other => panic!("{other:?}"),
    }
}

fn listen(socket: &Path) {
    let listener = UnixListener::bind(socket).unwrap();
    say(READY);
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        std::thread::spawn(move || answer(stream));
    }
}

fn answer(mut stream: UnixStream) {
    let mut request = [0; 4096];
    while stream.read(&mut request).is_ok_and(|read| read > 0) {
        say(ASKED);
        stream.write_all(b"HTTP/1.1 204 X\r\n\r\n").unwrap();
    }
}

/// Whole lines, past the test program's own.
fn say(text: &str) {
    let mut out = std::io::stdout();
    out.write_all(format!("\n{text}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
