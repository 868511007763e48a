//! Hostile answers of VMMs: the corpus of the fuzz targets, and what is near to it.

#[path = "../../fuzz/src/monitor.rs"]
mod monitor;
#[path = "../../fuzz/src/plain.rs"]
mod plain;
#[path = "../../fuzz/src/replay.rs"]
mod replay;
#[path = "../../fuzz/src/replies.rs"]
mod replies;

use replay::replay;

#[test]
fn answers_to_vm_info_and_ping_are_read_or_refused() {
    replay("vm_info", replies::vm_info);
}

#[test]
fn refusals_are_told_by_kind_and_can_be_shown() {
    replay("refusal", replies::refusal);
}

#[test]
fn lines_of_a_monitor_are_read_or_refused() {
    replay("qmp", monitor::qmp);
}

#[test]
fn what_a_qemu_returns_is_read_or_refused() {
    replay("qemu", monitor::qemu);
}
