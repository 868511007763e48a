//! The node's devices for Pods without privilege: a device plugin of the kubelet for each that is offered.
//!
//! Speaks to the kubelet alone, on unix sockets in its folder; no API server, no VM and no VMM is known here, and resizing goes on whatever
//! happens to it.
//!
//! ```text
//! changes ─► plugin ──► decide::devices (pure)
//!              │  ▲
//!              │  └──── files, serving (who listens, who watches)
//!              └──────► serving ◄── kubelet: ListAndWatch, Allocate      registration ──► kubelet: Register
//! ```

mod changes;
mod error;
mod files;
mod plugin;
mod registration;
mod service;
mod serving;
pub mod wire;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::decide::devices::{Offer, Offers};
use crate::host::below;
use crate::seams::Jitter;
use plugin::Plugin;

/// Where kubelets keep the sockets of device plugins, whatever their `--root-dir`: Kubernetes has the path as a constant.
pub const PLUGINS: &str = "/var/lib/kubelet/device-plugins";
/// The kubelet's own socket in it.
const KUBELET_SOCKET: &str = "kubelet.sock";

/// Where a node has its devices, and the sockets of those who offer them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Root of the node's file system as this process sees it.
    pub root: PathBuf,
    /// The kubelet's folder for device plugins as the node sees it.
    pub plugins: PathBuf,
}

/// Offers devices to the kubelet of a node until `stop`.
pub async fn offer(offers: Offers, places: Places, jitter: Arc<dyn Jitter>, stop: CancellationToken) {
    let folder = below(&places.root, &places.plugins);
    let place = |offer: &Offer| below(&places.root, Path::new(&offer.path));
    let mut watched = BTreeSet::from([folder.clone()]);
    watched.extend(offers.iter().filter_map(|offer| place(offer).parent().map(Path::to_owned)));
    let changes = watch::Sender::new(());
    let mut tasks = JoinSet::new();
    for offer in offers.iter() {
        let (offer, device, folder, jitter) = (offer.clone(), place(offer), folder.clone(), jitter.clone());
        let start = move || Plugin::new(offer.clone(), device.clone(), &folder, jitter.clone());
        tasks.spawn(keep(start, changes.subscribe(), stop.clone()));
    }
    tokio::select! {
        () = changes::watch(watched, changes) => {}
        () = stop.cancelled() => {}
    }
    while tasks.join_next().await.is_some() {}
}

/// Runs a plugin, and another one after it where it fails.
async fn keep(start: impl Fn() -> Plugin, changes: watch::Receiver<()>, stop: CancellationToken) {
    loop {
        let plugin = AbortOnDropHandle::new(tokio::spawn(start().run(changes.clone(), stop.clone())));
        let Err(error) = plugin.await else { return };
        tracing::error!(%error, "task of a device plugin failed; it begins anew");
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(changes::SLOW_LOOK) => {}
        }
    }
}
