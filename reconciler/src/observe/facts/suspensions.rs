//! Suspensions as facts: what the controller tells of them, and when they end. Pure; whether one holds at present is the controller's word, by its clock.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use reef_api::condition::{SUSPENDED, find, is_true};
use reef_api::facts::{SuspendedSource, SuspensionFacts};
use reef_api::suspension::{of_annotations, of_source};
use reef_api::{GitSource, Suspended, VirtualMachine};

/// The suspension of a VM.
pub(super) fn vm(vm: &VirtualMachine) -> Option<SuspensionFacts> {
    let stated = of_annotations(vm.metadata.annotations.as_ref(), Timestamp::MIN);
    told(&vm.status.as_ref()?.conditions, stated)
}

/// A source, where it is suspended.
pub(super) fn source(source: &GitSource) -> Option<SuspendedSource> {
    let suspended = told(&source.status.as_ref()?.conditions, of_source(source, Timestamp::MIN))?;
    let (namespace, name) = (source.metadata.namespace.clone()?, source.metadata.name.clone()?);
    Some(SuspendedSource { namespace, name, suspended })
}

fn told(conditions: &[Condition], stated: Option<Suspended>) -> Option<SuspensionFacts> {
    let told = find(conditions, SUSPENDED).filter(|_| is_true(conditions, SUSPENDED))?.message.clone();
    Some(SuspensionFacts { told, until: stated?.until })
}
