//! What the roles register, as production puts it together.

use std::collections::BTreeMap;

use prometheus_client::registry::Registry;
use reef::wiring::roles::{register_controller, register_daemon};
use reef::wiring::webhook::register_webhook;
use reef_watch::Health;
use reef_watch::metrics::{Calls, Entry};

/// A metric, and the roles that have it.
pub struct Registered {
    pub entry: Entry,
    pub roles: Vec<&'static str>,
}

/// A registry of each role, with what it registers.
pub fn registries() -> [(&'static str, Registry, Vec<Entry>); 3] {
    let (health, calls) = (Health::new(), Calls::of(&[]));
    let (mut controller, mut daemon, mut webhook) = (Registry::default(), Registry::default(), Registry::default());
    let of_controller =
        register_controller(&reef_reconciler::metrics::Metrics::default(), &health, &calls, &mut controller);
    let of_daemon = register_daemon(&reef_daemon::Metrics::default(), &health, &calls, &mut daemon);
    let of_webhook = register_webhook(&reef_webhook::Metrics::default(), &health, &calls, &mut webhook);
    [("controller", controller, of_controller), ("daemon", daemon, of_daemon), ("webhook", webhook, of_webhook)]
}

/// Every metric by its name.
pub fn registered() -> BTreeMap<String, Registered> {
    let mut all: BTreeMap<String, Registered> = BTreeMap::new();
    for (role, _, entries) in registries() {
        for entry in entries {
            let known =
                all.entry(entry.name.clone()).or_insert_with(|| Registered { entry: entry.clone(), roles: Vec::new() });
            assert_eq!(known.entry, entry, "two roles mean the same by {}", entry.name);
            known.roles.push(role);
        }
    }
    all
}

#[test]
fn names_are_those_that_prometheus_expects_and_no_role_registers_one_twice() {
    for (name, Registered { entry, roles }) in registered() {
        assert!(
            name.starts_with("reef_") && name.chars().all(|sign| sign == '_' || sign.is_ascii_lowercase()),
            "{name}"
        );
        assert_eq!(name.ends_with("_total"), entry.kind == "counter", "{name}");
        assert!(entry.kind != "histogram" || name.ends_with("_seconds"), "{name} tells its unit");
        assert!(!entry.help.ends_with('.') && !entry.help.contains('|'), "{name}: {}", entry.help);
        let distinct: std::collections::BTreeSet<_> = roles.iter().collect();
        assert_eq!(distinct.len(), roles.len(), "{name} is registered twice");
    }
}

#[test]
fn a_scrape_tells_every_metric_that_is_registered_before_anything_has_happened() {
    for (role, registry, entries) in registries() {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for entry in entries {
            let name = entry.name.strip_suffix("_total").filter(|_| entry.kind == "counter").unwrap_or(&entry.name);
            assert!(text.contains(&format!("# TYPE {name} {}\n", entry.kind)), "{role}: {name}");
        }
    }
}
