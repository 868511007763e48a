//! One controller, its API server and its repositories, driven by hand on paused time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use jiff::Timestamp;
use kube::runtime::watcher::Event;
use reef_api::Clock;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::api::Api;
use crate::controller::control::Control;
use crate::metrics::Metrics;
use crate::observe::Kind;
use crate::seams::{Jitter, Seams, Settings};
use crate::source::{FetchError, FileUrls, Location, MemoryRepositories, RepoPath, Repositories, Snapshot};

pub const VMS: &str = "/apis/cloudhypervisor.quill.today/v1beta1/namespaces/team/virtualmachines";
pub const SOURCES: &str = "/apis/reef.dev/v1alpha1/namespaces/team/gitsources";
pub const CHECKS: &str = "/apis/reef.dev/v1alpha1/namespaces/team/capacitychecks";
pub const PODS: &str = "/api/v1/namespaces/team/pods";
pub const URL: &str = "https://git.example.com/fleet";

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
}

struct None;

impl Jitter for None {
    fn up_to(&self, _: Duration) -> Duration {
        Duration::ZERO
    }
}

/// Repositories that never tell of a change, as where no notice of one can be had.
struct Mute(MemoryRepositories);

impl Repositories for Mute {
    fn fetch(
        &self,
        location: &Location,
        last: Option<Arc<Snapshot>>,
    ) -> BoxFuture<'static, Result<Arc<Snapshot>, FetchError>> {
        self.0.fetch(location, last)
    }

    fn changes(&self, _: &Location) -> BoxStream<'static, ()> {
        futures::stream::pending().boxed()
    }
}

pub struct World {
    pub api: Api,
    pub repositories: MemoryRepositories,
    pub metrics: Metrics,
    pub control: Control,
}

impl World {
    pub fn new() -> Self {
        let repositories = MemoryRepositories::new();
        Self::of(Api::default(), repositories.clone(), Arc::new(repositories))
    }

    /// A world whose repositories have to be looked at, because they tell of nothing.
    pub fn mute() -> Self {
        let repositories = MemoryRepositories::new();
        Self::of(Api::default(), repositories.clone(), Arc::new(Mute(repositories)))
    }

    fn of(api: Api, repositories: MemoryRepositories, seen: Arc<dyn Repositories>) -> Self {
        let metrics = Metrics::default();
        let seams = Seams {
            client: api.client(),
            watch_client: api.client(),
            clock: Arc::new(Still),
            jitter: Arc::new(None),
            repositories: seen,
            metrics: metrics.clone(),
        };
        let settings = Settings {
            file_urls: FileUrls::Refused,
            vmm_image: "reef".to_owned(),
            vm_devices: BTreeSet::new(),
            argocd_namespace: reef_api::argocd::ARGOCD_NAMESPACE.to_owned(),
            concurrency: 8,
        };
        let control = Control::new(seams, settings);
        let mut world = Self { api, repositories, metrics, control };
        world.list();
        world
    }

    /// The watches begin: each lists what is there.
    fn list(&mut self) {
        let starts = [(Kind::Source, SOURCES), (Kind::Vm, VMS), (Kind::Pod, PODS), (Kind::Check, CHECKS)];
        for kind in Kind::ALL {
            let _ = self.control.seen((kind, Ok(Event::Init)));
            let start = starts.iter().find(|(listed, _)| *listed == kind);
            for path in start.map(|(_, start)| self.api.paths(start)).unwrap_or_default() {
                let object = serde_json::from_value(self.api.object(&path)).unwrap();
                let _ = self.control.seen((kind, Ok(Event::InitApply(object))));
            }
            let _ = self.control.seen((kind, Ok(Event::InitDone)));
        }
    }

    /// Another controller over the same cluster and repositories, which it has to learn anew.
    pub fn restarted(self) -> Self {
        self.api.log();
        Self::of(self.api, self.repositories.clone(), Arc::new(self.repositories))
    }

    /// A watch tells of an object as it is stored.
    pub fn see(&mut self, kind: Kind, path: &str) {
        let object = self.api.object(path);
        if let Ok(object) = serde_json::from_value::<crate::observe::Object>(object)
            && object.metadata.name.is_some()
        {
            let _ = self.control.seen((kind, Ok(Event::Apply(object))));
        }
    }

    /// Another hand writes an object, and a watch tells of it.
    pub fn write(&mut self, kind: Kind, path: &str, object: Value) {
        self.api.put(path, object);
        self.see(kind, path);
    }

    /// Another hand deletes an object, and a watch tells of it.
    pub fn delete(&mut self, kind: Kind, path: &str) {
        let object = serde_json::from_value(self.api.remove(path)).unwrap();
        let _ = self.control.seen((kind, Ok(Event::Delete(object))));
    }

    pub fn add_source(&mut self, name: &str, url: &str) {
        let object = json!({"apiVersion": "reef.dev/v1alpha1", "kind": "GitSource",
            "metadata": {"name": name, "namespace": "team"}, "spec": {"url": url}});
        self.write(Kind::Source, &format!("{SOURCES}/{name}"), object);
    }

    pub fn push(&self, url: &str, files: &[(&str, String)]) -> String {
        let files: BTreeMap<RepoPath, Vec<u8>> =
            files.iter().map(|(path, text)| (RepoPath::parse(path).unwrap(), text.clone().into_bytes())).collect();
        self.repositories.push(&location(url), "change", Timestamp::UNIX_EPOCH, files)
    }

    /// Runs until there is nothing to do before time passes.
    pub async fn settle(&mut self) {
        loop {
            let now = Instant::now();
            while self.control.wake(now) <= now {
                self.control.pass(now);
            }
            if let Some(Some(source)) = self.control.changes.next().now_or_never() {
                self.control.repository_changed(source);
            } else if self.control.fetches.len() > 0 {
                let (source, fetched) = self.control.fetches.ended().await;
                self.control.fetched(&source, fetched);
            } else if self.control.plans.len() > 0 {
                let (check, judged) = self.control.plans.ended().await;
                self.control.planned(&check, judged);
            } else if self.control.jobs.len() > 0 {
                let (task, report) = self.control.jobs.ended().await;
                self.control.ended(&task, report);
            } else if self.control.wake(Instant::now()) > Instant::now() {
                return;
            }
        }
    }

    /// Lets time pass, and everything that is due in it happen.
    pub async fn pass_time(&mut self, seconds: u64) {
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            self.settle().await;
            let next = self.control.wake(Instant::now()).min(end);
            tokio::time::sleep_until(next).await;
        }
        self.settle().await;
    }

    pub fn vm(&self, name: &str) -> Value {
        self.api.object(&format!("{VMS}/{name}"))
    }

    pub fn source(&self, name: &str) -> Value {
        self.api.object(&format!("{SOURCES}/{name}"))
    }

    /// Reason and message of a condition.
    pub fn ready(object: &Value) -> (&str, &str, &str) {
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready").unwrap();
        let text = |name: &str| ready[name].as_str().unwrap();
        (text("status"), text("reason"), text("message"))
    }
}

pub fn location(url: &str) -> Location {
    Location::parse(url, FileUrls::Refused).unwrap()
}

/// A VM as people write it.
pub fn vm(name: &str, size: &str) -> String {
    format!(
        "apiVersion: cloudhypervisor.quill.today/v1beta1\nkind: VirtualMachine\nmetadata:\n  name: {name}\nspec:\n  instance:\n    memory:\n      size: {size}\n"
    )
}
