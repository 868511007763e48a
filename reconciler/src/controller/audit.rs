//! The slow full pass: that nothing was missed. Every VM of which the loop believes that nothing is to be done is looked at again within some ten
//! minutes; where something is to be done after all it was missed, which is counted, told, and put right by the look.
//!
//! A part at a time, so that what happens meanwhile does not wait behind all VMs. Each miss is a defect of Reef.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::control::Control;
use super::task::Task;
use crate::observe::ObjectKey;

/// Between two parts, at the least.
const PAUSE: Duration = Duration::from_secs(10);
/// Parts that make a whole.
const PARTS: usize = 60;

/// How far the pass has come.
#[derive(Debug, Default)]
pub(super) struct Audit {
    next: Option<Instant>,
    last: Option<ObjectKey>,
    /// VMs that are about to be looked at for no other reason.
    asked: BTreeSet<ObjectKey>,
}

impl Audit {
    /// Something else has asked for a look at the VM.
    pub(super) fn excuse(&mut self, task: &Task) {
        if let Task::Vm(key) = task {
            self.asked.remove(key);
        }
    }

    fn asks(&self, task: &Task) -> bool {
        matches!(task, Task::Vm(key) if self.asked.contains(key))
    }
}

impl Control {
    /// Asks for a look at the next part of the VMs, where it is time.
    pub(super) fn audit(&mut self, now: Instant) {
        if !self.ready() || self.audit.next.is_some_and(|next| now < next) {
            return;
        }
        self.audit.next = Some(now + PAUSE);
        let part = self.store.vms.count().div_ceil(PARTS);
        // Behind the last one it begins anew.
        let vms = self.store.vms.after(self.audit.last.as_ref()).chain(self.store.vms.after(None));
        let keys: Vec<ObjectKey> = vms.take(part).map(|(key, _)| key.clone()).collect();
        self.audit.last = keys.last().cloned();
        for key in keys {
            let task = Task::Vm(key.clone());
            if !self.queue.has(&task) && !self.jobs.has(&task) && !self.resting.contains_key(&task) {
                self.look_at(task);
                self.audit.asked.insert(key);
            }
        }
    }

    /// Whether a VM is looked at for no other reason. While anything else is due, that may be about to ask for it: a source that goes on, for one.
    pub(super) fn is_audited(&mut self, key: &ObjectKey, now: Instant) -> bool {
        let asked = self.audit.asked.remove(key);
        asked && self.queue.due(now).all(|task| self.audit.asks(task))
    }

    /// Something was to be done with a VM of which nobody had told.
    pub(super) fn missed(&self, key: &ObjectKey) {
        self.seams.metrics.audit_misses.inc();
        tracing::error!(vm = %key, "something was to be done with a VM, and nothing had told of it; this is a defect of Reef");
    }
}
