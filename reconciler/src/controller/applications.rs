//! Of which commit a VM's spec is that Argo CD has applied: its Application tells, and is read once for each new generation.
//!
//! The sync that is under way or was the last one is of the commit that brought the change, or of a later one that left it alone: an Application is read
//! after the change was seen. One read answers all VMs that were seen to change before it began. Who may not read Applications, or has no Argo CD any more,
//! has VMs that name no commit; nothing else depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use reef_api::VirtualMachine;
use reef_api::argocd::{APPLICATIONS, ARGOCD_GROUP, ARGOCD_MANAGER, ARGOCD_VERSION, Application, ApplicationRef};
use serde_json::Value;
use tokio::time::Instant;

use super::control::Control;
use super::task::{Report, Task};
use super::view::Commit;
use crate::act::{Outcome, Request, Verb};
use crate::observe::{Kind, ObjectKey, tracked_by};

/// A VM waits no longer than this for its commit: a name for a change is no reason to hold it up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What was asked about a VM.
#[derive(Debug)]
struct Asked {
    generation: i64,
    since: Instant,
    /// How many reads had begun by then.
    after: u64,
    /// The answer: a commit, or that none is told.
    told: Option<Option<String>>,
}

/// The last read of an Application.
#[derive(Debug)]
struct Read {
    number: u64,
    revision: Option<String>,
}

/// The Applications of VMs.
#[derive(Debug, Default)]
pub(super) struct Applications {
    /// How many reads have begun.
    begun: u64,
    asked: BTreeMap<ObjectKey, Asked>,
    reads: BTreeMap<ObjectKey, Read>,
    waiting: BTreeMap<ObjectKey, BTreeSet<ObjectKey>>,
}

impl Applications {
    /// The commit of a VM's generation; none while its Application has to be read for it.
    fn revision(
        &mut self,
        vm: &ObjectKey,
        generation: i64,
        application: &ObjectKey,
        now: Instant,
    ) -> Option<Option<String>> {
        let asked = match self.asked.get_mut(vm).filter(|asked| asked.generation == generation) {
            Some(asked) => asked,
            None => {
                let asked = Asked { generation, since: now, after: self.begun, told: None };
                self.asked.insert(vm.clone(), asked);
                self.asked.get_mut(vm)?
            }
        };
        if asked.told.is_none() {
            let read = self.reads.get(application).filter(|read| read.number > asked.after);
            let late = now >= asked.since + PATIENCE;
            asked.told = read.map(|read| read.revision.clone()).or(late.then_some(None));
        }
        let told = asked.told.clone();
        if told.is_none() {
            self.waiting.entry(application.clone()).or_default().insert(vm.clone());
        }
        told
    }

    /// A read begins, and gets a number.
    fn begin(&mut self) -> u64 {
        self.begun = self.begun.saturating_add(1);
        self.begun
    }

    /// Takes in a read, and names the VMs that have waited for one.
    fn read(&mut self, application: &ObjectKey, number: u64, revision: Option<String>) -> BTreeSet<ObjectKey> {
        self.reads.insert(application.clone(), Read { number, revision });
        self.waiting.remove(application).unwrap_or_default()
    }

    /// Forgets a VM.
    pub(super) fn forget(&mut self, vm: &ObjectKey) {
        self.asked.remove(vm);
    }
}

impl Control {
    /// Who says of which commit a VM's spec is; none while that is being read.
    pub(super) fn commit_of(&mut self, key: &ObjectKey, now: Instant) -> Option<Commit> {
        let Some(writer) = self.store.vms.get(key).filter(|kept| kept.tracked).map(|kept| kept.writer.clone()) else {
            return Some(Commit::Annotated);
        };
        let Some(vm) = self.store.vm(key) else { return Some(Commit::Annotated) };
        let Some(application) = tracked_by(Kind::Vm, key, vm.metadata.annotations.as_ref()) else {
            return Some(Commit::Annotated);
        };
        let generation = vm.metadata.generation.unwrap_or(0);
        if let Some(pinned) = pinned(&vm, generation) {
            return Some(Commit::Synced(pinned));
        }
        if writer.is_some_and(|writer| writer != ARGOCD_MANAGER) {
            return Some(Commit::Synced(None));
        }
        let application = self.application(&application);
        let told = self.applications.revision(key, generation, &application, now);
        if told.is_none() {
            self.look_at(Task::Application(application));
            self.look_later(Task::Vm(key.clone()), PATIENCE);
        }
        told.map(Commit::Synced)
    }

