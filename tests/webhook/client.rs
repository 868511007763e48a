//! An HTTP client of a few lines over TLS, so that anything can be sent.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A client with one connection.
pub struct Client {
    stream: BufReader<TlsStream<TcpStream>>,
}

/// What was answered.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Client {
    /// Speaks over a connection.
    pub fn new(stream: TlsStream<TcpStream>) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Sends the beginning of a request, and nothing more.
    pub async fn begin(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Sends a review.
    pub async fn post(&mut self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, "application/json", body.to_string().as_bytes()).await
    }

    /// Sends a request, and reads the answer. A server may answer and hang up before it has read all.
    pub async fn send(&mut self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: reef\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        self.stream.write_all(head.as_bytes()).await.unwrap();
        let _ = self.stream.write_all(body).await;
        let _ = self.stream.flush().await;
        self.answer().await
    }

    /// Whether the server hangs up before it says anything.
    pub async fn is_hung_up_on(&mut self) -> bool {
        let _ = self.stream.write_all(b"GET / HTTP/1.1\r\nhost: reef\r\n\r\n").await;
        let _ = self.stream.flush().await;
        self.stream.read_line(&mut String::new()).await.map_or(true, |read| read == 0)
    }

    async fn answer(&mut self) -> Answer {
        let mut status = String::new();
        self.stream.read_line(&mut status).await.unwrap();
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).await.unwrap();
            match line.trim().to_ascii_lowercase().split_once(": ") {
                Some(("content-length", value)) => length = value.parse().unwrap(),
                Some(_) => {}
                None => break,
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await.unwrap();
        Answer { status: status.split(' ').nth(1).unwrap().parse().unwrap(), body: String::from_utf8(body).unwrap() }
    }
}
