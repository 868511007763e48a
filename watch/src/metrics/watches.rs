//! What watches bring: events, lists that begin, failures. Counted by who takes them in.

use prometheus_client::metrics::counter::Counter;

use super::{By, Catalogue};

/// What is counted of watches, by the resource that is watched. Clones share it.
#[derive(Clone, Debug)]
pub struct Watches {
    events: By<Counter, 1>,
    lists: By<Counter, 1>,
    failures: By<Counter, 1>,
    restores: Counter,
}

impl Watches {
    /// Watches of these resources.
    pub fn of(resources: impl IntoIterator<Item = &'static str> + Clone) -> Self {
        let by = || By::new(&["resource"]).from_zero(resources.clone().into_iter().map(|resource| [resource]));
        Self { events: by(), lists: by(), failures: by(), restores: Counter::default() }
    }

    /// Registers what is counted.
    pub fn add(&self, catalogue: &mut Catalogue<'_>) {
        catalogue.add("reef_watch_events", "Changes that a watch has told of, by resource", &self.events);
        catalogue.add(
            "reef_watch_lists",
            "Times that everything was listed anew, by resource; the first time is the start",
            &self.lists,
        );
        catalogue.add("reef_watch_failures", "Times that a watch has failed, by resource", &self.failures);
        catalogue.add(
            "reef_watch_restores",
            "Times that the cluster was found to be restored from a backup, so that everything was listed anew",
            &self.restores,
        );
    }

    /// A watch has told of a change.
    pub fn told(&self, resource: &'static str) {
        self.events.of([resource]).inc();
    }

    /// A list begins.
    pub fn lists(&self, resource: &'static str) {
        self.lists.of([resource]).inc();
    }

    /// A watch has failed.
    pub fn failed(&self, resource: &'static str) {
        self.failures.of([resource]).inc();
    }

    /// The cluster was restored.
    pub fn restored(&self) {
        self.restores.inc();
    }
}
