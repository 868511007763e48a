//! The launcher with programs that stand for VMMs: what it looks at, what it passes on, and how each end is told.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod cloud_hypervisor;
mod fake;

use fake::Place;
use reef_api::vm::{DiskFormat, VmmKind};
use reef_daemon::decide::launch::Told;
use reef_daemon::launch::{Options, Stop, launch};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

/// What is told when a layout or a file is changed first.
async fn told_with(place: &Place, change: impl FnOnce(&mut Options)) -> (u8, String) {
    let mut options = place.options(VmmKind::Qemu);
    change(&mut options);
    place.plain(&launch(options, Stop::default()).await)
}

async fn told(place: &Place) -> (u8, String) {
    place.plain(&place.told().await)
}

fn expected(code: u8, message: &str) -> (u8, String) {
    (code, message.to_owned())
}

#[tokio::test]
async fn a_guest_that_shuts_down_ends_the_launch_with_0_and_its_console_is_not_told() {
    let place = Place::with("running() { echo booted; sleep 0.3; exit 0; }; serve");
    assert_eq!(told(&place).await, expected(0, "the guest shut down"));
    assert_eq!(fs::metadata(place.path("run")).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(place.path("run/qmp.sock")).unwrap().permissions().mode() & 0o077, 0);
}

#[tokio::test]
async fn a_vmm_that_fails_later_gives_its_code_its_words_and_the_console() {
    let place = Place::with("running() { echo 'Kernel panic'; echo 'kvm: oops' >&2; sleep 0.3; exit 3; }; serve");
    let message = "the VMM ended with code 3: kvm: oops\nthe console's last lines:\nKernel panic";
    assert_eq!(told(&place).await, expected(3, message));
}

#[tokio::test]
async fn a_vmm_that_a_signal_ends_is_told_with_it() {
    let place = Place::with("running() { sleep 0.3; kill -SEGV $$; }; serve");
    let message = "the VMM was ended by signal 11, which Reef did not send; look at the node's log";
    assert_eq!(told(&place).await, expected(139, message));
}

#[tokio::test]
async fn a_vmm_that_ends_before_the_vm_runs_is_a_failed_launch_in_its_own_words() {
    let place = Place::with("echo 'qemu: could not open disk: Permission denied' >&2; exit 1");
    let message = "the VMM ended before the VM ran, with code 1: qemu: could not open disk: Permission denied";
    assert_eq!(told(&place).await, expected(72, message));
}

#[tokio::test]
async fn a_vmm_that_does_not_answer_is_ended_and_told() {
    let place = Place::with("exec sleep 60");
    let seen = told_with(&place, |options| options.ready = Duration::from_millis(300)).await;
    assert_eq!(seen, expected(72, "the VMM did not answer within 0 s: it was not asked yet; look at the Pod's log"));
}

#[tokio::test]
async fn a_program_that_is_missing_broken_or_too_old_is_told_before_anything_is_started() {
    let place = Place::with("serve");
    let seen = told_with(&place, |options| options.program = Some("/nowhere/qemu".into())).await;
    let message =
        "the VMM's program /nowhere/qemu is not in its place; use an image that holds it, or name it by --vmm-binary";
    assert_eq!(seen, expected(65, message));
    let old = Place::with_program("#!/bin/sh\necho 'QEMU emulator version 6.2.0'");
    let message = "the VMM's program HERE/vmm cannot be used: it is QEMU 6.2, and 7 is the least: before it memory cannot be plugged as Reef does; use a newer one";
    assert_eq!(told(&old).await, expected(66, message));
    let broken = Place::with_program("#!/nowhere/sh\n");
    let message = "the VMM's program HERE/vmm cannot be started: No such file or directory (os error 2); use an image that holds it with its libraries";
    assert_eq!(told(&broken).await, expected(66, message));
}

