//! How the guest follows: late, partly or never, and what it loses when it is pressed.

use super::*;
use crate::vmm::guest::IDLE_BYTES;

fn behave(machine: &mut Machine, behaviour: Behaviour) {
    machine.set_behaviour(behaviour);
}

#[test]
fn memory_sits_at_the_boot_size_until_the_driver_is_loaded_then_climbs_in_blocks() {
    let mut machine = booted(elastic());
    machine.advance(Duration::from_millis(4_999));
    assert_eq!(machine.view().memory_actual_bytes, 512 * MIB);
    let mut seen = Vec::new();
    while let Some(at) = machine.next_change() {
        machine.advance(at);
        seen.push(machine.view().memory_actual_bytes / MIB);
    }
    seen.dedup();
    assert_eq!(seen, [512, 640, 768, 896, 1024]);
    assert!(machine.view().guest.memory_bytes == 1024 * MIB);
}

#[test]
fn a_cooperating_guest_ejects_in_300_ms() {
    let mut machine = settled();
    resize(&mut machine, &vcpus(1));
    machine.advance(secs(60) + Duration::from_millis(299));
    assert_eq!((machine.view().vcpus_requested, machine.view().vcpus_present), (1, 2));
    machine.advance(secs(60) + Duration::from_millis(300));
    assert_eq!((machine.view().vcpus_present, machine.view().guest.online_vcpus), (1, 1));
}

#[test]
fn a_guest_that_ejects_some_or_none_stays_busy_until_it_reboots() {
    for (eject, left) in [(CpuEject::Only(1), 4), (CpuEject::Never, 5)] {
        let mut machine = settled();
        resize(&mut machine, &vcpus(5));
        behave(&mut machine, Behaviour { cpu_eject: eject, ..Behaviour::default() });
        resize(&mut machine, &vcpus(2));
        resize(&mut machine, &ram(2048));
        machine.advance(secs(600));
        assert_eq!(machine.view().vcpus_present, left);
        assert_eq!(resize(&mut machine, &vcpus(3)).status, 429);
        machine.reboot().unwrap();
        assert_eq!(machine.view().vcpus_present, 2, "the last requested count");
        assert_eq!(resize(&mut machine, &vcpus(3)), Answer::accepted());
    }
}

#[test]
fn after_a_middle_cpu_left_by_itself_a_growth_gives_a_second_thread_of_one_name() {
    let mut machine = settled();
    resize(&mut machine, &vcpus(4));
    machine.advance(secs(61));
    machine.eject_by_guest(1);
    assert_eq!(machine.view().vcpus_present, 3);
    assert_eq!(resize(&mut machine, &vcpus(4)), Answer::accepted());
    let view = machine.view();
    assert_eq!(view.vcpu_threads.values().copied().collect::<Vec<_>>(), [0, 2, 3, 3]);
    assert_eq!((view.vcpus_requested, view.vcpus_present), (4, 3));
}

#[test]
fn a_shrink_that_fits_is_done_in_two_to_five_seconds_and_holds_a_block_more_meanwhile() {
    let mut machine = settled();
    let before = machine.view().resident_bytes;
    resize(&mut machine, &ram(512));
    assert_eq!(machine.view().resident_bytes, before + 128 * MIB);
    machine.advance(secs(61));
    assert!(machine.view().memory_actual_bytes > 512 * MIB);
    machine.advance(secs(65));
    assert_eq!(machine.view().memory_actual_bytes, 512 * MIB);
    assert_eq!((machine.view().resident_bytes, machine.view().guest.oom_kills), (before, 0));
}

#[test]
fn a_shrink_below_use_kills_in_about_five_of_seven_and_stalls_in_the_rest() {
    let mut kills = 0;
    for seed in 0..140 {
        let mut machine = Machine::booted(elastic(), VmmTimings::default(), seed, Duration::ZERO).unwrap();
        machine.advance(secs(60));
        machine.set_used(800 * MIB);
        resize(&mut machine, &ram(512));
        machine.advance(secs(120));
        let view = machine.view();
        assert!(matches!((view.guest.oom_kills, view.memory_actual_bytes / MIB), (1, 512) | (0, 800)), "{view:?}");
        kills += view.guest.oom_kills;
    }
    assert!((80..=120).contains(&kills), "{kills}");
}

#[test]
fn a_stalled_shrink_goes_on_40_to_50_seconds_after_memory_is_free() {
    let mut machine = stalled();
    machine.set_used(100 * MIB);
    machine.advance(secs(100 + 39));
    assert_eq!(machine.view().memory_actual_bytes, 800 * MIB);
    machine.advance(secs(100 + 52));
    assert_eq!(machine.view().memory_actual_bytes, 512 * MIB);
}

#[test]
fn a_stalled_shrink_is_done_in_a_second_when_asked_for_another_size() {
    let mut machine = stalled();
    machine.set_used(100 * MIB);
    assert_eq!(resize(&mut machine, &ram(512)).status, 500);
    assert_eq!(resize(&mut machine, &ram(514)), Answer::accepted());
    machine.advance(secs(101));
    assert_eq!(machine.view().memory_actual_bytes, 514 * MIB);
}

/// A shrink to 512 MiB that has stalled at 800 MiB, at second 100.
fn stalled() -> Machine {
    let mut machine = settled();
    machine.set_used(800 * MIB);
    behave(&mut machine, Behaviour { pressed: Pressed::Stall, ..Behaviour::default() });
    resize(&mut machine, &ram(512));
    machine.advance(secs(100));
    assert_eq!(machine.view().memory_actual_bytes, 800 * MIB);
    machine
}

