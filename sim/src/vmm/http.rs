//! The VMM's endpoints: which request calls what, and what is a bad request.
//!
//! Pure: bytes in, an answer out. Endpoints that no part of Reef uses are answered as unknown.

use super::answer::{Answer, Refusal};
use super::hypervisor::{ResizeRequest, VmState};
use super::machine::Machine;

/// Where all endpoints are.
pub const ROOT: &str = "/api/v1/";

/// An answer, and whether the process ends after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The answer.
    pub answer: Answer,
    /// The process ends once it is sent.
    pub ends: bool,
}

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Self { answer, ends: false }
    }
}

/// The name of an endpoint in a path, for example `vm.info`.
#[must_use]
pub fn endpoint(path: &str) -> &str {
    path.strip_prefix(ROOT).unwrap_or("")
}

/// Serves one request.
pub fn serve(machine: &mut Machine, pid: u32, method: &str, path: &str, body: &[u8]) -> Outcome {
    match (method, endpoint(path)) {
        ("GET", "vmm.ping") => Answer::ok(machine.hypervisor().ping(pid).to_string()).into(),
        ("GET", "vm.info") => info(machine).into(),
        ("PUT", "vm.resize") => resize(machine, body).into(),
        ("PUT", "vm.boot") => act(machine, "The VM could not boot", Machine::boot).into(),
        ("PUT", "vm.pause") => act(machine, "The VM could not be paused", |it| it.hypervisor_mut().pause()).into(),
        ("PUT", "vm.resume") => act(machine, "The VM could not resume", |it| it.hypervisor_mut().resume()).into(),
        ("PUT", "vm.reboot") => act(machine, "The VM could not reboot", Machine::reboot).into(),
        ("PUT", "vm.shutdown") => act(machine, "The VM could not shutdown", Machine::shutdown).into(),
        ("PUT", "vm.delete") => act(machine, "The VM could not be deleted", |it| it.hypervisor_mut().delete()).into(),
        ("PUT", "vm.power-button") => Outcome { ends: runs(machine), answer: power_button(machine) },
        ("PUT", "vmm.shutdown") => Outcome { answer: Answer::accepted(), ends: true },
        (_, "") => Answer::not_found().into(),
        ("GET" | "PUT", name) if is_known(name) => Answer::bad_request().into(),
        ("GET" | "PUT", _) => Answer::not_found().into(),
        _ => Answer::bad_request().into(),
    }
}

fn is_known(name: &str) -> bool {
    const KNOWN: [&str; 11] = [
        "vmm.ping",
        "vm.info",
        "vm.resize",
        "vm.boot",
        "vm.pause",
        "vm.resume",
        "vm.reboot",
        "vm.shutdown",
        "vm.delete",
        "vm.power-button",
        "vmm.shutdown",
    ];
    KNOWN.contains(&name)
}

fn info(machine: &Machine) -> Answer {
    let hypervisor = machine.hypervisor();
    let refused = |refusal: Refusal| refusal.answer("The VM info is not available", hypervisor.major());
    hypervisor.info().map_or_else(refused, Answer::ok)
}

fn resize(machine: &mut Machine, body: &[u8]) -> Answer {
    if body.is_empty() {
        return Answer::bad_request();
    }
    match serde_json::from_slice::<ResizeRequest>(body) {
        Ok(request) => act(machine, "The VM could not be resized", |it| it.resize(request)),
        Err(error) => Answer::error(400, &["Failed to deserialize JSON", &error.to_string()]),
    }
}

fn act(machine: &mut Machine, failed: &str, call: impl FnOnce(&mut Machine) -> Result<(), Refusal>) -> Answer {
    match call(machine) {
        Ok(()) => Answer::accepted(),
        Err(refusal) => refusal.answer(failed, machine.hypervisor().major()),
    }
}

fn runs(machine: &Machine) -> bool {
    machine.hypervisor().state() == VmState::Running
}

/// The guest powers off, and with it goes the process.
fn power_button(machine: &Machine) -> Answer {
    if runs(machine) {
        return Answer::accepted();
    }
    Refusal::NotRunning.answer("The VM power button could not be pressed", machine.hypervisor().major())
}
