//! Which sockets are connected, and whose: real files, real rights, real processes, on a node of a folder's size.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

mod support;

use reef_api::vm::Process;
use reef_api::{Vcpus, VmmKind};
use reef_daemon::host::{Host, HostError, LinuxHost, Paths};
use reef_daemon::vmm::{CloudHypervisor, Delivery, Dial, Peer, VerifyingDial, Vmm, VmmError, VmmLimits};
use rustix::fs::Mode;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use support::other_process::{Other, be_another_process};
use support::socket::{Answer, ScriptedSocket, info, ping};
use support::tree::{Tree, pod};
use tempfile::TempDir;

/// Any user that is not root.
const NOBODY: u32 = 65_534;

fn limits() -> VmmLimits {
    VmmLimits { connect: Duration::from_secs(5), request: Duration::from_secs(5), ..VmmLimits::default() }
}

fn client(socket: &Path, peer: Peer) -> CloudHypervisor {
    CloudHypervisor::new(Arc::new(VerifyingDial), socket.to_owned(), peer, limits())
}

fn this_process() -> Peer {
    Peer::process(std::process::id())
}

/// What comes of a request to a socket, in full.
async fn told(socket: &Path) -> String {
    let error = client(socket, this_process()).set_vcpus(Vcpus(1)).await.unwrap_err();
    assert_eq!((error.category(), error.delivery()), ("unreachable", Delivery::NotSent));
    let cause = std::error::Error::source(&error).unwrap().to_string();
    format!("{error}: {cause}")
}

#[test]
#[ignore = "it is the other process of other tests"]
fn another_process() {
    be_another_process();
}

#[tokio::test]
async fn what_stands_in_the_place_of_a_socket_is_named_and_not_waited_for() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, at("pipe"), Mode::RWXU).unwrap();
    symlink("/dev/null", at("device")).unwrap();
    for name in ["folder", "pipe", "device"] {
        let told = told(&at(name)).await;
        assert!(told.ends_with("it is not a socket; a link or another file in its place is not followed"), "{told}");
    }
    assert!(told(&at("nothing")).await.ends_with("No such file or directory (os error 2)"));
}

#[tokio::test]
async fn a_link_in_the_place_of_the_sockets_folder_is_not_followed() {
    let socket = ScriptedSocket::serve([ping(), info("Running")]);
    let elsewhere = TempDir::new().unwrap();
    let link = elsewhere.path().join("vmm");
    symlink(socket.path().parent().unwrap(), &link).unwrap();
    assert!(told(&link.join("ch.sock")).await.ends_with("Not a directory (os error 20)"));
    assert_eq!(socket.requests(), [""; 0]);
}

#[tokio::test]
async fn a_socket_that_others_may_use_is_sent_nothing() {
    let socket = ScriptedSocket::serve([Answer::status(204)]);
    for mode in [0o777, 0o770, 0o702] {
        fs::set_permissions(socket.path(), Permissions::from_mode(mode)).unwrap();
        let told = told(&socket.path()).await;
        assert!(told.contains(&format!("has mode {mode:04o}, so that others can use it")), "{told}");
    }
    fs::set_permissions(socket.path(), Permissions::from_mode(0o700)).unwrap();
    client(&socket.path(), this_process()).set_vcpus(Vcpus(1)).await.unwrap();
}

/// Needs no root: as another user than root it is that user who is refused.
#[test]
fn a_user_who_may_not_connect_is_told_whose_the_socket_is() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("ch.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
    let uid = rustix::process::geteuid().as_raw();
    let expected = format!("permission denied: the socket belongs to uid {uid} and gid ");
    let told = as_nobody(path.clone());
    assert!(
        told.contains(&expected) && told.contains(" with mode 0000; run the daemon as that user or as root"),
        "{told}"
    );
    if uid == 0 {
        fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
        let told = as_nobody(path);
        assert!(
            told.ends_with("permission denied: its folder is closed to this user; run the daemon as root"),
            "{told}"
        );
    }
}

/// The rights of one thread alone are given up, where there are any.
fn as_nobody(socket: PathBuf) -> String {
    let thread = std::thread::spawn(move || {
        if rustix::process::geteuid().is_root() {
            let nobody = rustix::process::Uid::from_raw(NOBODY);
            rustix::thread::set_thread_res_uid(nobody, nobody, nobody).unwrap();
        }
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(told(&socket))
    });
    thread.join().unwrap()
}

