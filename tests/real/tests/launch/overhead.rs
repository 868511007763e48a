//! What a VMM and its launcher need beside the guest's memory, measured, and held to the default overhead.
//!
//! By default the smallest and the largest VM; with `REEF_OVERHEAD=all` every one of the table in docs/launch.md, which is printed:
//! `REEF_OVERHEAD=all cargo test -p reef-real --test launch overhead -- --nocapture`.
use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use reef_api::{BootLayout, Bytes, Vcpus, size::DEFAULT_OVERHEAD};
use tokio::time::sleep;

use super::{MIB, TURN, mib, vm::Launch};

/// The guest works for so long before it is measured: translations and buffers fill.
const WORKS: Duration = Duration::from_secs(5);
const KIB: u64 = 1 << 10;

/// One VM that is measured.
#[derive(Clone, Copy)]
struct Shape {
    vcpus: u32,
    ceiling: u64,
}

#[tokio::test]
async fn the_default_overhead_covers_vmm_and_launcher() -> Result<()> {
    let _turn = TURN.lock().await;
    let all = std::env::var_os("REEF_OVERHEAD").is_some();
    let mut shapes = vec![Shape { vcpus: 1, ceiling: 256 }, Shape { vcpus: 4, ceiling: 4096 }];
    if all {
        let each = |vcpus| [256, 1024, 4096].map(|ceiling| Shape { vcpus, ceiling });
        shapes = [1, 2, 4].into_iter().flat_map(each).collect();
    }
    println!(
        "| vCPUs | ceiling | held by the guest | VMM beside the guest | launcher | sum |\n|---|---|---|---|---|---|"
    );
    for shape in shapes {
        let (held, vmm, launcher) = measure(shape).await?;
        let sum = vmm.saturating_add(launcher);
        let show = |bytes: Bytes| format!("{} MiB", bytes.0.div_ceil(MIB));
        println!(
            "| {} | {} MiB | {} | {} | {} | {} |",
            shape.vcpus,
            shape.ceiling,
            show(held),
            show(vmm),
            show(launcher),
            show(sum)
        );
        ensure!(sum <= DEFAULT_OVERHEAD, "{sum} is more than the default overhead {DEFAULT_OVERHEAD}");
    }
    Ok(())
}

/// Boots at the ceiling, lets the guest use three quarters of it, and measures.
async fn measure(shape: Shape) -> Result<(Bytes, Bytes, Bytes)> {
    let mut vm = Launch::new()?;
    let floor = 256.min(shape.ceiling);
    let layout = BootLayout {
        vcpus: Vcpus(shape.vcpus),
        min_vcpus: Vcpus(1),
        max_vcpus: Vcpus(shape.vcpus * 2),
        memory: mib(shape.ceiling),
        min_memory: mib(floor),
        max_memory: mib(shape.ceiling),
        ..vm.layout()?
    };
    vm.boot(&layout).await?;
    let plugged = shape.ceiling << 10;
    vm.guest_says("its memory is there", |said| said.mem > plugged / 4 * 3 || shape.ceiling == floor).await?;
    let holds = shape.ceiling / 4;
    vm.order("hold", holds)?;
    vm.guest_says("it holds memory", |said| said.held >= holds << 10).await?;
    sleep(WORKS).await;
    let sizes = [mib(floor), mib(shape.ceiling - floor)];
    let (guest, beside) = split(vm.vmm()?, &sizes)?;
    let launcher = resident(vm.launcher()?)?;
    vm.signal("TERM")?;
    ensure!(vm.ended().await?.code == Some(143));
    Ok((guest, beside, launcher))
}

/// Resident memory of the mappings that have the size of the guest's memory, and of all others.
fn split(pid: u32, sizes: &[Bytes]) -> Result<(Bytes, Bytes)> {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps"))?;
    let (mut guest, mut beside, mut is_guest) = (0, 0, false);
    for line in maps.lines() {
        if let Some(size) = field(line, "Size:") {
            is_guest = size > 0 && sizes.contains(&Bytes(size));
        } else if let Some(resident) = field(line, "Rss:") {
            *(if is_guest { &mut guest } else { &mut beside }) += resident;
        }
    }
    ensure!(guest > 0, "the guest's memory is not to be seen among the mappings of process {pid}");
    Ok((Bytes(guest), Bytes(beside)))
}

fn resident(pid: u32) -> Result<Bytes> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let bytes = status.lines().find_map(|line| field(line, "VmRSS:"));
    Ok(Bytes(bytes.context("no VmRSS")?))
}

/// A value in kB, as bytes.
fn field(line: &str, name: &str) -> Option<u64> {
    let value = line.strip_prefix(name)?.trim().strip_suffix("kB")?;
    value.trim().parse::<u64>().ok().map(|value| value * KIB)
}
