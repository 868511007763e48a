//! Device plugins against a kubelet on a unix socket: real files and sockets, virtual time.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

mod kubelet;

use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use kubelet::Kubelet;
use reef_daemon::NoJitter;
use reef_daemon::devices::{self, PLUGINS, Places, wire};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Code;

const KVM: &str = "devices.reef.dev/kvm";
const TUN: &str = "devices.reef.dev/tun";
const SOCKET: &str = "reef-kvm.sock";

/// A node with a folder for plugins, and devices that are links to `/dev/null`: no right is needed to make one.
struct Node {
    root: TempDir,
}

/// A daemon's plugins.
struct Daemon {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Node {
    fn new() -> Self {
        let node = Self { root: TempDir::new().unwrap() };
        std::fs::create_dir_all(node.plugins()).unwrap();
        std::fs::create_dir_all(node.path("dev/net")).unwrap();
        node
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path)
    }

    fn plugins(&self) -> PathBuf {
        self.path(PLUGINS.trim_start_matches('/'))
    }

    fn device(&self, path: &str) {
        symlink("/dev/null", self.path(path)).unwrap();
    }

    fn kubelet(&self) -> Kubelet {
        Kubelet::start(&self.plugins())
    }

    fn daemon(&self, offers: &str) -> Daemon {
        let stop = CancellationToken::new();
        let places = Places { root: self.root.path().to_owned(), plugins: PLUGINS.into() };
        let offering = devices::offer(offers.parse().unwrap(), places, Arc::new(NoJitter), stop.clone());
        Daemon { stop, task: tokio::spawn(offering) }
    }
}

