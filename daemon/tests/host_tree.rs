//! The node's view on trees of files as nodes have them: both versions of cgroups, both drivers, and what is odd.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may fail by panicking")]

use reef_api::vm::Process;
use reef_api::{Bytes, MilliCpu, Vcpus, VmmKind};
use reef_daemon::decide::{Limit, Limits};
use reef_daemon::host::{Host, HostError, HostObserved, LinuxHost, Paths, PodRef};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const GIB: u64 = 1 << 30;
const SYSTEMD: &str =
    "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b_2c.slice/cri-containerd-abc.scope";
const CGROUPFS: &str = "kubepods/pod1b-2c/abc";

struct Node {
    root: TempDir,
}

impl Node {
    fn new() -> Self {
        Self { root: TempDir::new().unwrap() }
    }

    fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn v2(&self, cgroup: &str) -> &Self {
        let at = |file: &str| format!("sys/fs/cgroup/{cgroup}/{file}");
        self.write("sys/fs/cgroup/cgroup.controllers", "cpu memory\n")
            .write(&at("cgroup.procs"), "70\n71\n")
            .write(&at("memory.max"), "4563402752\n")
            .write(&at("memory.current"), "1073741824\n")
            .write(&at("cpu.max"), "250000 100000\n")
    }

    fn v1(&self, cgroup: &str) -> &Self {
        let memory = |file: &str| format!("sys/fs/cgroup/memory/{cgroup}/{file}");
        let cpu = |file: &str| format!("sys/fs/cgroup/cpu,cpuacct/{cgroup}/{file}");
        self.write(&memory("cgroup.procs"), "70\n71\n")
            .write(&memory("memory.limit_in_bytes"), "4563402752\n")
            .write(&memory("memory.usage_in_bytes"), "1073741824\n")
            .write(&cpu("cpu.cfs_quota_us"), "250000\n")
            .write(&cpu("cpu.cfs_period_us"), "100000\n")
    }

    fn process(&self, pid: u32, comm: &str, threads: &[&str]) -> &Self {
        let fields = "S 1 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0 9 0 4711 5 6 7";
        self.write(&format!("proc/{pid}/comm"), &format!("{comm}\n"));
        self.write(&format!("proc/{pid}/stat"), &format!("{pid} (cloud) hyper) {fields}\n"));
        for (number, thread) in threads.iter().enumerate() {
            self.write(&format!("proc/{pid}/task/{}/comm", 100 + number), &format!("{thread}\n"));
        }
        self
    }

    /// A launcher, and a VMM with three vCPUs of which two threads have one name.
    fn vmm(&self) -> &Self {
        let threads = ["cloud-hyperviso", "vmm", "http-server", "vcpu0", "vcpu1", "vcpu1", "vcpu3", "vcpus", "_vcpu4"];
        self.process(70, "reef", &["reef"]).process(71, "cloud-hyperviso", &threads)
    }

    fn host(&self) -> LinuxHost {
        LinuxHost::new(Paths::below(self.root.path()))
    }

    fn observe(&self) -> Result<HostObserved, HostError> {
        self.host().observe(&pod())
    }
}

fn pod() -> PodRef {
    PodRef { pod_uid: "1b-2c".to_owned(), container_id: "abc".to_owned() }
}

fn expected() -> HostObserved {
    HostObserved {
        vmm: VmmKind::CloudHypervisor,
        process: Process { pid: 71, start_time: 4711 },
        vcpus_present: Vcpus(3),
        limits: Limits { cpu: Limit::At(MilliCpu(2500)), memory: Limit::At(Bytes(4 * GIB + (256 << 20))) },
        used: Some(Bytes(GIB)),
    }
}

#[test]
fn cgroup_v2_is_read_under_either_driver() {
    for cgroup in [SYSTEMD, CGROUPFS] {
        let node = Node::new();
        node.v2(cgroup).vmm();
        assert_eq!(node.observe().unwrap(), expected(), "{cgroup}");
    }
}

#[test]
fn cgroup_v1_is_read_under_either_driver() {
    for cgroup in [SYSTEMD, CGROUPFS] {
        let node = Node::new();
        node.v1(cgroup).vmm();
        assert_eq!(node.observe().unwrap(), expected(), "{cgroup}");
    }
}

