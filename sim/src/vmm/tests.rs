//! Tests of the VMM and its guest, without and with a socket.

mod answers;
mod guest;
mod properties;
mod socket;

use std::time::Duration;

use super::config::MIB;
use super::*;

fn elastic() -> VmConfig {
    VmConfig::elastic(2, 8, 1024 * MIB, 512 * MIB, 4096 * MIB)
}

fn booted(config: VmConfig) -> Machine {
    Machine::booted(config, VmmTimings::default(), 7, Duration::ZERO).unwrap()
}

/// A machine whose drivers are loaded and whose memory is plugged.
fn settled() -> Machine {
    let mut machine = booted(elastic());
    machine.advance(secs(60));
    machine
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn call(machine: &mut Machine, method: &str, name: &str, body: &str) -> Answer {
    http::serve(machine, 4711, method, &format!("{}{name}", http::ROOT), body.as_bytes()).answer
}

/// What the body of an answer says.
fn told(answer: Answer) -> serde_json::Value {
    serde_json::from_slice(&answer.body.unwrap()).unwrap()
}

fn resize(machine: &mut Machine, body: &str) -> Answer {
    call(machine, "PUT", "vm.resize", body)
}

fn ram(mib: u64) -> String {
    format!("{{\"desired_ram\":{}}}", mib * MIB)
}

fn vcpus(count: u32) -> String {
    format!("{{\"desired_vcpus\":{count}}}")
}
