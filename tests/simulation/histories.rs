//! The way to a size leaves no trace in it, what says Ready is so, and a fleet that agrees costs a new controller nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::fleet::size;
use crate::kubelet::quirk;
use crate::story::{Story, target};
use reef::simulation::{World, deterministic};
use reef_api::{Bytes, MilliCpu, Size, Vcpus, VirtualMachine, condition};
use reef_sim::api::{Fault, WatchFailure};
use reef_sim::node::NodeOptions;
use reef_sim::store::ResourceId;
use serde_json::Value;

/// What is there after a VM went through these sizes, but for how often its spec was changed.
async fn after(sizes: &[Size]) -> Value {
    let world = World::start(1).await.unwrap();
    let mut story = Story::on(world, 0).await;
    for size in sizes {
        story.resize("web-1", *size);
        story.settles(300).await;
    }
    story.rests().await;
    let mut masked = story.masked();
    masked["web-1"].as_object_mut().unwrap().remove("generation");
    masked
}

#[test]
fn a_size_is_the_same_by_whichever_way_it_was_reached() {
    let wanted = size(3, 3);
    let fresh = deterministic(after(&[wanted])).unwrap();
    for way in [&[size(4, 4)][..], &[size(1, 1)], &[size(1, 4)], &[size(4, 1), size(2, 2), size(8, 8)]] {
        let found = deterministic(after(&[way, &[wanted]].concat())).unwrap();
        assert_eq!(found, fresh, "by way of {way:?}");
    }
}

/// Says where a VM that says Ready of its generation is not so at that moment.
fn untrue(story: &Story, vm: &VirtualMachine) -> Option<String> {
    let conditions = &vm.status.as_ref()?.conditions;
    let ready = condition::find(conditions, condition::READY)?;
    if ready.status != "True" || ready.observed_generation != vm.metadata.generation {
        return None;
    }
    let pod = story.world.cluster.pod_of(&reef_api::VmKey::new("default", vm.metadata.name.as_deref()?))?;
    let view = story.world.cluster.vmm_view(&pod)?;
    let host = story.world.cluster.host_facts(&pod)?;
    let size = target(vm)?;
    let requested = Size::new(Vcpus(view.vcpus_requested), Bytes(view.memory_requested_bytes));
    let actual = Size::new(Vcpus(view.vcpus_present), Bytes(view.memory_actual_bytes));
    let memory = Bytes(size.memory.get() + (256 << 20));
    let covers = host.memory_limit == Some(memory) && host.cpu_quota == Some(MilliCpu::from(size.vcpus));
    let so = requested == size && actual == size && covers;
    (!so)
        .then(|| format!("Ready at {size}, and requested {requested}, actual {actual}, cgroup {:?}", host.memory_limit))
}

/// Follows every change of the VM, and keeps what was not so when it was said.
fn lies_of(story: &Arc<Story>) -> Arc<Mutex<Vec<String>>> {
    let (found, mut changes) = (Arc::new(Mutex::new(Vec::new())), story.world.cluster.store().subscribe());
    let (story, kept) = (story.clone(), found.clone());
    let vms = ResourceId::new(reef_api::names::VM_GROUP, "virtualmachines");
    tokio::spawn(async move {
        let mut last = None;
        while let Ok(change) = changes.next().await {
            if change.key.resource != vms {
                continue;
            }
            let Ok(vm) = serde_json::from_value::<VirtualMachine>((*change.object).clone()) else { continue };
            let said =
                vm.status.as_ref().and_then(|status| condition::find(&status.conditions, condition::READY).cloned());
            // It is checked when it is said; what happens to the guest afterwards is told a moment later.
            if said != last {
                kept.lock().unwrap().extend(untrue(&story, &vm));
            }
            last = said;
        }
    });
    found
}

#[test]
fn what_says_ready_is_so_at_that_moment() {
    for seed in 0..6 {
        let lies = deterministic(async {
            let story = Arc::new(Story::of(seed, 1).await);
            if seed % 2 == 0 {
                story.kubelets(quirk(|quirks| quirks.flaps = true)).await;
            }
            let late = Duration::from_millis(300 * seed);
            story.world.faults.set(move |_| Fault { watch: WatchFailure::Late(late), ..Fault::default() });
            story.world.server.drop_watches();
            let found = lies_of(&story);
            for wanted in [size(4, 4), size(2, 1), size(3, 2), size(1, 4), size(2, 2)] {
                let mut files = story.files.clone();
                files.insert("web-1.yaml".to_owned(), crate::fleet::manifest("web-1", wanted));
                story.world.push("a size", &files).unwrap();
                story.wait(5 + seed * 7).await;
            }
            story.wait(120).await;
            story.contained();
            found.lock().unwrap().clone()
        });
        assert_eq!(lies.unwrap(), Vec::<String>::new(), "seed {seed}");
    }
}

#[test]
fn a_new_controller_over_a_fleet_that_agrees_lists_it_and_writes_nothing() {
    let (vms, vcpus) = (60, MilliCpu(400_000));
    let large = |name: &str| NodeOptions::new(name, vcpus, Bytes(1 << 40));
    deterministic(async {
        let world = World::start_in(1, move |options| options.nodes = vec![large("node-1"), large("node-2")]).await;
        let mut story = Story::on(world.unwrap(), vms).await;
        story.rests().await;
        let (writes, calls) = (story.world.faults.writes(), story.world.faults.calls().len());
        story.world.start_controller();
        story.wait(600).await;
        assert_eq!(story.world.faults.writes() - writes, 0);
        // A list and a watch of each kind, and the daemons' watches that are opened anew meanwhile.
        let calls = story.world.faults.calls().len() - calls;
        assert!(calls <= 60, "{calls} calls for {vms} VMs");
        story.contained();
    })
    .unwrap();
}
