//! The daemon's two watches: VirtualMachines of this node and their Pods, as changes of converted objects.
//!
//! Objects come as they are and are converted one by one, so that one odd object never stops a watch. Decides nothing.

use crate::backoff::Doubling;
use crate::metrics::{PODS, VMS};
use crate::object::Object;
use crate::view::{OddObject, PodView, VmView, key_of};
use futures::stream::{BoxStream, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Client;
use kube::api::{Api, ApiResource};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch_resource};
use reef_api::names::VM_LABEL;
use reef_api::{VirtualMachine, VmKey};
use reef_watch::metrics::Watches;
use reef_watch::{Chain, Restored, with_past};

/// A change of what a watch sees.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change<T> {
    /// Everything is about to be listed anew.
    Restarted,
    /// One of the list; `None` where the object was odd and what is known of it stays.
    Listed(VmKey, Option<T>),
    /// The list is complete: what it did not name is gone.
    Synced,
    /// One that was added or changed; `None` where the object was odd and what is known of it stays.
    Seen(VmKey, Option<T>),
    /// One that is gone.
    Gone(VmKey),
    /// The cluster was restored from a backup: no watch can go on, and all have to begin anew.
    Restored,
}

type Read<T> = fn(&Object) -> Result<T, OddObject>;

/// Watches the VMs that the controller says are on `node`.
pub(crate) fn vms(
    client: Client,
    node: &str,
    backoff: Doubling,
    counted: Watches,
) -> BoxStream<'static, Change<VmView>> {
    let config = watcher::Config::default().fields(&format!("status.nodeName={node}"));
    watch(client, ApiResource::erase::<VirtualMachine>(&()), config, backoff, (VMS, counted), VmView::read)
}

/// Watches the Pods of VMs that are bound to `node`.
pub(crate) fn pods(
    client: Client,
    node: &str,
    backoff: Doubling,
    counted: Watches,
) -> BoxStream<'static, Change<PodView>> {
    let config = watcher::Config::default().fields(&format!("spec.nodeName={node}")).labels(VM_LABEL);
    watch(client, ApiResource::erase::<Pod>(&()), config, backoff, (PODS, counted), PodView::read)
}

fn watch<T: Send + 'static>(
    client: Client,
    resource: ApiResource,
    config: watcher::Config,
    backoff: Doubling,
    (named, counted): (&'static str, Watches),
    read: Read<T>,
) -> BoxStream<'static, Change<T>> {
    let kind = resource.kind.clone();
    let api: Api<Object> = Api::all_with(with_past(client), &resource);
    let events = watch_resource(api, config).backoff(backoff);
    let changes = events.filter_map(move |event| {
        let change = match event {
            Ok(event) => {
                count(&event, named, &counted);
                change(&event, read)
            }
            Err(error) => {
                counted.failed(named);
                tracing::warn!(kind, error = %Chain(&error), "watch is interrupted");
                Restored::told_by(&error).map(|_| {
                    counted.restored();
                    Change::Restored
                })
            }
        };
        std::future::ready(change)
    });
    changes.boxed()
}

fn count(event: &Event<Object>, named: &'static str, counted: &Watches) {
    match event {
        Event::Init => counted.lists(named),
        Event::Apply(_) | Event::Delete(_) => counted.told(named),
        Event::InitApply(_) | Event::InitDone => {}
    }
}

fn change<T>(event: &Event<Object>, read: Read<T>) -> Option<Change<T>> {
    match event {
        Event::Init => Some(Change::Restarted),
        Event::InitDone => Some(Change::Synced),
        Event::InitApply(object) => keyed(object).map(|key| Change::Listed(key, usable(object, read))),
        Event::Apply(object) => keyed(object).map(|key| Change::Seen(key, usable(object, read))),
        Event::Delete(object) => keyed(object).map(Change::Gone),
    }
}

fn keyed(object: &Object) -> Option<VmKey> {
    key_of(object).inspect_err(|error| tracing::warn!(%error, "odd object is skipped")).ok()
}

fn usable<T>(object: &Object, read: Read<T>) -> Option<T> {
    read(object).inspect_err(|error| tracing::warn!(error = %Chain(error), "odd object is skipped")).ok()
}
