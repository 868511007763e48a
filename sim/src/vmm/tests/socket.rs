//! The socket: one request after the other, ten connections, and what can go wrong on it.

use std::io;
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, timeout};

use super::*;
use crate::vmm::socket::{Endpoint, MAX_CONNECTIONS};

const PATH: &str = "/run/vmm/ch.sock";

fn started() -> (VmmNet, Vmm) {
    let vmm = Vmm::start(booted(elastic()), 4711, Duration::from_millis(2), Instant::now(), None);
    let net = VmmNet::default();
    net.bind(Path::new(PATH), vmm.clone());
    (net, vmm)
}

async fn client(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> SendRequest<Full<Bytes>> {
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

async fn dial(net: &VmmNet) -> SendRequest<Full<Bytes>> {
    client(net.connect(Path::new(PATH)).unwrap()).await
}

async fn ask(
    sender: &mut SendRequest<Full<Bytes>>,
    method: &str,
    name: &str,
    body: &str,
) -> Result<(u16, Bytes), String> {
    sender.ready().await.map_err(|error| error.to_string())?;
    let uri = format!("{}{name}", http::ROOT);
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    let request = ::http::Request::builder().method(method).uri(uri).header("host", "vmm").body(body).unwrap();
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|error| error.to_string())?;
    Ok((status, body.to_bytes()))
}

#[tokio::test(start_paused = true)]
async fn a_resize_over_the_socket_is_followed_by_the_guest() {
    let (net, vmm) = started();
    let mut sender = dial(&net).await;
    assert_eq!(ask(&mut sender, "PUT", "vm.resize", &ram(2048)).await, Ok((204, Bytes::new())));
    tokio::time::sleep(secs(30)).await;
    let (status, info) = ask(&mut sender, "GET", "vm.info", "").await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
    assert_eq!((status, &info["memory_actual_size"]), (200, &(2048 * MIB).into()));
    assert_eq!(vmm.view().memory_actual_bytes, 2048 * MIB);
}

#[tokio::test(start_paused = true)]
async fn requests_of_all_connections_are_served_one_after_the_other() {
    let (net, vmm) = started();
    vmm.set_fault(Some(FaultPlan::next(Fault::Slow(secs(30)), 1, "vm.info"))).await.unwrap();
    let (mut first, mut second) = (dial(&net).await, dial(&net).await);
    let start = Instant::now();
    let (slow, behind) = tokio::join!(ask(&mut first, "GET", "vm.info", ""), ask(&mut second, "GET", "vmm.ping", ""));
    assert_eq!((slow.unwrap().0, behind.unwrap().0), (200, 200));
    assert!(start.elapsed() >= secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_resize_that_was_given_up_is_passed_by_the_first_look_of_a_newer_connection_and_by_no_other() {
    let (net, vmm) = started();
    vmm.set_fault(Some(FaultPlan::next(Fault::Overtaken(secs(2)), 1, "vm.resize"))).await.unwrap();
    let mut first = dial(&net).await;
    timeout(secs(10), ask(&mut first, "PUT", "vm.resize", &vcpus(3))).await.unwrap_err();
    drop(first);
    assert_eq!(vmm.unserved_resizes(), 1);
    let mut second = dial(&net).await;
    let told = async |second: &mut _| {
        let (_, info) = ask(second, "GET", "vm.info", "").await.unwrap();
        serde_json::from_slice::<serde_json::Value>(&info).unwrap()["config"]["cpus"]["boot_vcpus"].as_u64()
    };
    ask(&mut second, "GET", "vmm.ping", "").await.unwrap();
    assert_eq!(told(&mut second).await, Some(2));
    assert_eq!(told(&mut second).await, Some(3), "the second look waits behind the resize");
    assert_eq!(vmm.unserved_resizes(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_eleventh_connection_is_refused_until_one_is_closed() {
    let (net, _vmm) = started();
    let mut held = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        let mut sender = dial(&net).await;
        assert_eq!(ask(&mut sender, "GET", "vmm.ping", "").await.unwrap().0, 200);
        held.push(sender);
    }
    let mut said = String::new();
    net.connect(Path::new(PATH)).unwrap().read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
    held.pop();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(ask(&mut dial(&net).await, "GET", "vmm.ping", "").await.unwrap().0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_lost_and_a_half_reply_have_done_the_work() {
    for (fault, mib) in [(Fault::LostReply, 2048), (Fault::HalfReply, 1536)] {
        let (net, vmm) = started();
        vmm.set_fault(Some(FaultPlan::next(fault, 1, "vm.resize"))).await.unwrap();
        let mut sender = dial(&net).await;
        assert!(ask(&mut sender, "PUT", "vm.resize", &ram(mib)).await.is_err(), "{fault:?}");
        assert_eq!(vmm.view().memory_requested_bytes, mib * MIB, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn other_faults_have_done_nothing() {
    let expected = [(Fault::TooManyRequests, 429, 0), (Fault::Internal, 500, 0), (Fault::Garbage, 200, 0)];
    for (fault, status, least) in expected.into_iter().chain([(Fault::HugeBody(10 << 20), 200, 10 << 20)]) {
        let (net, vmm) = started();
        vmm.set_fault(Some(FaultPlan::every(fault))).await.unwrap();
        let (found, body) = ask(&mut dial(&net).await, "PUT", "vm.resize", &ram(2048)).await.unwrap();
        assert_eq!((found, body.len() >= least), (status, true), "{fault:?}");
        assert_eq!(vmm.view().memory_requested_bytes, 1024 * MIB, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hang_answers_nobody_until_it_is_taken_away() {
    let (net, vmm) = started();
    vmm.set_fault(Some(FaultPlan::every(Fault::Hang))).await.unwrap();
    let mut sender = dial(&net).await;
    assert!(timeout(secs(3600), ask(&mut sender, "GET", "vm.info", "")).await.is_err());
    vmm.set_fault(None).await.unwrap();
    assert_eq!(ask(&mut dial(&net).await, "GET", "vm.info", "").await.unwrap().0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_killed_vmm_refuses_connections_and_a_removed_socket_is_not_found() {
    let (net, vmm) = started();
    let mut sender = dial(&net).await;
    vmm.kill();
    assert!(ask(&mut sender, "GET", "vm.info", "").await.is_err());
    assert_eq!(net.connect(Path::new(PATH)).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    net.unbind(Path::new(PATH));
    assert_eq!(net.connect(Path::new(PATH)).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn a_real_socket_belongs_to_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ch.sock");
    let (_net, vmm) = started();
    Endpoint::new(vmm).listen(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let mut sender = client(tokio::net::UnixStream::connect(&path).await.unwrap()).await;
    assert_eq!(ask(&mut sender, "GET", "vmm.ping", "").await.unwrap().0, 200);
}

#[tokio::test(start_paused = true)]
async fn the_guest_goes_on_while_a_request_is_slow() {
    let (net, vmm) = started();
    let mut sender = dial(&net).await;
    assert_eq!(ask(&mut sender, "PUT", "vm.resize", &vcpus(1)).await.unwrap().0, 204);
    vmm.set_fault(Some(FaultPlan::every(Fault::Slow(secs(30))))).await.unwrap();
    let slow = tokio::spawn(async move { ask(&mut sender, "GET", "vm.info", "").await });
    tokio::time::sleep(secs(1)).await;
    assert_eq!(vmm.view().vcpus_present, 1);
    assert_eq!(slow.await.unwrap().unwrap().0, 200);
}
