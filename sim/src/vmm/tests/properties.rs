//! What holds of a VMM and its guest whatever is asked, in whatever order.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Ask(Option<u32>, Option<u64>, Option<u64>),
    Wait(u64),
    Use(u64),
    Call(&'static str),
    EjectByGuest(u32),
    Behave(Behaviour),
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    let ejects = prop_oneof![Just(CpuEject::All), Just(CpuEject::Only(1)), Just(CpuEject::Never)];
    let unplugs = prop_oneof![Just(Unplug::All), Just(Unplug::DownTo(256 * MIB)), Just(Unplug::Never)];
    let plugs = prop_oneof![Just(Plug::All), Just(Plug::UpTo(256 * MIB)), Just(Plug::Never)];
    (ejects, unplugs, plugs, any::<bool>()).prop_map(|(cpu_eject, unplug, plug, driver)| Behaviour {
        cpu_eject,
        unplug,
        plug,
        driver,
        ..Behaviour::default()
    })
}

fn step() -> impl Strategy<Value = Step> {
    let calls =
        prop_oneof![Just("vm.pause"), Just("vm.resume"), Just("vm.reboot"), Just("vm.shutdown"), Just("vm.boot")];
    prop_oneof![
        4 => (proptest::option::of(0..10u32), proptest::option::of(0..2200u64), proptest::option::of(0..3000u64))
            .prop_map(|(vcpus, blocks, balloon)| Step::Ask(vcpus, blocks.map(|it| it * 2 * MIB), balloon.map(|it| it * MIB))),
        4 => (1..60_000u64).prop_map(Step::Wait),
        2 => (0..5000u64).prop_map(|mib| Step::Use(mib * MIB)),
        1 => calls.prop_map(Step::Call),
        1 => (0..8u32).prop_map(Step::EjectByGuest),
        1 => behaviour().prop_map(Step::Behave),
    ]
}

fn take(machine: &mut Machine, now: &mut Duration, step: Step) {
    match step {
        Step::Ask(desired_vcpus, desired_ram, desired_balloon) => {
            let _ = machine.resize(ResizeRequest { desired_vcpus, desired_ram, desired_balloon });
        }
        Step::Wait(millis) => {
            *now += Duration::from_millis(millis);
            machine.advance(*now);
        }
        Step::Use(bytes) => machine.set_used(bytes),
        Step::Call(name) => drop(call(machine, "PUT", name, "")),
        Step::EjectByGuest(vcpu) => machine.eject_by_guest(vcpu),
        Step::Behave(behaviour) => machine.set_behaviour(behaviour),
    }
}

proptest! {
    #[test]
    fn devices_stay_within_their_bounds(steps in proptest::collection::vec(step(), 1..60), seed in 0..1000u64) {
        let mut machine = Machine::booted(elastic(), VmmTimings::default(), seed, Duration::ZERO).unwrap();
        let mut now = Duration::ZERO;
        for step in steps {
            take(&mut machine, &mut now, step);
            let view = machine.view();
            let memory = &machine.hypervisor().memory;
            prop_assert!(view.vcpus_present <= 8);
            prop_assert!(memory.plugged <= 3584 * MIB && memory.requested <= 3584 * MIB);
            prop_assert!(view.guest.used_bytes <= view.guest.memory_bytes, "{:?}", view);
            prop_assert!(view.guest.online_vcpus <= view.vcpus_present, "{:?}", view);
            prop_assert!(view.resident_bytes <= memory.given() + 48 * MIB, "{:?}", view);
            prop_assert!(machine.next_change().is_none_or(|at| at >= now));
        }
    }

    #[test]
    fn a_cooperating_guest_settles_on_the_last_request(blocks in proptest::collection::vec(256..2048u64, 1..6), seed in 0..1000u64) {
        let mut machine = Machine::booted(elastic(), VmmTimings::default(), seed, Duration::ZERO).unwrap();
        for (index, block) in blocks.iter().enumerate() {
            let _ = machine.resize(ResizeRequest { desired_ram: Some(block * 2 * MIB), ..ResizeRequest::default() });
            machine.advance(Duration::from_secs(3 * index as u64));
        }
        machine.advance(Duration::from_secs(3600));
        let view = machine.view();
        prop_assert_eq!(view.memory_actual_bytes, view.memory_requested_bytes);
        prop_assert_eq!((view.guest.oom_kills, machine.next_change()), (0, None));
    }

    #[test]
    fn no_bytes_make_the_vmm_fall(method in "GET|PUT|POST|", name in "[a-z.]{0,12}|vm.resize|vm.info", body in proptest::collection::vec(any::<u8>(), 0..64)) {
        let mut machine = settled();
        let path = format!("{}{name}", http::ROOT);
        let status = http::serve(&mut machine, 1, &method, &path, &body).answer.status;
        prop_assert!([200, 204, 400, 404, 429, 500].contains(&status));
    }
}
