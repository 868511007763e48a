//! A kubelet's device manager on a unix socket, as Kubernetes 1.35 behaves: it empties its folder when it starts, calls a plugin back before it
//! answers its registration, and takes the end of any stream of a resource for the end of the newest.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use reef_daemon::devices::wire;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use tonic::body::Body;
use tonic::{Code, Status, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;

/// A wait that takes longer has failed. The clock is virtual.
const LONG: Duration = Duration::from_secs(3_600);

/// Permits of a resource: those that can be given, and all others.
pub type Permits = (usize, usize);

/// What the kubelet has been told.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// Every registration that was asked for.
    pub registrations: Vec<wire::RegisterRequest>,
    /// The permits of each resource.
    pub permits: BTreeMap<String, Permits>,
}

/// A running kubelet; its end is a kill.
pub struct Kubelet {
    folder: PathBuf,
    known: watch::Sender<Known>,
    _task: AbortOnDropHandle<()>,
}

#[derive(Clone)]
struct Manager {
    folder: PathBuf,
    refused: Option<String>,
    known: watch::Sender<Known>,
    clients: Arc<Mutex<BTreeMap<String, AbortOnDropHandle<()>>>>,
    streams: Arc<Mutex<JoinSet<()>>>,
}

impl Kubelet {
    pub fn start(folder: &Path) -> Self {
        Self::refusing(folder, None)
    }

    /// One that does not take a resource.
    pub fn refusing(folder: &Path, resource: Option<&str>) -> Self {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if !path.is_dir() {
                std::fs::remove_file(path).unwrap();
            }
        }
        let known = watch::Sender::new(Known::default());
        let manager = Manager {
            folder: folder.to_owned(),
            refused: resource.map(str::to_owned),
            known: known.clone(),
            clients: Arc::default(),
            streams: Arc::default(),
        };
        let listener = UnixListener::bind(folder.join("kubelet.sock")).unwrap();
        let task = AbortOnDropHandle::new(tokio::spawn(manager.serve(listener)));
        Self { folder: folder.to_owned(), known, _task: task }
    }

    /// Waits until what is known fits, and shows it.
    pub async fn until(&self, what: &str, fits: impl Fn(&Known) -> bool) -> Known {
        let mut known = self.known.subscribe();
        let waited = tokio::time::timeout(LONG, known.wait_for(|known| fits(known))).await;
        let seen = waited.map(|known| known.unwrap().clone());
        seen.unwrap_or_else(|_| panic!("{what}: {:?}", self.known()))
    }

    pub async fn until_permits(&self, resource: &str, permits: Permits) -> Known {
        self.until(&format!("{resource} is {permits:?}"), |known| known.permits.get(resource) == Some(&permits)).await
    }

    pub fn known(&self) -> Known {
        self.known.borrow().clone()
    }

    /// Asks a plugin for what a container gets.
    pub async fn allocate(&self, socket: &str, containers: &[&[&str]]) -> Result<wire::AllocateResponse, Status> {
        let containers = containers.iter().map(|permits| wire::ContainerAllocateRequest {
            devices_ids: permits.iter().map(|permit| (*permit).to_owned()).collect(),
        });
        let asked = wire::AllocateRequest { container_requests: containers.collect() };
        let mut plugin = Plugin::connect(&self.folder.join(socket)).await?;
        plugin.unary(wire::ALLOCATE, asked).await
    }

    /// Asks a plugin for something that it has not offered.
    pub async fn ask(&self, socket: &str, path: &'static str) -> Code {
        let mut plugin = Plugin::connect(&self.folder.join(socket)).await.unwrap();
        plugin.unary::<_, wire::Empty>(path, wire::Empty {}).await.unwrap_err().code()
    }
}

