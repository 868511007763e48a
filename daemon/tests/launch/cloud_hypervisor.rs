//! The launcher with a Cloud Hypervisor: a program that waits, and its socket served here.

use super::fake::Place;
use reef_api::vm::VmmKind;
use reef_daemon::launch::{Stop, launch};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

/// Says its version, leaves a mark that it was started, and ends when another mark is there.
const PROGRAM: &str = r#"#!/bin/sh
[ "$1" = --version ] && { echo 'cloud-hypervisor v53.0'; exit 0; }
here=$(dirname "$0")
printf '%s\n' "$*" >"$here/started"
while [ ! -e "$here/off" ]; do sleep 0.05; done
"#;

/// Answers as the API does, and lets the program end at the power button. Gives the requests that came.
async fn serve(socket: &Path, off: &Path, stop: &Stop) -> Vec<String> {
    let listener = UnixListener::bind(socket).unwrap();
    let mut asked = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut read = vec![0; 4096];
        let count = stream.read(&mut read).await.unwrap();
        let line = String::from_utf8_lossy(&read[..count]).lines().next().unwrap_or_default().to_owned();
        let button = line.contains("vm.power-button");
        let state = if asked.is_empty() { "Created" } else { "Running" };
        let body = if button { String::new() } else { format!(r#"{{"state": "{state}"}}"#) };
        let status = if button { "204 No Content" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        asked.push(line);
        if asked.len() == 2 {
            // The VM runs from here on: told to stop earlier, the launcher would not press anything.
            tokio::time::sleep(Duration::from_millis(200)).await;
            stop.gently.cancel();
        }
        if button {
            fs::write(off, "").unwrap();
            return asked;
        }
    }
}

#[tokio::test]
async fn cloud_hypervisor_is_waited_for_and_its_power_button_pressed() {
    if fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_err() {
        let place = Place::with_program(PROGRAM);
        let told = launch(place.options(VmmKind::CloudHypervisor), Stop::default()).await;
        assert_eq!(told.code, 71, "{}", told.message);
        return;
    }
    let place = Place::with_program(PROGRAM);
    let stop = Stop::default();
    let launched = tokio::spawn(launch(place.options(VmmKind::CloudHypervisor), stop.clone()));
    while !place.path("started").exists() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (socket, off) = (place.path("run/ch.sock"), place.path("off"));
    let served = tokio::spawn(async move { serve(&socket, &off, &stop).await });
    let told = launched.await.unwrap();
    assert_eq!((told.code, told.message.as_str()), (143, "the guest shut down after its power button was pressed"));
    let asked = served.await.unwrap();
    assert_eq!(asked.first().map(String::as_str), Some("GET /api/v1/vm.info HTTP/1.1"));
    assert_eq!(asked.last().map(String::as_str), Some("PUT /api/v1/vm.power-button HTTP/1.1"));
    let line = fs::read_to_string(place.path("started")).unwrap();
    assert!(
        line.contains("--memory size=128M,hotplug_method=virtio-mem,hotplug_size=384M,hotplugged_size=128M"),
        "{line}"
    );
}
