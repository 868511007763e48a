//! Resizes that their node or their guest holds up, and how each of them ends.

use crate::fleet::size;
use crate::story::{Story, aim, message};
use reef::simulation::{World, deterministic};
use reef_api::{Bytes, MilliCpu, Size, Vcpus};
use reef_sim::node::NodeOptions;
use reef_sim::vmm::{Behaviour, Plug, Pressed, Unplug};

const POLICY: &str = "apiVersion: reef.dev/v1alpha1\nkind: SizingPolicy\nmetadata:\n  name: default\nspec:\n";

impl Story {
    async fn behaves(&self, name: &str, behave: impl FnOnce(&mut Behaviour)) {
        let mut behaviour = Behaviour::default();
        behave(&mut behaviour);
        self.world.cluster.set_guest_behaviour(&self.pod(name), behaviour).await.unwrap();
    }

    /// Pushes a policy for all VMs.
    fn policy(&mut self, rules: &str) {
        self.files.insert("policy.yaml".to_owned(), format!("{POLICY}{rules}"));
        self.push("a policy");
    }

    fn memory_of_pod(&self, name: &str) -> String {
        self.pod_sizes(name)[0]["limits"]["memory"].as_str().unwrap_or_default().to_owned()
    }

    /// What the VMM was asked for, in MiB.
    fn requested(&self, name: &str) -> u64 {
        self.world.cluster.vmm_view(&self.pod(name)).unwrap().memory_requested_bytes >> 20
    }
}

#[test]
fn a_guest_that_never_plugs_ends_as_partial_its_pod_gives_the_room_back_and_it_is_tried_again() {
    deterministic(async {
        let mut story = Story::of(31, 1).await;
        story.behaves("web-1", |guest| guest.plug = Plug::Never).await;
        story.resize("web-1", size(4, 4));
        story.says("web-1", "Stalled", 300).await;
        assert_eq!(story.memory_of_pod("web-1"), "4352Mi");
        story.says("web-1", "Partial", 700).await;
        story.wait(30).await;
        assert_eq!((story.memory_of_pod("web-1"), story.requested("web-1")), ("2304Mi".to_owned(), 2048));
        assert_eq!(aim(&story.vm("web-1")), Some(size(4, 2)), "the vCPUs have followed");
        assert_eq!((story.told("web-1", "VMResizeStalled"), story.told("web-1", "VMResizePartial")), (1, 1));
        story.rests().await;
        story.behaves("web-1", |_| ()).await;
        story.settles(2000).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_guest_that_gives_back_a_part_ends_as_partial_with_that_and_a_restarted_controller_knows_it() {
    deterministic(async {
        let mut story = Story::of(32, 1).await;
        story.behaves("web-1", |guest| guest.unplug = Unplug::DownTo(512 << 20)).await;
        story.resize("web-1", size(2, 1));
        story.says("web-1", "Stalled", 400).await;
        story.wait(300).await;
        story.world.kill("controller");
        story.world.start_controller();
        story.says("web-1", "Partial", 400).await;
        story.wait(60).await;
        assert_eq!((story.memory_of_pod("web-1"), story.requested("web-1")), ("1792Mi".to_owned(), 1536));
        let partial = Size::new(Vcpus(2), Bytes(1536 << 20));
        assert_eq!(aim(&story.vm("web-1")), Some(partial), "{}", message(&story.vm("web-1")));
        story.rests().await;
        story.resize("web-1", size(2, 2));
        story.settles(60).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_policy_that_presses_asks_a_full_guest_by_steps() {
    deterministic(async {
        let mut story = Story::of(33, 1).await;
        story.behaves("web-1", |guest| guest.pressed = Pressed::Stall).await;
        story.world.cluster.set_guest_used(&story.pod("web-1"), Bytes(1950 << 20)).await.unwrap();
        story.resize("web-1", size(2, 1));
        story.says("web-1", "GuestPressure", 60).await;
        assert_eq!(story.requested("web-1"), 2048);
        story.policy("  shrink: { gate: Press }\n");
        story.wait(30).await;
        let requested = story.requested("web-1");
        assert!((1910..=1920).contains(&requested), "one step and nudges: {requested} {}", message(&story.vm("web-1")));
        story.contained();
    })
    .unwrap();
}

#[test]
fn memory_that_becomes_free_during_a_shrink_that_stands_still_is_given_back_to_the_last_block() {
    deterministic(async {
        let mut story = Story::of(34, 1).await;
        story.behaves("web-1", |guest| guest.unplug = Unplug::DownTo(512 << 20)).await;
        story.resize("web-1", size(2, 1));
        story.says("web-1", "Stalled", 400).await;
        story.behaves("web-1", |_| ()).await;
        story.settles(600).await;
        assert_eq!(story.requested("web-1"), 1024);
        story.rests().await;
    })
    .unwrap();
}

/// Four VMs of two vCPUs each, on a node of ten CPUs.
async fn four_that_take_most_cpus(seed: u64) -> Story {
    let world = World::start_in(seed, |options| {
        options.nodes = vec![NodeOptions::new("node-1", MilliCpu(10_000), Bytes(64 << 30))];
    });
    Story::on(world.await.unwrap(), 4).await
}

#[test]
fn of_those_who_wait_for_room_the_one_that_fits_gets_it_as_soon_as_another_vm_gives_it_back() {
    deterministic(async {
        let mut story = four_that_take_most_cpus(35).await;
        story.state("web-1", size(7, 2));
        story.resize("web-2", size(5, 2));
        story.says("web-1", "Deferred", 60).await;
        story.says("web-2", "Deferred", 60).await;
        story.wait(620).await;
        for name in ["web-1", "web-2"] {
            assert_eq!(aim(&story.vm(name)), Some(size(2, 2)), "{name}: {}", message(&story.vm(name)));
            assert_eq!(story.told(name, "VMResizeReverted"), 1);
        }
        story.resize("web-3", size(1, 2));
        story.has("web-2", size(5, 2), 60).await;
        assert_eq!(aim(&story.vm("web-1")), Some(size(2, 2)), "there is no room for it yet");
        story.state("web-2", size(1, 2));
        story.resize("web-4", size(1, 2));
        story.settles(60).await;
        story.rests().await;
    })
    .unwrap();
}

#[test]
fn a_vm_that_is_tried_again_keeps_what_it_is_to_give_until_the_node_has_room_for_what_it_is_to_get() {
    deterministic(async {
        let mut story = four_that_take_most_cpus(36).await;
        story.resize("web-1", size(7, 1));
        story.wait(700).await;
        assert_eq!(aim(&story.vm("web-1")), Some(size(2, 2)), "the lease has ended");
        let tried = || {
            let resize = story.vm("web-1").status.and_then(|status| status.resize);
            resize.and_then(|resize| resize.refused).and_then(|refused| refused.retried_at)
        };
        let mut tries = 0;
        for _ in 0..120 {
            story.wait(10).await;
            tries += usize::from(tried().is_some());
            assert_eq!(story.requested("web-1"), 2048, "{}", message(&story.vm("web-1")));
        }
        assert!(tries > 50, "a try lasts as long as its lease: {tries}");
        for name in ["web-2", "web-3", "web-4"] {
            story.state(name, size(1, 2));
        }
        story.push("room");
        story.settles(700).await;
        assert_eq!(story.requested("web-1"), 1024);
        story.rests().await;
    })
    .unwrap();
}
