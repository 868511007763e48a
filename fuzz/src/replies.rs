//! What a Cloud Hypervisor answers: `vmm.ping`, `vm.info`, and refusals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a finding panics"
)]

use super::plain::is_plain;
use reef_daemon::decide::accounting::ConnectionId;
use reef_daemon::decide::classify::RefusalKind;
use reef_daemon::vmm::{classify, info};
use serde_json::Value;

/// A text of this many characters at most is shown: entries of a refusal times what is kept of one, and what joins them.
const MOST_SHOWN: usize = 6 * 200 + 5 * 2;

/// The bytes are the reply to `vm.info`, and to `vmm.ping` as well.
pub fn vm_info(bytes: &[u8]) {
    let version = info::version(bytes).unwrap_or_else(|_| "v53.0".to_owned());
    assert!(version.chars().count() <= 64 && is_plain(&version) && !version.contains('\n'), "{version:?}");
    for version in [version.as_str(), "v53.0", "v51.1"] {
        let Ok(report) = info::vm_info(bytes, version, ConnectionId(1)) else { continue };
        // What is passed over need not be a number that a tree can hold.
        let Ok(told) = serde_json::from_slice::<Value>(bytes) else { continue };
        let (cpus, memory) = (&told["config"]["cpus"], &told["config"]["memory"]);
        let number = |value: &Value| value.as_u64().unwrap_or(0);
        assert_eq!(u64::from(report.vcpus_requested.0), number(&cpus["boot_vcpus"]));
        assert_eq!(u64::from(report.boot.max_vcpus.0), number(&cpus["max_vcpus"]));
        assert_eq!(report.memory_requested.0 - report.boot.min_memory.0, number(&memory["hotplugged_size"]));
        assert_eq!(report.boot.max_memory.0 - report.boot.min_memory.0, number(&memory["hotplug_size"]));
        let actual = told["memory_actual_size"].as_u64().unwrap_or(report.memory_requested.0);
        assert_eq!(report.memory_actual.0, actual);
    }
}

/// The first byte picks the status, the others are the body.
pub fn refusal(bytes: &[u8]) {
    let Some((first, body)) = bytes.split_first() else { return };
    const STATUSES: [u16; 8] = [400, 404, 429, 500, 503, 501, 302, 999];
    let status = STATUSES[usize::from(*first) % STATUSES.len()];
    let (kind, message) = classify::classify_refusal(status, body);
    let by_status = match status {
        400 => Some(RefusalKind::Malformed),
        404 => Some(RefusalKind::NotRunning),
        429 => Some(RefusalKind::RemovalPending),
        503 => Some(RefusalKind::Busy),
        _ => None,
    };
    assert!(by_status.is_none_or(|expected| expected == kind), "{status}: {kind:?}");
    assert!(message.chars().count() <= MOST_SHOWN, "{} characters", message.chars().count());
    assert!(is_plain(&message) && !message.contains('\n'), "{message:?}");
}
