//! Small HTTP servers on loopback that behave as remotes do on a bad day, and one that serves real repositories.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::{FileUrls, Location};

/// A request of libgit2.
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<String>,
    pub(super) body: Vec<u8>,
}

/// A server that lives until it is dropped.
pub(super) struct Stub {
    address: SocketAddr,
    pub(super) requests: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
}

impl Stub {
    /// Answers each connection, on a thread of its own, with what `answer` writes.
    pub(super) fn serve(
        answer: impl Fn(Request, &mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, stopped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, stop, answer) = (Arc::clone(&requests), Arc::clone(&stopped), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten().take_while(|_| !stop.load(Ordering::SeqCst)) {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = Arc::clone(&answer);
                std::thread::spawn(move || converse(stream, answer.as_ref()));
            }
        });
        Self { address, requests, stopped }
    }

    /// Serves real repositories below a folder.
    pub(super) fn git(root: &Path) -> Self {
        let root = root.to_owned();
        Self::serve(move |request, stream| stream.write_all(&backend(&root, &request)))
    }

    pub(super) fn location(&self, path: &str) -> Location {
        Location::parse(&format!("http://{}/{path}", self.address), FileUrls::Refused).unwrap()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

fn converse(mut stream: TcpStream, answer: &dyn Fn(Request, &mut TcpStream) -> std::io::Result<()>) {
    if let Some(request) = read(&stream) {
        let _ = answer(request, &mut stream);
    }
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split_ascii_whitespace().map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let headers: Vec<String> =
        reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let length =
        headers.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, target, headers, body })
}

/// Git's own server program, spoken to by CGI.
pub(super) fn backend(root: &PathBuf, request: &Request) -> Vec<u8> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let kind = request.headers.iter().find_map(|line| line.strip_prefix("Content-Type: ")).unwrap_or("");
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", path.replace("//", "/"))
        .env("QUERY_STRING", query)
        .env("CONTENT_TYPE", kind)
        .env("CONTENT_LENGTH", request.body.len().to_string())
        .env("REMOTE_ADDR", "127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&request.body).unwrap();
    let output = child.wait_with_output().unwrap().stdout;
    let status = if output.starts_with(b"Status: ") { "500 Backend" } else { "200 OK" };
    let body = output.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |end| output.len() - end - 4);
    [format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {body}\r\n").as_bytes(), &output].concat()
}

/// An answer without a body.
pub(super) fn status(stream: &mut TcpStream, line: &str, header: &str) -> std::io::Result<()> {
    write!(stream, "HTTP/1.1 {line}\r\n{header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// Writes one byte after the other, slowly, for as long as somebody listens.
pub(super) fn drip(stream: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    bytes.iter().try_for_each(|byte| {
        std::thread::sleep(Duration::from_millis(50));
        stream.write_all(&[*byte])
    })
}
