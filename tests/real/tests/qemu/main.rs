//! The daemon's client of QEMU against a real QEMU, judged by the guest's own numbers.
//!
//! No Pod and no cluster: what QEMU answers and what a Linux guest does, and nothing else.
mod machine;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use machine::{Boots, Machine, execute};
use reef_api::{Bytes, Vcpus};
use reef_daemon::{
    decide::{MachineState, MemoryDevice, VcpuDevice, classify::RefusalKind},
    vmm::{Delivery, Qemu, Vmm, VmmError, VmmReport},
};
use tokio::sync::Mutex;

/// Two cores emulate one machine well.
static TURN: Mutex<()> = Mutex::const_new(());
const MIB: u64 = 1 << 20;

fn mib(count: u64) -> Bytes {
    Bytes(count * MIB)
}

/// The kind of a refusal, and that it was answered.
fn refusal(outcome: Result<(), VmmError>) -> Result<RefusalKind> {
    match outcome.err().context("it was not refused")? {
        VmmError::Refused { kind, .. } => Ok(kind),
        other => Err(other.into()),
    }
}

#[tokio::test]
async fn a_machine_without_a_guest_takes_vcpus_at_once_and_memory_never() -> Result<()> {
    let _turn = TURN.lock().await;
    let machine = Machine::boot(Boots::Nothing).await?;
    let mut client = machine.client();
    let first = client.observe().await?;
    ensure!(first.version.starts_with("QEMU "), "{first:?}");
    ensure!(first.state == MachineState::Running && first.memory_device == MemoryDevice::VirtioMem, "{first:?}");
    ensure!((first.vcpus_requested, first.vcpus_present) == (Vcpus(2), Some(Vcpus(2))), "{first:?}");
    ensure!((first.boot.min_vcpus, first.boot.max_vcpus) == (Vcpus(1), Vcpus(4)), "{first:?}");
    ensure!((first.boot.min_memory, first.boot.max_memory) == (mib(256), mib(2304)), "{first:?}");
    ensure!((first.memory_requested, first.memory_actual) == (mib(512), mib(256)), "{first:?}");
    ensure!(first.guest.is_none(), "a guest that is not there speaks: {first:?}");

    client.set_vcpus(Vcpus(3)).await?;
    client.set_memory(mib(1024)).await?;
    client.set_memory(mib(1024)).await.context("the same size again")?;
    let grown = client.observe().await?;
    ensure!((grown.vcpus_requested, grown.vcpus_present) == (Vcpus(3), Some(Vcpus(3))), "{grown:?}");
    ensure!(machine.vcpu_threads()? == 3, "{} threads", machine.vcpu_threads()?);
    ensure!((grown.memory_requested, grown.memory_actual) == (mib(1024), mib(256)), "{grown:?}");

    ensure!(refusal(client.set_memory(mib(4096)).await)? == RefusalKind::OutOfRange);
    ensure!(refusal(client.set_memory(Bytes(mib(512).0 + 4096)).await)? == RefusalKind::OutOfRange);
    ensure!(refusal(client.set_vcpus(Vcpus(1)).await)? == RefusalKind::NotRunning, "no system runs to let one go");
    ensure!(client.observe().await?.connection == first.connection, "a refusal ended the connection");
    Ok(())
}

#[tokio::test]
async fn a_second_client_and_a_wrong_process_are_told_and_a_paused_machine_says_so() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut machine = Machine::boot(Boots::Nothing).await?;
    let mut client = machine.client();
    client.observe().await?;
    let second = machine.impatient_client(Duration::from_millis(500)).observe().await;
    ensure!(matches!(second, Err(VmmError::Occupied { .. })), "{second:?}");
    let stranger = machine.client_of(std::process::id()).observe().await;
    ensure!(matches!(stranger, Err(VmmError::WrongPeer { .. })), "{stranger:?}");

    let mut private = machine.private().await?;
    execute(&mut private, "stop").await?;
    ensure!(client.observe().await?.state == MachineState::Paused);
    client.set_vcpus(Vcpus(3)).await?;
    ensure!(client.observe().await?.vcpus_present == Some(Vcpus(3)));
    execute(&mut private, "cont").await?;
    ensure!(client.observe().await?.state == MachineState::Running);
    client.disconnect();
    machine.answers_again(&mut client).await?;
    Ok(())
}

#[tokio::test]
async fn a_machine_that_hangs_is_given_up_and_one_that_is_killed_is_gone() -> Result<()> {
    let _turn = TURN.lock().await;
    let machine = Machine::boot(Boots::Nothing).await?;
    let mut client = machine.impatient_client(Duration::from_secs(2));
    let before = client.observe().await?;
    machine.signal("STOP")?;
    let hanging = client.set_vcpus(Vcpus(3)).await.err().context("a machine that stands still answered")?;
    ensure!(matches!(hanging, VmmError::TimedOut { .. }) && hanging.delivery() == Delivery::Unknown, "{hanging:?}");
    let again = client.observe().await;
    ensure!(matches!(again, Err(VmmError::Occupied { .. })), "{again:?}");
    machine.signal("CONT")?;
    let after = machine.answers_again(&mut client).await?;
    ensure!(after.connection > before.connection, "{after:?}");
    machine.signal("KILL")?;
    machine.is_unreachable(&mut client).await
}

