//! An AdmissionReview is read, answered by what decides, and written. What cannot be read is told so, and never allowed by accident.

use k8s_openapi::api::core::v1::Pod;
use kube::core::DynamicObject;
use kube::core::admission::{
    AdmissionRequest, AdmissionResponse, AdmissionReview, META_API_VERSION_V1, META_KIND, Operation,
};
use kube::{Api, Client, ResourceExt};
use reef_api::names::{APPLIED_BY_EXTRA, CONTROLLER_MANAGER, REEF_GROUP, VM_GROUP, VM_LABEL};
use reef_api::{EffectivePolicy, GitSource, GitSourceSpec, SizingPolicy, VirtualMachine, VmKey};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::decide::{self, Patch, Verdict, VmQuestion};
use crate::known::Known;
use crate::metrics::{Ended, Metrics};

/// The body of a request that is no review.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// No JSON, or not of the shape of a review.
    #[error("the body is no AdmissionReview: {0}")]
    Json(#[from] serde_json::Error),
    /// Of another kind or version.
    #[error("the body is {kind} of {version}; {META_KIND} of {META_API_VERSION_V1} is answered")]
    Version {
        /// The kind found.
        kind: String,
        /// The version found.
        version: String,
    },
    /// Without a request, or one without a uid.
    #[error("the {META_KIND} holds no request with a uid")]
    Empty,
}

/// What a GitSource may say is known to who fetches it.
pub type SourceCheck = Arc<dyn Fn(&GitSourceSpec) -> Result<(), String> + Send + Sync>;

/// Whatever answers need.
#[derive(Clone)]
pub struct Desk {
    /// Policies and sources.
    pub known: Known,
    /// For the VM of a Pod.
    pub client: Client,
    /// Users whose writes are Reef's own.
    pub own_users: Arc<BTreeSet<String>>,
    /// What a GitSource may say.
    pub source_check: SourceCheck,
    /// What is counted.
    pub metrics: Metrics,
}

/// Reads a review.
///
/// # Errors
/// Where the body is none, or none of a version that is known.
pub fn read(body: &[u8]) -> Result<AdmissionRequest<DynamicObject>, ReviewError> {
    let review: AdmissionReview<DynamicObject> = serde_json::from_slice(body)?;
    if review.types.kind != META_KIND || review.types.api_version != META_API_VERSION_V1 {
        return Err(ReviewError::Version { kind: review.types.kind, version: review.types.api_version });
    }
    // With the request goes what the answer has to call itself.
    let request: AdmissionRequest<DynamicObject> = review.try_into().map_err(|_| ReviewError::Empty)?;
    if request.uid.is_empty() { Err(ReviewError::Empty) } else { Ok(request) }
}

impl Desk {
    /// Fills in what a VM leaves out. What cannot be read is left as it is: the API server says what is wrong with it.
    pub fn mutate(&self, request: &AdmissionRequest<DynamicObject>) -> AdmissionResponse {
        let response = AdmissionResponse::from(request);
        let asked = what(request);
        if asked != Asked::Vm || ends(request) {
            return response;
        }
        let Some((object, vm)) = both::<VirtualMachine>(request.object.as_ref()) else { return response };
        let Ok(policy) = self.known.policy_for(&namespace(request), &vm) else { return response };
        patched(response, decide::filling(&object, &vm, &policy))
    }

    /// Allows or refuses.
    pub async fn validate(&self, request: &AdmissionRequest<DynamicObject>) -> AdmissionResponse {
        let verdict = match what(request) {
            _ if ends(request) => Verdict::allowed(),
            Asked::Vm => self.vm(request),
            Asked::Policy => self.policy(request),
            Asked::Source => self.source(request),
            Asked::PodResize => self.pod_resize(request).await,
            Asked::Other => Verdict::allowed(),
        };
        said(AdmissionResponse::from(request), verdict)
    }

