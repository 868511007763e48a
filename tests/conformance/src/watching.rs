//! Reading a watch line by line. A silence that is too long is an error, never a wait without end.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::Value;

/// How long an event may take that must come.
const PATIENCE: Duration = Duration::from_secs(10);

/// An open watch.
pub struct Watch {
    body: Body,
    namespace: String,
    buffered: Vec<u8>,
}

impl Watch {
    /// A watch from the body of its answer.
    pub fn new(body: Body, namespace: &str) -> Self {
        Watch { body, namespace: namespace.to_owned(), buffered: Vec::new() }
    }

    /// The next event, or nothing where the server ended the watch.
    ///
    /// # Errors
    /// Where neither comes, or what comes is no event.
    pub async fn next(&mut self) -> Result<Option<Value>> {
        self.within(PATIENCE).await
    }

    /// [`Watch::next`] with a patience of one's own.
    ///
    /// # Errors
    /// Those of [`Watch::next`].
    pub async fn within(&mut self, patience: Duration) -> Result<Option<Value>> {
        let read = tokio::time::timeout(patience, self.line()).await;
        let Some(line) = read.context("the watch says nothing")?? else { return Ok(None) };
        let text = String::from_utf8(line)?.replace(&self.namespace, "NS");
        Ok(Some(serde_json::from_str(&text).with_context(|| format!("no event: {text}"))?))
    }

    /// The next event that is no bookmark.
    ///
    /// # Errors
    /// Where the watch ends or says nothing.
    pub async fn event(&mut self) -> Result<Value> {
        loop {
            match self.next().await? {
                None => bail!("the watch ended"),
                Some(event) if event.get("type").and_then(Value::as_str) == Some("BOOKMARK") => {}
                Some(event) => return Ok(event),
            }
        }
    }

    /// The type and the name of the next event's object.
    ///
    /// # Errors
    /// Those of [`Watch::event`].
    pub async fn brief(&mut self) -> Result<(String, String)> {
        let event = self.event().await?;
        Ok((super::text_at(&event, "/type"), super::text_at(&event, "/object/metadata/name")))
    }

    async fn line(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.buffered.iter().position(|byte| *byte == b'\n') {
                let rest = self.buffered.split_off(end.saturating_add(1));
                return Ok(Some(std::mem::replace(&mut self.buffered, rest)));
            }
            match self.body.frame().await {
                None if self.buffered.is_empty() => return Ok(None),
                None => bail!("the watch ended in the middle of an event"),
                Some(frame) => {
                    if let Ok(data) = frame?.into_data() {
                        self.buffered.extend_from_slice(&data);
                    }
                }
            }
        }
    }
}