#[tokio::test]
async fn a_guest_follows_up_and_down_and_tells_of_its_memory() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut machine = Machine::boot(Boots::Guest).await?;
    let mut client = machine.client();
    machine.seen(&mut client, "memory at boot", |it| it.memory_actual == mib(512)).await?;
    let first = machine.guest_says("all is online", |said| said.cpus == 2 && said.mem > 350 * 1024).await?;

    client.set_vcpus(Vcpus(3)).await?;
    client.set_memory(mib(1024)).await?;
    machine.seen(&mut client, "memory is plugged", |it| it.memory_actual == mib(1024)).await?;
    let grown = machine.guest_says("it has grown", |said| said.cpus == 3 && said.mem > first.mem + 510 * 1024).await?;

    // What it said before it had put all of that online stands until it speaks again.
    let all = |it: &VmmReport| it.guest.is_some_and(|guest| guest.total.0 / 1024 == grown.mem);
    let told = machine.seen(&mut client, "the guest speaks of all its memory", all).await?;
    let guest = told.guest.context("no statistics")?;
    ensure!(guest.available < guest.total, "{guest:?} and {grown:?}");
    machine.order("hold", 200).await?;
    let holds = |it: &VmmReport| it.guest.is_some_and(|now| now.available.0 + 190 * MIB < guest.available.0);
    machine.seen(&mut client, "the guest's use is told", holds).await?;
    machine.order("release", 0).await?;

    client.set_memory(mib(384)).await?;
    machine.seen(&mut client, "memory is given back", |it| it.memory_actual == mib(384)).await?;
    for left in [2, 1] {
        client.set_vcpus(Vcpus(left)).await?;
        let asked = client.observe().await?;
        ensure!(asked.vcpus_requested == Vcpus(left), "{asked:?}");
        machine.seen(&mut client, "a vCPU is gone", |it| it.vcpus_present == Some(Vcpus(left))).await?;
    }
    let shrunk = client.observe().await?;
    ensure!(shrunk.vcpu_device == VcpuDevice::SpentSlots, "{shrunk:?}");
    let last = machine.guest_says("it has shrunk", |said| said.cpus == 1 && said.mem < first.mem).await?;
    ensure!((last.boot, last.killed) == (first.boot, 0), "the guest booted anew or killed");
    only_memory_from_then_on(&mut machine, &mut client).await
}

/// QEMU without KVM would end if a vCPU were added now: neither this client nor the next one asks for it.
async fn only_memory_from_then_on(machine: &mut Machine, client: &mut Qemu) -> Result<()> {
    ensure!(refusal(client.set_vcpus(Vcpus(2)).await)? == RefusalKind::NotResizable);
    client.disconnect();
    let mut next = machine.client();
    ensure!(refusal(next.set_vcpus(Vcpus(2)).await)? == RefusalKind::NotResizable);
    ensure!(next.observe().await?.vcpu_device == VcpuDevice::SpentSlots);
    next.set_memory(mib(640)).await?;
    machine.seen(&mut next, "memory still grows", |it| it.memory_actual == mib(640)).await?;
    Ok(())
}

#[tokio::test]
async fn a_guest_that_keeps_a_vcpu_says_so_and_lets_it_go_later() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut machine = Machine::boot(Boots::Guest).await?;
    let mut client = machine.client();
    machine.guest_says("it has two", |said| said.cpus == 2).await?;
    machine.order("refuse-eject", 0).await?;
    client.set_vcpus(Vcpus(1)).await?;
    let refused = machine.seen(&mut client, "a refusal", |it| it.vcpus_refused.is_some()).await?;
    ensure!((refused.vcpus_refused, refused.vcpus_requested) == (Some(Vcpus(1)), Vcpus(2)), "{refused:?}");
    ensure!(client.observe().await?.vcpus_refused.is_none(), "one refusal is told twice");
    machine.order("allow-eject", 0).await?;
    client.set_vcpus(Vcpus(1)).await?;
    machine.seen(&mut client, "it is gone", |it| it.vcpus_present == Some(Vcpus(1))).await?;
    ensure!(machine.vcpu_threads()? == 1, "{} threads", machine.vcpu_threads()?);
    Ok(())
}

#[tokio::test]
async fn a_guest_without_the_driver_never_plugs_and_a_wish_is_withdrawn() -> Result<()> {
    let _turn = TURN.lock().await;
    let machine = Machine::boot(Boots::GuestWithout("virtio_mem")).await?;
    let mut client = machine.client();
    client.set_memory(mib(1024)).await?;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let stalled = client.observe().await?;
        ensure!((stalled.memory_requested, stalled.memory_actual) == (mib(1024), mib(256)), "{stalled:?}");
    }
    client.set_memory(mib(256)).await?;
    let withdrawn = client.observe().await?;
    ensure!(withdrawn.memory_requested == withdrawn.memory_actual, "{withdrawn:?}");
    Ok(())
}