#[test]
fn no_limit_is_no_limit_in_either_version() {
    let unlimited = Limits { cpu: Limit::Unlimited, memory: Limit::Unlimited };
    let v2 = Node::new();
    v2.v2(CGROUPFS).vmm();
    let at = format!("sys/fs/cgroup/{CGROUPFS}");
    v2.write(&format!("{at}/memory.max"), "max\n").write(&format!("{at}/cpu.max"), "max 100000\n");
    assert_eq!(v2.observe().unwrap().limits, unlimited);
    let v1 = Node::new();
    v1.v1(CGROUPFS).vmm();
    v1.write(&format!("sys/fs/cgroup/memory/{CGROUPFS}/memory.limit_in_bytes"), "9223372036854771712\n");
    v1.write(&format!("sys/fs/cgroup/cpu,cpuacct/{CGROUPFS}/cpu.cfs_quota_us"), "-1\n");
    assert_eq!(v1.observe().unwrap().limits, unlimited);
}

#[test]
fn a_limit_or_a_use_that_cannot_be_read_is_unknown_and_no_error() {
    let node = Node::new();
    node.v2(CGROUPFS).vmm();
    let at = format!("sys/fs/cgroup/{CGROUPFS}");
    node.write(&format!("{at}/memory.max"), "plenty").write(&format!("{at}/cpu.max"), "1 0");
    node.write(&format!("{at}/memory.current"), "");
    let seen = node.observe().unwrap();
    assert_eq!(seen.limits, Limits { cpu: Limit::Unknown, memory: Limit::Unknown });
    assert_eq!(seen.used, None);
}

#[test]
fn what_is_swapped_out_counts_as_used_where_the_kernel_tells_it() {
    let swapped = [("1048576\n", Some(Bytes(GIB + (1 << 20)))), ("18446744073709551615", None), ("lots", None)];
    for (text, used) in swapped {
        let node = Node::new();
        node.v2(CGROUPFS).vmm().write(&format!("sys/fs/cgroup/{CGROUPFS}/memory.swap.current"), text);
        assert_eq!(node.observe().unwrap().used, used, "{text}");
    }
    for (text, used) in [("1074790400\n", Some(Bytes(GIB + (1 << 20)))), ("lots", None)] {
        let node = Node::new();
        node.v1(CGROUPFS).vmm();
        node.write(&format!("sys/fs/cgroup/memory/{CGROUPFS}/memory.memsw.usage_in_bytes"), text);
        assert_eq!(node.observe().unwrap().used, used, "{text}");
    }
}

#[test]
fn a_container_without_a_vmm_or_with_two_is_an_error_that_names_it() {
    let none = Node::new();
    none.v2(CGROUPFS).process(70, "reef", &[]).process(71, "qemu-img", &["CPU 0/KVM"]);
    let expected = "container abc runs neither cloud-hypervisor nor qemu-system-x86_64";
    assert_eq!(none.observe().unwrap_err().to_string(), expected);
    let two = Node::new();
    two.v2(CGROUPFS).process(70, "cloud-hyperviso", &[]).process(71, "qemu-system-x86", &[]);
    assert!(matches!(two.observe(), Err(HostError::SeveralVmms { pids, .. }) if pids == [70, 71]));
}

#[test]
fn a_process_that_has_just_ended_is_passed_over() {
    let node = Node::new();
    node.v2(CGROUPFS).process(71, "cloud-hyperviso", &["vcpu0"]);
    assert_eq!(node.observe().unwrap().vcpus_present, Vcpus(1));
}

#[test]
fn a_vmm_that_ends_while_it_is_read_is_told_as_changed() {
    let node = Node::new();
    node.v2(CGROUPFS).write("proc/71/comm", "cloud-hyperviso");
    assert!(matches!(node.observe(), Err(HostError::ProcessChanged { pid: 71 })));
}

