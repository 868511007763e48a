//! A VMM in memory that serves one request after the other, and a guest that follows or does not.
//!
//! As much of Cloud Hypervisor as the daemon can notice; its full table of answers is the embedded cluster's.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use reef_api::VmmKind;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::{Mutex as Turn, Notify};
use tokio::time::Instant;

pub const GIB: u64 = 1 << 30;

/// What a VM is and has. It boots with 1 vCPU and 1 GiB, and has room for 8 of each.
#[derive(Clone, Debug)]
pub struct Machine {
    pub began: Instant,
    pub pid: u32,
    pub state: &'static str,
    pub vcpus_requested: u32,
    pub vcpus_present: u32,
    pub memory_requested: u64,
    pub memory_actual: u64,
    pub memory_limit: u64,
    pub used: u64,
    /// The guest does what it is asked, after this time.
    pub follows_after: Option<Duration>,
    /// The next resize takes this long before it has any effect or answer.
    pub next_resize_takes: Option<Duration>,
    /// The next resize is read only after a `vm.info` of a later connection: connections are read in no order.
    pub next_resize_lingers: bool,
    /// Nobody can connect.
    pub gone: bool,
    /// What comes instead of the next answer. Of Cloud Hypervisor: on the next connection.
    pub odd: Option<Odd>,
    /// QEMU: carries the guest's instructions out by itself, without KVM.
    pub emulated: bool,
    /// QEMU: objects that were added to it.
    pub objects: Vec<String>,
    /// QEMU: the guest says that it keeps a vCPU when it is asked to let it go.
    pub keeps_vcpus: bool,
    /// QEMU: the balloon refuses to tell what the guest says.
    pub refuses_statistics: bool,
    /// QEMU: the guest does not hear of the next removal.
    pub is_deaf: bool,
    /// QEMU: a vCPU has been removed.
    pub lost_vcpu: bool,
    /// QEMU: what the guest tells of its memory, total and available, every two seconds.
    pub tells: Option<(u64, u64)>,
    /// The host shows the names of the vCPU threads.
    pub names_threads: bool,
}

/// What a VMM should never answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    /// Half an answer, and the end.
    Half,
    /// Another language, and the end.
    Garbage,
    /// The end.
    Closes,
    /// Nothing, for ever.
    Silence,
    /// More than anybody should read.
    Huge,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            pid: 70,
            state: "Running",
            vcpus_requested: 2,
            vcpus_present: 2,
            memory_requested: 2 * GIB,
            memory_actual: 2 * GIB,
            memory_limit: 16 * GIB,
            used: GIB / 2,
            follows_after: Some(Duration::from_millis(300)),
            next_resize_takes: None,
            next_resize_lingers: false,
            gone: false,
            odd: None,
            emulated: false,
            objects: Vec::new(),
            keeps_vcpus: false,
            refuses_statistics: false,
            is_deaf: false,
            lost_vcpu: false,
            tells: None,
            names_threads: true,
        }
    }
}

/// A VMM; clones share it.
#[derive(Clone)]
pub struct Vmm {
    pub kind: VmmKind,
    name: String,
    machine: Arc<Mutex<Machine>>,
    pub(super) turn: Arc<Turn<()>>,
    told: Arc<Notify>,
    trace: Arc<Mutex<Vec<String>>>,
}

impl Vmm {
    pub fn new(kind: VmmKind, name: &str, trace: Arc<Mutex<Vec<String>>>) -> Self {
        Self { kind, name: name.to_owned(), machine: Arc::default(), turn: Arc::default(), told: Arc::default(), trace }
    }