impl Daemon {
    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Ten minutes in which everything that is asked for again and again would be seen.
async fn a_while() {
    tokio::time::sleep(Duration::from_secs(600)).await;
}

#[tokio::test(start_paused = true)]
async fn a_device_is_registered_listed_and_given_to_containers() {
    let node = Node::new();
    node.device("dev/kvm");
    let kubelet = node.kubelet();
    let daemon = node.daemon("kvm");
    let known = kubelet.until_permits(KVM, (1000, 0)).await;
    let expected = wire::RegisterRequest {
        version: "v1beta1".to_owned(),
        endpoint: SOCKET.to_owned(),
        resource_name: KVM.to_owned(),
        options: Some(wire::DevicePluginOptions::default()),
    };
    assert_eq!(known.registrations, [expected]);

    let kvm = wire::DeviceSpec {
        container_path: "/dev/kvm".to_owned(),
        host_path: "/dev/kvm".to_owned(),
        permissions: "rw".to_owned(),
    };
    let one = wire::ContainerAllocateResponse { devices: vec![kvm] };
    let given = kubelet.allocate(SOCKET, &[&["kvm-0"], &["kvm-1", "kvm-999"]]).await.unwrap();
    assert_eq!(given, wire::AllocateResponse { container_responses: vec![one.clone(), one] });
    let refused = kubelet.allocate(SOCKET, &[&["kvm-0"], &["kvm-1000"]]).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.message(), r#"kvm has no permit "kvm-1000"; there are 1000, as they are listed"#);
    assert_eq!(kubelet.ask(SOCKET, "/v1beta1.DevicePlugin/PreStartContainer").await, Code::Unimplemented);

    a_while().await;
    assert_eq!(kubelet.known().registrations.len(), 1, "it is registered once");
    daemon.end().await;
    assert!(!node.plugins().join(SOCKET).exists(), "it takes its socket away");
}

#[tokio::test(start_paused = true)]
async fn another_device_node_may_stand_for_a_device() {
    let node = Node::new();
    node.device("dev/other");
    let kubelet = node.kubelet();
    let _daemon = node.daemon("tun=/dev/other");
    kubelet.until_permits(TUN, (1000, 0)).await;
    let given = kubelet.allocate("reef-tun.sock", &[&["tun-5"]]).await.unwrap();
    let spec = &given.container_responses[0].devices[0];
    assert_eq!((spec.container_path.as_str(), spec.host_path.as_str()), ("/dev/net/tun", "/dev/other"));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_goes_is_given_to_nobody_until_it_is_back() {
    let node = Node::new();
    node.device("dev/kvm");
    let kubelet = node.kubelet();
    let _daemon = node.daemon("kvm");
    kubelet.until_permits(KVM, (1000, 0)).await;
    std::fs::remove_file(node.path("dev/kvm")).unwrap();
    kubelet.until_permits(KVM, (0, 1000)).await;
    let refused = kubelet.allocate(SOCKET, &[&["kvm-0"]]).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    let expected =
        "kvm is not usable on this node: /dev/kvm is gone or has no driver; the Pod has to run on another node";
    assert_eq!(refused.message(), expected);
    std::fs::write(node.path("dev/kvm"), "no device").unwrap();
    a_while().await;
    assert_eq!(kubelet.known().permits[KVM], (0, 1000));
    std::fs::remove_file(node.path("dev/kvm")).unwrap();
    node.device("dev/kvm");
    let known = kubelet.until_permits(KVM, (1000, 0)).await;
    assert_eq!(known.registrations.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_without_a_device_offers_nothing_of_it_until_it_has_one() {
    let node = Node::new();
    node.device("dev/kvm");
    std::fs::remove_dir(node.path("dev/net")).unwrap();
    let kubelet = node.kubelet();
    let _daemon = node.daemon("kvm,tun,vhost-net");
    kubelet.until_permits(KVM, (1000, 0)).await;
    a_while().await;
    assert_eq!(kubelet.known().registrations.len(), 1);
    assert!(!node.plugins().join("reef-tun.sock").exists());
    // Its folder comes with it, so that nobody watched: the slow look finds it.
    std::fs::create_dir(node.path("dev/net")).unwrap();
    node.device("dev/net/tun");
    let known = kubelet.until_permits(TUN, (1000, 0)).await;
    assert_eq!(known.registrations.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_that_starts_or_was_started_anew_is_told_at_once() {
    let node = Node::new();
    node.device("dev/kvm");
    node.device("dev/net/tun");
    let _daemon = node.daemon("kvm,tun");
    a_while().await;
    assert!(!node.plugins().join(SOCKET).exists(), "a kubelet that starts would remove it");
    for _ in 0..3 {
        let kubelet = node.kubelet();
        kubelet.until_permits(KVM, (1000, 0)).await;
        let known = kubelet.until_permits(TUN, (1000, 0)).await;
        assert_eq!(known.registrations.len(), 2);
        drop(kubelet);
        a_while().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_that_keeps_the_sockets_is_registered_with_anew_as_well() {
    let node = Node::new();
    node.device("dev/kvm");
    let _daemon = node.daemon("kvm");
    let kubelet = node.kubelet();
    kubelet.until_permits(KVM, (1000, 0)).await;
    drop(kubelet);
    // Its folder is not emptied: only its own socket is another one.
    let kept = node.path("kept");
    std::fs::rename(node.plugins().join(SOCKET), &kept).unwrap();
    let kubelet = node.kubelet();
    std::fs::rename(kept, node.plugins().join(SOCKET)).unwrap();
    kubelet.until_permits(KVM, (1000, 0)).await;
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_that_refuses_is_asked_ever_more_rarely_and_no_other_device_waits_for_that() {
    let node = Node::new();
    node.device("dev/kvm");
    node.device("dev/net/tun");
    let refusing = Kubelet::refusing(&node.plugins(), Some(KVM));
    let _daemon = node.daemon("kvm,tun");
    refusing.until_permits(TUN, (1000, 0)).await;
    a_while().await;
    let asked = refusing.known().registrations.iter().filter(|asked| asked.resource_name == KVM).count();
    assert!((20..=30).contains(&asked), "{asked} times in ten minutes");
    drop(refusing);
    let kubelet = node.kubelet();
    let began = tokio::time::Instant::now();
    kubelet.until_permits(KVM, (1000, 0)).await;
    assert!(began.elapsed() < Duration::from_secs(1), "another kubelet is asked at once: {:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_daemon_left_is_replaced_and_what_cannot_be_is_tried_again() {
    let node = Node::new();
    node.device("dev/kvm");
    node.device("dev/net/tun");
    let kubelet = node.kubelet();
    drop(UnixListener::bind(node.plugins().join(SOCKET)).unwrap());
    let blocked = node.plugins().join("reef-tun.sock");
    std::fs::create_dir(&blocked).unwrap();
    let _daemon = node.daemon("kvm,tun");
    kubelet.until_permits(KVM, (1000, 0)).await;
    a_while().await;
    assert_eq!(kubelet.known().registrations.len(), 1);
    std::fs::remove_dir(&blocked).unwrap();
    kubelet.until_permits(TUN, (1000, 0)).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_daemons_the_last_one_is_asked_and_the_other_takes_over_at_its_end() {
    let node = Node::new();
    node.device("dev/kvm");
    let kubelet = node.kubelet();
    let first = node.daemon("kvm");
    kubelet.until_permits(KVM, (1000, 0)).await;
    let second = node.daemon("kvm");
    kubelet.until("the second has registered", |known| known.registrations.len() == 2).await;
    a_while().await;
    assert_eq!(
        (kubelet.known().registrations.len(), kubelet.known().permits[KVM]),
        (2, (1000, 0)),
        "they do not fight"
    );
    second.end().await;
    kubelet.until("the first has registered again", |known| known.registrations.len() > 2).await;
    kubelet.until_permits(KVM, (1000, 0)).await;
    a_while().await;
    assert_eq!(kubelet.known().permits[KVM], (1000, 0));

    // The other way round: the kubelet takes the end of the first one's stream for that of the second.
    let third = node.daemon("kvm");
    let before = kubelet.known().registrations.len();
    kubelet.until("the third has registered", |known| known.registrations.len() > before).await;
    first.end().await;
    a_while().await;
    assert_eq!(kubelet.known().permits[KVM], (1000, 0));
    third.end().await;
}
