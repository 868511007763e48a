//! `reef launch` with a real QEMU and a Linux guest: what boots, what it can be resized to, and how each end is told.
//!
//! No Pod and no cluster.
mod overhead;
mod refusals;
mod vm;

use anyhow::{Result, ensure};
use reef_api::{Bytes, Vcpus, vm::DiskFormat};
use reef_daemon::vmm::Vmm;
use tokio::sync::Mutex;
use vm::{Ended, Launch};

/// Two cores emulate one machine well.
static TURN: Mutex<()> = Mutex::const_new(());
const MIB: u64 = 1 << 20;

fn mib(count: u64) -> Bytes {
    Bytes(count * MIB)
}

fn ended(code: i32, message: &str) -> Ended {
    Ended { code: Some(code), message: message.to_owned() }
}

#[tokio::test]
async fn what_was_plugged_at_boot_can_be_taken_away_and_a_stop_shuts_the_guest_down() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut vm = Launch::new()?;
    let layout = vm.layout()?;
    vm.boot(&layout).await?;
    let mut client = vm.client()?;
    let booted = vm.seen(&mut client, "all memory is plugged", |seen| seen.memory_actual == mib(512)).await?;
    ensure!(booted.boot == layout.limits(), "{booted:?}");
    ensure!((booted.vcpus_requested, booted.vcpus_present) == (Vcpus(2), Some(Vcpus(2))), "{booted:?}");
    vm.guest_says("it has two CPUs and its memory", |said| said.cpus == 2 && said.mem > 380 << 10).await?;

    client.set_vcpus(Vcpus(1)).await?;
    client.set_memory(mib(256)).await?;
    vm.guest_says("it is at its floor", |said| said.cpus == 1 && said.mem < 256 << 10).await?;
    let floor = vm.seen(&mut client, "the floor", |seen| seen.memory_actual == mib(256)).await?;
    ensure!(floor.vcpus_present == Some(Vcpus(1)), "{floor:?}");
    client.set_memory(mib(1024)).await?;
    vm.guest_says("it has all memory", |said| said.mem > 850 << 10).await?;

    vm.signal("TERM")?;
    let end = vm.ended().await?;
    ensure!(end == ended(143, "the guest shut down after its power button was pressed"), "{end:?}");
    let console = vm.console()?;
    ensure!(console.contains("guest: the power button was pressed") && console.contains("Power down"), "{console}");
    Ok(())
}

#[tokio::test]
async fn a_reboot_stays_in_the_same_vmm_and_a_guest_that_shuts_down_ends_it() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut vm = Launch::new()?;
    let layout = vm.layout()?;
    vm.boot(&layout).await?;
    let (vmm, first) = (vm.vmm()?, vm.guest_says("it is up", |said| said.cpus == 2).await?);
    vm.order("reboot", 0)?;
    vm.console_has("Restarting system").await?;
    vm.clear_orders()?;
    vm.guest_says("it was booted again", |said| !said.boot.is_empty() && said.boot != first.boot).await?;
    ensure!(vm.vmm()? == vmm, "another VMM");
    vm.guest_says("it has its vCPUs again", |said| said.cpus == 2).await?;
    vm.order("power-off", 0)?;
    let end = vm.ended().await?;
    ensure!(end == ended(0, "the guest shut down"), "{end:?}");
    Ok(())
}

#[tokio::test]
async fn disks_of_both_formats_are_there_in_their_order_and_past_the_nodes_cache() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut vm = Launch::new()?;
    refusals::make_qcow2(&vm.path("data"), 64)?;
    let mut layout = vm.layout()?;
    layout.disks.push(vm.disk("data", DiskFormat::Qcow2));
    vm.boot(&layout).await?;
    let order = vm.order("release", 0)?;
    vm.guest_says("it read its first disk", |said| said.order == order).await?;
    let line = std::fs::read(format!("/proc/{}/cmdline", vm.vmm()?))?;
    let line = String::from_utf8_lossy(&line);
    ensure!(line.contains("driver=qcow2,node-name=disk1") && line.matches("cache.direct=on").count() == 2, "{line}");
    vm.signal("INT")?;
    ensure!(vm.ended().await?.code == Some(143));
    Ok(())
}

#[tokio::test]
async fn a_vmm_that_is_killed_is_told_with_the_consoles_last_lines() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut vm = Launch::new()?;
    let layout = vm.layout()?;
    vm.boot(&layout).await?;
    let killed = std::process::Command::new("kill").args(["-s", "KILL", &vm.vmm()?.to_string()]).status()?;
    ensure!(killed.success());
    let end = vm.ended().await?;
    ensure!(end.code == Some(137) && end.message.starts_with("the VMM was ended by signal 9"), "{end:?}");
    ensure!(end.message.contains("the console's last lines:\n") && end.message.contains("guest: boot="), "{end:?}");
    Ok(())
}