#[tokio::test]
async fn a_kernel_that_is_missing_or_empty_is_told() {
    let place = Place::with("serve");
    fs::write(place.path("initrd"), "").unwrap();
    let message = "the initial RAM file system HERE/initrd cannot be read: it is empty; look at what the entrypoint of its image copies";
    assert_eq!(told(&place).await, expected(67, message));
    fs::remove_file(place.path("kernel")).unwrap();
    let message = "the kernel HERE/kernel cannot be read: No such file or directory (os error 2); look at what the entrypoint of its image copies";
    assert_eq!(told(&place).await, expected(67, message));
}

#[tokio::test]
async fn a_disk_that_is_missing_or_not_what_the_spec_says_is_told() {
    let place = Place::with("serve");
    let qcow2 = |options: &mut Options| options.layout.disks[0].format = DiskFormat::Qcow2;
    let message =
        "disk root (HERE/disk) cannot be used: it is not a qcow2 image; leave spec.instance.disks[].format out";
    assert_eq!(told_with(&place, qcow2).await, expected(68, message));
    fs::write(place.path("disk"), b"QFI\xfb\0\0\0\x03\0\0\0\0\0\0\x02\x00 and so on").unwrap();
    let message =
        "disk root (HERE/disk) cannot be used: it is a qcow2 image with a backing file; flatten it by qemu-img convert";
    assert_eq!(told_with(&place, qcow2).await, expected(68, message));
    let data = "disk root (HERE/disk) cannot be used: it is a qcow2 image with an external data file; flatten it by qemu-img convert";
    let mut head = [0; 104];
    head[..8].copy_from_slice(b"QFI\xfb\0\0\0\x03");
    head[79] = 4;
    for external in [&head[..], &head[..79]] {
        fs::write(place.path("disk"), external).unwrap();
        assert_eq!(told_with(&place, qcow2).await, expected(68, data));
    }
    fs::write(place.path("disk"), "").unwrap();
    assert_eq!(told(&place).await, expected(68, "disk root (HERE/disk) cannot be used: it is empty; fill the volume"));
    fs::remove_file(place.path("disk")).unwrap();
    let message =
        "disk root (HERE/disk) cannot be opened: No such file or directory (os error 2); look at what its volume holds";
    assert_eq!(told(&place).await, expected(68, message));
}

#[tokio::test]
async fn a_qcow2_image_of_its_own_boots_in_either_version() {
    let place = Place::with("running() { sleep 0.3; exit 0; }; serve");
    let mut head = [0; 104];
    for (version, feature) in [(2, 4), (3, 0)] {
        head[..8].copy_from_slice(&[b'Q', b'F', b'I', 0xfb, 0, 0, 0, version]);
        head[79] = feature;
        fs::write(place.path("disk"), head).unwrap();
        let seen = told_with(&place, |options| {
            options.folder = place.path(&format!("run-{version}"));
            options.layout.disks[0].format = DiskFormat::Qcow2;
        });
        assert_eq!(seen.await, expected(0, "the guest shut down"));
    }
}

#[tokio::test]
async fn links_and_pipes_in_a_volume_are_told_and_nobody_waits_for_them() {
    let place = Place::with("serve");
    let pipe = |name: &str| {
        fs::remove_file(place.path(name)).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(place.path(name)).status().unwrap().success());
    };
    fs::rename(place.path("disk"), place.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("disk")).unwrap();
    let message = "disk root (HERE/disk) cannot be opened: it is a symbolic link; look at what its volume holds";
    assert_eq!(told(&place).await, expected(68, message));
    pipe("disk");
    for read_only in [false, true] {
        let change = |options: &mut Options| options.layout.disks[0].read_only = read_only;
        let message = "disk root (HERE/disk) cannot be used: it is neither a file nor a block device; look at the volume's volumeMode";
        assert_eq!(told_with(&place, change).await, expected(68, message));
    }
    pipe("kernel");
    let message =
        "the kernel HERE/kernel cannot be read: it is not a file; look at what the entrypoint of its image copies";
    assert_eq!(told(&place).await, expected(67, message));
}

