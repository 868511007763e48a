//! Everything that the API server told about a namespace, with when it was told: what the report's stages are read from.

use std::sync::{Arc, Mutex};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DynamicObject;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Resource};
use reef_api::VirtualMachine;
use reef_api::source::GitSource;
use serde::de::DeserializeOwned;
use tokio::task::JoinHandle;

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Entry {
    /// When it was seen, in milliseconds since 1970.
    pub at: i64,
    /// What the object was from then on.
    pub object: Object,
}

/// An object that is followed.
#[derive(Clone, Debug)]
pub enum Object {
    /// A VirtualMachine.
    Vm(Box<VirtualMachine>),
    /// A Pod.
    Pod(Box<Pod>),
    /// A GitSource.
    Source(Box<GitSource>),
    /// An Application of Argo CD.
    Application(Box<DynamicObject>),
}

/// What was told, in order. The watches end with the value.
pub struct Timeline {
    entries: Arc<Mutex<Vec<Entry>>>,
    watches: Vec<JoinHandle<()>>,
}

impl Timeline {
    /// Follows the VMs, Pods and sources of a namespace.
    pub fn follow(client: &Client, namespace: &str) -> Self {
        let entries = Arc::default();
        let watches = vec![
            watch(Api::namespaced(client.clone(), namespace), &entries, |vm| Object::Vm(Box::new(vm))),
            watch(Api::namespaced(client.clone(), namespace), &entries, |pod| Object::Pod(Box::new(pod))),
            watch(Api::namespaced(client.clone(), namespace), &entries, |source| Object::Source(Box::new(source))),
        ];
        Self { entries, watches }
    }

    /// Follows Applications too.
    pub fn add_applications(&mut self, applications: Api<DynamicObject>) {
        self.watches.push(watch(applications, &self.entries, |told| Object::Application(Box::new(told))));
    }

    /// All entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap().clone()
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}

/// Milliseconds since 1970, as the roles and the containers' logs count them.
#[allow(clippy::disallowed_methods, reason = "what real parties do is compared by the wall clock")]
pub fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

fn watch<K>(api: Api<K>, entries: &Arc<Mutex<Vec<Entry>>>, object: fn(K) -> Object) -> JoinHandle<()>
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned + Send + 'static,
{
    let entries = entries.clone();
    tokio::spawn(async move {
        let mut events = watcher::watcher(api, watcher::Config::default()).boxed();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Apply(told) | Event::InitApply(told)) => {
                    entries.lock().unwrap().push(Entry { at: now(), object: object(told) });
                }
                Ok(Event::Delete(_) | Event::Init | Event::InitDone) => {}
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            }
        }
    })
}
