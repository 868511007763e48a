//! What people and their browsers ask the API server of Argo CD, asked in the same words.
//!
//! One request for each connection, which is closed by its answer.
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{ArgoCd, Part};

impl ArgoCd {
    /// Reads something below `/api/v1/`.
    ///
    /// # Errors
    /// The server refuses it: what it says.
    pub async fn get(&self, path: &str) -> Result<Value> {
        answered(&self.request(Part::Server, "GET", &format!("/api/v1/{path}"), "").await?)
    }

    /// Posts something below `/api/v1/`, as the user interface does.
    ///
    /// # Errors
    /// The server refuses it: what it says.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        answered(&self.request(Part::Server, "POST", &format!("/api/v1/{path}"), &body.to_string()).await?)
    }

    /// Deletes something below `/api/v1/`.
    ///
    /// # Errors
    /// The server refuses it: what it says.
    pub async fn delete(&self, path: &str) -> Result<Value> {
        answered(&self.request(Part::Server, "DELETE", &format!("/api/v1/{path}"), "").await?)
    }

    pub(super) async fn healthy(&self, part: Part) -> Result<()> {
        body(&self.request(part, "GET", "/healthz", "").await?).map(drop)
    }

    async fn request(&self, part: Part, verb: &str, path: &str, content: &str) -> Result<String> {
        let address = self.address(part);
        let mut stream = TcpStream::connect(&address).await?;
        let length = content.len();
        let head = format!(
            "{verb} {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{content}"
        );
        stream.write_all(head.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }
}

fn answered(answer: &str) -> Result<Value> {
    let body = body(answer)?;
    serde_json::from_str(body).with_context(|| format!("it is no JSON: {body}"))
}

/// The body of an answer that says that all went well.
fn body(answer: &str) -> Result<&str> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of its head")?;
    ensure!(head.split_whitespace().nth(1) == Some("200"), "{answer}");
    Ok(body)
}
