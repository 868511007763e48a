//! The API server: from a request to a response. Both fronts call it; it knows neither.

use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response};

use super::access;
use super::admit::InfeasibleMode;
use super::discovery;
use super::fault::{ConnectionLost, Failure, Fault, FaultHook};
use super::request::{RequestFacts, Route, Target, Verb};
use super::resource::Served;
use super::respond::{Answer, ResponseBody};
use super::{read, remove, watch as follow, write};
use crate::store::{ApiError, Listener, Reason, Signal, Store};

/// How the server behaves.
#[derive(Clone, Default)]
pub struct ApiOptions {
    /// Asked about each request; absent, nothing goes wrong.
    pub faults: Option<FaultHook>,
    /// Who refuses a resize beyond a node's size.
    pub infeasible: InfeasibleMode,
}

/// The API server of the embedded cluster. Clones are one server.
#[derive(Clone)]
pub struct ApiServer {
    store: Store,
    options: ApiOptions,
    cut: Signal,
}

impl ApiServer {
    /// A server over a store.
    pub fn new(store: Store, options: ApiOptions) -> Self {
        ApiServer { store, options, cut: Signal::default() }
    }

    /// The objects that it serves.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Who refuses a resize beyond a node's size.
    pub fn infeasible(&self) -> InfeasibleMode {
        self.options.infeasible
    }

    /// Ends every watch that is open now, as a server that restarts does.
    pub fn drop_watches(&self) {
        self.cut.ring();
    }

    /// Hears when watches are to end.
    pub fn cut_signal(&self) -> Listener {
        self.cut.listen()
    }

    /// Handles one request, faults included.
    ///
    /// # Errors
    /// The connection is lost where the fault hook says so.
    pub async fn handle(&self, head: Parts, body: Bytes) -> Result<Response<ResponseBody>, ConnectionLost> {
        let facts = RequestFacts::read(&head);
        let fault = self.options.faults.as_ref().map(|hook| hook(&facts)).unwrap_or_default();
        pause(fault.delay).await;
        let answer = match fault.failure {
            Failure::DropBefore => return Err(ConnectionLost),
            Failure::Status(429) => Answer::too_many(),
            Failure::Status(code) => Answer::refusal(&injected(code)),
            Failure::None | Failure::DropAfter => self.answer(&facts, fault, &body),
        };
        pause(fault.reply_delay).await;
        match fault.failure {
            Failure::DropAfter => Err(ConnectionLost),
            Failure::None | Failure::DropBefore | Failure::Status(_) => Ok(answer.into_response()),
        }
    }

    fn answer(&self, facts: &RequestFacts, fault: Fault, body: &[u8]) -> Answer {
        let outcome = match &facts.route {
            Route::Resource(target) => self.resource(target, facts, fault, body),
            Route::Other(segments) => discovery::answer(self, segments, facts),
        };
        tracing::debug!(method = %facts.method, path = %facts.path, refused = ?outcome.as_ref().err(), "request");
        outcome.unwrap_or_else(|error| Answer::refusal(&error))
    }

    fn resource(&self, target: &Target, facts: &RequestFacts, fault: Fault, body: &[u8]) -> Result<Answer, ApiError> {
        if facts.method == Method::HEAD {
            return Err(super::request::method_not_allowed());
        }
        if access::is_review(target) && facts.method == Method::POST {
            return access::answer(body);
        }
        let served = Served::find(&self.store, target)?;
        if body.len() > super::body::LARGEST {
            return Err(super::body::too_large());
        }
        match facts.verb(target)? {
            Verb::Get => read::get(self, served, target, facts),
            Verb::List => read::list(self, served, target, facts),
            Verb::Watch => follow::watch(self, served, target, facts, fault.watch),
            Verb::Create => write::create(self, served, target, facts, body),
            Verb::Update => write::update(self, served, target, facts, body),
            Verb::Patch => write::patch(self, served, target, facts, body),
            Verb::Delete => remove::one(self, served, target, facts, body),
            Verb::DeleteCollection => remove::many(self, served, target, facts, body),
        }
    }
}

async fn pause(delay: Duration) {
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
}

fn injected(code: u16) -> ApiError {
    let error = ApiError::new(Reason::from_code(code), "the server is not able to handle the request now");
    if matches!(code, 429 | 503) { error.retry_after(1) } else { error }
}