    fn vm(&self, request: &AdmissionRequest<DynamicObject>) -> Verdict {
        let Some((object, mut vm)) = both::<VirtualMachine>(request.object.as_ref()) else {
            return unreadable(request);
        };
        let namespace = namespace(request);
        vm.metadata.namespace = Some(namespace.clone());
        let generated = vm.metadata.generate_name.as_ref().filter(|_| vm.metadata.name.is_none());
        // The API server has not made the name yet: what it will append is a part of a label.
        if let Some(prefix) = generated {
            vm.metadata.name = Some(format!("{prefix}x"));
        }
        let old = both::<VirtualMachine>(request.old_object.as_ref());
        let policy = self.known.policy_for(&namespace, &vm);
        let ours = self.is_own(request) || applied_by_reef(request);
        let owner = old.as_ref().filter(|_| !ours).and_then(|(_, old)| self.known.owner_of(old));
        decide::vm(&VmQuestion {
            new: &vm,
            new_object: &object,
            old: old.as_ref().map(|(object, vm)| (vm, object)),
            policy: &policy,
            owner: owner.as_ref(),
        })
    }

    /// Whether one of Reef's own accounts writes.
    fn is_own(&self, request: &AdmissionRequest<DynamicObject>) -> bool {
        request.user_info.username.as_ref().is_some_and(|user| self.own_users.contains(user))
    }

    fn policy(&self, request: &AdmissionRequest<DynamicObject>) -> Verdict {
        let Some((_, new)) = both::<SizingPolicy>(request.object.as_ref()) else { return unreadable(request) };
        let old = both::<SizingPolicy>(request.old_object.as_ref());
        let others = self.known.other_selectors(&namespace(request), &request.name);
        decide::sizing_policy(&new.spec, old.as_ref().map(|(_, old)| &old.spec), &others)
    }

    fn source(&self, request: &AdmissionRequest<DynamicObject>) -> Verdict {
        let Some((_, new)) = both::<GitSource>(request.object.as_ref()) else { return unreadable(request) };
        let old = both::<GitSource>(request.old_object.as_ref());
        if old.is_some_and(|(_, old)| old.spec == new.spec) {
            return Verdict::allowed();
        }
        (self.source_check)(&new.spec).map_or_else(Verdict::refusing, |()| Verdict::allowed())
    }

    async fn pod_resize(&self, request: &AdmissionRequest<DynamicObject>) -> Verdict {
        if self.is_own(request) {
            return Verdict::allowed();
        }
        let (new, old) = (both::<Pod>(request.object.as_ref()), both::<Pod>(request.old_object.as_ref()));
        let (Some((_, new)), Some((_, old))) = (new, old) else { return unreadable(request) };
        let Some(name) = old.labels().get(VM_LABEL) else { return Verdict::allowed() };
        let key = VmKey::new(namespace(request), name.clone());
        let vm = match self.vm_of(&key).await {
            Ok(vm) => vm,
            Err(error) => {
                let why = reef_watch::Chain(&error).to_string();
                return Verdict::refusing(format!(
                    "what VM {key} holds cannot be read at present, and a Pod below it would kill the VM: {why}; try again"
                ));
            }
        };
        let policy = vm.as_ref().and_then(|vm| self.known.policy_for(&key.namespace, vm).ok());
        decide::pod_resize(&key, &old, &new, vm.as_ref(), &policy.unwrap_or_else(EffectivePolicy::default))
    }

    async fn vm_of(&self, key: &VmKey) -> Result<Option<VirtualMachine>, kube::Error> {
        let api: Api<VirtualMachine> = Api::namespaced(self.client.clone(), &key.namespace);
        api.get_opt(&key.name).await
    }
}

/// What a request is about, as a label of metrics.
pub fn resource(request: &AdmissionRequest<DynamicObject>) -> &'static str {
    match what(request) {
        Asked::Vm => "virtualmachines",
        Asked::Policy => "sizingpolicies",
        Asked::Source => "gitsources",
        Asked::PodResize => "pods/resize",
        Asked::Other => "other",
    }
}

/// What an answer says.
pub fn ended(response: &AdmissionResponse) -> Ended {
    match (response.allowed, response.patch.is_some(), response.warnings.is_some()) {
        (false, _, _) => Ended::Refused,
        (true, true, _) => Ended::Filled,
        (true, false, true) => Ended::Warned,
        (true, false, false) => Ended::Allowed,
    }
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Vm,
    Policy,
    Source,
    PodResize,
    /// Nothing that is judged here: a configuration that sends it is wider than it has to be.
    Other,
}