    pub fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap()
    }

    /// Serves one connection.
    pub async fn serve(self, stream: DuplexStream) {
        match self.kind {
            VmmKind::CloudHypervisor => self.serve_http(stream).await,
            VmmKind::Qemu => super::qemu::serve(self, stream).await,
        }
    }

    /// Requests of all connections wait for their turn.
    async fn serve_http(self, mut stream: DuplexStream) {
        let odd = self.machine().odd.take();
        if let Some(odd) = odd {
            return odd_http(odd, &mut stream).await;
        }
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let vmm = self.clone();
            let handled = tokio::spawn(async move { vmm.handle(request).await });
            async move { Ok::<_, Infallible>(handled.await.unwrap()) }
        });
        let server = hyper::server::conn::http1::Builder::new()
            .auto_date_header(false)
            .serve_connection(TokioIo::new(stream), service);
        drop(server.await);
    }

    async fn handle(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let lingers = path.ends_with("resize") && std::mem::take(&mut self.machine().next_resize_lingers);
        if lingers {
            self.told.notified().await;
        }
        let _turn = self.turn.lock().await;
        match path.as_str() {
            "/api/v1/vmm.ping" => answer(200, &json!({ "version": "v53.0" })),
            "/api/v1/vm.info" => {
                self.told.notify_waiters();
                answer(200, &self.info())
            }
            _ => self.resize(&serde_json::from_slice(&body).unwrap()).await,
        }
    }

    fn info(&self) -> Value {
        let machine = self.machine();
        let memory = json!({
            "size": GIB, "hotplug_method": "VirtioMem", "hotplug_size": 7 * GIB, "hotplugged_size": machine.memory_requested - GIB,
        });
        let config = json!({ "cpus": { "boot_vcpus": machine.vcpus_requested, "max_vcpus": 8 }, "memory": memory });
        json!({ "config": config, "state": machine.state, "memory_actual_size": machine.memory_actual })
    }

    async fn resize(&self, body: &Value) -> Response<Full<Bytes>> {
        self.note(&body.to_string());
        let takes = self.machine().next_resize_takes.take();
        if let Some(takes) = takes {
            tokio::time::sleep(takes).await;
            self.note("takes effect");
        }
        if let Some(vcpus) = body["desired_vcpus"].as_u64() {
            let mut machine = self.machine();
            if machine.vcpus_present > machine.vcpus_requested {
                return answer(429, &json!(["Too Many Requests"]));
            }
            machine.vcpus_requested = u32::try_from(vcpus).unwrap();
        }
        if let Some(memory) = body["desired_ram"].as_u64() {
            let mut machine = self.machine();
            if machine.memory_requested == memory {
                return answer(500, &json!(["Error from API", "new size and requested_size are identical"]));
            }
            let refusal = refusal(memory);
            if let Some(text) = refusal {
                return answer(500, &json!(["Error from API", text]));
            }
            machine.memory_requested = memory;
        }
        self.follow();
        Response::builder().status(204).body(Full::default()).unwrap()
    }

    pub(super) fn note(&self, text: &str) {
        self.trace.lock().unwrap().push(format!("{} {text}", self.name));
    }

    pub(super) fn follow(&self) {
        let vmm = self.clone();
        let follows = self.machine().follows_after;
        if let Some(after) = follows {
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                let mut machine = vmm.machine();
                machine.lost_vcpu |= machine.vcpus_requested < machine.vcpus_present;
                machine.vcpus_present = machine.vcpus_requested;
                machine.memory_actual = machine.memory_requested;
            });
        }
    }
}

fn refusal(memory: u64) -> Option<String> {
    match memory {
        memory if memory > 8 * GIB => Some("new size 0x1 is bigger than region_size 0x0".to_owned()),
        memory if !memory.is_multiple_of(2 << 20) => {
            Some("new size 0x1 is not aligned on block_size 0x200000".to_owned())
        }
        _ => None,
    }
}

/// Reads a request, and answers what is no answer.
async fn odd_http(odd: Odd, stream: &mut DuplexStream) {
    let mut request = [0; 1024];
    drop(stream.read(&mut request).await);
    let text = match odd {
        Odd::Half => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"conf".to_owned(),
        Odd::Garbage => "\u{0}\u{1}garbage\n".to_owned(),
        Odd::Closes => String::new(),
        Odd::Silence => return std::future::pending().await,
        Odd::Huge => format!("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n{}", " ".repeat(512 << 10)),
    };
    drop(stream.write_all(text.as_bytes()).await);
}

fn answer(status: u16, body: &Value) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(Bytes::from(body.to_string()))).unwrap()
}