#[test]
fn a_guest_may_plug_a_part_or_nothing_and_give_back_a_part_or_nothing() {
    let grow = |behaviour| {
        let mut machine = settled();
        behave(&mut machine, behaviour);
        resize(&mut machine, &ram(2048));
        machine.advance(secs(600));
        machine.view().memory_actual_bytes / MIB
    };
    assert_eq!(grow(Behaviour { plug: Plug::UpTo(700 * MIB), ..Behaviour::default() }), 1212);
    assert_eq!(grow(Behaviour { plug: Plug::Never, ..Behaviour::default() }), 1024);
    let shrink = |unplug| {
        let mut machine = settled();
        behave(&mut machine, Behaviour { unplug, ..Behaviour::default() });
        resize(&mut machine, &ram(512));
        machine.advance(secs(600));
        (machine.view().memory_actual_bytes / MIB, machine.view().guest.oom_kills)
    };
    assert_eq!(shrink(Unplug::DownTo(256 * MIB)), (768, 0));
    assert_eq!(shrink(Unplug::Never), (1024, 0));
}

#[test]
fn without_the_driver_the_wish_shows_and_the_memory_never_comes() {
    let mut machine = booted(elastic());
    behave(&mut machine, Behaviour { driver: false, ..Behaviour::default() });
    machine.advance(secs(600));
    let view = machine.view();
    assert_eq!((view.memory_requested_bytes, view.memory_actual_bytes), (1024 * MIB, 512 * MIB));
    behave(&mut machine, Behaviour::default());
    machine.advance(secs(610));
    assert_eq!(machine.view().memory_actual_bytes, 1024 * MIB, "a driver that comes late follows");
}

#[test]
fn memory_and_cpus_that_are_left_offline_are_only_missing_inside() {
    let mut machine = settled();
    behave(&mut machine, Behaviour { memory_online: false, cpus_online: false, ..Behaviour::default() });
    resize(&mut machine, &ram(2048));
    resize(&mut machine, &vcpus(4));
    machine.advance(secs(100));
    let view = machine.view();
    assert_eq!((view.memory_actual_bytes, view.vcpus_present), (2048 * MIB, 4));
    assert_eq!((view.guest.memory_bytes, view.guest.online_vcpus), (512 * MIB, 2));
}

#[test]
fn a_paused_guest_follows_only_after_it_is_resumed() {
    let mut machine = settled();
    assert_eq!(call(&mut machine, "PUT", "vm.pause", ""), Answer::accepted());
    assert_eq!(resize(&mut machine, &vcpus(1)), Answer::accepted());
    machine.advance(secs(500));
    assert_eq!((machine.view().vcpus_present, machine.next_change()), (2, None));
    assert_eq!(call(&mut machine, "PUT", "vm.resume", ""), Answer::accepted());
    machine.advance(secs(501));
    assert_eq!(machine.view().vcpus_present, 1);
}

#[test]
fn a_reboot_comes_back_with_the_last_wishes_and_an_empty_guest() {
    let mut machine = settled();
    machine.set_used(900 * MIB);
    resize(&mut machine, &ram(2048));
    resize(&mut machine, &vcpus(3));
    let boot_id = machine.view().guest.boot_id;
    machine.reboot().unwrap();
    let view = machine.view();
    assert_eq!((view.memory_actual_bytes, view.vcpus_present, view.guest.used_bytes), (512 * MIB, 3, IDLE_BYTES));
    assert_ne!(view.guest.boot_id, boot_id);
    machine.advance(secs(90));
    assert_eq!(machine.view().memory_actual_bytes, 2048 * MIB);
}

#[test]
fn the_hosts_view_follows_a_free_within_8_seconds_only_with_reporting() {
    let after_free = |reporting| {
        let mut config = elastic();
        config.balloon = Some(BalloonConfig { size_bytes: 0, free_page_reporting: reporting });
        let mut machine = booted(config);
        machine.advance(secs(60));
        machine.set_used(800 * MIB);
        machine.set_used(100 * MIB);
        machine.advance(secs(68));
        machine.view().resident_bytes / MIB
    };
    assert_eq!((after_free(true), after_free(false)), (148, 848));
}

#[test]
fn more_than_the_guest_has_ends_a_process() {
    let mut machine = settled();
    machine.set_used(2048 * MIB);
    let guest = machine.view().guest;
    assert_eq!((guest.oom_kills, guest.used_bytes), (1, IDLE_BYTES));
}

#[test]
fn a_balloon_takes_what_is_free_and_no_more() {
    let mut machine = settled();
    machine.set_used(600 * MIB);
    assert_eq!(resize(&mut machine, &format!("{{\"desired_balloon\":{}}}", 900 * MIB)), Answer::accepted());
    machine.advance(secs(70));
    assert_eq!(machine.view().memory_actual_bytes, 600 * MIB);
}

#[test]
fn the_same_seed_gives_the_same_life() {
    let life = |seed| {
        let mut machine = Machine::booted(elastic(), VmmTimings::default(), seed, Duration::ZERO).unwrap();
        machine.set_used(300 * MIB);
        let mut trace = Vec::new();
        for mib in [2048, 640, 3000, 512] {
            resize(&mut machine, &ram(mib));
            for _ in 0..50 {
                if let Some(at) = machine.next_change() {
                    machine.advance(at);
                    trace.push((at, machine.view()));
                }
            }
        }
        trace
    };
    assert_eq!(life(3), life(3));
    assert_ne!(life(3), life(4));
}
