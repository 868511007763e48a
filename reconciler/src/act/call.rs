//! One request, one attempt, one deadline.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Client;
use kube::client::Body;
use reef_watch::Chain;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::account::{Account, acting_as};
use super::classify::{Denial, classify};
use super::outcome::Outcome;
use super::request::Request;
use crate::metrics::Metrics;

/// How long one request may take. Beyond it the outcome is unknown.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Sends requests to the API server, and counts them.
#[derive(Clone)]
pub struct Caller {
    client: Client,
    metrics: Metrics,
    /// As whom requests are made; as the controller itself where there is none.
    account: Option<Account>,
}

/// What came back, before it is judged.
pub(super) enum Answer {
    /// A success, with its body, which nobody has read yet.
    Good(Bytes),
    /// Anything else that is an answer.
    Denied(Box<Denial>),
    /// No answer.
    Lost(String),
}

impl Answer {
    /// What it comes to, in the word for metrics.
    fn category(&self, request: &Request) -> &'static str {
        match self {
            Self::Good(_) => Outcome::Done(()).category(),
            Self::Denied(denial) => classify::<()>(request, denial).category(),
            Self::Lost(_) => Outcome::<()>::Unknown(String::new()).category(),
        }
    }
}

impl Caller {
    /// Sends through `client`. It must not retry by itself.
    pub fn new(client: Client, metrics: Metrics) -> Self {
        Self { client, metrics, account: None }
    }

    /// The same, as a service account and by its rights.
    #[must_use]
    pub fn acting_as(&self, account: Option<Account>) -> Self {
        Self { account, ..self.clone() }
    }

    /// Sends a request and says what came of it.
    pub async fn call(&self, request: &Request) -> Outcome<Bytes> {
        match self.call_unread(request).await {
            Outcome::Done(body) => match serde_json::from_slice::<IgnoredAny>(&body) {
                Ok(_) => Outcome::Done(body),
                Err(error) => Outcome::Unknown(format!(
                    "{} {}: the answer cannot be read: {error}",
                    request.verb.as_str(),
                    request.uri
                )),
            },
            other => other,
        }
    }

    /// The same, for who reads the answer at once and says what it means that it cannot be read.
    pub(super) async fn call_unread(&self, request: &Request) -> Outcome<Bytes> {
        match self.answer(request).await {
            Answer::Good(body) => Outcome::Done(body),
            Answer::Denied(denial) => classify(request, &denial),
            Answer::Lost(why) => Outcome::Unknown(why),
        }
    }

    /// Sends a request whose denials mean something of their own.
    pub(super) async fn answer(&self, request: &Request) -> Answer {
        let answer = self.answered(request).await;
        self.metrics.requests.of([request.verb.as_str(), answer.category(request)]).inc();
        answer
    }

    async fn answered(&self, request: &Request) -> Answer {
        match tokio::time::timeout(DEADLINE, self.send(request)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(why)) => Answer::Lost(format!("{} {}: {why}", request.verb.as_str(), request.uri)),
            Err(_) => Answer::Lost(format!(
                "{} {}: no answer within {} s",
                request.verb.as_str(),
                request.uri,
                DEADLINE.as_secs()
            )),
        }
    }

    async fn send(&self, request: &Request) -> Result<Answer, String> {
        let body = match &request.body {
            Value::Null => Vec::new(),
            body => serde_json::to_vec(body).map_err(|error| error.to_string())?,
        };
        let built = acting_as(http::Request::builder(), self.account.as_ref())
            .method(request.verb.method())
            .uri(&request.uri)
            .header(CONTENT_TYPE, request.verb.content_type())
            .header(ACCEPT, "application/json")
            .body(Body::from(body));
        let response = self.client.send(built.map_err(|error| error.to_string())?).await;
        read(response.map_err(|error| Chain(&error).to_string())?).await
    }
}

async fn read(response: http::Response<Body>) -> Result<Answer, String> {
    let code = response.status();
    let pause = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let bytes = response.into_body().collect_bytes().await.map_err(|error| error.to_string())?;
    if code.is_success() {
        return Ok(Answer::Good(bytes));
    }
    let status: Status = serde_json::from_slice(&bytes).unwrap_or_default();
    let retry_after = pause.map(Duration::from_secs);
    Ok(Answer::Denied(Box::new(Denial { code: code.as_u16(), status, retry_after })))
}
