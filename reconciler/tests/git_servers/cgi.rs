//! Runs Git's own server program as a web server does: one process for each request, spoken to by CGI. Decides nothing about requests.

use std::path::Path;
use std::process::Stdio;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName};
use hyper::{Request, Response, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Answers a request by `git http-backend` over the repositories below `root`.
pub async fn answer(root: &Path, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let header = |name: HeaderName| head.headers.get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
    let mut child = Command::new(program())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", root)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GATEWAY_INTERFACE", "CGI/1.1")
        .env("SERVER_PROTOCOL", "HTTP/1.1")
        .env("REMOTE_ADDR", "127.0.0.1")
        .env("REQUEST_METHOD", head.method.as_str())
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("CONTENT_TYPE", header(CONTENT_TYPE))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING))
        .env("GIT_PROTOCOL", header(HeaderName::from_static("git-protocol")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writing = async move {
        // A program that has heard enough closes its side.
        let _ = stdin.write_all(&body).await;
    };
    let ((), output) = tokio::join!(writing, child.wait_with_output());
    response(&output.unwrap().stdout)
}

fn program() -> std::path::PathBuf {
    let output = std::process::Command::new("git").arg("--exec-path").output().unwrap();
    let program = Path::new(String::from_utf8(output.stdout).unwrap().trim()).join("git-http-backend");
    assert!(program.exists(), "{} is missing: install the whole of git", program.display());
    program
}

/// Header lines, an empty line, a body; the status is a header.
fn response(output: &[u8]) -> Response<Full<Bytes>> {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no CGI answer: {}", String::from_utf8_lossy(output)));
    let mut response = Response::new(Full::new(Bytes::copy_from_slice(&output[end + 4..])));
    for line in std::str::from_utf8(&output[..end]).unwrap().split("\r\n") {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Status" {
            *response.status_mut() = StatusCode::from_bytes(&value.as_bytes()[..3]).unwrap();
        } else {
            response.headers_mut().append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
    }
    response
}
