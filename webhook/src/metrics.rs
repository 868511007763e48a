//! What the webhook counts: registered by whoever serves it, and fed by the server. No decision knows of it.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use reef_watch::metrics::{By, Catalogue, Entry, request_seconds};

/// What a review ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Allowed as it is.
    Allowed,
    /// Allowed, with something to say.
    Warned,
    /// Something was filled in.
    Filled,
    /// Refused.
    Refused,
}

impl Ended {
    fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Warned => "warned",
            Self::Filled => "filled",
            Self::Refused => "refused",
        }
    }
}

/// Everything that is counted. Clones share it.
#[derive(Clone, Debug)]
pub struct Metrics {
    reviews: By<Counter, 2>,
    failures: By<Counter, 1>,
    took: By<Histogram, 1>,
    /// When the certificate that is served ends, in seconds since 1970.
    pub(crate) certificate_ends: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let resources = ["virtualmachines", "sizingpolicies", "gitsources", "pods/resize"];
        let known = resources.into_iter().flat_map(|resource| [[resource, "allowed"], [resource, "refused"]]);
        Self {
            reviews: By::new(&["resource", "verdict"]).from_zero(known),
            failures: By::new(&["reason"]).from_zero([["unreadable"], ["too-large"], ["too-slow"], ["not-ready"]]),
            took: By::made_by(&["resource"], request_seconds),
            certificate_ends: Gauge::default(),
        }
    }
}

impl Metrics {
    /// Registers everything, and says what.
    pub fn register(&self, registry: &mut Registry) -> Vec<Entry> {
        let mut catalogue = Catalogue::of(registry);
        let help = "Reviews by what was written and by verdict; filled is a VM whose resources were filled in";
        catalogue.add("reef_admission_reviews", help, &self.reviews);
        let help = "Requests to the webhook that got no verdict, by reason";
        catalogue.add("reef_admission_failures", help, &self.failures);
        let help = "Time of a review by what was written, from the head of the request to the verdict";
        catalogue.add("reef_admission_duration_seconds", help, &self.took);
        let help = "When the certificate that is served ends, in seconds since 1970; 0 where there is none yet";
        catalogue.add("reef_webhook_certificate_expiry_timestamp_seconds", help, &self.certificate_ends);
        catalogue.into_entries()
    }

    pub(crate) fn reviewed(&self, resource: &'static str, ended: Ended, seconds: f64) {
        self.reviews.of([resource, ended.word()]).inc();
        self.took.of([resource]).observe(seconds);
    }

    pub(crate) fn failed(&self, reason: &'static str) {
        self.failures.of([reason]).inc();
    }
}
