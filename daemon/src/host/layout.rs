//! Where a node keeps what belongs to a Pod: the kubelet's folders, and the names of cgroups under either driver.
//!
//! Names only; nothing is read here.

use super::{HostError, Paths, PodRef};
use reef_api::VmmKind;
use reef_api::names::{QMP_SOCKET, VMM_SOCKET, VMM_VOLUME};
use std::path::{Component, Path, PathBuf};

/// Cgroup parents by QoS class, as the drivers name them: guaranteed Pods have none of their own.
const CLASSES: [Option<&str>; 3] = [None, Some("burstable"), Some("besteffort")];
/// Roots that are looked below where none is named: none, and the one that nested clusters use.
const USUAL_ROOTS: [&str; 2] = ["", "kubelet"];
/// What container runtimes put before the id in the name of a systemd scope.
const SCOPE_PREFIXES: [&str; 3] = ["cri-containerd", "crio", "docker"];

/// The folder of the volume in which the VMM's socket lives.
pub(super) fn volume(paths: &Paths, pod: &PodRef) -> Result<PathBuf, HostError> {
    let uid = component("Pod UID", &pod.pod_uid)?;
    let kubelet = below(&paths.root, &paths.kubelet);
    Ok(kubelet.join("pods").join(uid).join("volumes/kubernetes.io~empty-dir").join(VMM_VOLUME))
}

/// The VMM's socket.
pub(super) fn socket(paths: &Paths, pod: &PodRef, kind: VmmKind) -> Result<PathBuf, HostError> {
    let name = match kind {
        VmmKind::CloudHypervisor => VMM_SOCKET,
        VmmKind::Qemu => QMP_SOCKET,
    };
    Ok(volume(paths, pod)?.join(name))
}

/// Where this process sees a path of the node.
pub(crate) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(relative(path))
}

/// A path of the node as one below its root.
fn relative(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// The container's cgroup, relative to a hierarchy's root: every name that it may have, the most likely first.
pub(super) fn cgroups(root: Option<&Path>, pod: &PodRef) -> Result<Vec<PathBuf>, HostError> {
    let uid = component("Pod UID", &pod.pod_uid)?;
    let id = component("container id", &pod.container_id)?;
    let roots = root.map_or(USUAL_ROOTS.map(PathBuf::from).to_vec(), |root| vec![relative(root)]);
    let mut found = Vec::new();
    for root in &roots {
        for class in CLASSES {
            let pod = systemd_pod(root, class, uid);
            found.extend(SCOPE_PREFIXES.map(|prefix| pod.join(format!("{prefix}-{id}.scope"))));
            found.push(cgroupfs_pod(root, class, uid).join(id));
        }
    }
    Ok(found)
}

/// `kubepods/burstable/podUID`
fn cgroupfs_pod(root: &Path, class: Option<&str>, uid: &str) -> PathBuf {
    let mut path = root.join("kubepods");
    path.extend(class);
    path.join(format!("pod{uid}"))
}

/// `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice`: each folder repeats the names above it, and
/// a dash within one, as in the UID, would be one of them.
fn systemd_pod(root: &Path, class: Option<&str>, uid: &str) -> PathBuf {
    let root = root.iter().map(|part| part.to_string_lossy().into_owned());
    let below = [Some("kubepods"), class].into_iter().flatten().map(str::to_owned).chain([format!("pod{uid}")]);
    let mut path = PathBuf::new();
    let mut name = String::new();
    for part in root.chain(below) {
        let part = part.replace('-', "_");
        name = if name.is_empty() { part } else { format!("{name}-{part}") };
        path.push(format!("{name}.slice"));
    }
    path
}

/// Refuses a name from the API that could leave its folder.
fn component<'a>(what: &'static str, name: &'a str) -> Result<&'a str, HostError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = !name.is_empty() && name.len() <= 128 && !name.starts_with('.') && name.bytes().all(plain);
    if fits { Ok(name) } else { Err(HostError::BadName { what, name: name.chars().take(128).collect() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(uid: &str, id: &str) -> PodRef {
        PodRef { pod_uid: uid.to_owned(), container_id: id.to_owned() }
    }

    fn usual() -> Paths {
        Paths::below("/")
    }

    #[test]
    fn each_vmm_has_its_socket_in_the_kubelets_folder_of_the_pod() {
        let pod = pod("1b2-c3", "abc");
        let at = |paths: &Paths, kind| socket(paths, &pod, kind).unwrap();
        let volume = "pods/1b2-c3/volumes/kubernetes.io~empty-dir/vmm";
        let expected = Path::new("/var/lib/kubelet").join(volume);
        assert_eq!(at(&usual(), VmmKind::CloudHypervisor), expected.join("ch.sock"));
        assert_eq!(at(&usual(), VmmKind::Qemu), expected.join("qmp.sock"));
        let moved = Paths { kubelet: PathBuf::from("/var/snap/kubelet"), ..Paths::below("/host") };
        let expected = Path::new("/host/var/snap/kubelet").join(volume).join("ch.sock");
        assert_eq!(at(&moved, VmmKind::CloudHypervisor), expected);
    }

    #[test]
    fn both_drivers_and_all_classes_are_looked_for() {
        let found = cgroups(None, &pod("1b2-c3", "abc")).unwrap();
        for expected in [
            "kubepods.slice/kubepods-pod1b2_c3.slice/cri-containerd-abc.scope",
            "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b2_c3.slice/crio-abc.scope",
            "kubepods/pod1b2-c3/abc",
            "kubepods/besteffort/pod1b2-c3/abc",
            "kubelet/kubepods/burstable/pod1b2-c3/abc",
            "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod1b2_c3.slice/cri-containerd-abc.scope",
        ] {
            assert!(found.contains(&PathBuf::from(expected)), "{expected} is not among {found:#?}");
        }
    }

    #[test]
    fn where_a_root_is_named_nothing_else_is_looked_at() {
        let found = cgroups(Some(Path::new("/my-run/7")), &pod("1b2-c3", "abc")).unwrap();
        for expected in [
            "my-run/7/kubepods/burstable/pod1b2-c3/abc",
            "my_run.slice/my_run-7.slice/my_run-7-kubepods.slice/my_run-7-kubepods-pod1b2_c3.slice/crio-abc.scope",
        ] {
            assert!(found.contains(&PathBuf::from(expected)), "{expected} is not among {found:#?}");
        }
        assert!(found.iter().all(|path| path.starts_with("my-run/7") || path.starts_with("my_run.slice")));
    }

    #[test]
    fn a_name_that_could_leave_its_folder_is_refused() {
        for name in ["", "..", "../x", "a/b", ".hidden", "a\0b", "a\nb", &"x".repeat(129)] {
            assert!(matches!(cgroups(None, &pod(name, "abc")), Err(HostError::BadName { .. })), "{name:?}");
            assert!(matches!(cgroups(None, &pod("uid", name)), Err(HostError::BadName { .. })), "{name:?}");
            let socket = socket(&usual(), &pod(name, "abc"), VmmKind::Qemu);
            assert!(matches!(socket, Err(HostError::BadName { .. })), "{name:?}");
        }
    }
}
