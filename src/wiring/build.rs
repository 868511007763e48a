//! What was built: its version, as a metric.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use reef_watch::metrics::{By, Catalogue, Entry};

/// Registers the build of a role.
pub fn register(role: &'static str, registry: &mut Registry) -> Vec<Entry> {
    let build: By<Gauge, 2> = By::new(&["role", "version"]);
    build.of([role, env!("CARGO_PKG_VERSION")]).set(1);
    let mut catalogue = Catalogue::of(registry);
    catalogue.add("reef_build_info", "1, with the role and the version of Reef that runs", &build);
    catalogue.into_entries()
}
