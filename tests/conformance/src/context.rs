//! What a case works with: a server, a namespace of its own, and hands on the server for what no request can do.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use futures::future::BoxFuture;
use http::Request;
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::call::{Call, PatchKind};
use crate::watching::Watch;

/// The group of the suite's own kind.
pub const GROUP: &str = "conformance.reef.dev";

/// How long something may take that the server does in its own time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is done to a server beside its API.
pub type Hand = Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// The hands of whoever started the server.
#[derive(Clone)]
pub struct Hands {
    /// Forgets the history up to the present.
    pub compact: Hand,
    /// Makes the server refuse every request of the user, or of the program, `throttled`.
    pub throttle: Hand,
}

/// What a case works with.
#[derive(Clone)]
pub struct Context {
    client: Client,
    /// The case's own namespace.
    pub namespace: String,
    /// The minor version that the server says it is.
    pub minor: u32,
    /// The hands of whoever started the server.
    pub hands: Hands,
}

impl Context {
    /// A context with a namespace that exists.
    pub fn new(client: Client, namespace: String, minor: u32, hands: Hands) -> Self {
        Context { client, namespace, minor, hands }
    }

    /// The path of a collection or object: `pods/a` is in the case's namespace, `/version` is as it is.
    pub fn path(&self, path: &str) -> String {
        if path.starts_with('/') {
            return path.replace("NS", &self.namespace);
        }
        let plural = path.split(['/', '?']).next().unwrap_or_default();
        let prefix = match plural {
            "widgets" => format!("/apis/{GROUP}/v1"),
            "leases" => "/apis/coordination.k8s.io/v1".to_owned(),
            "virtualmachines" => "/apis/cloudhypervisor.quill.today/v1beta1".to_owned(),
            "gitsources" | "sizingpolicies" | "capacitychecks" => "/apis/reef.dev/v1alpha1".to_owned(),
            _ => "/api/v1".to_owned(),
        };
        format!("{prefix}/namespaces/{}/{path}", self.namespace)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// Where no answer comes; every answer is one.
    pub async fn send(&self, call: Call) -> Result<Answer> {
        let shown = format!("{} {}", call.method, call.path);
        let response = self.client.send(self.request(call)?).await.with_context(|| shown.clone())?;
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.with_context(|| shown.clone())?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).replace(&self.namespace, "NS");
        Ok(Answer::new(head.status, head.headers, text))
    }

    /// Opens a watch on a path whose query asks for one.
    ///
    /// # Errors
    /// Where the server refuses.
    pub async fn watch(&self, path: &str) -> Result<Watch> {
        let response = self.client.send(self.request(Call::get(path))?).await?;
        if response.status() != 200 {
            let code = response.status();
            let bytes = response.into_body().collect().await?.to_bytes();
            bail!("{path}: the watch was refused with {code}: {}", String::from_utf8_lossy(&bytes));
        }
        Ok(Watch::new(response.into_body(), &self.namespace))
    }

    fn request(&self, call: Call) -> Result<Request<Body>> {
        let body = String::from_utf8(call.body.clone()).map(|text| text.replace("NS", &self.namespace).into_bytes());
        let mut request = Request::builder().method(call.method).uri(self.path(&call.path));
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        Ok(request.body(Body::from(body.unwrap_or(call.body)))?)
    }

    /// Reads.
    ///
    /// # Errors
    /// Those of [`Context::send`].
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Call::get(path)).await
    }

    /// Creates.
    ///
    /// # Errors
    /// Those of [`Context::send`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Call::post(path, body)).await
    }

    /// Replaces.
    ///
    /// # Errors
    /// Those of [`Context::send`].
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        self.send(Call::put(path, body)).await
    }

    /// Deletes.
    ///
    /// # Errors
    /// Those of [`Context::send`].
    pub async fn delete(&self, path: &str, options: &Value) -> Result<Answer> {
        self.send(Call::delete(path, options)).await
    }

    /// Patches.
    ///
    /// # Errors
    /// Those of [`Context::send`].
    pub async fn patch(&self, path: &str, kind: PatchKind, body: &Value) -> Result<Answer> {
        self.send(Call::patch(path, kind, body)).await
    }

    /// A merge patch that must succeed.
    ///
    /// # Errors
    /// With the answer where it does not.
    pub async fn merged(&self, path: &str, body: &Value) -> Result<Answer> {
        let answer = self.patch(path, PatchKind::Merge, body).await?;
        answer.expect(200).with_context(|| format!("PATCH {path}"))?;
        Ok(answer)
    }

    /// An object that must come to be.
    ///
    /// # Errors
    /// With the answer where it does not.
    pub async fn made(&self, path: &str, body: &Value) -> Result<Answer> {
        let answer = self.post(path, body).await?;
        answer.expect(201).with_context(|| format!("POST {path}"))?;
        Ok(answer)
    }

    /// Applies as a manager; `options` is further query, such as `&force=true`.
    ///
    /// # Errors
    /// Those of [`Context::send`].
    pub async fn apply(&self, path: &str, manager: &str, options: &str, body: &Value) -> Result<Answer> {
        self.patch(&format!("{path}?fieldManager={manager}{options}"), PatchKind::Apply, body).await
    }

    /// The version of the cluster now.
    ///
    /// # Errors
    /// Where a list does not say one.
    pub async fn version(&self) -> Result<i64> {
        self.get("configmaps?limit=1").await?.number_at("/metadata/resourceVersion")
    }

    /// Reads until what is read is as wanted.
    ///
    /// # Errors
    /// With the last answer where it never is.
    pub async fn until(&self, what: &str, path: &str, wanted: impl Fn(&Answer) -> bool) -> Result<Answer> {
        self.asked_until(what, || Call::get(path), wanted).await
    }

    /// Tries to create until it is refused with these words: a server learns of limits by watches of its own, and nothing is held to them before.
    ///
    /// # Errors
    /// With the last answer where it never is.
    pub async fn until_refused(&self, what: &str, path: &str, body: &Value, words: &str) -> Result<()> {
        let refused = |answer: &Answer| answer.code == 403 && answer.text.contains(words);
        self.asked_until(what, || Call::post(path, body), refused).await.map(drop)
    }

    /// Sends the same request until the answer is as wanted.
    async fn asked_until(
        &self,
        what: &str,
        call: impl Fn() -> Call,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Result<Answer> {
        let end = tokio::time::Instant::now().checked_add(PATIENCE).context("no such time")?;
        loop {
            let answer = self.send(call()).await?;
            if wanted(&answer) {
                return Ok(answer);
            }
            if tokio::time::Instant::now() > end {
                bail!("{what}: did not come; last seen {}: {}", answer.code, answer.text);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A ConfigMap.
pub fn config(name: &str) -> Value {
    json!({ "metadata": { "name": name, "labels": { "app": name } }, "data": { "a": "1" } })
}

/// An object of the suite's own kind.
pub fn widget(name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": format!("{GROUP}/v1"), "kind": "Widget", "metadata": { "name": name }, "spec": spec })
}