fn what(request: &AdmissionRequest<DynamicObject>) -> Asked {
    let resource = &request.resource;
    let part = request.sub_resource.as_deref().filter(|part| !part.is_empty());
    match (resource.group.as_str(), resource.resource.as_str(), part) {
        (VM_GROUP, "virtualmachines", None) => Asked::Vm,
        (REEF_GROUP, "sizingpolicies", None) => Asked::Policy,
        (REEF_GROUP, "gitsources", None) => Asked::Source,
        ("", "pods", Some("resize")) => Asked::PodResize,
        _ => Asked::Other,
    }
}

/// What is deleted, or lets go of, is never held up.
fn ends(request: &AdmissionRequest<DynamicObject>) -> bool {
    let deleting = |object: &DynamicObject| object.metadata.deletion_timestamp.is_some();
    matches!(request.operation, Operation::Delete | Operation::Connect) || request.object.as_ref().is_none_or(deleting)
}

/// Whether the controller writes as the account of a source. The mark cannot be set without the right to impersonate it.
fn applied_by_reef(request: &AdmissionRequest<DynamicObject>) -> bool {
    let marks = request.user_info.extra.as_ref().and_then(|extra| extra.get(APPLIED_BY_EXTRA));
    marks.is_some_and(|marks| marks.iter().any(|mark| mark == CONTROLLER_MANAGER))
}

/// The namespace of the request: that of a new object may be empty.
fn namespace(request: &AdmissionRequest<DynamicObject>) -> String {
    request.namespace.clone().unwrap_or_default()
}

/// An object as it was sent, and typed.
fn both<K: DeserializeOwned>(object: Option<&DynamicObject>) -> Option<(Value, K)> {
    let object = serde_json::to_value(object?).ok()?;
    let typed = K::deserialize(&object).ok()?;
    Some((object, typed))
}

fn unreadable(request: &AdmissionRequest<DynamicObject>) -> Verdict {
    Verdict::refusing(format!(
        "the {} cannot be read by Reef {}: its fields are not those of the kind that this version knows",
        request.kind.kind,
        env!("CARGO_PKG_VERSION")
    ))
}

fn patched(response: AdmissionResponse, patch: Patch) -> AdmissionResponse {
    let operations = patch.operations();
    if operations.is_empty() {
        return response;
    }
    let unchanged = response.clone();
    response.with_patch(json_patch::Patch(operations)).unwrap_or(unchanged)
}

/// A warning is one line of a header; what is longer is cut by the server.
const WARNING_LENGTH: usize = 256;

fn said(mut response: AdmissionResponse, verdict: Verdict) -> AdmissionResponse {
    let Verdict { refused, warnings } = verdict;
    if !refused.is_empty() {
        response = response.deny(refused.join("; "));
        response.result.code = 422;
        response.result.reason = "Invalid".to_owned();
    }
    let line = |warning: String| {
        warning.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).take(WARNING_LENGTH).collect()
    };
    let warnings: Vec<String> = warnings.into_iter().map(line).collect();
    response.warnings = (!warnings.is_empty()).then_some(warnings);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn applied_as(extra: &Value) -> bool {
        let resource = json!({ "group": VM_GROUP, "version": "v1beta1", "resource": "virtualmachines" });
        let review = json!({
            "apiVersion": META_API_VERSION_V1, "kind": META_KIND,
            "request": {
                "uid": "u-1", "name": "web-1", "namespace": "vms", "operation": "DELETE", "resource": resource,
                "kind": { "group": VM_GROUP, "version": "v1beta1", "kind": "VirtualMachine" },
                "userInfo": { "username": "system:serviceaccount:vms:reef-source", "extra": extra },
            },
        });
        applied_by_reef(&read(review.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn a_write_as_the_account_of_a_source_is_gits_only_with_the_mark_of_the_controller() {
        assert!(applied_as(&json!({ "reef.dev/applied-by": ["reef-controller"] })));
        let others = [
            json!(null),
            json!({}),
            json!({ "reef.dev/applied-by": ["somebody"] }),
            json!({ "authentication.kubernetes.io/node-name": ["reef-controller"] }),
        ];
        assert!(others.iter().all(|extra| !applied_as(extra)));
    }
}
