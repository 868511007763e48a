//! What people ask of a VM beside its spec, each by an annotation: a new start, another try, an end of trying.
//!
//! Pure. A request is a value: another value is another request. A start is answered by the Pod, which says for which value it was made; the other two by the
//! VM's status, which says which value was taken up last. So a crash repeats none and loses none.

use crate::decide::observed::{PodObserved, VmObserved};
use crate::decide::target::Target;
use reef_api::Request;
use reef_api::vm::ResizeStatus;
use std::collections::BTreeMap;

/// Characters of a value that count: it is copied into the VM's status.
const COUNTED: usize = 100;

/// The present requests of a VM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// A new start.
    pub restart: Option<String>,
    /// Another try of what was refused or given up.
    pub retry: Option<String>,
    /// An end of trying: the rest of a resize is given up.
    pub settle: Option<String>,
}

impl Asked {
    /// Reads the requests of annotations; an empty value asks for nothing.
    pub fn of(annotations: Option<&BTreeMap<String, String>>) -> Self {
        let value = |request: Request| {
            let value: String = annotations?.get(request.annotation())?.chars().take(COUNTED).collect();
            (!value.is_empty()).then_some(value)
        };
        Self { restart: value(Request::Restart), retry: value(Request::Retry), settle: value(Request::Settle) }
    }
}

/// Whether a VM is to be started anew: its Pod was not made for the present request. Not what its run policy would not start again, and nothing while the
/// spec cannot be used or is kept from the VM: it would go and not come back, or come back as another one.
pub fn restarts(target: &Target, pod: &PodObserved) -> bool {
    let asked = target.asked.restart.is_some() && pod.restarted != target.asked.restart;
    asked && target.is_usable() && target.vm.run_policy.restarts() && target.hold.is_none()
}

/// Whether another try is asked for that has not been taken up.
pub fn retries(target: &Target, observed: &VmObserved) -> bool {
    is_new(&target.asked.retry, observed, |resize| &resize.retry_handled)
}

/// Whether an end of trying is asked for that has not been taken up.
pub fn settles(target: &Target, observed: &VmObserved) -> bool {
    is_new(&target.asked.settle, observed, |resize| &resize.settle_handled)
}

/// Whether something is asked for, and the resize that there is has taken up another value last.
fn is_new(asked: &Option<String>, observed: &VmObserved, handled: impl Fn(&ResizeStatus) -> &Option<String>) -> bool {
    asked.is_some() && observed.status.resize.as_ref().is_some_and(|resize| handled(resize) != asked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use reef_api::names::RETRY_ANNOTATION;

    #[test]
    fn a_request_is_a_value_of_bounded_length() {
        let marks = |value: &str| BTreeMap::from([(RETRY_ANNOTATION.to_owned(), value.to_owned())]);
        assert_eq!(Asked::of(Some(&marks("now"))), Asked { retry: Some("now".to_owned()), ..Asked::default() });
        assert_eq!(Asked::of(Some(&marks(""))), Asked::default());
        assert_eq!(Asked::of(None), Asked::default());
        let long = Asked::of(Some(&marks(&"é".repeat(500)))).retry.unwrap();
        assert_eq!(long.chars().count(), COUNTED);
    }
}
