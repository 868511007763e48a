//! The files of a node: containerd's and the kubelet's configuration, and what stands for a network.
//!
//! Pods have loopback and nothing else: a network would change addresses, routes and sysctls of the whole machine.
use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::json;

use super::file;
use crate::{
    image,
    layout::{AUTHORITY, Layout},
};

/// The sandbox image's name. No registry is behind it.
pub const PAUSE: &str = "reef.dev/pause:real";
/// Answers containerd with an address that is made of the Pod's id and leads nowhere.
const NETWORK: &str = include_str!("network.sh");

pub fn write(layout: &Layout) -> Result<()> {
    fs::create_dir(layout.kubelet_dir())?;
    network(layout)?;
    file(&layout.config("containerd.toml"), &containerd(layout))?;
    file(&layout.config("kubelet.yaml"), &format!("{:#}\n", kubelet(layout)))?;
    image::pack(&layout.programs.join("pause"), PAUSE, &layout.config("pause.tar"))
}

fn network(layout: &Layout) -> Result<()> {
    let (plugins, settings) = (layout.config("cni"), layout.config("net.d"));
    fs::create_dir(&plugins)?;
    fs::create_dir(&settings)?;
    symlink("/usr/lib/cni/loopback", plugins.join("loopback")).context("cannot link the loopback plugin")?;
    let plugin = plugins.join("reef-network");
    fs::write(&plugin, NETWORK)?;
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755))?;
    let chain = json!({"cniVersion": "0.4.0", "name": "reef", "plugins": [{"type": "reef-network"}]});
    file(&settings.join("10-reef.conflist"), &chain.to_string())
}

fn containerd(layout: &Layout) -> String {
    let path = |path: &Path| format!("{:?}", path.to_string_lossy());
    let place = |name: &str| path(&layout.folder.join(name));
    format!(
        r#"version = 2
root = {root}
state = {state}
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
address = {socket}
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
disable_apparmor = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "{snapshotter}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = {plugins}
conf_dir = {settings}
"#,
        root = place("images"),
        state = place("containers"),
        socket = path(&layout.containerd_socket()),
        snapshotter = snapshotter(layout),
        plugins = path(&layout.config("cni")),
        settings = path(&layout.config("net.d")),
    )
}

/// Layers that are laid over one another where the file system can do that, else copies.
fn snapshotter(layout: &Layout) -> &'static str {
    let place = layout.folder.join("overlay");
    let [lower, upper, work, over] = ["lower", "upper", "work", "over"].map(|name| place.join(name));
    let made = [&lower, &upper, &work, &over].into_iter().all(|folder| fs::create_dir_all(folder).is_ok());
    let options = format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    let run = |program: &str, arguments: &[&std::ffi::OsStr]| {
        std::process::Command::new(program)
            .args(arguments)
            .stderr(std::process::Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    let laid = made
        && run(
            "mount",
            &["-t".as_ref(), "overlay".as_ref(), "-o".as_ref(), options.as_ref(), "reef".as_ref(), over.as_ref()],
        );
    if laid && run("umount", &[over.as_ref()]) { "overlayfs" } else { "native" }
}

fn kubelet(layout: &Layout) -> serde_json::Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "127.0.0.1",
        "port": layout.kubelet_port(),
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": layout.kubelet_health_port(),
        "authentication": {
            "anonymous": {"enabled": false},
            "webhook": {"enabled": true},
            "x509": {"clientCAFile": layout.config(AUTHORITY)},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": format!("unix://{}", layout.containerd_socket().display()),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": layout.cgroup_root(),
        "enforceNodeAllocatable": [],
        "failCgroupV1": false,
        "failSwapOn": false,
        "syncFrequency": "10s",
        "podLogsDir": layout.folder.join("pods"),
        "volumePluginDir": layout.folder.join("plugins"),
        "makeIPTablesUtilChains": false,
        // Nobody answers there, and nobody could reach them: without it, each Pod is warned about.
        "clusterDNS": ["10.96.0.10"],
        "resolvConf": "",
        // The disk of this machine is nobody's node: how full it is must not evict a Pod.
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%", "imagefs.inodesFree": "0%",
        },
        "imageGCHighThresholdPercent": 100,
    })
}