impl Manager {
    async fn serve(self, listener: UnixListener) {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let manager = self.clone();
            let service = hyper::service::service_fn(move |request| manager.clone().answer(request));
            connections.spawn(async move {
                let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        assert_eq!(request.uri().path(), "/v1beta1.Registration/Register");
        let register = |asked: tonic::Request<wire::RegisterRequest>| {
            let manager = self.clone();
            async move { manager.register(asked.into_inner()).await.map(tonic::Response::new) }
        };
        let mut grpc = tonic::server::Grpc::new(ProstCodec::<wire::Empty, wire::RegisterRequest>::default());
        Ok(grpc.unary(service_fn(register), request).await)
    }

    async fn register(self, asked: wire::RegisterRequest) -> Result<wire::Empty, Status> {
        self.known.send_modify(|known| known.registrations.push(asked.clone()));
        let resource = asked.resource_name;
        if self.refused.as_ref() == Some(&resource) {
            return Err(Status::unknown("no such resource here"));
        }
        let mut plugin = Plugin::connect(&self.folder.join(&asked.endpoint)).await?;
        let options: wire::DevicePluginOptions = plugin.unary(wire::OPTIONS, wire::Empty {}).await?;
        assert_eq!(options, wire::DevicePluginOptions::default());
        let mut lists = plugin.lists().await?;
        let (known, clients, named) = (self.known.clone(), self.clients.clone(), resource.clone());
        let stream = async move {
            while let Ok(Some(list)) = lists.message().await {
                let healthy = list.devices.iter().filter(|device| device.health == "Healthy").count();
                let permits = (healthy, list.devices.len() - healthy);
                known.send_modify(|known| {
                    known.permits.insert(named.clone(), permits);
                });
            }
            // The newest client is closed, whichever stream it was that ended.
            clients.lock().unwrap().remove(&named);
            known.send_modify(|known| {
                known.permits.entry(named).and_modify(|(healthy, others)| {
                    (*healthy, *others) = (0, *healthy + *others);
                });
            });
        };
        self.streams.lock().unwrap().spawn(stream);
        self.clients.lock().unwrap().insert(resource, plugin.connection);
        Ok(wire::Empty {})
    }
}

/// The kubelet's side of a plugin.
struct Plugin {
    sender: hyper::client::conn::http2::SendRequest<Body>,
    connection: AbortOnDropHandle<()>,
}

impl Plugin {
    async fn connect(socket: &Path) -> Result<Self, Status> {
        let stream = UnixStream::connect(socket).await.map_err(|error| Status::unavailable(error.to_string()))?;
        let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
        let (sender, connection) = shaken.map_err(|error| Status::unavailable(error.to_string()))?;
        let connection = AbortOnDropHandle::new(tokio::spawn(async move { drop(connection.await) }));
        Ok(Self { sender, connection })
    }

    async fn unary<Q, A>(&mut self, path: &'static str, message: Q) -> Result<A, Status>
    where
        Q: Message + 'static,
        A: Message + Default + 'static,
    {
        let sender = self.sender.clone();
        let send = service_fn(move |request| {
            let mut sender = sender.clone();
            async move { sender.send_request(request).await }
        });
        let mut client = tonic::client::Grpc::with_origin(send, Uri::from_static("http://localhost"));
        let codec = ProstCodec::<Q, A>::default();
        let path = http::uri::PathAndQuery::from_static(path);
        client.unary(tonic::Request::new(message), path, codec).await.map(tonic::Response::into_inner)
    }

    async fn lists(&mut self) -> Result<Streaming<wire::ListAndWatchResponse>, Status> {
        let sender = self.sender.clone();
        let send = service_fn(move |request| {
            let mut sender = sender.clone();
            async move { sender.send_request(request).await }
        });
        let mut client = tonic::client::Grpc::with_origin(send, Uri::from_static("http://localhost"));
        let codec = ProstCodec::<wire::Empty, wire::ListAndWatchResponse>::default();
        let path = http::uri::PathAndQuery::from_static(wire::LIST_AND_WATCH);
        let answered = client.server_streaming(tonic::Request::new(wire::Empty {}), path, codec).await;
        answered.map(tonic::Response::into_inner)
    }
}