#[tokio::test]
async fn a_socket_that_another_process_owns_is_left_alone_and_one_that_nobody_owns_is_replaced() {
    let place = Place::with("running() { sleep 0.3; exit 0; }; serve");
    fs::create_dir(place.path("run")).unwrap();
    let owner = UnixListener::bind(place.path("run/qmp.sock")).unwrap();
    let message =
        "another process listens at HERE/run/qmp.sock; end that process, or give the container a folder of its own";
    assert_eq!(told(&place).await, expected(69, message));
    assert!(place.path("run/qmp.sock").exists());
    drop(owner);
    assert_eq!(told(&place).await, expected(0, "the guest shut down"));
    let message = "HERE/run/qmp.sock cannot be prepared for the VMM's socket: something that is no socket is in its place; give the container a folder of its own there, with room";
    assert_eq!(told(&place).await, expected(69, message), "what the script made is a file");
}

async fn stopped(script: &str, power_off: Duration, now: bool) -> Told {
    let place = Place::with(script);
    let stop = Stop::default();
    let options = Options { power_off, ..place.options(VmmKind::Qemu) };
    let launched = tokio::spawn(launch(options, stop.clone()));
    while !place.path("up").exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    stop.gently.cancel();
    if now {
        stop.now.cancel();
    }
    launched.await.unwrap()
}

#[tokio::test]
async fn a_stop_presses_the_power_button_and_waits_for_the_guest() {
    let script = r#"running() { : >"$(dirname "$0")/up"; }; button() { echo 'going down'; exit 0; }; serve"#;
    let told = stopped(script, Duration::from_secs(20), false).await;
    let message = "the guest shut down after its power button was pressed".to_owned();
    assert_eq!(told, Told { code: 143, message });
}

#[tokio::test]
async fn a_guest_that_ignores_its_power_button_is_killed_at_the_deadline_or_at_a_second_signal() {
    let script = r#"running() { : >"$(dirname "$0")/up"; }; button() { echo 'I stay'; }; serve"#;
    let late = stopped(script, Duration::from_secs(1), false).await;
    let message = "the guest did not shut down within 1 s of its power button and was killed; \
                   let it handle the ACPI power button\nthe console's last lines:\nI stay";
    assert_eq!(late, Told { code: 137, message: message.to_owned() });
    let hurried = stopped(script, Duration::from_secs(600), true).await;
    assert_eq!(hurried.code, 137);
}

#[tokio::test]
async fn a_vmm_that_the_host_told_to_end_has_not_succeeded() {
    let end = |guest: bool| {
        let event = format!(r#"{{"event": "SHUTDOWN", "data": {{"guest": {guest}, "reason": "told"}}}}"#);
        Place::with(&format!("running() {{ sleep 0.3; echo '{event}' >&0; exit 0; }}; serve"))
    };
    let message = "the VMM was told to end by a signal that Reef did not send; look at the node's log";
    assert_eq!(told(&end(false)).await, expected(143, message));
    assert_eq!(told(&end(true)).await, expected(0, "the guest shut down"));
}

#[tokio::test]
async fn a_launch_that_is_stopped_at_once_starts_nothing() {
    let place = Place::with(r#": >"$(dirname "$0")/up"; serve"#);
    let stop = Stop::default();
    stop.gently.cancel();
    let told = launch(place.options(VmmKind::Qemu), stop).await;
    assert_eq!((told.code, told.message.as_str()), (143, "it was told to stop before the VM ran"));
    assert!(!place.path("up").exists());
}

#[tokio::test]
async fn a_launch_that_is_stopped_before_the_vm_runs_leaves_no_vmm_behind() {
    let place = Place::with(r#"echo $$ >"$(dirname "$0")/pid"; exec sleep 60"#);
    let stop = Stop::default();
    let launched = tokio::spawn(launch(place.options(VmmKind::Qemu), stop.clone()));
    let pid = loop {
        match fs::read_to_string(place.path("pid")) {
            Ok(pid) if pid.ends_with('\n') => break pid,
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    stop.gently.cancel();
    let told = launched.await.unwrap();
    assert_eq!((told.code, told.message.as_str()), (143, "it was told to stop before the VM ran"));
    assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());
}
