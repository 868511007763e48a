//! What a role counts, by the crate prometheus-client: metrics whose labels are words of the code, and their register.
//!
//! A label's value is a `&'static str`, so that nothing that comes from outside, such as a name or an address, can become a label: the number of
//! time series is bounded by the code. Counting draws nothing at random, starts no task and sends nothing.

mod age;
mod calls;
mod watches;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{Metric, Registry};

pub use age::Age;
pub use calls::{Calls, Counted, Counting};
pub use watches::Watches;

/// Upper bounds in seconds for what takes milliseconds, and should not take longer than the deadlines of requests.
const REQUEST_BUCKETS: [f64; 12] = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A histogram of requests and other short pieces of work.
pub fn request_seconds() -> Histogram {
    Histogram::new(REQUEST_BUCKETS)
}

/// The labels of one time series.
struct Words<const N: usize> {
    names: &'static [&'static str; N],
    values: [&'static str; N],
}

impl<const N: usize> EncodeLabelSet for Words<N> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), fmt::Error> {
        self.names.iter().zip(self.values).try_for_each(|(name, value)| (*name, value).encode(encoder.encode_label()))
    }
}

/// A metric by labels. Clones share it.
#[derive(Debug)]
pub struct By<M, const N: usize> {
    names: &'static [&'static str; N],
    series: Arc<Mutex<BTreeMap<[&'static str; N], M>>>,
    make: fn() -> M,
}

impl<M, const N: usize> Clone for By<M, N> {
    fn clone(&self) -> Self {
        Self { names: self.names, series: Arc::clone(&self.series), make: self.make }
    }
}

impl<M: Default, const N: usize> By<M, N> {
    /// One that has counted nothing.
    pub fn new(names: &'static [&'static str; N]) -> Self {
        Self { names, series: Arc::default(), make: M::default }
    }
}

impl<M: Clone, const N: usize> By<M, N> {
    /// One whose metrics are made in a way of their own: histograms have no usual bounds.
    pub fn made_by(names: &'static [&'static str; N], make: fn() -> M) -> Self {
        Self { names, series: Arc::default(), make }
    }

    /// Begins these time series with zero, so that the first event is a growth that can be seen.
    #[must_use]
    pub fn from_zero(self, known: impl IntoIterator<Item = [&'static str; N]>) -> Self {
        known.into_iter().for_each(|values| drop(self.of(values)));
        self
    }

    /// The metric of these values, in the order of the labels.
    pub fn of(&self, values: [&'static str; N]) -> M {
        self.lock().entry(values).or_insert_with(self.make).clone()
    }

    /// All that there is, by its values.
    pub fn all(&self) -> Vec<([&'static str; N], M)> {
        self.lock().iter().map(|(values, metric)| (*values, metric.clone())).collect()
    }
}

impl<M, const N: usize> By<M, N> {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<[&'static str; N], M>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Encoded also while it is empty, so that a scrape tells every name that there is.
impl<M: EncodeMetric + TypedMetric + Clone, const N: usize> EncodeMetric for By<M, N> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        for (values, metric) in self.all() {
            metric.encode(encoder.encode_family(&Words { names: self.names, values })?)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        M::TYPE
    }
}

/// A metric that tells the names of its labels.
pub trait Labelled {
    /// The names, in the order in which values are given.
    fn labels(&self) -> &'static [&'static str];
}

impl<M, const N: usize> Labelled for By<M, N> {
    fn labels(&self) -> &'static [&'static str] {
        self.names
    }
}

macro_rules! without_labels {
    ($($metric:ty),+) => {$(
        impl Labelled for $metric {
            fn labels(&self) -> &'static [&'static str] {
                &[]
            }
        }
    )+};
}

without_labels!(Counter, Gauge, Histogram, Age);

/// A metric as it was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of its time series; a histogram has three of them, with their usual endings.
    pub name: String,
    /// Counter, gauge or histogram.
    pub kind: String,
    /// Names of its labels.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

/// Registers metrics, and remembers which: what the documentation is compared with.
#[derive(Debug)]
pub struct Catalogue<'r> {
    registry: &'r mut Registry,
    entries: Vec<Entry>,
}

impl<'r> Catalogue<'r> {
    /// Registers in `registry`.
    pub fn of(registry: &'r mut Registry) -> Self {
        Self { registry, entries: Vec::new() }
    }

    /// Registers a metric. The name of a counter is given without `_total`, and the help without a full stop.
    pub fn add<M: Metric + Labelled + Clone>(&mut self, name: &'static str, help: &'static str, metric: &M) {
        let kind = metric.metric_type();
        let ending = if kind == MetricType::Counter { "_total" } else { "" };
        let (name_told, kind) = (format!("{name}{ending}"), kind.as_str().to_owned());
        self.entries.push(Entry { name: name_told, kind, labels: metric.labels(), help });
        self.registry.register(name, help, metric.clone());
    }

    /// What was registered.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::encoding::text::encode;

    #[test]
    fn a_scrape_tells_every_name_with_its_help_and_the_series_that_begin_with_zero() {
        let mut registry = Registry::default();
        let fetches: By<Counter, 2> = By::new(&["kind", "result"]).from_zero([["git", "done"]]);
        let (took, vms): (By<Histogram, 1>, Gauge) = (By::made_by(&["stage"], request_seconds), Gauge::default());
        let mut catalogue = Catalogue::of(&mut registry);
        catalogue.add("reef_fetches", "Fetches", &fetches);
        catalogue.add("reef_took_seconds", "How long it took", &took);
        catalogue.add("reef_vms", "VMs", &vms);
        let entries = catalogue.into_entries();
        vms.set(3);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        assert_eq!(
            text,
            "# HELP reef_fetches Fetches.\n# TYPE reef_fetches counter\nreef_fetches_total{kind=\"git\",result=\"done\"} 0\n\
             # HELP reef_took_seconds How long it took.\n# TYPE reef_took_seconds histogram\n\
             # HELP reef_vms VMs.\n# TYPE reef_vms gauge\nreef_vms 3\n# EOF\n"
        );
        let told: Vec<_> =
            entries.iter().map(|entry| (entry.name.as_str(), entry.kind.as_str(), entry.labels)).collect();
        assert_eq!(
            told,
            [
                ("reef_fetches_total", "counter", ["kind", "result"].as_slice()),
                ("reef_took_seconds", "histogram", &["stage"]),
                ("reef_vms", "gauge", &[]),
            ]
        );
    }
}
