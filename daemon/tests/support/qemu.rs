//! A QEMU in memory: the answers of QEMU 7.2 on QMP, to one client at a time.
//!
//! Its guest is that of the other VMM. Slots are taken from the first to the last, as the daemon and `reef launch` take them.

use super::vmm::{GIB, Machine, Odd, Vmm};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

const GREETING: &str = r#"{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": "Debian 1:7.2+dfsg-7+deb12u18+b3"}, "capabilities": ["oob"]}}"#;
const SLOTS: u32 = 8;

/// A command's answer, and what is told beside it.
struct Answer {
    events: Vec<Value>,
    outcome: Result<Value, (&'static str, String)>,
}

impl From<Result<Value, (&'static str, String)>> for Answer {
    fn from(outcome: Result<Value, (&'static str, String)>) -> Self {
        Self { events: Vec::new(), outcome }
    }
}

/// Serves a connection once those before it have ended.
pub async fn serve(vmm: Vmm, stream: DuplexStream) {
    let turn = vmm.turn.clone();
    let _alone = turn.lock().await;
    let mut stream = BufReader::new(stream);
    if stream.get_mut().write_all(format!("{GREETING}\r\n").as_bytes()).await.is_err() {
        return;
    }
    let mut line = String::new();
    while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
        let request: Value = serde_json::from_str(&line).unwrap();
        line.clear();
        let silent = vmm.machine().odd == Some(Odd::Silence);
        if silent {
            vmm.machine().odd = None;
            drop(stream.read_to_end(&mut Vec::new()).await);
            return;
        }
        let Some(text) = say(&vmm, &request).await else { return };
        if stream.get_mut().write_all(text.as_bytes()).await.is_err() || !text.ends_with('\n') {
            return;
        }
    }
}

/// The lines that answer a request; a text without an end is the last one. `None` where QEMU ends.
async fn say(vmm: &Vmm, request: &Value) -> Option<String> {
    let odd = vmm.machine().odd.take();
    if let Some(odd) = odd {
        return Some(odd_text(odd));
    }
    let answer = answer(vmm, request["execute"].as_str().unwrap(), &request["arguments"]).await?;
    let outcome = match answer.outcome {
        Ok(returned) => json!({ "return": returned, "id": request["id"] }),
        Err((class, desc)) => json!({ "error": { "class": class, "desc": desc }, "id": request["id"] }),
    };
    Some(answer.events.into_iter().chain([outcome]).map(|line| format!("{line}\r\n")).collect())
}

fn odd_text(odd: Odd) -> String {
    match odd {
        Odd::Half => "{\"return\": {\"sta".to_owned(),
        Odd::Garbage => "\u{0}\u{1}garbage\n".to_owned(),
        Odd::Closes | Odd::Silence => String::new(),
        Odd::Huge => format!("{{\"return\": \"{}\"", "x".repeat(512 << 10)),
    }
}

async fn answer(vmm: &Vmm, command: &str, arguments: &Value) -> Option<Answer> {
    let text = |name: &str| arguments[name].as_str().unwrap_or_default();
    let answer = match command {
        "device_add" => return add(vmm, arguments).await,
        "device_del" => remove(vmm, text("id")).await,
        "qom-set" if text("property") == "requested-size" => {
            plug(vmm, arguments["value"].as_u64().unwrap()).await.into()
        }
        "object-add" => {
            vmm.machine().objects.push(text("id").to_owned());
            Ok(json!({})).into()
        }
        "qom-set" | "qmp_capabilities" => Ok(json!({})).into(),
        _ => tell(&vmm.machine(), command),
    };
    Some(answer)
}

fn tell(machine: &Machine, command: &str) -> Answer {
    let told = match command {
        "query-status" => {
            let status = match machine.state {
                "Running" => "running",
                "Paused" => "paused",
                _ => "prelaunch",
            };
            json!({ "status": status, "singlestep": false, "running": status == "running" })
        }
        "query-kvm" => json!({ "enabled": !machine.emulated, "present": true }),
        "query-memory-size-summary" => json!({ "base-memory": GIB, "plugged-memory": machine.memory_actual - GIB }),
        "query-memory-devices" => json!([{ "type": "virtio-mem", "data": {
            "memdev": "/objects/vmem0", "memaddr": 4 * GIB, "block-size": 2 << 20, "size": machine.memory_actual - GIB,
            "node": 0, "max-size": 7 * GIB, "requested-size": machine.memory_requested - GIB, "id": "vm0" } }]),
        "query-hotpluggable-cpus" => slots(machine.vcpus_present),
        "qom-get" if machine.refuses_statistics => {
            return Err(("GenericError", "guest hasn't updated any stats yet".to_owned())).into();
        }
        "qom-get" => statistics(machine),
        "qom-list" => machine.objects.iter().map(|id| json!({ "name": id, "type": "child<secret>" })).collect(),
        other => return Err(("CommandNotFound", format!("The command {other} has not been found"))).into(),
    };
    Ok(told).into()
}

/// The last slot comes first. The first vCPU is one of boot, and the others carry ids.
fn slots(present: u32) -> Value {
    let slot = |number: u32| {
        let props = json!({ "core-id": 0, "thread-id": 0, "node-id": 0, "socket-id": number });
        let path = if number == 0 { "/machine/unattached/device[0]".to_owned() } else { path(number) };
        let mut slot = json!({ "props": props, "vcpus-count": 1, "type": "max-x86_64-cpu" });
        if number < present {
            slot["qom-path"] = json!(path);
        }
        slot
    };
    (0..SLOTS).rev().map(slot).collect()
}

fn path(number: u32) -> String {
    format!("/machine/peripheral/vcpu-{number}")
}

fn statistics(machine: &Machine) -> Value {
    let (total, available) = machine.tells.unwrap_or((u64::MAX, u64::MAX));
    let stats = json!({ "stat-total-memory": total, "stat-available-memory": available, "stat-swap-in": 0 });
    let update = machine.tells.map_or(0, |_| machine.began.elapsed().as_secs() / 2);
    json!({ "stats": stats, "last-update": update })
}

/// Adds a vCPU: the slot holds it at once, and the guest needs no time to be asked.
async fn add(vmm: &Vmm, device: &Value) -> Option<Answer> {
    let number = u32::try_from(device["socket-id"].as_u64().unwrap()).unwrap();
    assert_eq!((&device["driver"], &device["id"]), (&json!("max-x86_64-cpu"), &json!(format!("vcpu-{number}"))));
    vmm.note(&format!("device_add {number}"));
    wait(vmm).await;
    let mut machine = vmm.machine();
    if machine.emulated && machine.lost_vcpu {
        vmm.note("double free or corruption (out)");
        machine.gone = true;
        return None;
    }
    if number < machine.vcpus_present {
        return Some(Err(("GenericError", format!("CPU[{number}] with APIC ID {number} exists"))).into());
    }
    machine.vcpus_present = number + 1;
    machine.vcpus_requested = number + 1;
    Some(Ok(json!({})).into())
}

async fn remove(vmm: &Vmm, asked: &str) -> Answer {
    let number: u32 = asked.rsplit('-').next().unwrap().parse().unwrap();
    assert_eq!(asked, path(number));
    vmm.note(&format!("device_del {number}"));
    wait(vmm).await;
    let mut machine = vmm.machine();
    if number >= machine.vcpus_present {
        return Err(("DeviceNotFound", format!("Device '{asked}' not found"))).into();
    }
    if std::mem::take(&mut machine.is_deaf) {
        return Ok(json!({})).into();
    }
    if machine.keeps_vcpus {
        let info = json!({ "device": format!("vcpu-{number}"), "source": 3, "status": 128, "slot": number.to_string(), "slot-type": "CPU" });
        let event = json!({ "event": "ACPI_DEVICE_OST", "data": { "info": info }, "timestamp": { "seconds": 1, "microseconds": 2 } });
        return Answer { events: vec![event], outcome: Ok(json!({})) };
    }
    machine.vcpus_requested = machine.vcpus_requested.min(number);
    drop(machine);
    vmm.follow();
    Ok(json!({})).into()
}

async fn plug(vmm: &Vmm, added: u64) -> Result<Value, (&'static str, String)> {
    vmm.note(&format!("requested-size {}", added >> 20));
    wait(vmm).await;
    if !added.is_multiple_of(2 << 20) {
        return Err(("GenericError", "'requested-size' has to be multiples of 'block-size' (0x200000)".to_owned()));
    }
    if added > 7 * GIB {
        let text = "'requested-size' cannot exceed the memory backend size(0x1c0000000)";
        return Err(("GenericError", text.to_owned()));
    }
    vmm.machine().memory_requested = GIB + added;
    vmm.follow();
    Ok(json!({}))
}

async fn wait(vmm: &Vmm) {
    let takes: Option<Duration> = vmm.machine().next_resize_takes.take();
    if let Some(takes) = takes {
        tokio::time::sleep(takes).await;
        vmm.note("takes effect");
    }
}
