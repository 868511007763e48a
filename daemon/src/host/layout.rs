//! Where a node keeps what belongs to a Pod: the kubelet's folders, and the names of cgroups under either driver.
//!
//! Names only; nothing is read here.

use super::{HostError, PodRef};
use reef_api::names::{VMM_SOCKET, VMM_VOLUME};
use std::path::{Path, PathBuf};

/// Cgroup parents by QoS class, as the drivers name them: guaranteed Pods have none of their own.
const CLASSES: [Option<&str>; 3] = [None, Some("burstable"), Some("besteffort")];
/// Roots that kubelets are started with: none, and the one that nested clusters use.
const ROOTS: [Option<&str>; 2] = [None, Some("kubelet")];
/// What container runtimes put before the id in the name of a systemd scope.
const SCOPE_PREFIXES: [&str; 3] = ["cri-containerd", "crio", "docker"];

/// The folder of the volume in which the VMM's socket lives.
pub(super) fn volume(root: &Path, pod: &PodRef) -> Result<PathBuf, HostError> {
    let uid = component("Pod UID", &pod.pod_uid)?;
    Ok(root.join("var/lib/kubelet/pods").join(uid).join("volumes/kubernetes.io~empty-dir").join(VMM_VOLUME))
}

/// The VMM's socket.
pub(super) fn socket(root: &Path, pod: &PodRef) -> Result<PathBuf, HostError> {
    Ok(volume(root, pod)?.join(VMM_SOCKET))
}

/// The container's cgroup, relative to a hierarchy's root: every name that it may have, the most likely first.
pub(super) fn cgroups(pod: &PodRef) -> Result<Vec<PathBuf>, HostError> {
    let uid = component("Pod UID", &pod.pod_uid)?;
    let id = component("container id", &pod.container_id)?;
    let mut found = Vec::new();
    for root in ROOTS {
        for class in CLASSES {
            let pod = systemd_pod(root, class, uid);
            found.extend(SCOPE_PREFIXES.map(|prefix| pod.join(format!("{prefix}-{id}.scope"))));
            found.push(cgroupfs_pod(root, class, uid).join(id));
        }
    }
    Ok(found)
}

/// `kubepods/burstable/podUID`
fn cgroupfs_pod(root: Option<&str>, class: Option<&str>, uid: &str) -> PathBuf {
    let parts = root.into_iter().chain(["kubepods"]).chain(class);
    parts.collect::<PathBuf>().join(format!("pod{uid}"))
}

/// `kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice`: each folder repeats the names above it, and
/// a dash in the UID would be one of them.
fn systemd_pod(root: Option<&str>, class: Option<&str>, uid: &str) -> PathBuf {
    let pod = format!("pod{}", uid.replace('-', "_"));
    let parts = root.into_iter().chain(["kubepods"]).chain(class).chain([pod.as_str()]);
    let mut path = PathBuf::new();
    let mut name = String::new();
    for part in parts {
        name = if name.is_empty() { part.to_owned() } else { format!("{name}-{part}") };
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

    #[test]
    fn the_socket_is_in_the_kubelets_folder_of_the_pod() {
        let path = socket(Path::new("/"), &pod("1b2-c3", "abc")).unwrap();
        assert_eq!(path, Path::new("/var/lib/kubelet/pods/1b2-c3/volumes/kubernetes.io~empty-dir/vmm/ch.sock"));
    }

    #[test]
    fn both_drivers_and_all_classes_are_looked_for() {
        let found = cgroups(&pod("1b2-c3", "abc")).unwrap();
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
    fn a_name_that_could_leave_its_folder_is_refused() {
        for name in ["", "..", "../x", "a/b", ".hidden", "a\0b", "a\nb", &"x".repeat(129)] {
            assert!(matches!(cgroups(&pod(name, "abc")), Err(HostError::BadName { .. })), "{name:?}");
            assert!(matches!(cgroups(&pod("uid", name)), Err(HostError::BadName { .. })), "{name:?}");
            assert!(matches!(socket(Path::new("/"), &pod(name, "abc")), Err(HostError::BadName { .. })), "{name:?}");
        }
    }
}
