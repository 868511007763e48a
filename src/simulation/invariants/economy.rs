//! How much is written: about each VM in each minute, and at all.

use super::facts::VmFacts;
use super::{Inspector, Invariant, State};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most writes of roles about one VM in a minute. A resize takes some fifteen; crashes, conflicts and changes of mind repeat it.
const MOST_IN_A_MINUTE: u32 = 240;

/// The most writes in some minutes about a VM that is tried again now and then: some seven for a try, of which there may be several where a node has many
/// that wait.
const WRITES_OF_TRIES: u64 = 40;

/// Reasons that say why a VM does not move, and by which it is given up or tried again after a while.
const GOES_ON: [&str; 3] = ["Deferred", "Stalled", "Partial"];

/// The writes so far.
#[derive(Default)]
pub(super) struct Writes {
    /// Of the present minute, by what they are about.
    minute: BTreeMap<String, u32>,
    number: u64,
    most: u32,
    by_object: BTreeMap<String, u64>,
}

impl Writes {
    pub(super) const fn most(&self) -> u32 {
        self.most
    }

    /// Counts one; tells how many there are about the same in this minute.
    fn count(&mut self, at: Duration, about: &str) -> u32 {
        let number = at.as_secs() / 60;
        if number != self.number {
            self.minute.clear();
            self.number = number;
        }
        let count = self.minute.entry(about.to_owned()).or_default();
        *count += 1;
        self.most = self.most.max(*count);
        *count
    }
}

impl State {
    /// A role writes something about a VM.
    pub(super) fn count_write(&mut self, about: &str, what: impl FnOnce() -> String) {
        let at = self.now();
        let count = self.writes.count(at, about);
        // A field that somebody else holds is asked for again every few minutes, for ever.
        if !self.people.is_edited(about) {
            *self.writes.by_object.entry(about.to_owned()).or_default() += 1;
        }
        if count > MOST_IN_A_MINUTE {
            let told = format!("{count} writes in one minute, the last one {}", what());
            self.fail(Invariant::Economy, Some(about), told);
        }
    }
}

impl Inspector {
    /// Writes of roles so far, by what they are about; VMs that somebody has edited are left out.
    pub fn writes(&self) -> BTreeMap<String, u64> {
        self.state().writes.by_object.clone()
    }

    /// How much may be written about something in so short a time when everything has settled: what waits for room or for a guest goes on to be tried.
    pub fn allowance(&self, about: &str) -> u64 {
        let state = self.state();
        let goes_on = |vm: &VmFacts| vm.ready.as_ref().is_some_and(|ready| GOES_ON.contains(&ready.reason.as_str()));
        let tried = state.vms.get(about).is_some_and(|vm| vm.tries_again || goes_on(vm));
        if tried { WRITES_OF_TRIES } else { 0 }
    }
}
