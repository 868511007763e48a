//! VMMs that are slow, refuse, lose their answers or die, and guests that do not do what is asked of them.

use crate::fleet::size;
use crate::story::{Story, aim, message, reason};
use reef::simulation::deterministic;
use reef_api::{Bytes, Size, Vcpus, VirtualMachine};
use reef_sim::cluster::Cluster;
use reef_sim::store::ObjectKey;
use reef_sim::vmm::{Behaviour, CpuEject, Fault, FaultPlan, Machine, Plug, Unplug};
use std::time::Duration;

impl Story {
    pub async fn vmm_fault(&self, name: &str, fault: Option<FaultPlan>) {
        self.world.cluster.set_vmm_fault(&self.pod(name), fault).await.unwrap();
    }

    pub async fn guest(&self, name: &str, behave: impl FnOnce(&mut Behaviour)) {
        let mut behaviour = Behaviour::default();
        behave(&mut behaviour);
        self.world.cluster.set_guest_behaviour(&self.pod(name), behaviour).await.unwrap();
    }

    pub async fn uses(&self, name: &str, mib: u64) {
        self.world.cluster.set_guest_used(&self.pod(name), Bytes(mib << 20)).await.unwrap();
    }

    pub async fn machine<T: Send + 'static>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Machine) -> T + Send + 'static,
    ) -> T {
        self.world.cluster.change_vmm(&self.pod(name), act).await.unwrap()
    }

    /// Half an hour with at most so many writes.
    async fn writes_at_most(&self, most: usize) {
        let before = self.world.faults.writes();
        self.wait(1800).await;
        let written = self.world.faults.writes() - before;
        assert!(written <= most, "{written} writes in half an hour");
        self.contained();
    }
}

pub fn waiting(vm: &VirtualMachine) -> String {
    let waiting = vm.status.as_ref().and_then(|status| status.vmm.as_ref()?.waiting.clone());
    waiting.map(|waiting| format!("{} {}", waiting.reason, waiting.message)).unwrap_or_default()
}

/// Goes up, down and sideways while each next request to an endpoint meets a fault a few times.
async fn comes_through(fault: Fault, times: u32, endpoint: &'static str) {
    let mut story = Story::of(1, 1).await;
    for size in [size(4, 4), size(2, 1), size(3, 2)] {
        story.vmm_fault("web-1", Some(FaultPlan::next(fault, times, endpoint))).await;
        story.resize("web-1", size);
        story.settles(300).await;
        story.vmm_fault("web-1", None).await;
    }
    story.rests().await;
    assert_eq!(story.told("web-1", "VMResizeCompleted"), 3, "{fault:?} at {endpoint}");
}

fn passes(endpoint: &'static str, faults: &[Fault]) {
    for fault in faults {
        println!("{fault:?}");
        deterministic(comes_through(*fault, 2, endpoint)).unwrap();
    }
}

/// Faults after which the outcome has to be looked up, whatever was asked.
const FAULTS: [Fault; 5] = [Fault::Internal, Fault::HalfReply, Fault::Hang, Fault::Garbage, Fault::HugeBody(10 << 20)];

#[test]
fn a_resize_comes_through_every_fault_of_the_request_that_passes() {
    passes("vm.resize", &[Fault::Slow(Duration::from_secs(30)), Fault::TooManyRequests, Fault::LostReply]);
    passes("vm.resize", &FAULTS);
}

#[test]
fn a_resize_comes_through_every_fault_of_looking_that_passes() {
    passes("vm.info", &FAULTS);
}

