//! Roles that take over from older ones: a status without the fields that came later is gone on from, wherever the resize stood.
//!
//! What was recorded of each version is kept beside this and must stay readable, nothing of it lost.

use crate::fleet::size;
use crate::kubelet::{high_ceiling, state_too_large};
use crate::story::{Story, aim};
use reef::simulation::{World, deterministic};
use reef_api::VirtualMachine;
use reef_api::names::{CONTROLLER_MANAGER, VM_GROUP};
use reef_sim::store::{ObjectKey, ResourceId};
use reef_sim::vmm::{Behaviour, Plug};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What a status of the first roles did not have: where it would stand, and its names.
const LATER: [(&str, &[&str]); 4] = [
    ("/status/vmm", &["stuck", "limitations"]),
    ("/status/resize", &["stalled", "partial"]),
    ("/status/resize/refused", &["at", "firstAt", "retriedAt", "room", "step"]),
    ("/status/resize/grant", &["gate"]),
];
const ROLES: [&str; 3] = ["controller", "node-1", "node-2"];

impl Story {
    fn key(name: &str) -> ObjectKey {
        ObjectKey::namespaced(ResourceId::new(VM_GROUP, "virtualmachines"), "default", name)
    }

    /// The roles end, what they leave is as the first ones would have left it, and those of today begin. Tells how much was taken away.
    fn upgraded(&mut self, name: &str) -> usize {
        ROLES.iter().for_each(|role| self.world.kill(role));
        let mut taken = 0;
        let older = |vm: &mut Value| {
            for (place, names) in LATER {
                if let Some(found) = vm.pointer_mut(place).and_then(Value::as_object_mut) {
                    taken += names.iter().filter(|name| found.remove(**name).is_some()).count();
                }
            }
        };
        self.world.cluster.store().update(&Self::key(name), Some("status"), CONTROLLER_MANAGER, older).unwrap();
        self.world.start_controller();
        ["node-1", "node-2"].iter().for_each(|node| self.world.start_daemon(node));
        taken
    }
}

#[test]
fn a_vm_that_has_settled_goes_on_as_ever() {
    deterministic(async {
        let mut story = Story::of(51, 1).await;
        story.upgraded("web-1");
        story.rests().await;
        for (vcpus, gib) in [(4, 4), (2, 1), (3, 2)] {
            story.resize("web-1", size(vcpus, gib));
            story.settles(120).await;
        }
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_resize_in_the_middle_ends_whichever_way_it_goes() {
    deterministic(async {
        let mut story = Story::of(52, 1).await;
        for (gib, wait) in [(6, 1), (1, 1), (4, 2), (2, 3)] {
            story.resize("web-1", size(2, gib));
            story.wait(wait).await;
            story.upgraded("web-1");
            story.settles(180).await;
        }
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_size_that_no_node_can_hold_stays_refused_and_the_next_one_is_carried_out() {
    deterministic(async {
        let mut story = high_ceiling(World::start(53).await.unwrap()).await;
        state_too_large(&mut story);
        story.push("more than a node has");
        story.says("web-1", "Infeasible", 60).await;
        assert!(story.upgraded("web-1") > 0, "there was nothing that came later");
        story.wait(30).await;
        story.says("web-1", "Infeasible", 60).await;
        story.resize("web-1", size(3, 3));
        story.settles(120).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn what_had_ended_in_part_ends_so_again_and_settles_when_the_guest_can() {
    deterministic(async {
        let mut story = Story::of(54, 1).await;
        let behaves = async |story: &Story, plug| {
            let behaviour = Behaviour { plug, ..Behaviour::default() };
            story.world.cluster.set_guest_behaviour(&story.pod("web-1"), behaviour).await.unwrap();
        };
        behaves(&story, Plug::Never).await;
        story.resize("web-1", size(4, 4));
        story.says("web-1", "Partial", 900).await;
        assert!(story.upgraded("web-1") > 0, "there was nothing that came later");
        story.says("web-1", "Partial", 900).await;
        assert_eq!(aim(&story.vm("web-1")), Some(size(4, 2)));
        behaves(&story, Behaviour::default().plug).await;
        story.settles(2400).await;
        story.rests().await;
    })
    .unwrap();
}

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/simulation/versions")
}

/// Settled, refused, in the middle, and in part: what the roles of this version write of each.
#[test]
#[ignore = "run it once for each version, before it is released, and keep what it writes"]
fn record_what_this_version_writes() {
    deterministic(async {
        let mut story = high_ceiling(World::start(55).await.unwrap()).await;
        let seen = |story: &Story| (*story.world.cluster.store().get(&Story::key("web-1")).unwrap()).clone();
        let mut recorded = vec![seen(&story)];
        state_too_large(&mut story);
        story.push("more than a node has");
        story.says("web-1", "Infeasible", 60).await;
        recorded.push(seen(&story));
        story.resize("web-1", size(2, 6));
        story.wait(2).await;
        recorded.push(seen(&story));
        story.settles(120).await;
        let behaviour = Behaviour { plug: Plug::Never, ..Behaviour::default() };
        story.world.cluster.set_guest_behaviour(&story.pod("web-1"), behaviour).await.unwrap();
        story.resize("web-1", size(4, 7));
        for reason in ["Stalled", "Partial"] {
            story.says("web-1", reason, 900).await;
            recorded.push(seen(&story));
        }
        let file = recordings().join(concat!(env!("CARGO_PKG_VERSION"), ".json"));
        std::fs::write(file, serde_json::to_string_pretty(&recorded).unwrap() + "\n").unwrap();
    })
    .unwrap();
}

/// Every leaf of an object by its place.
fn leaves(value: &Value, place: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| leaves(value, &format!("{place}/{name}"), into))
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| leaves(value, &format!("{place}/{at}"), into));
        }
        leaf => into.push(format!("{place} = {leaf}")),
    }
}

#[test]
fn what_older_versions_wrote_is_read_and_nothing_of_it_is_lost() {
    let mut read = 0;
    for file in std::fs::read_dir(recordings()).unwrap() {
        let path = file.unwrap().path();
        let written: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for object in written {
            let vm: VirtualMachine = serde_json::from_value(object.clone()).unwrap();
            let (mut before, mut after) = (Vec::new(), Vec::new());
            leaves(&object["status"], "", &mut before);
            leaves(&serde_json::to_value(&vm).unwrap()["status"], "", &mut after);
            before.retain(|leaf| !after.contains(leaf));
            assert!(before.is_empty(), "{}: {before:#?}", path.display());
            read += 1;
        }
    }
    assert!(read > 0, "nothing was recorded");
}
