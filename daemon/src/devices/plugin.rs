//! One device plugin: looks, takes the one step that `decide::devices` names, and waits for a change.
//!
//! What fails is told once, and tried again after a while that doubles. Nothing that happens here is seen by a resize.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::changes::SLOW_LOOK;
use super::error::DeviceError;
use super::files::{DeviceNode, mark};
use super::registration::register;
use super::service::Listing;
use super::serving::{self, Serving};
use crate::backoff::Doubling;
use crate::decide::devices::{Device, Mark, Offer, Past, Registered, STREAM_PAUSE, Seen, Step, WaitingOn, next};
use crate::seams::Jitter;

/// One offer, and what this process has done about it.
pub(super) struct Plugin {
    offer: Arc<Offer>,
    node: DeviceNode,
    socket: PathBuf,
    kubelet: PathBuf,
    listing: Listing,
    serving: Option<Serving>,
    served: bool,
    registered: Option<Registration>,
    backoff: Doubling,
    /// Until when nothing is tried, as long as this is all that is seen.
    pause: Option<(Instant, Seen)>,
    told: String,
}

/// A registration that was answered well.
struct Registration {
    kubelet: Mark,
    at: Instant,
    watched: bool,
}

impl Plugin {
    pub(super) fn new(offer: Offer, device: PathBuf, plugins: &Path, jitter: Arc<dyn Jitter>) -> Self {
        let offer = Arc::new(offer);
        Self {
            node: DeviceNode::new(device),
            socket: plugins.join(offer.socket_name()),
            kubelet: plugins.join(super::KUBELET_SOCKET),
            listing: Listing::new(offer.clone()),
            offer,
            serving: None,
            served: false,
            registered: None,
            backoff: Doubling::new(jitter),
            pause: None,
            told: String::new(),
        }
    }

    /// Offers the device until it is told to stop.
    pub(super) async fn run(mut self, mut changes: watch::Receiver<()>, stop: CancellationToken) {
        let mut watchers = self.listing.watchers();
        loop {
            let wait = tokio::select! {
                () = stop.cancelled() => return,
                wait = self.turn() => wait,
            };
            tokio::select! {
                () = stop.cancelled() => return,
                _ = watchers.changed() => {}
                Ok(()) = changes.changed() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Takes one step, and says for how long there is nothing to do unless something changes.
    async fn turn(&mut self) -> Duration {
        let seen = self.look().await;
        if let Some((until, before)) = self.pause.filter(|(until, _)| *until > Instant::now()) {
            if seen == before {
                return until.duration_since(Instant::now());
            }
            self.backoff.succeeded();
        }
        self.pause = None;
        match self.step(next(&seen, &self.past())).await {
            Ok(wait) => wait,
            Err(error) => {
                self.tell(&error.to_string());
                let delay = self.backoff.failed();
                self.pause = Some((Instant::now() + delay, self.look().await));
                delay
            }
        }
    }

    async fn look(&mut self) -> Seen {
        let device = self.node.look().await;
        if self.listing.tell(device) && self.served {
            self.tell_device(device);
        }
        let watched = *self.listing.watchers().borrow() > 0;
        if let Some(registered) = &mut self.registered {
            registered.watched |= watched;
        }
        Seen {
            device,
            socket: serving::look(&self.socket, self.serving.as_ref()).await,
            kubelet: mark(&self.kubelet).ok(),
            watched,
        }
    }

    fn past(&self) -> Past {
        let registered = self.registered.as_ref().map(|known| Registered {
            kubelet: known.kubelet,
            ago: known.at.elapsed(),
            watched: known.watched,
        });
        Past { served: self.served, registered }
    }

    async fn step(&mut self, step: Step) -> Result<Duration, DeviceError> {
        match step {
            Step::Rest(on) => {
                self.rest(on);
                return Ok(if on == WaitingOn::Stream { STREAM_PAUSE } else { SLOW_LOOK });
            }
            Step::Serve => self.serve(Serving::start)?,
            Step::Replace => self.serve(Serving::replace)?,
            Step::Register => self.register().await?,
        }
        Ok(Duration::ZERO)
    }

    fn serve(&mut self, start: impl FnOnce(&Path, Listing) -> Result<Serving, DeviceError>) -> Result<(), DeviceError> {
        self.registered = None;
        // The one of before goes first: its connections are of a kubelet that is gone, or of one that is told anew.
        self.serving = None;
        self.serving = Some(start(&self.socket, self.listing.clone())?);
        self.served = true;
        Ok(())
    }

    async fn register(&mut self) -> Result<(), DeviceError> {
        let kubelet = mark(&self.kubelet);
        register(&self.kubelet, &self.offer).await?;
        self.registered = kubelet.ok().map(|kubelet| Registration { kubelet, at: Instant::now(), watched: false });
        self.told.clear();
        tracing::info!(device = %self.offer.device, resource = self.offer.device.resource(), "device registered");
        Ok(())
    }

    /// Tells what is waited for, where a person may wonder.
    fn rest(&mut self, on: WaitingOn) {
        let told = match on {
            WaitingOn::Device => format!("{} is not there or has no driver, so it is not offered", self.offer.path),
            WaitingOn::Kubelet => format!("no kubelet has a socket at {}", self.kubelet.display()),
            WaitingOn::OtherDaemon => format!("another daemon serves {}", self.socket.display()),
            WaitingOn::Change => {
                self.backoff.succeeded();
                return;
            }
            WaitingOn::Stream => return,
        };
        if self.told != told {
            tracing::info!(device = %self.offer.device, reason = told, "device waits");
            self.told = told;
        }
    }

    fn tell(&mut self, error: &str) {
        if self.told != error {
            tracing::warn!(device = %self.offer.device, error, "device cannot be offered; it is tried again");
            self.told = error.to_owned();
        }
    }

    fn tell_device(&self, now: Device) {
        let (device, path) = (self.offer.device, &self.offer.path);
        match now {
            Device::Usable => tracing::info!(%device, path, "device is back"),
            Device::Missing | Device::Unusable => tracing::warn!(%device, path, "device is gone; no container gets it"),
        }
    }
}
