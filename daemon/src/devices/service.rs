//! What the kubelet asks a device plugin: its options, its permits and every change of them, and the device for a container.
//!
//! Answers from what `Listing` holds; looks at no file.

use std::convert::Infallible;
use std::sync::Arc;

use futures::stream::{self, Stream};
use http::{Request, Response};
use hyper::body::Incoming;
use prost::Message;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::server::Grpc;
use tonic::{Code, Status};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::wire;
use crate::decide::devices::{Denied, Device, Granted, Offer, grant, permits};

/// What is offered, how it is, and who watches.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    offer: Arc<Offer>,
    device: Arc<watch::Sender<Device>>,
    watchers: Arc<watch::Sender<usize>>,
}

/// Counts one stream for as long as it is open.
struct Watching(Arc<watch::Sender<usize>>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}

impl Listing {
    pub(super) fn new(offer: Arc<Offer>) -> Self {
        let (device, watchers) = (watch::Sender::new(Device::Missing), watch::Sender::new(0));
        Self { offer, device: Arc::new(device), watchers: Arc::new(watchers) }
    }

    /// Tells how the device is now; whether that is news.
    pub(super) fn tell(&self, device: Device) -> bool {
        self.device.send_if_modified(|known| std::mem::replace(known, device) != device)
    }

    /// How many streams are open, and every change of that.
    pub(super) fn watchers(&self) -> watch::Receiver<usize> {
        self.watchers.subscribe()
    }

    fn listed(&self, device: Device) -> wire::ListAndWatchResponse {
        let health = match device {
            Device::Usable => wire::HEALTHY,
            Device::Missing | Device::Unusable => wire::UNHEALTHY,
        };
        let devices = permits(&self.offer).map(|id| wire::Device { id, health: health.to_owned() });
        wire::ListAndWatchResponse { devices: devices.collect() }
    }

    /// The list as it is, and again at each change.
    fn lists(self) -> impl Stream<Item = Result<wire::ListAndWatchResponse, Status>> + Send {
        self.watchers.send_modify(|count| *count = count.saturating_add(1));
        let watching = Watching(self.watchers.clone());
        let mut changes = self.device.subscribe();
        changes.mark_changed();
        stream::unfold((self, changes, watching), |(listing, mut changes, watching)| async {
            changes.changed().await.ok()?;
            let device = *changes.borrow_and_update();
            Some((Ok(listing.listed(device)), (listing, changes, watching)))
        })
    }

    fn allocate(&self, asked: &wire::AllocateRequest) -> Result<wire::AllocateResponse, Status> {
        let device = *self.device.borrow();
        let given = asked.container_requests.iter().map(|asked| grant(&self.offer, device, &asked.devices_ids));
        let given: Vec<Granted> = given.collect::<Result<_, Denied>>().map_err(|denied| {
            let code = match denied {
                Denied::Unusable { .. } => Code::Unavailable,
                Denied::Permit { .. } => Code::InvalidArgument,
            };
            Status::new(code, denied.to_string())
        })?;
        Ok(wire::AllocateResponse { container_responses: given.into_iter().map(container).collect() })
    }

    /// Answers one call.
    pub(super) async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
        let path = request.uri().path().to_owned();
        Ok(match path.as_str() {
            wire::OPTIONS => {
                let options = |_: tonic::Request<wire::Empty>| async { answered(wire::DevicePluginOptions::default()) };
                codec().unary(service_fn(options), request).await
            }
            wire::LIST_AND_WATCH => {
                let lists = |_: tonic::Request<wire::Empty>| {
                    let lists = self.clone().lists();
                    async { answered(lists) }
                };
                codec().server_streaming(service_fn(lists), request).await
            }
            wire::ALLOCATE => {
                let allocate = |asked: tonic::Request<wire::AllocateRequest>| {
                    let given = self.allocate(asked.get_ref());
                    async { given.and_then(answered) }
                };
                codec().unary(service_fn(allocate), request).await
            }
            _ => Status::unimplemented(format!("{path} is nothing that this plugin has said it can")).into_http(),
        })
    }
}

fn answered<T>(message: T) -> Result<tonic::Response<T>, Status> {
    Ok(tonic::Response::new(message))
}

fn codec<Q: Message + Default + 'static, A: Message + 'static>() -> Grpc<ProstCodec<A, Q>> {
    Grpc::new(ProstCodec::default())
}

fn container(granted: Granted) -> wire::ContainerAllocateResponse {
    let Granted { container_path, host_path, permissions } = granted;
    let device = wire::DeviceSpec { container_path, host_path, permissions: permissions.to_owned() };
    wire::ContainerAllocateResponse { devices: vec![device] }
}
