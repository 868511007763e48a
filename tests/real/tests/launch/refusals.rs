//! What a launch says that cannot boot its VM, with the program as it ships and a real QEMU.
use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use reef_api::vm::DiskFormat;
use serde_json::json;

use super::{TURN, ended, vm::Launch};

/// Makes a qcow2 image by QEMU itself.
pub fn make_qcow2(path: &Path, mib: u64) -> Result<()> {
    let file = path.display().to_string();
    let create =
        |job: &str, options| json!({"execute": "blockdev-create", "arguments": {"job-id": job, "options": options}});
    let size = mib << 20;
    let commands = [
        json!({"execute": "qmp_capabilities"}),
        create("file", json!({"driver": "file", "filename": file, "size": 0})),
        json!({"execute": "blockdev-add", "arguments": {"driver": "file", "node-name": "file", "filename": file}}),
        create("image", json!({"driver": "qcow2", "file": "file", "size": size})),
    ];
    let mut command = Command::new("qemu-system-x86_64");
    command.args(["-M", "none", "-nodefaults", "-display", "none", "-qmp", "stdio"]);
    let mut qemu = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    let mut input = qemu.stdin.take().context("no input")?;
    for command in commands {
        input.write_all(format!("{command}\n").as_bytes())?;
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    // In one piece: it ends as soon as it has read the last brace.
    input.write_all(b"{\"execute\":\"quit\"}\n")?;
    ensure!(qemu.wait()?.success(), "QEMU did not end well");
    ensure!(fs::read(path)?.starts_with(b"QFI\xfb"), "QEMU made no image");
    Ok(())
}

#[tokio::test]
async fn a_kernel_or_disk_that_is_not_there_and_a_layout_that_is_none_end_with_their_own_codes() -> Result<()> {
    let mut vm = Launch::new()?;
    let mut layout = vm.layout()?;
    layout.disks.push(vm.disk("gone", DiskFormat::Raw));
    vm.start(&layout, &[])?;
    let end = vm.ended().await?;
    let message =
        "disk gone (HERE/gone) cannot be opened: No such file or directory (os error 2); look at what its volume holds";
    ensure!(end == ended(68, message), "{end:?}");

    let mut vm = Launch::new()?;
    if let Some(kernel) = layout.kernel.as_mut() {
        kernel.path = vm.path("kernel").display().to_string();
    }
    vm.start(&layout, &[])?;
    let end = vm.ended().await?;
    let message = "the kernel HERE/kernel cannot be read: No such file or directory (os error 2); look at what the entrypoint of its image copies";
    ensure!(end == ended(67, message), "{end:?}");

    let mut vm = Launch::new()?;
    layout.kernel = None;
    layout.disks.clear();
    vm.start(&layout, &[])?;
    let end = vm.ended().await?;
    let message = "the VM cannot be booted: the VM has neither a kernel nor a disk; state spec.instance.kernel or spec.instance.disks";
    ensure!(end == ended(64, message), "{end:?}");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_kernel_is_told_in_qemus_words() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut vm = Launch::new()?;
    fs::write(vm.path("kernel"), vec![b'x'; 1 << 16])?;
    let mut layout = vm.layout()?;
    if let Some(kernel) = layout.kernel.as_mut() {
        kernel.path = vm.path("kernel").display().to_string();
    }
    vm.start(&layout, &[])?;
    let end = vm.ended().await?;
    ensure!(
        end.code == Some(72) && end.message.starts_with("the VMM ended before the VM ran, with code 1: "),
        "{end:?}"
    );
    ensure!(end.message.contains("kernel"), "{end:?}");
    Ok(())
}

#[tokio::test]
async fn a_disk_that_another_vm_has_is_not_opened_twice() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut first = Launch::new()?;
    let layout = first.layout()?;
    first.boot(&layout).await?;
    let mut second = Launch::new()?;
    second.start(&layout, &[])?;
    let end = second.ended().await?;
    ensure!(end.code == Some(72) && end.message.contains("lock"), "{end:?}");

    let mut third = Launch::new()?;
    let own = third.layout()?;
    third.start_in(&own, &first.path("run"), &[])?;
    let end = third.ended().await?;
    ensure!(end.code == Some(69) && end.message.starts_with("another process listens at "), "{end:?}");
    first.guest_says("it still runs", |said| said.cpus == 2).await?;
    Ok(())
}

#[tokio::test]
async fn a_program_that_is_missing_or_too_old_is_told() -> Result<()> {
    let mut vm = Launch::new()?;
    let layout = vm.layout()?;
    vm.start(&layout, &["--vmm-binary", "/nowhere/qemu"])?;
    let end = vm.ended().await?;
    let message =
        "the VMM's program /nowhere/qemu is not in its place; use an image that holds it, or name it by --vmm-binary";
    ensure!(end == ended(65, message), "{end:?}");

    let mut vm = Launch::new()?;
    let made = r#"printf '#!/bin/sh\necho QEMU emulator version 5.2.0\n' >"$0" && chmod 755 "$0""#;
    ensure!(Command::new("sh").args(["-c", made]).arg(vm.path("old")).status()?.success());
    let old = vm.path("old").display().to_string();
    vm.start(&layout, &["--vmm-binary", &old])?;
    let end = vm.ended().await?;
    ensure!(end.code == Some(66) && end.message.contains("it is QEMU 5.2, and 7 is the least"), "{end:?}");
    Ok(())
}

/// A small file system of its own, which is taken away again.
struct Small<'a>(&'a Path);

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_under_the_socket_is_told() -> Result<()> {
    let mut vm = Launch::new()?;
    let layout = vm.layout()?;
    let folder = vm.path("run");
    fs::create_dir(&folder)?;
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "reef-full"]).arg(&folder).status()?;
    ensure!(mounted.success(), "a file system cannot be mounted; the real tier runs as root");
    let _small = Small(&folder);
    while fs::OpenOptions::new().create(true).append(true).open(folder.join("full"))?.write_all(&[0; 4096]).is_ok() {}
    vm.start(&layout, &[])?;
    let end = vm.ended().await?;
    let message = "HERE/run cannot be prepared for the VMM's socket: No space left on device (os error 28); give the container a folder of its own there, with room";
    ensure!(end == ended(69, message), "{end:?}");
    Ok(())
}
