//! Every row of the measured table of answers.

use super::*;

fn refused(machine: &mut Machine, body: &str, text: &str) {
    let answer = resize(machine, body);
    assert_eq!(answer.status, 500, "{body}");
    let messages: Vec<String> = serde_json::from_value(told(answer)).unwrap();
    assert_eq!(messages[..2], ["Error from API", "The VM could not be resized"], "{body}");
    assert!(messages.last().unwrap().contains(text), "{body}: {messages:?}");
}

#[test]
fn a_valid_change_is_accepted_and_only_requested() {
    let mut machine = settled();
    assert_eq!(resize(&mut machine, &ram(2048)), Answer::accepted());
    let view = machine.view();
    assert_eq!((view.memory_requested_bytes, view.memory_actual_bytes), (2048 * MIB, 1024 * MIB));
    assert_eq!(resize(&mut machine, &vcpus(4)), Answer::accepted());
    assert_eq!((machine.view().vcpus_requested, machine.view().vcpus_present), (4, 4));
}

#[test]
fn nothing_and_a_misspelt_field_are_accepted_and_do_nothing() {
    let mut machine = settled();
    let before = machine.view();
    for body in ["{}", "{\"desired_vcpu\":4}"] {
        assert_eq!(resize(&mut machine, body), Answer::accepted());
    }
    assert_eq!(machine.view(), before);
}

#[test]
fn what_is_no_request_is_400() {
    let mut machine = settled();
    for body in ["", "{", "{\"desired_ram\":-1}", "{\"desired_ram\":\"2G\"}", "{\"desired_vcpus\":5000000000}"] {
        assert_eq!(resize(&mut machine, body).status, 400, "{body}");
    }
    assert_eq!(call(&mut machine, "POST", "vm.info", "").status, 400);
    assert_eq!(call(&mut machine, "PUT", "vm.info", "").status, 400);
    assert_eq!(call(&mut machine, "GET", "vm.nothing", "").status, 404);
}

#[test]
fn without_a_vm_it_is_404_and_was_500_before_v53() {
    let mut machine = Machine::new(VmmTimings::default(), 1);
    assert_eq!(resize(&mut machine, &ram(1024)).status, 404);
    assert_eq!(call(&mut machine, "GET", "vm.info", "").status, 404);
    machine.hypervisor_mut().set_version("v52.0");
    assert_eq!(resize(&mut machine, &ram(1024)).status, 500);
}

#[test]
fn while_a_removal_is_pending_every_target_is_429_but_the_present_count() {
    let mut machine = settled();
    assert_eq!(resize(&mut machine, &vcpus(1)), Answer::accepted());
    let busy = Answer::error(429, &["Too Many Requests"]);
    for count in [1, 3, 9] {
        assert_eq!(resize(&mut machine, &vcpus(count)), busy, "{count}");
    }
    assert_eq!(resize(&mut machine, &ram(2048)), Answer::accepted(), "memory alone passes");
    assert_eq!(resize(&mut machine, &vcpus(2)), Answer::accepted(), "the present count passes");
    machine.advance(secs(61));
    assert_eq!((machine.view().vcpus_requested, machine.view().vcpus_present), (2, 1), "and vm.info is wrong");
}

#[test]
fn a_pending_removal_was_500_before_v46() {
    let mut machine = settled();
    machine.hypervisor_mut().set_version("v45.0");
    resize(&mut machine, &vcpus(1));
    refused(&mut machine, &vcpus(3), "Still pending removed vCPU");
}

#[test]
fn vcpus_outside_the_bounds_are_refused() {
    let mut machine = settled();
    refused(&mut machine, &vcpus(9), "Requested vCPUs exceed maximum");
    refused(&mut machine, &vcpus(0), "Requested zero vCPUs");
    assert_eq!(machine.view().vcpus_requested, 2);
}

#[test]
fn virtio_mem_refuses_the_same_size_a_bad_block_and_what_is_outside() {
    let mut machine = settled();
    refused(&mut machine, &ram(1024), "requested_size are identical");
    refused(&mut machine, &ram(1025), "is not aligned on block_size 0x200000");
    refused(&mut machine, &ram(4098), "is bigger than region_size");
    refused(&mut machine, &ram(510), "below boot size");
    let same = told(resize(&mut machine, &ram(1024)));
    assert!(same[5].as_str().unwrap().len() > 2000, "a backtrace of several KiB");
    machine.hypervisor_mut().set_version("v52.0");
    assert_eq!(resize(&mut machine, &ram(510)), Answer::accepted(), "silent before v53");
}

#[test]
fn acpi_adds_blocks_of_128_mib_eight_times_and_lies_about_a_shrink() {
    let mut config = elastic();
    config.memory.hotplug_method = HotplugMethod::Acpi;
    config.memory.hotplugged_size_bytes = None;
    config.memory.size_bytes = 512 * MIB;
    let mut machine = booted(config);
    refused(&mut machine, &ram(576), "not a valid size");
    refused(&mut machine, &ram(8192), "Not enough space");
    for slot in 1..=8 {
        assert_eq!(resize(&mut machine, &ram(512 + slot * 128)), Answer::accepted(), "{slot}");
    }
    refused(&mut machine, &ram(512 + 9 * 128), "No ACPI slot available");
    for mib in [512, 0] {
        assert_eq!(resize(&mut machine, &ram(mib)), Answer::accepted());
        let view = machine.view();
        assert_eq!((view.memory_actual_bytes, view.guest.memory_bytes), (mib * MIB, 1536 * MIB));
    }
}