#[test]
fn files_that_say_what_they_cannot_are_errors_that_name_them() {
    let node = Node::new();
    node.v2(CGROUPFS).vmm().write("proc/71/stat", "71 cloud");
    let error = node.observe().unwrap_err().to_string();
    assert!(error.ends_with("proc/71/stat says \"71 cloud\" where the status of a process was expected"), "{error}");
    node.write(&format!("sys/fs/cgroup/{CGROUPFS}/cgroup.procs"), "70\n-1\n");
    assert!(matches!(node.observe(), Err(HostError::Unexpected { expected: "a process id", .. })));
    node.write(&format!("sys/fs/cgroup/{CGROUPFS}/cgroup.procs"), &"1\n".repeat(1 << 20));
    assert!(matches!(node.observe(), Err(HostError::Read { .. })));
}

#[test]
fn a_container_without_a_cgroup_is_an_error_that_says_where_was_looked() {
    let node = Node::new();
    node.v2("kubepods/pod1b-2c/another").vmm();
    assert!(matches!(node.observe(), Err(HostError::NoCgroup { container_id, .. }) if container_id == "abc"));
}

#[test]
fn one_daemon_at_a_time_holds_a_vm_and_leaves_nothing_behind() {
    let node = Node::new();
    let volume = "var/lib/kubelet/pods/1b-2c/volumes/kubernetes.io~empty-dir/vmm";
    assert!(matches!(node.host().lock(&pod()), Err(HostError::Read { .. })));
    fs::create_dir_all(node.root.path().join(volume)).unwrap();
    let held = node.host().lock(&pod()).unwrap();
    assert!(matches!(node.host().lock(&pod()), Err(HostError::Locked { .. })));
    drop(held);
    assert!(node.host().lock(&pod()).is_ok());
    assert_eq!(fs::read_dir(node.root.path().join(volume)).unwrap().count(), 0);
}

#[test]
fn a_link_in_the_place_of_a_volume_is_not_locked() {
    let node = Node::new();
    let volumes = node.root.path().join("var/lib/kubelet/pods/1b-2c/volumes/kubernetes.io~empty-dir");
    fs::create_dir_all(&volumes).unwrap();
    std::os::unix::fs::symlink(node.root.path(), volumes.join("vmm")).unwrap();
    assert!(matches!(node.host().lock(&pod()), Err(HostError::Read { .. })));
}

/// A vCPU that is not counted would be held by nobody.
#[test]
fn a_process_with_more_threads_than_are_looked_at_is_not_read_in_part() {
    let node = Node::new();
    node.v2(CGROUPFS).vmm();
    let folder = node.root.path().join("proc/71/task");
    for thread in 0..8192 - 9 {
        fs::create_dir(folder.join(format!("x{thread}"))).unwrap();
    }
    assert_eq!(node.observe().unwrap().vcpus_present, Vcpus(3));
    fs::create_dir(folder.join("one-more")).unwrap();
    assert!(matches!(node.observe(), Err(HostError::Read { path, .. }) if path == folder));
}

#[test]
fn a_qemu_is_known_by_its_process_and_its_vcpus_by_their_threads() {
    let node = Node::new();
    let threads =
        ["qemu-system-x86", "call_rcu", "IO mon_iothread", "CPU 0/TCG", "CPU 2/KVM", "CPU 2/KVM", "vcpu7", "CPU"];
    node.v1(CGROUPFS).process(70, "reef", &[]).process(71, "qemu-system-x86", &threads);
    assert_eq!(node.observe().unwrap(), HostObserved { vmm: VmmKind::Qemu, vcpus_present: Vcpus(2), ..expected() });
}

#[test]
fn a_cgroup_is_found_below_the_kubelets_own_root() {
    let node = Node::new();
    node.v2(&format!("run-7/{CGROUPFS}")).vmm();
    assert!(matches!(node.observe(), Err(HostError::NoCgroup { .. })));
    let paths = Paths { cgroup_root: Some("/run-7".into()), ..Paths::below(node.root.path()) };
    assert_eq!(LinuxHost::new(paths).observe(&pod()).unwrap(), expected());
}

#[test]
fn the_socket_is_below_the_root() {
    let path = LinuxHost::new(Paths::below("/host")).socket(&pod(), VmmKind::CloudHypervisor).unwrap();
    let expected = "/host/var/lib/kubelet/pods/1b-2c/volumes/kubernetes.io~empty-dir/vmm/ch.sock";
    assert_eq!(path, Path::new(expected));
}
