//! Devices of a node for Pods without privilege: Reef's daemon as it ships, a real kubelet, and containers that try.
//!
//! The devices are copies of a device node of this machine that a container may not use by itself, so that nothing depends on which it has.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod container;
mod stand;

use anyhow::{Result, ensure};
use container::Trying;
use reef_api::VirtualMachine;
use reef_real::{Party, stage};
use stand::{Stand, until};
use tokio::sync::Mutex;

/// Two cores carry one cluster well.
static TURN: Mutex<()> = Mutex::const_new(());
const KVM: &str = "devices.reef.dev/kvm";
const TUN: &str = "devices.reef.dev/tun";
/// All permits of a device, as Kubernetes prints a thousand.
const ALL: &str = "1k";
const BOTH: &str = "exec 3<>/dev/kvm 4<>/dev/net/tun && test ! -e /dev/vhost-net";

#[tokio::test]
async fn a_container_without_privilege_gets_the_devices_that_its_pod_asks_for_and_no_others() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut stand = Stand::start().await?;
    stand.start_daemon().await?;
    stand.until_offered(KVM, ALL).await?;
    stand.until_offered(TUN, ALL).await?;
    ensure!(stand.offered("devices.reef.dev/vhost-net").await?.is_none(), "a device that is not there is offered");

    let asks = Trying { name: "asks", script: BOTH, devices: &[KVM, TUN], ..Trying::default() };
    ensure!(stand.ended(&asks).await?.is_empty());
    let nothing = "test ! -e /dev/kvm && test ! -e /dev/net/tun";
    ensure!(stand.ended(&Trying { name: "asks-nothing", script: nothing, ..Trying::default() }).await?.is_empty());
    let device = stand.device("kvm");
    let brings = Trying { name: "brings", script: "exec 3<>/brought", brings: Some(&device), ..Trying::default() };
    let told = stand.ended(&brings).await?;
    ensure!(told.contains("Operation not permitted"), "a device node alone opens the device: {told:?}");

    stand.remove_device("kvm")?;
    stand.until_offered(KVM, "0").await?;
    stand.until_offered(TUN, ALL).await?;
    stand.make_device("kvm")?;
    stand.until_offered(KVM, ALL).await
}

#[tokio::test]
async fn a_container_keeps_its_devices_whatever_is_started_anew_and_the_next_gets_them_too() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut stand = Stand::start().await?;
    stand.start_daemon().await?;
    stand.until_offered(KVM, ALL).await?;
    stand.until_offered(TUN, ALL).await?;
    let script = "while :; do exec 3<>/dev/kvm; exec 3>&-; sleep 0.1; done";
    let holds = Trying { name: "holds", script, devices: &[KVM], ..Trying::default() };
    let before = stand.runs(&holds).await?;
    stand.resized(holds.name, "200m", "96Mi").await?;

    for next in ["after-a-kubelet", "after-another"] {
        let registered = stand.registrations();
        stand.kill(Party::Kubelet).await?;
        stand.revive(Party::Kubelet).await?;
        until("both devices are registered anew", async || Ok((stand.registrations() >= registered + 2).then_some(())))
            .await?;
        ensure!(
            stand
                .ended(&Trying { name: next, script: BOTH, devices: &[KVM, TUN], ..Trying::default() })
                .await?
                .is_empty()
        );
    }
    stand.kill_daemon().await?;
    stand.until_offered(KVM, "0").await?;
    stand.kill(Party::Kubelet).await?;
    stand.revive(Party::Kubelet).await?;
    stand.resize(holds.name, "100m", "64Mi")?;
    let why = stand.until_deferred(holds.name).await?;
    ensure!(why.contains("no healthy devices present"), "{why}");
    stand.start_daemon().await?;
    stand.until_offered(KVM, ALL).await?;
    // What was deferred it looks at again within three minutes; another size it looks at now.
    stand.resized(holds.name, "150m", "80Mi").await?;
    let next = Trying { name: "after-a-daemon", script: BOTH, devices: &[KVM, TUN], ..Trying::default() };
    ensure!(stand.ended(&next).await?.is_empty());
    let after = stand.runs(&holds).await?;
    ensure!(after == before, "the container was ended: {before:?}, {after:?}");
    Ok(())
}

#[tokio::test]
async fn a_vm_has_the_devices_that_the_controller_was_told_to_ask_for_and_is_resized_with_them() -> Result<()> {
    let _turn = TURN.lock().await;
    let mut stand = Stand::bare().await?;
    let offers = stand.offers();
    let beyond = stage::Beyond { controller: &["--vm-devices", "tun"], daemon: &["--devices", &offers] };
    let clone = stage::set(&mut stand.cluster, beyond).await?;
    let vms = kube::Api::<VirtualMachine>::default_namespaced(stand.cluster.client().await?);
    let settled = async |vcpus: u32| {
        until(&format!("the VM has {vcpus} vCPUs"), async || {
            let settled =
                |vm: &VirtualMachine| vm.is_settled() && vm.actual().is_some_and(|size| size.vcpus.0 == vcpus);
            let vm = vms.get_opt("one").await?.filter(settled);
            Ok(vm.and_then(|vm| vm.status?.vm_pod_name))
        })
        .await
    };
    let pod = settled(1).await?;
    let file = clone.join("vms/one.yaml");
    let text = std::fs::read_to_string(&file)?;
    std::fs::write(&file, text.replace("coresPerSocket: 1", "coresPerSocket: 2").replace("512Mi", "1Gi"))?;
    let push = "git commit --quiet --all --message 'two vCPUs' && git push --quiet origin HEAD:main";
    ensure!(std::process::Command::new("sh").args(["-c", push]).current_dir(&clone).status()?.success());
    ensure!(settled(2).await? == pod, "it was started anew");
    let asked = stand.limits(&pod).await?;
    ensure!(asked.get(TUN).is_some_and(|count| count == "1") && !asked.contains_key(KVM), "{asked:?}");
    stand.has_device(&pod, "dev/net/tun", "tun").await
}