    pub(super) fn application(&self, application: &ApplicationRef) -> ObjectKey {
        let (namespace, name) = application.within(&self.settings.argocd_namespace);
        ObjectKey::new(namespace, name)
    }

    /// Reads an Application for the VMs that wait for it.
    pub(super) fn pass_application(&mut self, key: &ObjectKey) {
        if !self.applications.waiting.contains_key(key) {
            return;
        }
        let (caller, request, number) = (self.caller.clone(), get(key), self.applications.begin());
        self.jobs.start(Task::Application(key.clone()), async move {
            Report::Application { number, outcome: caller.call(&request).await }
        });
    }

    /// Takes in what was read of an Application.
    pub(super) fn application_read(&mut self, task: &Task, number: u64, outcome: Outcome<Bytes>) {
        let key = task.key();
        let revision = match outcome {
            Outcome::Done(body) => match serde_json::from_slice::<Application>(&body) {
                Ok(application) => application.revision().map(str::to_owned),
                Err(error) => untold(key, &error.to_string()),
            },
            Outcome::Gone(message) => untold(key, &message),
            Outcome::Refused(refused) => untold(key, &refused.message),
            Outcome::Throttled { .. } | Outcome::Conflict(_) | Outcome::Unknown(_) => {
                self.rest(task);
                return;
            }
        };
        self.backoffs.succeeded(task);
        for vm in self.applications.read(key, number, revision) {
            self.look_at(Task::Vm(vm));
        }
    }
}

/// The commit that the status names for this generation already.
fn pinned(vm: &VirtualMachine, generation: i64) -> Option<Option<String>> {
    let resize = vm.status.as_ref()?.resize.as_ref()?;
    (resize.generation == generation).then(|| resize.revision.clone())
}

fn untold(application: &ObjectKey, why: &str) -> Option<String> {
    tracing::warn!(%application, %why, "an Application cannot be read: its VMs name no commit; argocd/rbac.yaml has the right for it");
    None
}

/// Reads one Application.
pub(super) fn get(key: &ObjectKey) -> Request {
    let ObjectKey { namespace, name } = key;
    let uri = format!("/apis/{ARGOCD_GROUP}/{ARGOCD_VERSION}/namespaces/{namespace}/{APPLICATIONS}/{name}");
    Request { verb: Verb::Get, uri, body: Value::Null }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("vms", name)
    }

    #[test]
    fn a_commit_counts_for_changes_that_were_seen_before_its_read_began() {
        let (mut known, app, now) = (Applications::default(), ObjectKey::new("argocd", "fleet"), Instant::now());
        let commit = |text: &str| Some(text.to_owned());
        assert_eq!(known.revision(&key("a"), 1, &app, now), None);
        let first = known.begin();
        assert_eq!(known.revision(&key("b"), 1, &app, now), None);
        let both = BTreeSet::from([key("a"), key("b")]);
        assert_eq!(known.read(&app, first, commit("1f")), both);
        assert_eq!(known.revision(&key("a"), 1, &app, now), Some(commit("1f")));
        assert_eq!(known.revision(&key("b"), 1, &app, now), None, "it may have changed after the read");
        let second = known.begin();
        assert_eq!(known.read(&app, second, commit("2e")), BTreeSet::from([key("b")]));
        assert_eq!(known.revision(&key("b"), 1, &app, now), Some(commit("2e")));
        assert_eq!(known.revision(&key("a"), 1, &app, now), Some(commit("1f")));
        assert_eq!(known.revision(&key("a"), 2, &app, now), None);
    }

    #[test]
    fn a_vm_does_not_wait_for_ever_for_the_name_of_its_commit() {
        let (mut known, app, start) = (Applications::default(), key("fleet"), Instant::now());
        assert_eq!(known.revision(&key("a"), 1, &app, start), None);
        assert_eq!(known.revision(&key("a"), 1, &app, start + PATIENCE), Some(None));
    }
}
