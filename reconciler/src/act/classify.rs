//! From the server's answer to an outcome. Pure: status code, reasons, causes, and where Kubernetes has nothing else, its texts.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Status, StatusCause};

use super::outcome::{Outcome, Refused};
use super::request::Request;
use crate::decide::observed::RefusalKind;

/// What fits into a condition beside our own words, in characters.
const MESSAGE_LIMIT: usize = 800;

/// An answer that is no success.
#[derive(Clone, Debug, PartialEq)]
pub struct Denial {
    /// HTTP status.
    pub code: u16,
    /// The body as a Status; empty where it was none.
    pub status: Status,
    /// The header `Retry-After`.
    pub retry_after: Option<Duration>,
}

/// The outcome that a denial means for a request.
pub fn classify<T>(request: &Request, denial: &Denial) -> Outcome<T> {
    let message = denial.message(request);
    if let Some(kind) = denial.policy() {
        return Outcome::Refused(Refused { kind, message });
    }
    match denial.code {
        404 | 405 if request.resizes() && !denial.names_object() => {
            Outcome::Refused(Refused { kind: RefusalKind::Unsupported, message })
        }
        404 if denial.names_object() => Outcome::Gone(message),
        404 | 405 => Outcome::Refused(Refused { kind: RefusalKind::Unsupported, message }),
        409 | 422 if denial.other_uid() => Outcome::Gone(message),
        409 => Outcome::Conflict(message),
        403 => Outcome::Refused(Refused { kind: denial.forbidden(), message }),
        // A token that was replaced is read anew within a minute; until then nothing that is asked can succeed.
        401 => Outcome::Throttled { retry_after: None, message },
        429 => Outcome::Throttled { retry_after: denial.pause(), message },
        code if (400..500).contains(&code) && code != 408 => {
            Outcome::Refused(Refused { kind: RefusalKind::Invalid, message })
        }
        _ => Outcome::Unknown(message),
    }
}

impl Denial {
    fn text(&self) -> &str {
        self.status.message.as_deref().unwrap_or_default()
    }

    fn causes(&self) -> &[StatusCause] {
        self.status.details.as_ref().and_then(|details| details.causes.as_deref()).unwrap_or_default()
    }

    fn message(&self, request: &Request) -> String {
        let text = match self.text() {
            "" => format!("the server answered {} to {} {}", self.code, request.verb.as_str(), request.uri),
            text => text.to_owned(),
        };
        text.chars().take(MESSAGE_LIMIT).collect()
    }

    /// A missing object is named in the details; a missing path is not.
    fn names_object(&self) -> bool {
        self.status.details.as_ref().is_some_and(|details| details.name.as_deref().is_some_and(|name| !name.is_empty()))
    }

    /// Another object of the same name: a failed precondition on DELETE, an immutable field on PATCH.
    fn other_uid(&self) -> bool {
        let text = self.text();
        text.contains("UID in precondition")
            || (text.contains("metadata.uid") && text.contains("immutable"))
            || self.causes().iter().any(|cause| cause.field.as_deref() == Some("metadata.uid"))
    }

    /// Webhooks and admission policies choose their own status code, so their texts are looked at first.
    fn policy(&self) -> Option<RefusalKind> {
        let text = self.text();
        let denied = text.contains("admission webhook") && text.contains("denied the request");
        let by_policy = text.contains("ValidatingAdmissionPolicy") && text.contains("denied request");
        (denied || by_policy).then_some(RefusalKind::Admission)
    }

    fn forbidden(&self) -> RefusalKind {
        let text = self.text();
        let capacity = self.causes().iter().any(|cause| cause.reason.as_deref() == Some("NodeCapacity"));
        let limits = ["maximum cpu usage", "maximum memory usage", "minimum cpu usage", "minimum memory usage"];
        let quota = text.contains("exceeded quota") || limits.iter().any(|limit| text.contains(limit));
        if capacity {
            RefusalKind::NodeCapacity
        } else if quota || text.contains("limit to request ratio") {
            RefusalKind::Quota
        } else {
            RefusalKind::Forbidden
        }
    }

    fn pause(&self) -> Option<Duration> {
        let seconds = self.status.details.as_ref().and_then(|details| details.retry_after_seconds);
        let told = seconds.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        self.retry_after.or(told)
    }
}