#[test]
fn a_vm_with_dimms_boots_at_its_size_and_has_the_same_ceiling() {
    let mut machine = booted(elastic().with_dimms());
    assert_eq!(machine.view().guest.memory_bytes, 1024 * MIB, "before any driver is loaded");
    refused(&mut machine, &ram(4096 + 128), "Not enough space");
    assert_eq!(resize(&mut machine, &ram(4096)), Answer::accepted());
    assert_eq!(machine.view().guest.memory_bytes, 4096 * MIB);
}

#[test]
fn a_balloon_without_a_device_is_refused_after_the_rest_was_applied() {
    let mut config = elastic();
    config.balloon = None;
    let mut machine = booted(config);
    let body = format!("{{\"desired_vcpus\":3,\"desired_ram\":{},\"desired_balloon\":1}}", 2048 * MIB);
    refused(&mut machine, &body, "Missing virtio-balloon");
    let view = machine.view();
    assert_eq!((view.vcpus_requested, view.vcpus_present, view.memory_requested_bytes), (3, 3, 2048 * MIB));
}

#[test]
fn memory_that_is_refused_leaves_the_vcpus_of_the_same_request() {
    let mut machine = settled();
    let body = format!("{{\"desired_vcpus\":3,\"desired_ram\":{}}}", 1025 * MIB);
    refused(&mut machine, &body, "not aligned");
    assert_eq!((machine.view().vcpus_requested, machine.view().vcpus_present), (3, 3));
}

#[test]
fn zones_and_a_migration_refuse() {
    let mut config = elastic();
    config.memory.zones = true;
    refused(&mut booted(config), &ram(2048), "user defined memory regions");
    let mut machine = settled();
    machine.hypervisor_mut().set_migrating(true);
    refused(&mut machine, &ram(2048), "currently migrating");
    let frozen = call(&mut machine, "GET", "vm.info", "");
    machine.eject_by_guest(1);
    assert_eq!(call(&mut machine, "GET", "vm.info", ""), frozen);
}

#[test]
fn what_is_created_and_not_booted_takes_anything_and_may_then_fail_to_boot() {
    let mut machine = Machine::new(VmmTimings::default(), 1);
    machine.hypervisor_mut().create(elastic());
    assert_eq!(resize(&mut machine, "{\"desired_vcpus\":99,\"desired_ram\":3}"), Answer::accepted());
    let info = told(call(&mut machine, "GET", "vm.info", ""));
    assert_eq!((&info["state"], &info["config"]["memory"]["size"]), (&"Created".into(), &3.into()));
    assert_eq!(call(&mut machine, "PUT", "vm.boot", "").status, 500);
}

#[test]
fn a_region_that_is_no_multiple_of_128_mib_does_not_boot() {
    let config = VmConfig::elastic(1, 1, 512 * MIB, 512 * MIB, 512 * MIB + 100 * MIB);
    let refused = Machine::booted(config, VmmTimings::default(), 1, Duration::ZERO).unwrap_err();
    assert_eq!(refused, Refusal::InvalidMemory);
}

#[test]
fn info_and_ping_have_the_fields_that_clients_read() {
    let mut machine = settled();
    let info = told(call(&mut machine, "GET", "vm.info", ""));
    assert_eq!(info["state"], "Running");
    assert_eq!(info["memory_actual_size"], 1024 * MIB);
    assert_eq!(info["config"]["cpus"]["boot_vcpus"], 2);
    assert_eq!(info["config"]["cpus"]["max_vcpus"], 8);
    assert_eq!(info["config"]["memory"]["size"], 512 * MIB);
    assert_eq!(info["config"]["memory"]["hotplug_size"], 3584 * MIB);
    assert_eq!(info["config"]["memory"]["hotplugged_size"], 512 * MIB);
    assert_eq!(info["config"]["memory"]["hotplug_method"], "VirtioMem");
    resize(&mut machine, &ram(512));
    let info = told(call(&mut machine, "GET", "vm.info", ""));
    assert!(info["config"]["memory"]["hotplugged_size"].is_null(), "absent when it is zero");
    machine.hypervisor_mut().set_version("v52.1");
    let ping = told(call(&mut machine, "GET", "vmm.ping", ""));
    assert_eq!(
        (&ping["build_version"], &ping["version"], &ping["pid"]),
        (&"v52.1".into(), &"52.1.0".into(), &4711.into())
    );
}

#[test]
fn before_v52_the_actual_size_echoes_the_request() {
    let mut machine = settled();
    machine.hypervisor_mut().set_version("v51.0");
    resize(&mut machine, &ram(4096));
    assert_eq!(machine.view().memory_actual_bytes, 4096 * MIB);
}
