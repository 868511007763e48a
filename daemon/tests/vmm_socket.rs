//! The client against a socket that answers as a Cloud Hypervisor does, and as a broken one does.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

mod support;

use reef_api::{Bytes, Vcpus};
use reef_daemon::decide::accounting::ConnectionId;
use reef_daemon::decide::classify::RefusalKind;
use reef_daemon::vmm::{CloudHypervisor, Delivery, HyperlocalDial, Peer, VerifyingDial, Vmm, VmmError, VmmLimits};
use std::sync::Arc;
use std::time::Duration;
use support::socket::{Answer, ScriptedSocket, info, ping};

const REQUEST: Duration = Duration::from_millis(500);

fn limits() -> VmmLimits {
    VmmLimits { connect: REQUEST, request: REQUEST, ..VmmLimits::default() }
}

fn this_process() -> Peer {
    Peer::process(std::process::id())
}

fn client(socket: &ScriptedSocket) -> CloudHypervisor {
    CloudHypervisor::new(Arc::new(VerifyingDial), socket.path(), this_process(), limits())
}

async fn refusal(status: u16, body: &str) -> (RefusalKind, Delivery) {
    let socket = ScriptedSocket::serve([Answer::json(status, body)]);
    match client(&socket).set_vcpus(Vcpus(4)).await {
        Err(error @ VmmError::Refused { .. }) => {
            let VmmError::Refused { kind, .. } = error else { unreachable!() };
            (kind, error.delivery())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_vm_is_read_on_one_connection_and_its_version_once() {
    let socket = ScriptedSocket::serve([ping(), info("Running"), info("Paused")]);
    let mut client = client(&socket);
    let first = client.observe().await.unwrap();
    let second = client.observe().await.unwrap();
    assert_eq!(
        (first.version.as_str(), first.connection, second.connection),
        ("v53.0", ConnectionId(1), ConnectionId(1))
    );
    assert_eq!(socket.requests(), ["1 GET /api/v1/vmm.ping ", "1 GET /api/v1/vm.info ", "1 GET /api/v1/vm.info "]);
}

#[tokio::test]
async fn vcpus_and_memory_are_two_requests_of_one_field_each() {
    let socket = ScriptedSocket::serve([Answer::status(204), Answer::status(204)]);
    let mut client = client(&socket);
    client.set_vcpus(Vcpus(4)).await.unwrap();
    client.set_memory(Bytes(4 << 30)).await.unwrap();
    let expected =
        [r#"1 PUT /api/v1/vm.resize {"desired_vcpus":4}"#, r#"1 PUT /api/v1/vm.resize {"desired_ram":4294967296}"#];
    assert_eq!(socket.requests(), expected);
}

#[tokio::test]
async fn every_refusal_was_answered_and_is_told_by_its_kind() {
    let chain = |text: &str| format!(r#"["Error from API","The VM could not be resized","{text}"]"#);
    let identical = chain("new size 0x1 and requested_size are identical");
    let migrating = chain("VM is currently migrating and can't be modified");
    assert_eq!(refusal(400, r#"["Bad Request"]"#).await, (RefusalKind::Malformed, Delivery::Answered));
    assert_eq!(refusal(404, &chain("VM is not created")).await, (RefusalKind::NotRunning, Delivery::Answered));
    assert_eq!(refusal(429, r#"["Too Many Requests"]"#).await, (RefusalKind::RemovalPending, Delivery::Answered));
    assert_eq!(refusal(500, &identical).await, (RefusalKind::AlreadyRequested, Delivery::Answered));
    assert_eq!(refusal(500, &migrating).await, (RefusalKind::Migrating, Delivery::Answered));
    assert_eq!(refusal(503, "").await, (RefusalKind::Busy, Delivery::Answered));
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_open() {
    let socket = ScriptedSocket::serve([Answer::json(429, "[]"), ping(), info("Running")]);
    let mut client = client(&socket);
    client.set_vcpus(Vcpus(4)).await.unwrap_err();
    assert_eq!(client.observe().await.unwrap().connection, ConnectionId(1));
}

#[tokio::test]
async fn half_a_reply_leaves_the_outcome_unknown_and_the_next_look_is_on_a_new_connection() {
    let half = Answer::raw("HTTP/1.1 204 No Con");
    let socket = ScriptedSocket::serve([half, ping(), info("Running")]);
    let mut client = client(&socket);
    let error = client.set_vcpus(Vcpus(4)).await.unwrap_err();
    assert_eq!((error.category(), error.delivery()), ("lost", Delivery::Unknown));
    assert_eq!(client.observe().await.unwrap().connection, ConnectionId(2));
}

#[tokio::test]
async fn half_a_body_and_no_reply_at_all_leave_the_outcome_unknown() {
    for answer in [Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"conf"), Answer::raw("")] {
        let socket = ScriptedSocket::serve([answer]);
        let error = client(&socket).set_memory(Bytes(1)).await.unwrap_err();
        assert_eq!((error.category(), error.delivery()), ("lost", Delivery::Unknown));
    }
}

#[tokio::test]
async fn garbage_is_an_error_and_never_a_panic() {
    for (answer, category) in [
        (Answer::raw("SSH-2.0-OpenSSH_9.2\r\n"), "lost"),
        (Answer::json(200, "{\"version\": [}"), "unreadable"),
        (Answer::json(200, "\u{0}\u{0}"), "unreadable"),
    ] {
        let socket = ScriptedSocket::serve([answer]);
        assert_eq!(client(&socket).observe().await.unwrap_err().category(), category);
    }
}

#[tokio::test]
async fn a_body_of_ten_megabytes_is_not_read() {
    let huge = "x".repeat(10 << 20);
    let socket = ScriptedSocket::serve([Answer::json(200, &huge)]);
    assert!(matches!(client(&socket).observe().await, Err(VmmError::TooLarge { limit: 262_144, .. })));
    let long = format!(r#"["Error from API","VM is not running","{huge}"]"#);
    assert_eq!(refusal(500, &long).await, (RefusalKind::NotRunning, Delivery::Answered));
}

#[tokio::test]
async fn interim_answers_are_not_read_for_ever() {
    let interim = "HTTP/1.1 100 Continue\r\n\r\n";
    let info_after = |count: usize| {
        let Answer::Keep(info) = info("Running") else { unreachable!() };
        Answer::Keep(interim.repeat(count) + &info)
    };
    let few = ScriptedSocket::serve([ping(), info_after(3)]);
    assert!(client(&few).observe().await.is_ok());
    let endless = ScriptedSocket::serve([ping(), info_after(40_000)]);
    let error = client(&endless).observe().await.unwrap_err();
    assert_eq!((error.category(), error.delivery()), ("lost", Delivery::Unknown));
    assert!(format!("{error:?}").contains("more came than any answer has"), "{error:?}");
}

#[tokio::test]
async fn a_vmm_that_hangs_is_given_up_at_the_deadline() {
    let socket = ScriptedSocket::serve([Answer::Hang, ping(), info("Running")]);
    let mut client = client(&socket);
    let error = client.set_memory(Bytes(1 << 30)).await.unwrap_err();
    assert_eq!((error.category(), error.delivery()), ("timed-out", Delivery::Unknown));
    assert_eq!(error.to_string(), "no reply to vm.resize within 500 ms");
    assert_eq!(client.observe().await.unwrap().connection, ConnectionId(2));
}

#[tokio::test]
async fn a_request_that_is_given_up_by_its_caller_takes_its_connection_with_it() {
    let socket = ScriptedSocket::serve([ping(), info("Running"), Answer::Hang, ping(), info("Running")]);
    let mut client = client(&socket);
    client.observe().await.unwrap();
    tokio::time::timeout(Duration::from_millis(50), client.set_vcpus(Vcpus(2))).await.unwrap_err();
    assert_eq!(client.observe().await.unwrap().connection, ConnectionId(2));
}

#[tokio::test]
async fn a_socket_that_is_missing_or_a_link_or_a_file_was_never_sent_to() {
    let socket = ScriptedSocket::serve([ping(), info("Running")]);
    let folder = socket.path().parent().unwrap().to_owned();
    std::os::unix::fs::symlink(socket.path(), folder.join("link")).unwrap();
    std::os::unix::fs::symlink(folder.join("nowhere"), folder.join("dangling")).unwrap();
    std::fs::write(folder.join("file"), "").unwrap();
    for name in ["missing", "link", "dangling", "file"] {
        let mut client = CloudHypervisor::new(Arc::new(VerifyingDial), folder.join(name), this_process(), limits());
        let error = client.set_vcpus(Vcpus(1)).await.unwrap_err();
        assert_eq!((error.category(), error.delivery()), ("unreachable", Delivery::NotSent), "{name}");
    }
    assert_eq!(socket.requests(), [""; 0]);
}

#[tokio::test]
async fn a_vmm_that_died_and_left_its_socket_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ch.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    for dial in [Arc::new(VerifyingDial) as Arc<dyn reef_daemon::vmm::Dial>, Arc::new(HyperlocalDial)] {
        let error = CloudHypervisor::new(dial, path.clone(), this_process(), limits()).observe().await.unwrap_err();
        assert_eq!((error.category(), error.delivery()), ("unreachable", Delivery::NotSent));
    }
}

#[tokio::test]
async fn a_socket_behind_which_another_process_listens_is_sent_nothing() {
    let socket = ScriptedSocket::serve([Answer::status(204)]);
    let another = Peer::process(std::process::id().wrapping_add(1));
    let mut client = CloudHypervisor::new(Arc::new(VerifyingDial), socket.path(), another, limits());
    let error = client.set_vcpus(Vcpus(8)).await.unwrap_err();
    assert_eq!((error.category(), error.delivery()), ("wrong-peer", Delivery::NotSent));
    assert_eq!(socket.requests(), [""; 0]);
}

#[tokio::test]
async fn a_path_that_is_too_long_for_a_socket_is_reached_through_its_folder() {
    let socket = ScriptedSocket::serve_below(&"long/".repeat(40), [Answer::status(204), Answer::status(204)]);
    assert!(socket.path().as_os_str().len() > 200);
    client(&socket).set_vcpus(Vcpus(1)).await.unwrap();
    let mut plain = CloudHypervisor::new(Arc::new(HyperlocalDial), socket.path(), Peer::process(1), limits());
    plain.set_vcpus(Vcpus(1)).await.unwrap();
}

#[tokio::test]
async fn unknown_fields_and_another_version_are_read() {
    let body = r#"{"novelty":{},"state":"Running","memory_actual_size":1073741824,"config":{
        "cpus":{"boot_vcpus":2,"max_vcpus":8,"new":1},
        "memory":{"size":1073741824,"hotplug_method":"VirtioMem","hotplug_size":1073741824,"thp":true}}}"#;
    let socket = ScriptedSocket::serve([Answer::json(200, r#"{"build_version":"x"}"#), Answer::json(200, body)]);
    let report = client(&socket).observe().await.unwrap();
    assert_eq!((report.version.as_str(), report.memory_requested), ("", Bytes(1 << 30)));
}
