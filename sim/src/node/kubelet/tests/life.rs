//! The life of a Pod: placed, started, killed, deleted; and what the host shows meanwhile.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_pod_runs_two_seconds_after_it_was_made_and_its_vm_boots_in_the_elastic_layout() {
    let bench = Bench::new();
    bench.create_vm("vm", 2, 1024);
    wait(1_900).await;
    assert_eq!(bench.pod("vm")["status"]["phase"], "Pending");
    assert_eq!(bench.pod("vm")["spec"]["nodeName"], "n1");
    wait(200).await;
    let pod = bench.pod("vm");
    assert_eq!(pod["status"]["phase"], "Running");
    assert_eq!(pod["status"]["qosClass"], "Guaranteed");
    assert!(pod["status"]["containerStatuses"][0]["containerID"].as_str().unwrap().starts_with("containerd://"));
    assert_eq!(bench.sizes("vm"), texts(["2", "1280Mi", "2", "1280Mi"]));
    let (_, view) = bench.hosts.vmm_of(&pod_key("vm")).unwrap();
    assert_eq!(
        (view.state, view.memory_actual_bytes, view.memory_requested_bytes),
        (VmState::Running, 512 * MIB, 1024 * MIB)
    );
    let facts = bench.facts("vm").unwrap();
    assert_eq!(facts.vcpu_threads().into_iter().collect::<Vec<_>>(), [0, 1]);
    assert_eq!((facts.memory_limit, facts.cpu_quota), (Some(Bytes(1280 * MIB)), Some(MilliCpu(2_000))));
    wait(30_000).await;
    let (_, view) = bench.hosts.vmm_of(&pod_key("vm")).unwrap();
    assert_eq!(view.memory_actual_bytes, 1024 * MIB);
    assert_eq!(bench.checker.breaches(), []);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_fits_nowhere_waits_with_the_schedulers_words_and_is_placed_later() {
    let bench = Bench::new();
    bench.run_vm("vm", 2, 1024).await;
    bench.create_vm("late", 1, 512);
    wait(1_000).await;
    let pod = bench.pod("late");
    let condition = &pod["status"]["conditions"][0];
    assert_eq!((&condition["type"], &condition["status"]), (&json!("PodScheduled"), &json!("False")));
    assert_eq!(
        (&condition["reason"], &condition["message"]),
        (&json!("Unschedulable"), &json!("0/1 nodes are available: 1 Insufficient cpu."))
    );
    bench.delete("vm");
    wait(4_000).await;
    assert!(bench.is_gone("vm"));
    assert_eq!(bench.pod("late")["status"]["phase"], "Running");
}

#[tokio::test(start_paused = true)]
async fn cordon_and_selector_keep_a_pod_away() {
    let bench = Bench::new();
    wait(100).await;
    let node = crate::node::scheduler::node_key("n1");
    bench.store.update(&node, None, "test", |node| node["spec"]["unschedulable"] = json!(true)).unwrap();
    bench.create_vm("vm", 1, 512);
    wait(5_000).await;
    let message = bench.pod("vm")["status"]["conditions"][0]["message"].clone();
    assert_eq!(message, "0/1 nodes are available: 1 node(s) were unschedulable.");
    bench.store.update(&node, None, "test", |node| node["spec"]["unschedulable"] = json!(false)).unwrap();
    wait(5_000).await;
    assert_eq!(bench.pod("vm")["status"]["phase"], "Running");
}

#[tokio::test(start_paused = true)]
async fn use_above_the_limit_kills_the_vm_and_fails_the_pod() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.resize_vmm("vm", 1, 2048).await;
    wait(30_000).await;
    bench.use_memory("vm", 1900).await;
    wait(1_000).await;
    let pod = bench.pod("vm");
    assert_eq!(pod["status"]["phase"], "Failed");
    let ended = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!((&ended["reason"], &ended["exitCode"]), (&json!("OOMKilled"), &json!(137)));
    assert_eq!(bench.facts("vm"), None);
}

