//! What goes wrong between the roles and the API server, changed while the world lives; and what the roles have asked for.
//!
//! Only requests of roles can fail: what a person does by hand always works. A fault decides nothing about an object.

use http_body_util::BodyExt;
use http_body_util::StreamBody;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Bytes, Frame};
use hyper::{Method, Response};
use reef_sim::api::respond::ResponseBody;
use reef_sim::api::{Fault, RequestFacts};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How long a watch may be silent before its connection is taken for dead, as in production.
const SILENCE: Duration = Duration::from_secs(330);

type Hook = Box<dyn FnMut(&RequestFacts) -> Fault + Send>;

/// A request of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// When it came in, since the world began.
    pub at: Duration,
    /// Who sent it: `controller`, or a node's name for its daemon.
    pub role: String,
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
}

impl Call {
    /// Whether it is to change anything.
    pub fn writes(&self) -> bool {
        self.method != Method::GET
    }
}

/// The switch of faults, and the record of requests. Clones are one switch.
#[derive(Clone)]
pub struct Faults {
    start: Instant,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    hook: Option<Hook>,
    calls: Vec<Call>,
}

impl Faults {
    /// A switch that is off.
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), inner: Arc::default() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on each request of a role meets what `hook` says; its user agent names the role.
    pub fn set(&self, hook: impl FnMut(&RequestFacts) -> Fault + Send + 'static) {
        self.inner().hook = Some(Box::new(hook));
    }

    /// Nothing goes wrong any more.
    pub fn clear(&self) {
        self.inner().hook = None;
    }

    /// Every request of a role so far, watches included.
    pub fn calls(&self) -> Vec<Call> {
        self.inner().calls.clone()
    }

    /// How many requests of a role there were so far, watches included.
    pub(super) fn count(&self) -> usize {
        self.inner().calls.len()
    }

    /// How many requests so far were to change something.
    pub fn writes(&self) -> usize {
        self.inner().calls.iter().filter(|call| call.writes()).count()
    }

    /// What one request meets.
    pub(super) fn meet(&self, facts: &RequestFacts) -> Fault {
        if facts.user_agent.is_empty() {
            return Fault::default();
        }
        let at = self.start.elapsed();
        let mut inner = self.inner();
        let (role, method, path) = (facts.user_agent.clone(), facts.method.clone(), facts.path.clone());
        inner.calls.push(Call { at, role, method, path });
        inner.hook.as_mut().map(|hook| hook(facts)).unwrap_or_default()
    }
}

/// The connection is dead.
#[derive(Debug, thiserror::Error)]
#[error("nothing was heard for {} s", SILENCE.as_secs())]
pub(super) struct Silent;

/// A reply whose connection is taken for dead when nothing is heard on it.
pub(super) fn bounded(response: Response<ResponseBody>) -> Response<UnsyncBoxBody<Bytes, Silent>> {
    response.map(|body| {
        let frames = futures::stream::unfold(Some(body), async |body| {
            let mut body = body?;
            match tokio::time::timeout(SILENCE, body.frame()).await {
                Ok(Some(Ok(frame))) => Some((Ok::<Frame<Bytes>, Silent>(frame), Some(body))),
                Ok(Some(Err(never))) => match never {},
                Ok(None) => None,
                Err(_) => Some((Err(Silent), None)),
            }
        });
        StreamBody::new(frames).boxed_unsync()
    })
}