#[test]
fn a_vmm_that_never_answers_is_told_holds_only_its_own_vm_and_is_written_of_once() {
    for fault in [Fault::Hang, Fault::Garbage, Fault::Internal] {
        deterministic(async {
            let mut story = Story::of(2, 2).await;
            story.vmm_fault("web-1", Some(FaultPlan::every(fault))).await;
            story.state("web-1", size(4, 1));
            story.resize("web-2", size(4, 1));
            story.says("web-2", "Settled", 60).await;
            story.wait(120).await;
            assert!(waiting(&story.vm("web-1")).starts_with("Vmm"), "{fault:?}: {}", waiting(&story.vm("web-1")));
            story.writes_at_most(4).await;
            story.vmm_fault("web-1", None).await;
            story.settles(180).await;
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_vmm_that_refuses_for_ever_is_told_and_asked_ever_less_often() {
    deterministic(async {
        let mut story = Story::of(3, 1).await;
        let refuses = FaultPlan { fault: Fault::Internal, requests: None, only: Some("vm.resize") };
        story.vmm_fault("web-1", Some(refuses)).await;
        story.resize("web-1", size(4, 4));
        story.says("web-1", "VmmRefused", 60).await;
        assert_eq!(story.told("web-1", "VMResizeFailed"), 1);
        story.says("web-1", "Partial", 1200).await;
        assert_eq!(story.told("web-1", "VMResizePartial"), 1);
        story.wait(30).await;
        assert_eq!(story.pod_sizes("web-1")[0]["limits"]["memory"], "2304Mi", "its Pod gives the room back");
        story.writes_at_most(16).await;
        story.vmm_fault("web-1", None).await;
        story.settles(7200).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_guest_that_keeps_its_cpus_is_told_and_keeps_its_pod_until_it_reboots() {
    deterministic(async {
        let mut story = Story::of(4, 1).await;
        story.guest("web-1", |guest| guest.cpu_eject = CpuEject::Never).await;
        story.resize("web-1", size(1, 2));
        story.says("web-1", "Stalled", 300).await;
        assert_eq!(story.told("web-1", "VMResizeStalled"), 1);
        assert_eq!(story.pod_sizes("web-1")[0]["limits"]["cpu"], "2");
        story.resize("web-1", size(3, 1));
        story.says("web-1", "CpuRemovalPending", 60).await;
        story.wait(120).await;
        assert_eq!(story.pod_sizes("web-1")[0]["limits"]["memory"], "1280Mi", "memory is given back meanwhile");
        story.writes_at_most(2).await;
        story.world.cluster.reboot_guest(&story.pod("web-1")).await.unwrap();
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_guest_that_never_plugs_is_called_stalled_and_goes_back_to_what_it_had() {
    deterministic(async {
        let mut story = Story::of(5, 1).await;
        story.guest("web-1", |guest| guest.plug = Plug::Never).await;
        story.resize("web-1", size(2, 4));
        story.says("web-1", "Stalled", 300).await;
        assert_eq!(story.told("web-1", "VMResizeStalled"), 1);
        story.rests().await;
        story.resize("web-1", size(2, 2));
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_guest_that_never_gives_memory_back_is_told_and_its_pod_still_covers_it() {
    deterministic(async {
        let mut story = Story::of(6, 1).await;
        story.guest("web-1", |guest| guest.unplug = Unplug::Never).await;
        story.resize("web-1", size(1, 1));
        story.says("web-1", "Stalled", 300).await;
        story.wait(5).await;
        let pod = story.pod_sizes("web-1");
        assert_eq!((&pod[0]["limits"]["cpu"], &pod[0]["limits"]["memory"]), (&"1".into(), &"2304Mi".into()));
        story.rests().await;
        story.guest("web-1", |_| ()).await;
        story.settles(300).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_shrink_below_use_waits_without_asking_the_guest_and_goes_on_when_it_lets_go() {
    deterministic(async {
        let mut story = Story::of(7, 1).await;
        story.uses("web-1", 2000).await;
        story.resize("web-1", size(1, 1));
        story.says("web-1", "GuestPressure", 60).await;
        story.wait(30).await;
        let view = story.world.cluster.vmm_view(&story.pod("web-1")).unwrap();
        assert_eq!((view.vcpus_present, view.memory_requested_bytes), (1, size(1, 2).memory.get()));
        assert!(view.guest.oom_kills == 0, "no process of the guest was killed");
        story.writes_at_most(4).await;
        story.uses("web-1", 300).await;
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_paused_vm_follows_when_it_is_resumed() {
    deterministic(async {
        let mut story = Story::of(8, 1).await;
        story.machine("web-1", |machine| machine.hypervisor_mut().pause()).await.unwrap();
        story.resize("web-1", size(4, 4));
        story.says("web-1", "Paused", 60).await;
        story.wait(300).await;
        story.writes_at_most(2).await;
        story.machine("web-1", |machine| machine.hypervisor_mut().resume()).await.unwrap();
        story.settles(60).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_machine_that_is_not_booted_is_asked_for_nothing() {
    deterministic(async {
        let mut story = Story::of(9, 1).await;
        story.machine("web-1", Machine::shutdown).await.unwrap();
        story.resize("web-1", size(4, 4));
        story.wait(120).await;
        let view = story.world.cluster.vmm_view(&story.pod("web-1")).unwrap();
        let requested = Size::new(Vcpus(view.vcpus_requested), Bytes(view.memory_requested_bytes));
        assert_eq!(requested, size(2, 2), "{}", message(&story.vm("web-1")));
        assert_ne!(reason(&story.vm("web-1")), "Settled");
        story.contained();
    })
    .unwrap();
}

/// A resize in the middle of which something happens to the Pod, at one moment after the other: the new size comes all the same.
fn at_any_moment(wanted: Size, happens: impl AsyncFn(&Cluster, &ObjectKey)) {
    for moment in [10, 400, 900, 1500, 4000] {
        deterministic(async {
            let mut story = Story::of(10, 1).await;
            story.resize("web-1", wanted);
            tokio::time::sleep(Duration::from_millis(moment)).await;
            happens(&story.world.cluster, &story.pod("web-1")).await;
            story.wait(20).await;
            story.settles(120).await;
            assert_eq!(aim(&story.vm("web-1")), Some(wanted), "after {moment} ms");
            story.rests().await;
        })
        .unwrap();
    }
}

#[test]
fn a_vmm_that_is_killed_at_any_moment_comes_back_with_the_new_size() {
    at_any_moment(size(4, 1), async |cluster, pod| cluster.kill_vmm(pod).unwrap());
}

#[test]
fn a_guest_that_reboots_at_any_moment_ends_with_the_new_size() {
    for wanted in [size(4, 4), size(1, 1)] {
        at_any_moment(wanted, async |cluster, pod| cluster.reboot_guest(pod).await.unwrap());
    }
}
