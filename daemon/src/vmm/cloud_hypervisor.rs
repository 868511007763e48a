//! The client of Cloud Hypervisor: three calls over HTTP on its socket.
//!
//! `vmm.ping`, `vm.info` and `vm.resize` only. There is no generic `put`: what is not needed cannot be sent.

use super::connection::{Call, Connection, Reply};
use super::info::{self, VM_INFO, VMM_PING};
use super::{Dial, Peer, Vmm, VmmError, VmmLimits, VmmReport, classify};
use crate::decide::accounting::ConnectionId;
use bytes::Bytes as Body;
use futures::FutureExt;
use futures::future::BoxFuture;
use http::Method;
use reef_api::{Bytes, Vcpus};
use std::path::PathBuf;
use std::sync::Arc;

const VM_RESIZE: &str = "vm.resize";

/// A Cloud Hypervisor that runs one VM.
pub struct CloudHypervisor {
    dial: Arc<dyn Dial>,
    socket: PathBuf,
    peer: Peer,
    limits: VmmLimits,
    opened: u64,
    connection: Option<Connection>,
}

impl CloudHypervisor {
    /// Makes a client; nothing is connected yet. Nothing is sent unless `peer` listens, as far as the dial can tell.
    pub fn new(dial: Arc<dyn Dial>, socket: PathBuf, peer: Peer, limits: VmmLimits) -> Self {
        Self { dial, socket, peer, limits, opened: 0, connection: None }
    }

    /// The open connection, or a new one. It is out of `self` while a request is on its way, so that whoever gives the
    /// request up gives the connection up as well.
    async fn connect(&mut self) -> Result<Connection, VmmError> {
        if let Some(open) = self.connection.take().filter(|open| !open.is_closed()) {
            return Ok(open);
        }
        self.opened = self.opened.saturating_add(1);
        let id = ConnectionId(self.opened);
        Connection::open(self.dial.as_ref(), &self.socket, &self.peer, id, self.limits).await
    }

    /// Sends one request within its deadline. A refusal is an error, and leaves the connection usable.
    async fn exchange(&mut self, open: &mut Connection, call: Call) -> Result<Reply, VmmError> {
        let (name, within) = (call.name, self.limits.request);
        let reply = tokio::time::timeout(within, open.call(call, self.limits))
            .await
            .map_err(|_| VmmError::TimedOut { call: name, within })??;
        if reply.status.is_success() {
            return Ok(reply);
        }
        let (kind, message) = classify::classify_refusal(reply.status.as_u16(), &reply.body);
        Err(VmmError::Refused { call: name, code: reply.status.as_u16().to_string(), kind, message })
    }

    /// Keeps the connection after an answer, and drops it after anything else.
    fn keep<T>(&mut self, open: Connection, outcome: Result<T, VmmError>) -> Result<T, VmmError> {
        match outcome {
            Ok(_) | Err(VmmError::Refused { .. }) => self.connection = Some(open),
            Err(_) => {}
        }
        outcome
    }

    async fn read(&mut self, open: &mut Connection) -> Result<VmmReport, VmmError> {
        if open.version.is_none() {
            let reply = self.exchange(open, get(VMM_PING, "/api/v1/vmm.ping")).await?;
            open.version = Some(info::version(&reply.body)?);
        }
        let reply = self.exchange(open, get(VM_INFO, "/api/v1/vm.info")).await?;
        info::vm_info(&reply.body, open.version.as_deref().unwrap_or_default(), open.id)
    }

    async fn resize(&mut self, body: serde_json::Value) -> Result<(), VmmError> {
        let mut open = self.connect().await?;
        let body = Body::from(body.to_string());
        let call = Call { name: VM_RESIZE, method: Method::PUT, path: "/api/v1/vm.resize", body };
        let outcome = self.exchange(&mut open, call).await.map(|_| ());
        self.keep(open, outcome)
    }
}

const fn get(name: &'static str, path: &'static str) -> Call {
    Call { name, method: Method::GET, path, body: Body::new() }
}

impl Vmm for CloudHypervisor {
    fn observe(&mut self) -> BoxFuture<'_, Result<VmmReport, VmmError>> {
        async move {
            let mut open = self.connect().await?;
            let outcome = self.read(&mut open).await;
            self.keep(open, outcome)
        }
        .boxed()
    }

    fn set_vcpus(&mut self, vcpus: Vcpus) -> BoxFuture<'_, Result<(), VmmError>> {
        self.resize(serde_json::json!({ "desired_vcpus": vcpus.0 })).boxed()
    }

    fn set_memory(&mut self, memory: Bytes) -> BoxFuture<'_, Result<(), VmmError>> {
        self.resize(serde_json::json!({ "desired_ram": memory.0 })).boxed()
    }

    fn disconnect(&mut self) {
        self.connection = None;
    }
}
