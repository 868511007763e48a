//! Writing `status.vmm`: server-side apply on the status subresource, with the uid and resourceVersion of the view.
//!
//! One attempt with one deadline. Whether to write, and what to do after a failure, is the caller's business. Never forces.

use crate::object::Object;
use crate::view::{OddObject, VmView};
use kube::api::{Api, ApiResource, Patch, PatchParams};
use kube::{Client, Resource};
use reef_api::VirtualMachine;
use reef_api::names::DAEMON_MANAGER;
use reef_api::vm::VmmStatus;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Writes of one node that are on their way at once: two hundred VMs that start together must not starve the API server.
const WRITES_AT_ONCE: usize = 8;

/// Why a report was not written, or not known to be.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The view is not the newest, or another manager owns the field. Nothing was written.
    #[error("{vm} has changed since it was read")]
    Conflict {
        /// The VM.
        vm: String,
        /// What the API server said.
        #[source]
        source: kube::Error,
    },
    /// The API server refused. Nothing was written.
    #[error("the API server refused the report of {vm}")]
    Refused {
        /// The VM.
        vm: String,
        /// What it said.
        #[source]
        source: kube::Error,
    },
    /// No usable answer came: it may have been written, or may still be.
    #[error("the report of {vm} has no known outcome")]
    Unknown {
        /// The VM.
        vm: String,
        /// What happened.
        #[source]
        source: kube::Error,
    },
    /// No answer came in time: it may have been written, or may still be.
    #[error("no answer to the report of {vm} within {} ms", within.as_millis())]
    TimedOut {
        /// The VM.
        vm: String,
        /// The deadline.
        within: Duration,
    },
    /// The answer is no VirtualMachine.
    #[error("the answer to the report of {vm} cannot be read")]
    Odd {
        /// The VM.
        vm: String,
        /// Why not.
        #[source]
        source: OddObject,
    },
    /// The API server accepted the report and did not keep it.
    #[error("the API server did not keep the report of {vm}: is the CustomResourceDefinition older than this daemon?")]
    NotKept {
        /// The VM.
        vm: String,
    },
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
}

impl PublishError {
    /// Whether the view was refuted, so that a newer one has to come before anything is written.
    pub const fn is_conflict(&self) -> bool {
        matches!(self, Self::Conflict { .. })
    }

    /// A short word for metrics and logs.
    pub const fn category(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "conflict",
            Self::Refused { .. } => "refused",
            Self::Unknown { .. } | Self::TimedOut { .. } => "unknown",
            Self::Odd { .. } | Self::NotKept { .. } => "odd",
            Self::Stopping => "stopping",
        }
    }
}

/// Writes reports.
#[derive(Clone)]
pub struct Publisher {
    client: Client,
    permits: Arc<Semaphore>,
    deadline: Duration,
}

impl Publisher {
    /// Writes with `client`, each write within `deadline`.
    pub fn new(client: Client, deadline: Duration) -> Self {
        Self { client, permits: Arc::new(Semaphore::new(WRITES_AT_ONCE)), deadline }
    }

    /// Writes a report on top of `view`, and returns the VM as it is then.
    ///
    /// # Errors
    /// See the variants: only `Conflict` and `Refused` say that nothing was written.
    pub async fn publish(&self, view: &VmView, report: &VmmStatus) -> Result<VmView, PublishError> {
        let _permit = self.permits.acquire().await.map_err(|_| PublishError::Stopping)?;
        let vm = view.key.to_string();
        let api: Api<Object> =
            Api::namespaced_with(self.client.clone(), &view.key.namespace, &ApiResource::erase::<VirtualMachine>(&()));
        let (params, patch) = (PatchParams::apply(DAEMON_MANAGER), Patch::Apply(body(view, report)));
        let answer = tokio::time::timeout(self.deadline, api.patch_status(&view.key.name, &params, &patch)).await;
        let object = answer
            .map_err(|_| PublishError::TimedOut { vm: vm.clone(), within: self.deadline })?
            .map_err(|source| failed(vm.clone(), source))?;
        let written = VmView::read(&object).map_err(|source| PublishError::Odd { vm: vm.clone(), source })?;
        if written.reported.as_ref() == Some(report) { Ok(written) } else { Err(PublishError::NotKept { vm }) }
    }
}

/// The applied object: nothing but the report, and what makes the write refer to one state of one object.
fn body(view: &VmView, report: &VmmStatus) -> Value {
    json!({
        "apiVersion": VirtualMachine::api_version(&()),
        "kind": VirtualMachine::kind(&()),
        "metadata": {
            "namespace": view.key.namespace,
            "name": view.key.name,
            "uid": view.uid,
            "resourceVersion": view.resource_version.0,
        },
        "status": { "vmm": report },
    })
}

/// A server's own failures and overload say nothing about what it had already done.
fn failed(vm: String, source: kube::Error) -> PublishError {
    let code = match &source {
        kube::Error::Api(status) => status.code,
        _ => return PublishError::Unknown { vm, source },
    };
    match code {
        409 => PublishError::Conflict { vm, source },
        400..=499 => PublishError::Refused { vm, source },
        _ => PublishError::Unknown { vm, source },
    }
}