#[tokio::test(start_paused = true)]
async fn a_killed_vmm_fails_the_pod_and_a_guest_that_powers_off_completes_it() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.hosts.vmm_of(&pod_key("vm")).unwrap().0.kill();
    wait(10).await;
    assert_eq!(bench.pod("vm")["status"]["phase"], "Failed");
    bench.run_vm("other", 1, 1024).await;
    let (vmm, _) = bench.hosts.vmm_of(&pod_key("other")).unwrap();
    let request = crate::vmm::task::VmmRequest {
        method: "PUT".to_owned(),
        path: "/api/v1/vm.power-button".to_owned(),
        body: bytes::Bytes::new(),
    };
    vmm.request(request).await.unwrap();
    wait(10).await;
    assert_eq!(bench.pod("other")["status"]["phase"], "Succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_restarted_is_another_process() {
    let bench = Bench::new();
    bench.create_vm("vm", 1, 1024);
    bench.change("vm", |pod| pod["spec"]["restartPolicy"] = json!("Always"));
    wait(5_000).await;
    let before = bench.facts("vm").unwrap();
    bench.hosts.vmm_of(&pod_key("vm")).unwrap().0.kill();
    wait(3_000).await;
    let after = bench.facts("vm").unwrap();
    assert!(
        after.pid > before.pid && after.start_time > before.start_time && after.container_id != before.container_id
    );
    assert_eq!(bench.pod("vm")["status"]["containerStatuses"][0]["restartCount"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_pod_stops_first_and_a_forced_deletion_leaves_nothing() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.delete("vm");
    wait(400).await;
    assert!(!bench.is_gone("vm") && bench.hosts.vmm_of(&pod_key("vm")).is_some());
    wait(200).await;
    assert!(bench.is_gone("vm") && bench.hosts.vmm_of(&pod_key("vm")).is_none());
    bench.run_vm("vm", 1, 1024).await;
    let (vmm, _) = bench.hosts.vmm_of(&pod_key("vm")).unwrap();
    bench.store.delete(&pod_key("vm"), &DeleteOptions::now()).unwrap();
    wait(10).await;
    assert!(vmm.ended().is_cancelled() && bench.hosts.on_node("n1").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_container_without_a_layout_or_for_another_vmm_fails() {
    let bench = Bench::new();
    bench.create_pod("none", "1", 512, &["launch"]);
    wait(3_000).await;
    let ended = &bench.pod("none")["status"]["containerStatuses"][0]["state"]["terminated"];
    assert_eq!(ended["message"], "the arguments of the container have no --layout");
    assert_eq!(bench.pod("none")["status"]["phase"], "Failed");
}

#[tokio::test(start_paused = true)]
async fn a_frozen_kubelet_does_nothing_and_its_node_is_not_ready() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    bench.control.set(Quirks { frozen: true, ..Quirks::default() }).await;
    bench.resize("vm", "2", 1280);
    wait(60_000).await;
    assert!(!bench.is_observed("vm"));
    let node = bench.store.get(&crate::node::scheduler::node_key("n1")).unwrap();
    assert_eq!(node["status"]["conditions"][0]["status"], "Unknown");
    bench.control.set(Quirks::default()).await;
    wait(2_000).await;
    assert_eq!(bench.sizes("vm"), texts(["2", "1280Mi", "2", "1280Mi"]));
}

#[tokio::test(start_paused = true)]
async fn annotations_press_the_guest_and_let_it_go() {
    let bench = Bench::new();
    bench.run_vm("vm", 1, 1024).await;
    let annotate = |annotations: Value| bench.change("vm", |pod| pod["metadata"]["annotations"] = annotations);
    annotate(json!({ "sim.reef.dev/guest-used": "700Mi", "sim.reef.dev/guest-behaviour": "stalls, keeps-cpus" }));
    wait(10).await;
    let (vmm, view) = bench.hosts.vmm_of(&pod_key("vm")).unwrap();
    assert_eq!(view.guest.used_bytes, 700 * MIB);
    let behaviour = vmm.control(|machine| machine.behaviour()).await.unwrap();
    let expected = Behaviour {
        pressed: crate::vmm::Pressed::Stall,
        cpu_eject: crate::vmm::CpuEject::Never,
        ..Behaviour::default()
    };
    assert_eq!(behaviour, expected);
    annotate(json!({}));
    wait(10).await;
    assert_eq!(bench.hosts.vmm_of(&pod_key("vm")).unwrap().1.guest.used_bytes, crate::vmm::guest::IDLE_BYTES);
    assert_eq!(vmm.control(|machine| machine.behaviour()).await.unwrap(), Behaviour::default());
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_node_is_renewed() {
    let bench = Bench::new();
    let leases = ResourceId::new("coordination.k8s.io", "leases");
    let key = ObjectKey::namespaced(leases, "kube-node-lease", "n1");
    wait(1).await;
    let first = bench.store.get(&key).unwrap()["spec"]["renewTime"].clone();
    wait(10_001).await;
    assert_ne!(bench.store.get(&key).unwrap()["spec"]["renewTime"], first);
}
