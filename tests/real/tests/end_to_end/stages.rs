//! The stages of one resize, each by the party that knows: when was it pushed, seen, planned, asked for, given, there?

use k8s_openapi::api::core::v1::Pod;
use reef_api::{Bytes, MilliCpu, Size, VirtualMachine};
use serde::Serialize;

use crate::guest::Line;
use crate::role::Role;
use crate::timeline::{Entry, Object};

/// Milliseconds from the push to each stage; nothing where a stage was not seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stages {
    /// The controller has read the commit.
    pub seen: Option<i64>,
    /// It has found the difference and says that it applies it.
    pub planned: Option<i64>,
    /// The VM object has it.
    pub applied: Option<i64>,
    /// The Pod is asked for a size that carries it (growing), or for the final one (shrinking).
    pub pod_asked: Option<i64>,
    /// The kubelet has allocated that.
    pub allocated: Option<i64>,
    /// The container really has it.
    pub actual: Option<i64>,
    /// The daemon may ask for the whole size.
    pub granted: Option<i64>,
    /// The VMM was asked for the last part of it.
    pub vmm_asked: Option<i64>,
    /// The guest says that it has it.
    pub guest: Option<i64>,
    /// The VM is Ready at this size.
    pub settled: Option<i64>,
}

/// A resize that is to be found in what happened.
pub struct Asked<'a> {
    /// Name of the VM.
    pub vm: &'a str,
    /// The commit.
    pub commit: &'a str,
    /// The size.
    pub size: Size,
    /// When it was pushed, in milliseconds since 1970.
    pub at: i64,
}

/// Finds the stages of a resize.
pub fn stages(asked: &Asked<'_>, entries: &[Entry], lines: &[Line], controller: &Role, daemon: &Role) -> Stages {
    let after: Vec<&Entry> = entries.iter().filter(|entry| entry.at >= asked.at).collect();
    let first = |fits: &dyn Fn(&Object) -> bool| after.iter().find(|entry| fits(&entry.object)).map(|entry| entry.at);
    let vm = |fits: &dyn Fn(&VirtualMachine) -> bool| {
        first(&|object| matches!(object, Object::Vm(vm) if vm.metadata.name.as_deref() == Some(asked.vm) && fits(vm)))
    };
    let pod = |fits: &dyn Fn(&Pod) -> bool| {
        first(&|object| matches!(object, Object::Pod(pod) if is_of(pod, asked.vm) && fits(pod)))
    };
    let carries = |found: Option<Bytes>, cpu: Option<MilliCpu>| {
        found == Some(Bytes(asked.size.memory.0 + OVERHEAD)) && cpu == Some(MilliCpu::from(asked.size.vcpus))
    };
    let log = |role: &Role, message: &str, key: &str, value: &str| {
        let told = role.told(message);
        told.into_iter().rfind(|(at, event)| *at >= asked.at && event[key] == value).map(|(at, _)| at)
    };
    let guest = lines.iter().find(|line| line.at >= asked.at && line.has(asked.size)).map(|line| line.at);
    let object = vm_key(&after, asked.vm);
    let since = |at: Option<i64>| at.map(|at| at - asked.at);
    Stages {
        seen: since(first(&|object| {
            matches!(object, Object::Source(source)
            if source.status.as_ref().and_then(|status| status.observed_commit.as_deref()) == Some(asked.commit))
        })),
        planned: since(log(controller, "what Git states is applied", "object", &object)),
        applied: since(vm(&|vm| {
            vm.metadata.annotations.as_ref().and_then(|all| all.get("reef.dev/revision")).map(String::as_str)
                == Some(asked.commit)
        })),
        pod_asked: since(pod(&|pod| carries(limit(pod, From::Spec, "memory"), cpu(pod, From::Spec)))),
        allocated: since(pod(&|pod| {
            limit(pod, From::Allocated, "memory") == Some(Bytes(asked.size.memory.0 + OVERHEAD))
        })),
        actual: since(pod(&|pod| carries(limit(pod, From::Actual, "memory"), cpu(pod, From::Actual)))),
        granted: since(vm(&|vm| {
            let grant =
                vm.status.as_ref().and_then(|status| status.resize.as_ref()).and_then(|resize| resize.grant.as_ref());
            grant.is_some_and(|grant| grant.size() == asked.size)
        })),
        vmm_asked: since(log(daemon, "VMM is asked for", "vm", &object)),
        guest: since(guest),
        settled: since(vm(&|vm| vm.is_settled() && vm.actual() == Some(asked.size))),
    }
}

/// What the stories' policy says that the VMM needs beside the guest.
pub const OVERHEAD: u64 = 256 << 20;

fn vm_key(entries: &[&Entry], name: &str) -> String {
    let namespace = entries.iter().find_map(|entry| match &entry.object {
        Object::Vm(vm) => vm.metadata.namespace.clone(),
        Object::Pod(_) | Object::Source(_) | Object::Application(_) => None,
    });
    format!("{}/{name}", namespace.unwrap_or_default())
}

fn is_of(pod: &Pod, vm: &str) -> bool {
    pod.metadata.labels.as_ref().and_then(|labels| labels.get("reef.dev/vm")).map(String::as_str) == Some(vm)
}

/// Which of a Pod's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// What is wished for.
    Spec,
    /// What the kubelet has allocated.
    Allocated,
    /// What the container has.
    Actual,
}

/// A limit of the container `vm-manager`; of what is allocated there are requests only.
pub fn limit(pod: &Pod, from: From, resource: &str) -> Option<Bytes> {
    quantity(pod, from, resource)?.parse().ok()
}

fn cpu(pod: &Pod, from: From) -> Option<MilliCpu> {
    quantity(pod, from, "cpu")?.parse().ok()
}

fn quantity(pod: &Pod, from: From, resource: &str) -> Option<String> {
    let value = match from {
        From::Spec => {
            let container = pod.spec.as_ref()?.containers.iter().find(|container| container.name == "vm-manager")?;
            container.resources.as_ref()?.limits.as_ref()?.get(resource)?.0.clone()
        }
        From::Allocated => status(pod)?.allocated_resources.as_ref()?.get(resource)?.0.clone(),
        From::Actual => status(pod)?.resources.as_ref()?.limits.as_ref()?.get(resource)?.0.clone(),
    };
    Some(value)
}

fn status(pod: &Pod) -> Option<&k8s_openapi::api::core::v1::ContainerStatus> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|status| status.name == "vm-manager")
}