#[tokio::test]
async fn a_socket_whose_queue_is_full_is_given_up_at_once_and_says_why() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ch.sock");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 1).unwrap();
    let _waiting = [UnixStream::connect(&path).unwrap(), UnixStream::connect(&path).unwrap()];
    let told = told(&path).await;
    assert!(told.contains("other clients wait at the socket already and nobody takes them"), "{told}");
}

#[tokio::test]
async fn a_vmm_that_has_no_place_for_another_client_is_asked_again_on_a_new_connection() {
    let full = "HTTP/1.1 503 \r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    let socket = ScriptedSocket::serve([Answer::raw(full), Answer::raw(full), ping(), info("Running")]);
    let mut client = client(&socket.path(), this_process());
    for _ in 0..2 {
        let error = client.observe().await.unwrap_err();
        assert_eq!((error.category(), error.delivery()), ("busy", Delivery::Answered));
    }
    assert_eq!(client.observe().await.unwrap().connection.0, 3);
}

#[tokio::test]
async fn the_socket_of_another_pods_vmm_is_sent_nothing() {
    let folder = TempDir::new().unwrap();
    let (ours, theirs) = (folder.path().join("ours.sock"), folder.path().join("theirs.sock"));
    let (our_vmm, their_vmm) = (Other::listening(&ours), Other::listening(&theirs));
    let answers = |socket: &Path, vmm: &Other| client(socket, Peer::process(vmm.pid()));
    assert!(answers(&ours, &our_vmm).set_vcpus(Vcpus(2)).await.is_ok());
    fs::rename(&ours, folder.path().join("aside")).unwrap();
    fs::rename(&theirs, &ours).unwrap();
    let error = answers(&ours, &our_vmm).set_vcpus(Vcpus(2)).await.unwrap_err();
    let (expected, found) = (our_vmm.pid(), their_vmm.pid());
    assert!(
        matches!(error, VmmError::WrongPeer { expected: e, found: f, .. } if (e, f) == (expected, found)),
        "{error}"
    );
    assert_eq!(error.delivery(), Delivery::NotSent);
    assert_eq!((our_vmm.end(), their_vmm.end()), (1, 0));
}

#[tokio::test]
async fn a_process_that_the_pod_no_longer_shows_is_sent_nothing_though_its_number_is_right() {
    let tree = Tree::new();
    let pid = std::process::id();
    tree.pod("1b-2c", "abc", &[pid]).vmm(pid, 4711);
    let socket = ScriptedSocket::serve([Answer::status(204), Answer::status(204)]);
    let host: Arc<dyn Host> = Arc::new(LinuxHost::new(Paths::below(tree.root())));
    let process = Process { pid, start_time: 4711 };
    let mut client = client(&socket.path(), Peer::shown(host.clone(), pod("1b-2c", "abc"), process));
    client.set_vcpus(Vcpus(1)).await.unwrap();
    tree.vmm(pid, 4712);
    // An open connection is of the process that was there when it was made.
    client.set_vcpus(Vcpus(1)).await.unwrap();
    client.disconnect();
    let error = client.set_vcpus(Vcpus(1)).await.unwrap_err();
    assert_eq!((error.category(), error.delivery()), ("wrong-peer", Delivery::NotSent));
    assert!(matches!(error, VmmError::PeerGone { source: HostError::ProcessChanged { .. }, .. }), "{error}");
    tree.vmm(pid, 4711).pod("1b-2c", "abc", &[]);
    let error = client.set_vcpus(Vcpus(1)).await.unwrap_err();
    assert!(matches!(error, VmmError::PeerGone { source: HostError::NoVmm { .. }, .. }), "{error}");
    let expected = r#"1 PUT /api/v1/vm.resize {"desired_vcpus":1}"#;
    assert_eq!(socket.requests(), [expected, expected]);
}

#[tokio::test]
async fn a_lock_is_free_when_its_holder_is_killed_and_nothing_is_left_behind() {
    let tree = Tree::new();
    let pod = pod("1b-2c", "abc");
    let host = LinuxHost::new(Paths::below(tree.root()));
    let volume = host.socket(&pod, VmmKind::CloudHypervisor).unwrap().parent().unwrap().to_owned();
    fs::create_dir_all(&volume).unwrap();
    let other = Other::locking(tree.root());
    assert!(matches!(host.lock(&pod), Err(HostError::Locked { .. })));
    other.kill();
    assert!(host.lock(&pod).is_ok());
    assert_eq!(fs::read_dir(volume).unwrap().count(), 0);
}

#[tokio::test]
async fn the_process_that_listens_is_told_by_the_kernel() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("ch.sock");
    let other = Other::listening(&path);
    assert_eq!(VerifyingDial.dial(&path).await.unwrap().peer, Some(other.pid()));
}
